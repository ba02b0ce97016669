//! Rule 1: what was published is never contradicted. Rule 2: what is listed is there.

use std::collections::BTreeMap;

use broadcast::{Broadcast, Extent, RenditionName, Seq, StoreTime, View};
use proptest::prelude::*;
use testkit::hls::{self, apply_delta, transition};

use crate::reader::{playlist, replay, text, views};
use crate::script::{Script, config, scripts};
use crate::simulation::{Recording, moved};

/// Somebody looks: at a true time, by a clock that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// Where in the recording, and a little after it.
    part: f64,
    /// As a part of the margin, either way.
    skew: f64,
    /// How many of the entries that the store took in just then are missed.
    late_by: usize,
    /// Just before the next entry of the log, with a clock as fast as may be: if that entry can still be contradicted,
    /// it is now.
    hasty: bool,
}

impl Moment {
    /// Many readers, evenly spread, every second one with a clock that is fast.
    pub(crate) fn many() -> Vec<Self> {
        let moment = |n: i32| Self { part: f64::from(n) / 22.0, skew: 0.0, late_by: 0, hasty: n % 4 != 0 };
        (0..24).map(moment).collect()
    }
}

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let moment = (0.0..1.1f64, -1.0..=1.0f64, 0usize..3, any::<bool>());
    let moment = moment.prop_map(|(part, skew, late_by, hasty)| Moment { part, skew, late_by, hasty });
    prop::collection::vec(moment, 8)
}

/// The readers' moments in the order in which they could have been seen: how many entries, and at what time by the
/// reader's clock.
fn seen(script: &Script, recording: &Recording, moments: &[Moment]) -> Vec<(usize, StoreTime)> {
    let (first, last) = (recording.log[0].at, recording.end_at());
    let margin = script.margin_ms() as f64;
    let of = |moment: &Moment| {
        let at = moved(first, ((last - first).0 as f64 * moment.part) as i64 + (moment.part * 20_000.0) as i64);
        let all = recording.known_at(at);
        if let Some(next) = recording.log.get(all).filter(|_| moment.hasty) {
            return (all, moved(next.at, script.margin_ms()));
        }
        // Those of the very last millisecond may be missed.
        let certain = recording.known_at(moved(at, -1)).max(1);
        (all.saturating_sub(moment.late_by).max(certain), moved(at, (margin * moment.skew) as i64))
    };
    let mut seen: Vec<_> = moments.iter().map(of).collect();
    let until = |(count, now): &(usize, StoreTime)| moved(*now, -script.margin_ms()).max(recording.log[count - 1].at);
    seen.sort_by_key(|moment| (moment.0, until(moment)));
    seen
}

pub(crate) fn follows(script: &Script, moments: &[Moment]) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let seen = seen(script, &recording, moments);
    let broadcasts: Vec<(Broadcast, StoreTime)> =
        seen.iter().map(|(count, now)| (replay(&recording, *count), *now)).collect();
    for name in &recording.names {
        for view in views() {
            let texts: Vec<Option<String>> =
                broadcasts.iter().map(|(broadcast, now)| text(broadcast, name, view, *now)).collect();
            for (index, later) in texts.iter().enumerate() {
                for (place, earlier) in texts[..index].iter().enumerate() {
                    let Some(earlier) = earlier else { continue };
                    let context = format!("{view:?} of {name}, {:?} -> {:?}", seen[place], seen[index]);
                    let Some(later) = later else { return Err(TestCaseError::fail(format!("{context}: it is gone"))) };
                    if let Err(found) = transition(earlier, later) {
                        return Err(TestCaseError::fail(format!("{context}: {found:#?}\n{earlier}\n{later}")));
                    }
                }
            }
        }
    }
    Ok(())
}

pub(crate) fn deltas(script: &Script, moments: &[Moment]) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let mut earlier: BTreeMap<(RenditionName, usize), String> = BTreeMap::new();
    for (count, now) in seen(script, &recording, moments) {
        let broadcast = replay(&recording, count);
        for name in &recording.names {
            for (index, view) in views().into_iter().enumerate() {
                let Ok(delta) = broadcast.view(name, view, Extent::Delta, now) else { continue };
                let whole = text(&broadcast, name, view, now).expect("a delta update is of something");
                let known = earlier.insert((name.clone(), index), whole.clone());
                let known = known.unwrap_or_else(|| whole.clone());
                let read = hls::read(&delta.text).expect("readable");
                let skipped_to = (read.skipped > 0).then_some(read.media_sequence + read.skipped);
                prop_assert_eq!(delta.skipped_to, skipped_to);
                // One who lacks what is left out is given the whole.
                if skipped_to.is_none_or(|skipped_to| skipped_to <= hls::read(&known).expect("readable").end()) {
                    prop_assert_eq!(apply_delta(&known, &delta.text), hls::read(&whole));
                }
                prop_assert_eq!(apply_delta(&whole, &delta.text), hls::read(&whole));
            }
        }
    }
    Ok(())
}

pub(crate) fn listed_is_there(script: &Script, moments: &[Moment]) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    for (count, now) in seen(script, &recording, moments) {
        let broadcast = replay(&recording, count);
        for view in views() {
            let multivariant = broadcast.multivariant(view, now).unwrap_or_default();
            prop_assert!(!multivariant.contains("INDEPENDENT"), "{multivariant}");
            for name in &recording.names {
                let is_listed = multivariant.contains(&format!("\n{name}/"));
                let is_there = broadcast.view(name, view, Extent::Whole, now).is_ok();
                prop_assert_eq!(is_listed, is_there, "{:?} of {}", view, name);
            }
        }
        for name in &recording.names {
            for view in views() {
                let Some(playlist) = playlist(&broadcast, name, view, now) else { continue };
                // What is still to come may be anything, and what is claimed stays.
                prop_assert!(view == View::Vod || !playlist.independent_segments);
                for segment in playlist.segments {
                    check_listed(&broadcast, name, view, &segment)?;
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn the_later_playlist_follows_from_the_earlier(script in scripts(), moments in moments()) {
        follows(&script, &moments)?;
    }

    /// A client that fills a delta update in has what the whole playlist says.
    #[test]
    fn delta_updates_equal_the_whole(script in scripts(), moments in moments()) {
        deltas(&script, &moments)?;
    }

    /// Rule 2. The judge of playlists looks at each as well.
    #[test]
    fn what_is_listed_is_there(script in scripts(), moments in moments()) {
        listed_is_there(&script, &moments)?;
    }
}

fn check_listed(
    broadcast: &Broadcast,
    name: &RenditionName,
    view: View,
    listed: &hls::Segment,
) -> Result<(), TestCaseError> {
    if listed.gap {
        return Ok(());
    }
    let (seq, extension) = listed.uri.split_once('.').expect("a number and an extension");
    let rendition = broadcast.rendition(name).expect("it has a playlist");
    let Some(segment) = rendition.segment(seq.parse::<Seq>().expect("a number")) else {
        return Err(TestCaseError::fail(format!("{view:?} of {name}: {} is not stored", listed.uri)));
    };
    prop_assert_eq!(extension, segment.container.extension());
    let init = rendition.format(segment.format).expect("announced").init;
    prop_assert_eq!(listed.map.clone(), init.map(|init| format!("URI=\"init-{}.mp4\"", init.digest)));
    let len = listed.bytes.map_or(segment.len, |bytes| bytes.offset + bytes.len);
    prop_assert!(len <= segment.len, "{}: byte {} of {}", listed.uri, len, segment.len);
    let whole = (u64::from(segment.duration.0) * 1_000_000 + 45_000) / 90_000;
    prop_assert!(listed.bytes.is_some() || listed.duration_us.abs_diff(whole) <= 1, "{} {whole}", listed.duration_us);
    Ok(())
}

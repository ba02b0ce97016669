//! Rule 3: live never falls silent. Rule 4: what is listed adds up to the time that it covers.

use std::collections::{BTreeMap, BTreeSet};

use broadcast::{Broadcast, Entry, Item, RenditionName, StoreTime, View};
use proptest::prelude::*;
use testkit::hls::Playlist;

use crate::reader::{playlist, replay, shown, watch};
use crate::script::{Before, Script, config, is_end, scripts, scripts_of_one};
use crate::simulation::{Recording, moved, ms_between};

/// When a reader first saw each new last entry of a rendition's live playlist, and whether it was media.
type Seen = BTreeMap<RenditionName, Vec<(StoreTime, u64, bool)>>;

fn seen(recording: &Recording, end: StoreTime) -> Seen {
    let mut seen = Seen::new();
    watch(recording, end, |broadcast, now| {
        for name in &recording.names {
            // Judged too: a live playlist that is all gap is not well formed.
            let Some(last) = playlist(broadcast, name, View::Live, now).and_then(|live| live.segments.last().cloned())
            else {
                continue;
            };
            let list = seen.entry(name.clone()).or_default();
            if list.last().is_none_or(|(_, msn, _)| *msn < last.msn) {
                list.push((now, last.msn, !last.gap));
            }
        }
    });
    seen
}

fn target_ms(script: &Script, recording: &Recording) -> i64 {
    let target = replay(recording, recording.log.len()).target_duration();
    target.map_or(script.base_ms, |target| target.millis().0)
}

pub(crate) fn silence(script: &Script) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let target = target_ms(script, &recording);
    let ended = recording.log.iter().find(|entry| is_end(&entry.event)).map(|entry| entry.at);
    let end = moved(recording.end_at(), 8 * target);
    let seen = seen(&recording, end);
    let media =
        |list: &Vec<(StoreTime, u64, bool)>| list.iter().filter(|seen| seen.2).map(|seen| seen.0).collect::<Vec<_>>();
    let media: Vec<StoreTime> = seen.values().flat_map(media).collect();
    for (name, list) in &seen {
        let until = ended.unwrap_or(end);
        let times: Vec<StoreTime> = list.iter().map(|seen| seen.0).filter(|at| *at < until).chain([until]).collect();
        for pair in times.windows(2) {
            let last_media = media.iter().copied().filter(|at| *at <= pair[0]).max().unwrap_or(pair[0]);
            let may_rest = moved(last_media, i64::from(script.policy.rest_after_ms) - 3 * target) < pair[1];
            let silence = ms_between(pair[0], pair[1]);
            prop_assert!(
                may_rest || silence * 2 <= target * 3 + 2,
                "{name}: {silence} ms without an entry before {pair:?}"
            );
        }
    }
    Ok(())
}

pub(crate) fn end(script: &Script) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let ended = recording.log.iter().position(|entry| is_end(&entry.event));
    let Some(ended) = ended else { return Ok(()) };
    let at = recording.log[ended].at;
    let patience = script.policy.patience_ms.map_or(target_ms(script, &recording), i64::from);
    let now = moved(at, patience + script.margin_ms() + 1);
    let broadcast = replay(&recording, recording.known_at(now));
    for name in &recording.names {
        for view in [View::Live, View::Dvr] {
            if let Some(playlist) = playlist(&broadcast, name, view, now) {
                prop_assert!(playlist.ended, "{view:?} of {name} has no end");
            }
        }
    }
    Ok(())
}

pub(crate) fn sums(script: &Script) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let target = target_ms(script, &recording);
    let broadcast = replay(&recording, recording.log.len());
    let now = moved(recording.end_at(), 5 * target);
    // A slot is as long as the media for which it was opened; that of another rendition may differ by as much
    // again.
    let slack = if recording.names.len() == 1 { 4 } else { 2 };
    let gaps = gaps(&recording, &broadcast, now);
    for name in &recording.names {
        let items = broadcast.live_items(name, now);
        let entries: Vec<&Entry> = items
            .iter()
            .filter_map(|item| match item {
                Item::Entry(entry) => Some(entry),
                _ => None,
            })
            .collect();
        let Some(dvr) = playlist(&broadcast, name, View::Dvr, now) else { continue };
        check_date_ranges(&dvr, target).map_err(|error| {
            TestCaseError::fail(format!("{name}: {error}\n{}", shown(&broadcast, &recording.names, now)))
        })?;
        let listed = dvr.segments;
        prop_assert_eq!(entries.len(), listed.len());
        for (entry, listed) in entries.iter().zip(&listed) {
            let slot = (entry.to - entry.from).0;
            prop_assert!(slot > 0, "{} covers {slot} ms", entry.msn);
            let off = (listed.duration_us as i64 / 1000 - slot).abs();
            prop_assert!(
                off * slack <= target + 8,
                "{name}, {}: {off} ms off its slot\n{}",
                entry.msn,
                shown(&broadcast, &recording.names, now)
            );
        }
        for pair in entries.windows(2) {
            let jump = (pair[1].from - pair[0].to).0;
            let left = i64::from(script.policy.gaps_max) - gaps.range(..pair[1].msn).count() as i64;
            let documented = jump > i64::from(script.policy.hole_max_ms) || jump > left * target;
            prop_assert!(jump == 0 || documented, "{name}: {jump} ms between {} and {}", pair[0].msn, pair[1].msn);
        }
        if recording.names.len() == 1 {
            prop_assert!(made_at_once(&entries) <= script.policy.gaps_max as usize, "too many gaps");
        }
    }
    Ok(())
}

/// How many gaps there are beyond one for each moment: time alone makes no more.
fn made_at_once(entries: &[&Entry]) -> usize {
    let moments = entries.chunk_by(|a, b| a.published_at == b.published_at);
    moments.map(|moment| moment.iter().filter(|entry| entry.is_gap()).count().saturating_sub(1)).sum()
}

/// The media sequence numbers that are nobody's media.
fn gaps(recording: &Recording, broadcast: &Broadcast, now: StoreTime) -> BTreeSet<u64> {
    let items = recording.names.iter().flat_map(|name| broadcast.live_items(name, now));
    let entries = items.filter_map(|item| match item {
        Item::Entry(entry) => Some(entry),
        Item::Range(_) | Item::End => None,
    });
    let (gaps, media): (Vec<Entry>, Vec<Entry>) = entries.partition(Entry::is_gap);
    let media: BTreeSet<u64> = media.iter().map(|entry| entry.msn).collect();
    // There may be some before a rendition's first entry.
    let next = gaps.iter().map(|entry| entry.msn + 1).max().unwrap_or(0);
    (0..next).filter(|msn| !media.contains(msn)).collect()
}

/// The tags of an outage stand where it begins and where it ends.
fn check_date_ranges(dvr: &Playlist, target: i64) -> Result<(), TestCaseError> {
    for range in dvr.date_ranges.iter().filter(|range| !range.id.starts_with('r')) {
        let date = range.date_ms("END-DATE").or_else(|| range.date_ms("START-DATE")).expect("well formed");
        let next = dvr.segment(range.before).and_then(|segment| segment.date_time_ms);
        // Where the timeline jumps, it is somewhere in between.
        let before = range.before.checked_sub(1).and_then(|before| dvr.segment(before)).and_then(|before| {
            let length = i64::try_from(before.duration_us / 1_000).expect("short");
            before.date_time_ms.map(|start| start + length)
        });
        let off = |other: i64| (other - date) * 2 / (target + 9);
        prop_assert!(
            next.is_none_or(|next| off(next) >= 0) && before.or(next).is_none_or(|before| off(before) <= 0),
            "{} between {before:?} and {next:?} at {}",
            range.line,
            range.before
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn live_never_falls_silent(script in scripts()) {
        silence(&script)?;
    }

    /// Once it has ended, every playlist says so, within the patience.
    #[test]
    fn an_end_is_listed(script in scripts()) {
        end(&script)?;
    }

    #[test]
    fn what_is_listed_adds_up(script in scripts()) {
        sums(&script)?;
    }

    /// Capture times leave hole after hole. Once there are no more gaps for them, they are jumped over, and live is as
    /// alive as ever.
    #[test]
    fn holes_use_up_the_gaps(
        mut script in scripts_of_one(),
        gaps_max in 0u32..8,
        leaps in prop::collection::vec((any::<prop::sample::Index>(), 2i64..6), 3..8),
    ) {
        script.policy.gaps_max = gaps_max;
        for (slot, segments) in leaps {
            let slot = slot.get_mut(&mut script.slots[2..]);
            slot.before = Before::ClockJump { ms: segments * script.base_ms };
        }
        sums(&script)?;
        silence(&script)?;
    }
}

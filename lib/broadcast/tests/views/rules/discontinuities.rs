//! Rule 5: EXT-X-DISCONTINUITY exactly where the media breaks, by what the simulation knows of it.

use broadcast::{RenditionName, Seq, View};
use proptest::prelude::*;
use testkit::hls::{Playlist, Segment};

use crate::reader::{playlist, replay, shown};
use crate::script::{Script, config, scripts, scripts_of_one};
use crate::simulation::{Recording, Truth, moved};

/// Media that follow each other in a playlist, with nothing but gaps between them.
struct Joint<'a> {
    before: &'a Segment,
    after: &'a Segment,
    breaks: Option<bool>,
}

/// The joints of a playlist, and whether the media's timeline breaks there. `None` where it is a matter of taste.
fn joints<'a>(recording: &Recording, name: &RenditionName, playlist: &'a Playlist) -> Vec<Joint<'a>> {
    let mut joints = Vec::new();
    let mut before: Option<&Segment> = None;
    let mut gap_us = 0;
    for after in &playlist.segments {
        if after.gap {
            gap_us += after.duration_us as i64;
            continue;
        }
        if let Some(before) = before {
            joints.push(Joint { before, after, breaks: breaks(recording, name, before, after, gap_us) });
        }
        (before, gap_us) = (Some(after), 0);
    }
    joints
}

fn breaks(recording: &Recording, name: &RenditionName, before: &Segment, after: &Segment, gap_us: i64) -> Option<bool> {
    let new = truth(recording, name, after);
    let within = Truth { media: new.media + within_us(after) * 9 / 100, ..new.clone() };
    breaks_at(recording, name, before, &within, gap_us)
}

fn breaks_at(recording: &Recording, name: &RenditionName, before: &Segment, new: &Truth, gap_us: i64) -> Option<bool> {
    let old = truth(recording, name, before);
    if old.epoch != new.epoch {
        return Some(true);
    }
    let starts_us = |media: i64| media * 100 / 9;
    let expected = starts_us(old.media) + within_us(before) + before.duration_us as i64 + gap_us;
    let off_ms = (starts_us(new.media) - expected).abs() / 1000;
    match (gap_us > 0, off_ms) {
        (false, 98..=102) | (true, 497..=503) => None,
        (false, off_ms) => Some(off_ms > 100),
        (true, off_ms) => Some(off_ms > 500),
    }
}

fn truth<'a>(recording: &'a Recording, name: &RenditionName, segment: &Segment) -> &'a Truth {
    let seq: Seq = segment.uri.split_once('.').expect("a number").0.parse().expect("a number");
    &recording.truth[&(name.clone(), seq)]
}

/// Where a byte range begins: all segments hold 100 bytes a millisecond.
fn within_us(segment: &Segment) -> i64 {
    segment.bytes.map_or(0, |bytes| bytes.offset as i64 * 10)
}

/// Whether a discontinuity may be owed at this media sequence number: a stored segment, listed as a gap at most so many
/// slots before it, broke where the other renditions went on. The slots between may have been opened already.
const OWED_FOR: u64 = 8;

fn owed(recording: &Recording, name: &RenditionName, playlist: &Playlist, msn: u64) -> bool {
    let mut before: Option<&Segment> = None;
    let mut gap_us = 0;
    for segment in playlist.segments.iter().take_while(|segment| segment.msn < msn) {
        if !segment.gap {
            (before, gap_us) = (Some(segment), 0);
            continue;
        }
        let near = |truth: &&Truth| {
            let date = segment.date_time_ms.unwrap_or_default();
            truth.stored_at.is_some()
                && truth.segment.rendition == *name
                && (truth.segment.captured_at.0 - date).abs() < 1_500
        };
        let lost = |truth: &Truth| {
            before.is_some_and(|before| breaks_at(recording, name, before, truth, gap_us) != Some(false))
        };
        if segment.msn + OWED_FOR >= msn && recording.truth.values().filter(near).any(lost) {
            return true;
        }
        gap_us += segment.duration_us as i64;
    }
    false
}

/// How many EXT-X-DISCONTINUITY stand between the two.
fn listed(playlist: &Playlist, joint: &Joint<'_>) -> u64 {
    let count = joint.after.discontinuities - joint.before.discontinuities;
    let between = |segment: &&Segment| segment.msn > joint.before.msn && segment.msn <= joint.after.msn;
    assert_eq!(count, playlist.segments.iter().filter(between).filter(|segment| segment.discontinuity).count() as u64);
    count
}

pub(crate) fn lone(script: &Script) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let broadcast = replay(&recording, recording.log.len());
    let (name, now) = (&recording.names[0], moved(recording.end_at(), 60_000));
    for view in crate::reader::views() {
        let Some(playlist) = playlist(&broadcast, name, view, now).filter(|_| view != View::Live) else { continue };
        prop_assert!(!playlist.segments[0].discontinuity || playlist.segments[0].gap);
        for joint in joints(&recording, name, &playlist) {
            let Some(breaks) = joint.breaks else { continue };
            prop_assert_eq!(listed(&playlist, &joint), u64::from(breaks), "{:?} before {}", view, joint.after.uri);
            prop_assert_eq!(joint.after.discontinuity, breaks, "{:?} at {}", view, joint.after.uri);
        }
    }
    Ok(())
}

pub(crate) fn together(script: &Script) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let broadcast = replay(&recording, recording.log.len());
    let now = moved(recording.end_at(), 60_000);
    let dvr = |name: &RenditionName| Some((name.clone(), playlist(&broadcast, name, View::Dvr, now)?));
    let playlists: Vec<(RenditionName, Playlist)> = recording.names.iter().filter_map(dvr).collect();
    let all: Vec<_> = playlists.iter().map(|(name, playlist)| joints(&recording, name, playlist)).collect();
    for ((name, playlist), joints) in playlists.iter().zip(&all) {
        for joint in joints.iter().filter(|joint| joint.breaks == Some(true)) {
            prop_assert!(listed(playlist, joint) > 0, "{name}: none before {}", joint.after.uri);
        }
        for segment in playlist.segments.iter().filter(|segment| segment.discontinuity) {
            let here = |joint: &&Joint<'_>| {
                joint.breaks != Some(false) && (joint.before.msn + 1..=joint.after.msn).contains(&segment.msn)
            };
            prop_assert!(
                all.iter().flatten().any(|joint| here(&joint))
                    || playlists.iter().any(|(name, playlist)| owed(&recording, name, playlist, segment.msn)),
                "{name}: one too many at {}\n{}",
                segment.msn,
                shown(&broadcast, &recording.names, now)
            );
        }
        for (other_name, other) in &playlists {
            for segment in &playlist.segments {
                let Some(theirs) = other.segment(segment.msn) else { continue };
                prop_assert_eq!(
                    segment.discontinuities,
                    theirs.discontinuities,
                    "{} and {} at {}",
                    name,
                    other_name,
                    segment.msn
                );
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn a_lone_rendition_breaks_exactly_where_its_media_does(script in scripts_of_one()) {
        lone(&script)?;
    }

    #[test]
    fn renditions_break_together(script in scripts()) {
        together(&script)?;
    }
}

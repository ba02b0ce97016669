//! Rule 5: EXT-X-DISCONTINUITY exactly where the media breaks, by what its makers know of it.

use std::collections::BTreeMap;

use broadcast::RenditionName;
use testkit::hls::{Playlist, Segment};

use super::facts::{Facts, Known};
use super::listed::seq_of;

/// Media that follow each other in a playlist, with nothing but gaps between them.
struct Joint<'a> {
    before: &'a Segment,
    after: &'a Segment,
    /// `None` where it is a matter of taste.
    breaks: Option<bool>,
}

/// Where media is on its timeline.
#[derive(Clone, Copy)]
struct Spot {
    epoch: u64,
    media_us: i64,
}

/// One rendition, in whatever order: a break is announced where it is, once.
pub(crate) fn alone(playlist: &Playlist, name: &RenditionName, facts: &Facts) -> Result<(), String> {
    for joint in joints(playlist, name, facts)? {
        let Some(breaks) = joint.breaks else { continue };
        let listed = joint.after.discontinuities - joint.before.discontinuities;
        if listed != u64::from(breaks) || joint.after.discontinuity != breaks {
            let (before, after) = (&joint.before.uri, &joint.after.uri);
            return Err(format!("rule 5: {name} breaks between {before} and {after}: {breaks}, listed {listed} times"));
        }
    }
    Ok(())
}

/// Several renditions in the order of arrival: they break together, and where one of them breaks.
pub(crate) fn together(playlists: &BTreeMap<RenditionName, Playlist>, facts: &Facts) -> Result<(), String> {
    let of = |(name, playlist)| joints(playlist, name, facts);
    let all = playlists.iter().map(of).collect::<Result<Vec<_>, _>>()?;
    for ((name, playlist), joints) in playlists.iter().zip(&all) {
        let silent = |joint: &&Joint<'_>| joint.after.discontinuities == joint.before.discontinuities;
        if let Some(joint) = joints.iter().filter(|joint| joint.breaks == Some(true)).find(silent) {
            return Err(format!("rule 5: {name} breaks before {}, and nothing says so", joint.after.uri));
        }
        for segment in playlist.segments.iter().filter(|segment| segment.discontinuity) {
            let here = |joint: &Joint<'_>| {
                joint.breaks != Some(false) && (joint.before.msn + 1..=joint.after.msn).contains(&segment.msn)
            };
            let is_owed = |(name, playlist)| owed(name, playlist, segment.msn, facts);
            if !all.iter().flatten().any(here) && !playlists.iter().any(is_owed) {
                return Err(format!("rule 5: {name} is said to break at {}, and does not", segment.msn));
            }
        }
        for (other, theirs) in playlists {
            let differs = |segment: &&Segment| {
                let same = theirs.segment(segment.msn);
                same.is_some_and(|same| same.discontinuities != segment.discontinuities)
            };
            if let Some(segment) = playlist.segments.iter().find(differs) {
                return Err(format!("rule 5: {name} and {other} count breaks differently at {}", segment.msn));
            }
        }
    }
    Ok(())
}

fn joints<'a>(playlist: &'a Playlist, name: &RenditionName, facts: &Facts) -> Result<Vec<Joint<'a>>, String> {
    let (mut joints, mut before, mut gap_us) = (Vec::new(), None, 0);
    for after in &playlist.segments {
        if after.gap {
            gap_us += us(after.duration_us);
            continue;
        }
        if let Some(before) = before {
            let breaks = breaks(spot(before, name, facts)?, us(before.duration_us), spot(after, name, facts)?, gap_us);
            joints.push(Joint { before, after, breaks });
        }
        (before, gap_us) = (Some(after), 0);
    }
    Ok(joints)
}

/// Whether what follows a piece of media, after so long a gap, does not continue it.
fn breaks(before: Spot, lasts_us: i64, after: Spot, gap_us: i64) -> Option<bool> {
    if before.epoch != after.epoch {
        return Some(true);
    }
    let off_ms = (after.media_us - before.media_us - lasts_us - gap_us).abs() / 1_000;
    match (gap_us > 0, off_ms) {
        (false, 98..=102) | (true, 497..=503) => None,
        (false, off_ms) => Some(off_ms > 100),
        (true, off_ms) => Some(off_ms > 500),
    }
}

fn spot(segment: &Segment, name: &RenditionName, facts: &Facts) -> Result<Spot, String> {
    let known = seq_of(segment).and_then(|seq| facts.known(name, seq));
    let known = known.ok_or_else(|| format!("rule 6: {name} {} was never stored", segment.uri))?;
    // A part begins at one of its cuts.
    let offset = segment.bytes.map_or(0, |bytes| bytes.offset);
    let cut = known.segment.cuts.iter().find(|cut| cut.offset == offset);
    let within_us = cut.map_or(0, |cut| i64::from(cut.after.0) * 100 / 9);
    Ok(Spot { media_us: known.place.media_ms * 1_000 + within_us, ..Spot::of(known) })
}

impl Spot {
    fn of(known: &Known) -> Self {
        Self { epoch: known.place.epoch, media_us: known.place.media_ms * 1_000 }
    }
}

/// Whether a discontinuity may be owed at this media sequence number: a stored segment, listed as a gap at most so many
/// slots before it, broke where the other renditions went on. The slots between may have been opened already.
const OWED_FOR: u64 = 8;
/// How near to a gap's date the segment was captured in whose place it is.
const NEAR_MS: i64 = 1_500;

fn owed(name: &RenditionName, playlist: &Playlist, msn: u64, facts: &Facts) -> bool {
    let (mut before, mut gap_us) = (None, 0);
    for segment in playlist.segments.iter().take_while(|segment| segment.msn < msn) {
        if !segment.gap {
            (before, gap_us) = (Some(segment), 0);
            continue;
        }
        let date = segment.date_time_ms.unwrap_or_default();
        let near = |known: &&Known| (known.segment.captured_at.0 - date).abs() < NEAR_MS;
        let lost = |known: &Known| {
            let before: Option<&Segment> = before;
            before.is_some_and(|before| {
                let spot = spot(before, name, facts).ok();
                spot.is_some_and(|spot| breaks(spot, us(before.duration_us), Spot::of(known), gap_us) != Some(false))
            })
        };
        if segment.msn + OWED_FOR >= msn && facts.of(name).filter(near).any(lost) {
            return true;
        }
        gap_us += us(segment.duration_us);
    }
    false
}

fn us(duration_us: u64) -> i64 {
    i64::try_from(duration_us).unwrap_or(i64::MAX)
}

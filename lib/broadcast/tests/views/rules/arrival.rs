//! Rule 7: a segment that arrives within the reorder patience is in the live view in its place.

use broadcast::{Broadcast, Content, Entry, Item, RenditionName, StoreTime};
use proptest::prelude::*;

use crate::reader::replay;
use crate::script::{config, scripts};
use crate::simulation::{Recording, Truth, moved};

/// How live is judged: its target duration, patience and silence, in milliseconds.
struct Limits {
    target: i64,
    patience: i64,
    silence: i64,
}

fn entries(broadcast: &Broadcast, name: &RenditionName, now: StoreTime) -> Vec<Entry> {
    let entry = |item| match item {
        Item::Entry(entry) => Some(entry),
        Item::Range(_) | Item::End => None,
    };
    broadcast.live_items(name, now).into_iter().filter_map(entry).collect()
}

/// When the patience with this segment began: the first commit of anything captured after it.
fn first_later(recording: &Recording, truth: &Truth) -> Option<StoreTime> {
    let end = truth.segment.captured_end();
    let later = recording.truth.values().filter(|other| other.segment.captured_at + broadcast::Millis(120) >= end);
    later.filter(|other| other.segment.seq > truth.segment.seq).filter_map(|other| other.stored_at).min()
}

/// Why a segment that came in time may still not be in live.
fn excuse(entries: &[Entry], truth: &Truth, at: StoreTime, limits: &Limits) -> Option<&'static str> {
    let segment = &truth.segment;
    let (start, end) = (segment.captured_at, segment.captured_end());
    if segment.duration.millis().0 * 2 > limits.target * 2 + 999 {
        return Some("too long");
    }
    let Some(first) = entries.first() else { return Some("nothing of it was listed") };
    if end <= first.from {
        return Some("before the beginning");
    }
    let middle = start + broadcast::Millis((end - start).0 / 2);
    let covering = entries.iter().position(|entry| entry.from <= middle && middle < entry.to)?;
    let covering_entry = &entries[covering];
    if !covering_entry.is_gap() {
        return Some("the publisher's clock jumped: other media has its place");
    }
    // Rule 3 comes first: a gap had to be published, because nothing else was for as long as is allowed.
    let settled_at = covering_entry.published_at;
    let earlier = entries[..covering].iter().map(|entry| entry.published_at).filter(|at| *at < settled_at).max();
    let silent = earlier.is_none_or(|earlier| (settled_at - earlier).0 >= limits.target.min(limits.silence));
    (settled_at < at && silent).then_some("rule 3 forced a gap")
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn what_comes_within_the_patience_is_in_its_place(script in scripts()) {
        let recording = Recording::new(&script);
        let broadcast = replay(&recording, recording.log.len());
        let Some(target) = broadcast.target_duration().map(|target| target.millis().0) else { return Ok(()) };
        let limits = Limits {
            target,
            patience: script.policy.patience_ms.map_or(target, i64::from),
            silence: (target * 3 / 2 - script.margin_ms()).max(target / 2),
        };
        let now = moved(recording.end_at(), 20 * target);
        for name in &recording.names {
            let entries = entries(&broadcast, name, now);
            for truth in recording.truth.values().filter(|truth| truth.segment.rendition == *name) {
                let Some(at) = truth.stored_at else { continue };
                let in_time = first_later(&recording, truth).is_none_or(|first| at <= moved(first, limits.patience));
                let seq = truth.segment.seq;
                let is_it = |entry: &&Entry| matches!(&entry.content, Content::Media(part) if part.segment.seq == seq);
                let Some(entry) = entries.iter().find(is_it) else {
                    let excused = !in_time || excuse(&entries, truth, at, &limits).is_some() || script.ends_before(at, &recording);
                    prop_assert!(excused, "{name}: {seq}, stored at {at:?}, is not in live");
                    continue;
                };
                let off = (entry.from - truth.segment.captured_at).0.abs();
                prop_assert!(off * 4 <= target + 8 || entry.msn > 0 && off * 2 < target, "{name}: {seq} is {off} ms out of its place");
            }
        }
    }
}

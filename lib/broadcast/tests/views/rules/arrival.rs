//! Rule 7: a segment that arrives within the reorder patience is in the live view in its place.

use broadcast::{Broadcast, Entry, Item, Millis, Part, RenditionName, Seq, StoreTime};
use proptest::prelude::*;

use crate::reader::{replay, shown};
use crate::script::{Finish, Script, Slot, config, scripts};
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

/// When the patience with this segment began: the first commit of anything captured after it, or of the same time in
/// another rendition.
fn first_later(recording: &Recording, truth: &Truth) -> Option<StoreTime> {
    let segment = &truth.segment;
    let later = |other: &&Truth| {
        let beside = other.segment.seq == segment.seq && other.segment.rendition != segment.rendition;
        beside || other.segment.seq > segment.seq && other.segment.captured_at >= segment.captured_at
    };
    recording.truth.values().filter(later).filter_map(|other| other.stored_at).min()
}

/// Why a segment that came in time may still not be in live.
fn excuse(
    recording: &Recording,
    all: &[Vec<Entry>],
    entries: &[Entry],
    truth: &Truth,
    at: StoreTime,
    limits: &Limits,
) -> Option<&'static str> {
    let segment = &truth.segment;
    let (start, end) = (segment.captured_at, segment.captured_end());
    let too_long = |other: &Truth| {
        other.segment.seq == segment.seq && other.segment.duration.millis().0 * 2 > limits.target * 2 + 999
    };
    if recording.truth.values().any(too_long) {
        return Some("too long, in this rendition or in one that was there first");
    }
    // What is left of it after a gap that came first.
    let gap = entries.iter().find(|entry| entry.is_gap() && entry.from <= start && start < entry.to && entry.to < end);
    let left = gap.map_or(end - start, |gap| end - gap.to);
    if left.0 * 4 <= limits.target + 8 {
        return Some("so short that what follows starts near enough to the cursor without it");
    }
    let claims_it = |other: &Truth| {
        let before =
            other.segment.seq < segment.seq && other.segment.captured_end() > start + Millis(limits.target / 4);
        let after = other.segment.seq > segment.seq && other.segment.captured_at < end - Millis(limits.target / 4);
        before || after
    };
    if recording.truth.values().any(claims_it) {
        return Some("the publisher's clock went back: other media has the same place");
    }
    let Some(first) = entries.first() else { return Some("nothing of it was listed") };
    // What it can no longer start after.
    let place = start + Millis(((end - start).0 / 2).min(limits.target / 4 - 2));
    if place < first.from {
        return Some("before the beginning");
    }
    let Some(covering) = entries.iter().position(|entry| entry.from <= place && place < entry.to) else {
        let jumped = entries.last().is_some_and(|last| place < last.from);
        return jumped.then_some("the timeline jumps over a hole that is too long to be covered");
    };
    let covering_entry = &entries[covering];
    if !covering_entry.is_gap() {
        return Some("other media has its place");
    }
    if all.len() > 1 && breaks(recording, &entries[..covering], truth) {
        return Some("it breaks where the other renditions go on");
    }
    // Rule 3 comes first: in some rendition a gap had to be published, because nothing was for as long as is allowed.
    let forced =
        all.iter().any(|entries| silence_before(entries, covering_entry.msn) >= limits.target.min(limits.silence));
    (covering_entry.published_at < at && forced).then_some("rule 3 forced a gap")
}

/// Whether a segment does not continue the media listed last, by the truth about their timelines.
fn breaks(recording: &Recording, before: &[Entry], truth: &Truth) -> bool {
    let gaps = before.iter().rev().take_while(|entry| entry.is_gap()).map(|entry| entry.length().0);
    let Some(last) = before.iter().rev().find_map(Entry::part) else { return false };
    let old = &recording.truth[&(truth.segment.rendition.clone(), last.segment.seq)];
    let expected = old.media + i64::from(last.after.0 + last.duration.0) + gaps.sum::<i64>() * 90;
    old.epoch != truth.epoch || (truth.media - expected).abs() > 8_900
}

/// How long nothing had been published when the entry with this media sequence number was.
fn silence_before(entries: &[Entry], msn: u64) -> i64 {
    let Some(entry) = entries.iter().find(|entry| entry.msn == msn) else { return 0 };
    let earlier = entries.iter().map(|entry| entry.published_at).filter(|at| *at < entry.published_at).max();
    earlier.map_or(i64::MAX, |earlier| (entry.published_at - earlier).0)
}

pub(crate) fn places(script: &Script) -> Result<(), TestCaseError> {
    let recording = Recording::new(script);
    let broadcast = replay(&recording, recording.log.len());
    let Some(target) = broadcast.target_duration().map(|target| target.millis().0) else { return Ok(()) };
    let limits = Limits {
        target,
        patience: script.policy.patience_ms.map_or(target, i64::from),
        silence: (target * 3 / 2 - script.margin_ms()).max(target / 2),
    };
    let now = moved(recording.end_at(), 20 * target);
    // Another rendition's slot is where that rendition's media is.
    let slack = if recording.names.len() == 1 { 4 } else { 2 };
    let all: Vec<Vec<Entry>> = recording.names.iter().map(|name| entries(&broadcast, name, now)).collect();
    for (name, entries) in recording.names.iter().zip(&all) {
        for truth in recording.truth.values().filter(|truth| truth.segment.rendition == *name) {
            let Some(at) = truth.stored_at else { continue };
            let in_time = first_later(&recording, truth).is_none_or(|first| at <= moved(first, limits.patience));
            let seq = truth.segment.seq;
            let part =
                |entry: &Entry| Some((entry.clone(), entry.part().filter(|part| part.segment.seq == seq)?.clone()));
            let parts: Vec<(Entry, Part)> = entries.iter().filter_map(part).collect();
            if parts.is_empty() {
                let excused = !in_time
                    || excuse(&recording, &all, entries, truth, at, &limits).is_some()
                    || script.ends_before(at, &recording);
                prop_assert!(
                    excused,
                    "{name}: {seq}, stored at {at:?}, is not in live\n{}",
                    shown(&broadcast, &recording.names, now)
                );
            }
            for (entry, part) in parts {
                let off = (entry.from - part.captured_at).0.abs();
                prop_assert!(
                    off * slack <= target + 8,
                    "{name}: {seq} is {off} ms out of its place\n{}",
                    shown(&broadcast, &recording.names, now)
                );
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(32))]

    /// Whatever has happened, once all is well again, live shows what arrives.
    #[test]
    fn live_finds_back_to_the_publisher(mut script in scripts()) {
        let troubled = script.slots.len();
        script.finish = Finish::Running;
        // With these, an ordinary delay never takes longer than live can wait.
        (script.latency_jitter_ms, script.policy.patience_ms) = (script.latency_jitter_ms.min(200), None);
        script.policy.clock_margin_ms = script.policy.clock_margin_ms.min(250);
        script.slots.extend(vec![Slot::calm(&script); 100]);
        let recording = Recording::new(&script);
        for name in &recording.names {
            let last = Seq((troubled + 99) as u64);
            let now = recording.truth[&(name.clone(), last)].stored_at.expect("it was sent");
            let broadcast = replay(&recording, recording.known_at(now));
            let entries = entries(&broadcast, name, now);
            let newest = entries.last().and_then(Entry::part).map(|part| part.segment.seq);
            prop_assert_eq!(newest, Some(last), "{}\n{}", name, shown(&broadcast, &recording.names, now));
        }
    }
}

proptest! {
    #![proptest_config(config(192))]

    #[test]
    fn what_comes_within_the_patience_is_in_its_place(script in scripts()) {
        places(&script)?;
    }
}

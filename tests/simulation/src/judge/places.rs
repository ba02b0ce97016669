//! Rule 7: a segment that arrives within the reorder patience is in the live view in its place.
//!
//! What may keep one out that came in time is in [`excuse`]: each is a rule that comes first, or a documented limit.

use std::collections::BTreeMap;

use broadcast::{Entry, Millis, Part, RenditionName, StoreTime};

use super::facts::{Facts, Known, moved};

/// What was ever listed in the order of arrival, by rendition.
pub(crate) type Listed = BTreeMap<RenditionName, Vec<Entry>>;

/// As it is at `now`: what may still be waited for is not judged.
pub(crate) fn places(listed: &Listed, facts: &Facts, now: StoreTime) -> Result<(), String> {
    // Another rendition's slot is where that rendition's media is.
    let slack = if listed.len() == 1 { 4 } else { 2 };
    for (name, entries) in listed {
        let parts: Vec<(&Entry, &Part)> = entries.iter().filter_map(|entry| Some((entry, entry.part()?))).collect();
        for (entry, part) in &parts {
            let off = (entry.from - part.captured_at).0.abs();
            if off * slack > facts.target_ms() + 8 {
                return Err(format!("rule 7: {name} {} is {off} ms out of its place", part.segment.seq));
            }
        }
        let mut seqs: Vec<_> = parts.iter().map(|(_, part)| part.segment.seq).collect();
        seqs.sort_unstable();
        for known in facts.of(name).filter(|known| seqs.binary_search(&known.segment.seq).is_err()) {
            let is_settled = moved(known.stored_at, 2 * facts.target_ms() + facts.margin_ms()) < now;
            if is_settled && in_time(known, facts) && excuse(known, entries, listed, facts).is_none() {
                return Err(missed(known, entries));
            }
        }
    }
    Ok(())
}

/// What there is to know of it, for those who have to find out why.
fn missed(known: &Known, entries: &[Entry]) -> String {
    let (name, seq, start) = (&known.segment.rendition, known.segment.seq, known.segment.captured_at);
    let near =
        |entry: &&Entry| (entry.from - start).abs() < known.segment.duration.millis() + known.segment.duration.millis();
    let told = |entry: &Entry| {
        let media = entry.part().map_or_else(|| "gap".to_owned(), |part| part.segment.seq.to_string());
        format!(
            "{media} for {} to {}, at {}",
            (entry.from - start).0,
            (entry.to - start).0,
            (entry.published_at - known.stored_at).0
        )
    };
    let there: Vec<String> = entries.iter().filter(near).map(told).collect();
    let length = known.segment.duration.millis().0;
    format!("rule 7: {name} {seq}, {length} ms long, came in time and is not in live, but {there:?}")
}

/// Whether the patience with a segment was not over when it came. It began with the first commit of anything captured
/// after it, or of the same time in another rendition.
fn in_time(known: &Known, facts: &Facts) -> bool {
    let segment = &known.segment;
    let later = |other: &&Known| {
        let beside = other.segment.seq == segment.seq && other.segment.rendition != segment.rendition;
        beside || other.segment.seq > segment.seq && other.segment.captured_at >= segment.captured_at
    };
    let first = facts.all().filter(later).map(|other| other.stored_at).min();
    first.is_none_or(|first| known.stored_at <= moved(first, facts.patience_ms()))
}

/// Why a segment that came in time may still not be in live.
fn excuse(known: &Known, entries: &[Entry], listed: &Listed, facts: &Facts) -> Option<&'static str> {
    let (segment, target) = (&known.segment, facts.target_ms());
    let (start, end) = (segment.captured_at, segment.captured_end());
    if facts.ended_at.is_some_and(|ended_at| ended_at < known.stored_at) {
        return Some("it had ended");
    }
    let too_long =
        |other: &Known| other.segment.seq == segment.seq && other.segment.duration.millis().0 * 2 > target * 2 + 999;
    if facts.all().any(too_long) {
        return Some("too long, in this rendition or in one that was there first");
    }
    // What is left of it after a gap that came first.
    let gap = entries.iter().find(|entry| entry.is_gap() && entry.from <= start && start < entry.to && entry.to < end);
    let left = gap.map_or(end - start, |gap| end - gap.to);
    if left.0 * 4 <= target + 8 {
        return Some("so short that what follows starts near enough to the cursor without it");
    }
    let claims_it = |other: &Known| {
        let before = other.segment.seq < segment.seq && other.segment.captured_end() > start + Millis(target / 4);
        let after = other.segment.seq > segment.seq && other.segment.captured_at < end - Millis(target / 4);
        before || after
    };
    if facts.all().any(claims_it) {
        return Some("the publisher's clock went back: other media has the same place");
    }
    let Some(first) = entries.first() else { return Some("nothing of it was listed") };
    // What it can no longer start after.
    let place = start + Millis(((end - start).0 / 2).min(target / 4 - 2));
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
    if listed.len() > 1 && breaks(known, &entries[..covering], facts) {
        return Some("it breaks where the other renditions go on");
    }
    // Rule 3 comes first: in some rendition a gap had to be published, because nothing was for as long as is allowed.
    let silence_max = (target * 3 / 2 - facts.margin_ms()).max(target / 2);
    let forced = |entries: &Vec<Entry>| silence_before(entries, covering_entry.msn) >= target.min(silence_max);
    let was_forced = covering_entry.published_at < known.stored_at && listed.values().any(forced);
    was_forced.then_some("rule 3 forced a gap")
}

/// Whether a segment does not continue the media listed last.
fn breaks(known: &Known, before: &[Entry], facts: &Facts) -> bool {
    let gap_ms: i64 = before.iter().rev().take_while(|entry| entry.is_gap()).map(|entry| entry.length().0).sum();
    let Some(last) = before.iter().rev().find_map(Entry::part) else { return false };
    let Some(old) = facts.known(&known.segment.rendition, last.segment.seq) else { return false };
    let end = old.place.media_ms + i64::from(last.after.0 + last.duration.0) / 90;
    old.place.epoch != known.place.epoch || (known.place.media_ms - end - gap_ms).abs() > 98
}

/// How long nothing had been published when the entry with this media sequence number was.
fn silence_before(entries: &[Entry], msn: u64) -> i64 {
    let Some(entry) = entries.iter().find(|entry| entry.msn == msn) else { return 0 };
    let published = entries.iter().map(|entry| entry.published_at);
    let earlier: Option<StoreTime> = published.filter(|at| *at < entry.published_at).max();
    earlier.map_or(i64::MAX, |earlier| (entry.published_at - earlier).0)
}

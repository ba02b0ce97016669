//! One rendition's way through the slots of the live timeline: which slots it has filled, which one it waits for,
//! and what it still misses.

use std::collections::VecDeque;

use super::item::{Content, DateRange, Entry, Item, Part, RangeKind};
use super::tail::Slot;
use crate::broadcast::Arrivals;
use crate::continuity::MediaEnd;
use crate::event::SeqRange;
use crate::ids::Seq;
use crate::time::{CapturedAt, Millis, StoreTime};

/// How many holes a rendition waits to see filled; more, and the oldest is no longer announced when it is.
const HOLES_MAX: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Track {
    /// The media sequence number to publish next; `None` before the first.
    pub(super) next: Option<u64>,
    /// Media for slots from `next` on, in order.
    waiting: VecDeque<(u64, Part)>,
    last: Option<LastMedia>,
    /// EXT-X-DISCONTINUITY was listed after the last media.
    broken: bool,
    /// Its media broke where the others went on: the next slot has to begin with a discontinuity.
    owes: bool,
    pub(super) last_entry_at: StoreTime,
    /// What to say of an outage once the slot before which it belongs is reached.
    ranges: VecDeque<(u64, DateRange)>,
    holes: Vec<Hole>,
}

#[derive(Clone, Copy, Debug)]
struct LastMedia {
    seq: Seq,
    captured_end: CapturedAt,
    end: MediaEnd,
}

/// Where a track has come to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latest {
    pub(super) end: MediaEnd,
    /// A discontinuity follows it already.
    pub(super) broken: bool,
    /// The first slot for which it has nothing.
    pub(super) next: u64,
}

impl Latest {
    /// As if it were media of the same rendition as `part`.
    pub(super) fn seen_from(self, part: &Part) -> Self {
        Self { end: self.end.of_rendition(part), ..self }
    }
}

/// Segments that live went past.
#[derive(Clone, Copy, Debug)]
struct Hole {
    seqs: SeqRange,
    range: DateRange,
}

impl Track {
    pub(super) fn new() -> Self {
        Self {
            next: None,
            waiting: VecDeque::new(),
            last: None,
            broken: false,
            owes: false,
            last_entry_at: StoreTime(i64::MIN / 2),
            ranges: VecDeque::new(),
            holes: Vec::new(),
        }
    }

    /// Begins at slot `msn`.
    pub(super) fn start(&mut self, msn: u64, at: StoreTime) {
        if self.next.is_none() {
            self.next = Some(msn);
            self.last_entry_at = at;
        }
    }

    pub(super) fn take_owed(&mut self) -> bool {
        std::mem::take(&mut self.owes)
    }

    /// The media placed last, published or not.
    pub(super) fn latest(&self) -> Option<Latest> {
        if let Some((msn, part)) = self.waiting.back() {
            return Some(Latest { end: MediaEnd::of(part), broken: false, next: msn + 1 });
        }
        let last = self.last?;
        Some(Latest { end: last.end, broken: self.broken, next: self.next? })
    }

    /// Whether a part may still take slot `msn`.
    pub(super) fn wants(&self, msn: u64) -> bool {
        self.next.is_none_or(|next| next <= msn) && self.place(msn).is_err()
    }

    /// Puts a part into a slot that it [`wants`](Self::wants).
    pub(super) fn fill(&mut self, msn: u64, part: Part) {
        if let Err(place) = self.place(msn) {
            self.waiting.insert(place, (msn, part));
        }
    }

    /// What it has for slot `msn`, which is its next.
    pub(super) fn take(&mut self, msn: u64) -> Option<Part> {
        self.waiting.pop_front_if(|(first, _)| *first == msn).map(|(_, part)| part)
    }

    fn place(&self, msn: u64) -> Result<usize, usize> {
        self.waiting.binary_search_by_key(&msn, |(msn, _)| *msn)
    }

    /// Publishes `part` in `slot`, which is the next.
    pub(super) fn publish_media(
        &mut self,
        slot: &Slot,
        part: Part,
        at: StoreTime,
        known: &Arrivals,
        out: &mut Vec<Item>,
    ) {
        let breaks = self.last.is_some_and(|last| !last.end.is_continued_by(&part)) && !self.broken;
        if breaks && !slot.discontinuity {
            // The others are past this slot without one. A discontinuity of its own would set the counts apart for
            // good; a gap costs one segment.
            self.owes = true;
            return self.publish_gap(slot, at, out);
        }
        out.extend(self.hole_before(&part, slot).and_then(|hole| self.watch(hole, known)));
        let (seq, captured_end) = (part.segment.seq, part.captured_end());
        self.last = Some(LastMedia { seq, captured_end, end: MediaEnd::of(&part) });
        (self.broken, self.owes) = (false, false);
        self.publish(slot, Content::Media(part), at, out);
    }

    /// Publishes a gap in `slot`, which is the next. A playlist does not begin with one.
    pub(super) fn publish_gap(&mut self, slot: &Slot, at: StoreTime, out: &mut Vec<Item>) {
        let Some(last) = &mut self.last else {
            self.next = Some(slot.msn + 1);
            return self.publish_due_ranges(out);
        };
        last.end = last.end.after_gap(slot.to - slot.from);
        self.broken |= slot.discontinuity;
        self.publish(slot, Content::Gap, at, out);
    }

    fn publish(&mut self, slot: &Slot, content: Content, at: StoreTime, out: &mut Vec<Item>) {
        self.next = Some(slot.msn + 1);
        self.last_entry_at = at;
        let Slot { msn, from, to, discontinuity, discontinuities, .. } = *slot;
        out.push(Item::Entry(Entry { msn, content, from, to, discontinuity, discontinuities, published_at: at }));
        self.publish_due_ranges(out);
    }

    /// A date range that belongs before slot `msn`.
    pub(super) fn announce(&mut self, range: DateRange, msn: u64, out: &mut Vec<Item>) {
        if self.next.is_some() {
            self.ranges.push_back((msn, range));
        }
        self.publish_due_ranges(out);
    }

    /// Those that belong before the next slot.
    fn publish_due_ranges(&mut self, out: &mut Vec<Item>) {
        let due = |(msn, _): &mut (u64, DateRange)| self.next.is_some_and(|next| *msn <= next);
        while let Some((_, range)) = self.ranges.pop_front_if(due) {
            out.push(Item::Range(range));
        }
    }

    /// What lies between the media published last and `part`, by the publisher's own numbers.
    fn hole_before(&self, part: &Part, slot: &Slot) -> Option<Hole> {
        let last = self.last?;
        let first = last.seq.next();
        if part.segment.seq <= first {
            return None;
        }
        let seqs = SeqRange { first, last: Seq(part.segment.seq.0 - 1) };
        let kind = RangeKind::Recovered { seqs };
        let end = slot.from.max(last.captured_end);
        Some(Hole { seqs, range: DateRange { kind, number: slot.msn, start: last.captured_end, end: Some(end) } })
    }

    fn watch(&mut self, hole: Hole, known: &Arrivals) -> Option<Item> {
        if let Some(filled) = hole.filled(known) {
            return filled.announced();
        }
        if self.holes.len() == HOLES_MAX {
            self.holes.remove(0);
        }
        self.holes.push(hole);
        None
    }

    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        self.waiting.len() + self.ranges.len() + self.holes.len()
    }

    /// Announces the holes that the arrival of `seqs` has filled.
    pub(super) fn recovered(&mut self, seqs: SeqRange, known: &Arrivals) -> Vec<Item> {
        let touched = |hole: &Hole| hole.seqs.first <= seqs.last && seqs.first <= hole.seqs.last;
        let mut filled = Vec::new();
        self.holes.retain(|hole| match touched(hole).then(|| hole.filled(known)).flatten() {
            Some(now) => {
                filled.extend(now.announced());
                false
            }
            None => true,
        });
        filled
    }
}

/// A hole of which everything that will ever come has come.
struct Filled {
    range: DateRange,
    stored: u64,
}

impl Hole {
    fn filled(&self, known: &Arrivals) -> Option<Filled> {
        let stored = known.stored.count_in(self.seqs);
        let settled = stored + known.abandoned.count_in(self.seqs);
        (settled >= self.seqs.count()).then_some(Filled { range: self.range, stored })
    }
}

impl Filled {
    /// Nothing is announced where all was abandoned.
    fn announced(self) -> Option<Item> {
        (self.stored > 0).then_some(Item::Range(self.range))
    }
}

/// The time until which a rendition that has nothing for a slot waits for it.
pub(super) fn slot_deadline(slot: &Slot, last_entry_at: StoreTime, patience: Millis, silence: Millis) -> StoreTime {
    (slot.opened_at + patience).min(last_entry_at + silence).max(slot.opened_at)
}

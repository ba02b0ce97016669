//! One rendition's way through the slots of the live timeline: which slots it has filled, which one it waits for,
//! and what it still misses.

use std::collections::BTreeMap;

use super::item::{Content, DateRange, Entry, Item, Part, RangeKind};
use super::tail::Slot;
use crate::broadcast::Arrivals;
use crate::continuity::MediaEnd;
use crate::event::SeqRange;
use crate::ids::Seq;
use crate::time::{CapturedAt, MediaDuration, Millis, StoreTime};

/// How many holes a rendition waits to see filled; more, and the oldest is no longer announced when it is.
const HOLES_MAX: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct Track {
    /// The media sequence number to publish next; `None` before the first.
    pub(super) next: Option<u64>,
    /// Media for slots after `next`.
    waiting: BTreeMap<u64, Part>,
    last: Option<LastMedia>,
    /// EXT-X-DISCONTINUITY was listed after the last media.
    broken: bool,
    discontinuities: u64,
    pub(super) last_entry_at: StoreTime,
    holes: Vec<Hole>,
}

#[derive(Clone, Copy, Debug)]
struct LastMedia {
    seq: Seq,
    captured_end: CapturedAt,
    end: MediaEnd,
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
            waiting: BTreeMap::new(),
            last: None,
            broken: false,
            discontinuities: 0,
            last_entry_at: StoreTime(i64::MIN / 2),
            holes: Vec::new(),
        }
    }

    /// Begins at slot `msn`, where `discontinuities` have been listed before.
    pub(super) fn start(&mut self, msn: u64, discontinuities: u64, at: StoreTime) {
        if self.next.is_none() {
            self.next = Some(msn);
            self.discontinuities = discontinuities;
            self.last_entry_at = at;
        }
    }

    pub(super) fn discontinuities(&self) -> u64 {
        self.discontinuities
    }

    /// Whether a part may still take slot `msn`.
    pub(super) fn wants(&self, msn: u64) -> bool {
        self.next.is_none_or(|next| next <= msn) && !self.waiting.contains_key(&msn)
    }

    pub(super) fn fill(&mut self, msn: u64, part: Part) {
        self.waiting.insert(msn, part);
    }

    pub(super) fn take(&mut self, msn: u64) -> Option<Part> {
        self.waiting.remove(&msn)
    }

    /// Publishes `part` in `slot`, which is the next. Returns what to list, in order.
    pub(super) fn publish_media(&mut self, slot: &mut Slot, part: Part, at: StoreTime, known: &Arrivals) -> Vec<Item> {
        let start = crate::MediaTime(part.segment.media_start.0 + i64::from(part.after.0));
        let breaks = self.last.is_some_and(|last| !last.end.continues(part.segment.format, start)) && !self.broken;
        let inherited = slot.discontinuity && !self.broken;
        let mut items = Vec::new();
        if let Some(hole) = self.hole_before(&part, slot) {
            items.extend(self.watch(hole, known));
        }
        self.last = Some(LastMedia {
            seq: part.segment.seq,
            captured_end: part.captured_end(),
            end: MediaEnd::of(&part.segment, MediaDuration(part.after.0 + part.duration.0)),
        });
        self.broken = false;
        items.push(self.publish(slot, Content::Media(part), breaks || inherited, at));
        items
    }

    /// Publishes a gap in `slot`, which is the next.
    pub(super) fn publish_gap(&mut self, slot: &mut Slot, at: StoreTime) -> Item {
        if let Some(last) = &mut self.last {
            last.end.add_gap(slot.to - slot.from);
        }
        let discontinuity = slot.discontinuity && !self.broken && self.last.is_some();
        self.broken |= discontinuity;
        self.publish(slot, Content::Gap, discontinuity, at)
    }

    fn publish(&mut self, slot: &mut Slot, content: Content, discontinuity: bool, at: StoreTime) -> Item {
        slot.discontinuity |= discontinuity;
        self.discontinuities += u64::from(discontinuity);
        self.next = Some(slot.msn + 1);
        self.last_entry_at = at;
        Item::Entry(Entry {
            msn: slot.msn,
            content,
            from: slot.from,
            to: slot.to,
            discontinuity,
            discontinuities: self.discontinuities,
            published_at: at,
        })
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

//! Live as a pure fold over the arrival log: which entries the live and dvr playlists of each rendition have, and
//! when. See docs/design/views.md for the rules and why they can all hold at once.
//!
//! Nothing here renders text, and nothing reads a clock: [`Live::look`] is told the time.

mod item;
mod part;
mod tail;
#[cfg(test)]
mod tests;
mod track;

pub use item::{ByteRange, Content, DateRange, Entry, Item, Part, RangeKind};
pub(crate) use part::{Listing, listing, whole};

use std::sync::Arc;

use crate::broadcast::Arrivals;
use crate::event::SeqRange;
use crate::policy::{TargetDuration, ViewPolicy};
use crate::segment::Segment;
use crate::time::{Millis, StoreTime};
use tail::{Published, Tail};

/// The live timeline of one broadcast, folded up to the last event of its log.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    policy: ViewPolicy,
    declared: Option<TargetDuration>,
    paused: bool,
    ended_at: Option<StoreTime>,
    /// Begins with the first segment, which fixes the target duration.
    tail: Option<Tail>,
    /// What is published of each rendition.
    items: Published,
}

/// The live timeline as it is at one moment: the fold, and what time alone has added since.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    live: &'a Live,
    tail: Option<Tail>,
    ahead: Published,
}

impl Live {
    pub(crate) fn new(policy: ViewPolicy, declared: Option<TargetDuration>) -> Self {
        Self { policy, declared, paused: false, ended_at: None, tail: None, items: Vec::new() }
    }

    /// `None` until the first segment, unless it was declared.
    pub(crate) fn target(&self) -> Option<TargetDuration> {
        self.tail.as_ref().map(Tail::target).or(self.declared)
    }

    /// Takes every decision that fell due before `at`: the store has an event of that time, so none earlier will
    /// follow.
    pub(crate) fn advance(&mut self, at: StoreTime, known: &[Arrivals]) {
        self.with_tail(known, |tail, out| tail.advance(at, known, out));
    }

    pub(crate) fn stored(&mut self, rendition: usize, segment: &Arc<Segment>, at: StoreTime, known: &[Arrivals]) {
        let target = self.declared.unwrap_or_else(|| TargetDuration::measured(segment.duration));
        if self.tail.is_none() {
            let tail = self.tail.insert(Tail::new(self.policy, target));
            if self.paused {
                tail.pause();
            }
            if let Some(ended_at) = self.ended_at {
                tail.end_by(at.max(ended_at + tail.patience()));
            }
        }
        self.with_tail(known, |tail, out| tail.stored(rendition, segment, at, known, out));
    }

    pub(crate) fn abandoned(&mut self, rendition: usize, seqs: SeqRange, known: &[Arrivals]) {
        self.with_tail(known, |tail, out| tail.announce_recovered(rendition, seqs, known, out));
    }

    pub(crate) fn set_paused(&mut self, paused: bool, at: StoreTime, known: &[Arrivals]) {
        self.paused = paused;
        self.with_tail(known, |tail, _| if paused { tail.pause() } else { tail.resume(at) });
    }

    /// The publisher ended at `at`. Unless everything has arrived, what is on its way has the patience to do so.
    pub(crate) fn ended(&mut self, at: StoreTime, all_arrived: bool, known: &[Arrivals]) {
        self.ended_at.get_or_insert(at);
        self.with_tail(known, |tail, out| {
            let deadline = if all_arrived { at } else { at + tail.patience() };
            tail.end_by(deadline);
            if all_arrived {
                tail.list_end(at, known, out);
            }
        });
    }

    /// How things stand at `now` by the reader's clock, which may be off by the clock margin.
    pub(crate) fn look(&self, last_at: StoreTime, now: StoreTime, known: &[Arrivals]) -> Look<'_> {
        let until = last_at.max(now - self.policy.clock_margin());
        let mut tail = self.tail.clone();
        let mut ahead = vec![Vec::new(); known.len()];
        if let Some(tail) = &mut tail {
            tail.advance(until, known, &mut ahead);
        }
        Look { live: self, tail, ahead }
    }

    /// How time alone opens and closes outages after `after` and up to `until`, at a cost that grows with the decisions
    /// that it takes, once. By the store's time: nobody waits for the clock margin.
    pub(crate) fn outages(
        &self,
        after: StoreTime,
        until: StoreTime,
        known: &[Arrivals],
    ) -> impl Iterator<Item = (StoreTime, Option<DateRange>)> {
        let (mut tail, mut out) = (self.tail.clone(), vec![Vec::new(); known.len()]);
        if let Some(tail) = &mut tail {
            tail.advance(after, known, &mut out);
        }
        std::iter::from_fn(move || {
            let tail = tail.as_mut()?;
            let kind = |tail: &Tail| tail.outage().map(|outage| outage.kind);
            let before = kind(tail);
            loop {
                let at = tail.next_deadline()? + Millis(1);
                if at > until {
                    return None;
                }
                out.iter_mut().for_each(Vec::clear);
                tail.advance(at, known, &mut out);
                if kind(tail) != before {
                    return Some((at, tail.outage()));
                }
            }
        })
    }

    fn with_tail(&mut self, known: &[Arrivals], act: impl FnOnce(&mut Tail, &mut Published)) {
        let Some(tail) = &mut self.tail else { return };
        tail.ensure_tracks(known.len());
        self.items.resize_with(known.len(), Vec::new);
        act(tail, &mut self.items);
    }
}

impl Look<'_> {
    /// What is published of a rendition, in order, without the first `skip`.
    pub(crate) fn items(&self, rendition: usize, skip: usize) -> impl DoubleEndedIterator<Item = &Item> + Clone {
        let past = self.live.items.get(rendition).map(Vec::as_slice).unwrap_or_default();
        let ahead = self.ahead.get(rendition).map(Vec::as_slice).unwrap_or_default();
        let in_past = skip.min(past.len());
        past[in_past..].iter().chain(&ahead[(skip - in_past).min(ahead.len())..])
    }

    /// How many items are published of a rendition.
    pub(crate) fn count(&self, rendition: usize) -> usize {
        let len = |items: &[Vec<Item>]| items.get(rendition).map_or(0, Vec::len);
        len(&self.live.items) + len(&self.ahead)
    }

    pub(crate) fn outage(&self) -> Option<DateRange> {
        self.tail.as_ref()?.outage()
    }

    pub(crate) fn is_listed_to_the_end(&self) -> bool {
        self.tail.as_ref().is_some_and(Tail::is_listed_to_the_end)
    }

    /// The earliest moment, by a reader's clock, at which time alone changes something.
    pub(crate) fn next_change(&self) -> Option<StoreTime> {
        let deadline = self.tail.as_ref()?.next_deadline()?;
        Some(deadline + self.live.policy.clock_margin() + crate::Millis(1))
    }
}

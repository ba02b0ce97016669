//! The last entries of a log, as they were: what can be put back when the store has lost them.

use std::collections::VecDeque;

use broadcast::{Event, EventIndex, LogEntry, StoreTime};

use crate::batch::PUT_BACK_MAX;

/// The most entries of one log that are kept, at about 100 bytes each: five hours of two-second segments with a `Safe` for
/// each.
const ENTRIES_MAX: usize = PUT_BACK_MAX;

/// The end of one log, in its compact form.
#[derive(Debug, Default)]
pub(super) struct History {
    next: EventIndex,
    last: VecDeque<(StoreTime, Box<[u8]>)>,
}

impl History {
    /// The entry that follows the last.
    pub(super) fn push(&mut self, entry: &LogEntry) {
        if self.last.len() == ENTRIES_MAX {
            self.last.pop_front();
        }
        self.next = entry.index.next();
        self.last.push_back((entry.at, entry.event.encode().into()));
    }

    /// The entries from `from` on; `None` if the first of them is not known any more.
    pub(super) fn since(&self, from: EventIndex) -> Option<Vec<LogEntry>> {
        self.from(from, usize::MAX)
    }

    fn from(&self, from: EventIndex, max: usize) -> Option<Vec<LogEntry>> {
        let first = self.first();
        let skipped = usize::try_from(from.0.checked_sub(first)?).ok()?;
        let known = self.last.iter().enumerate().skip(skipped).take(max);
        let entry = |(place, (at, body)): (usize, &(StoreTime, Box<[u8]>))| LogEntry {
            index: EventIndex(first + place as u64),
            at: *at,
            event: Event::decode(body).expect("it was encoded here"),
        };
        Some(known.map(entry).collect())
    }

    /// The entries before `len`, at most `max`, as far as they are known, and the index of the first of them.
    pub(super) fn before(&self, len: EventIndex, max: usize) -> (EventIndex, Vec<LogEntry>) {
        let first = len.0.saturating_sub(max as u64).max(self.first());
        let count = usize::try_from(len.0.saturating_sub(first)).unwrap_or(max);
        (EventIndex(first), self.from(EventIndex(first), count).unwrap_or_default())
    }

    /// Whether all entries from `len` on are known.
    pub(super) fn reaches(&self, len: EventIndex) -> bool {
        len.0 >= self.first()
    }

    /// The entries known here from the first on that `now` has not, or has another in its place. `None` if entries may be
    /// lost that are not known here any more.
    pub(super) fn lost_in(&self, now: &Self) -> Option<Vec<LogEntry>> {
        let entry = |history: &Self, index: u64| {
            let place = usize::try_from(index.checked_sub(history.first())?).ok()?;
            history.last.get(place).cloned()
        };
        let differs = |index: u64| entry(self, index) != entry(now, index);
        let start = self.first().max(now.first());
        if start > 0 && (start >= self.next.0 || differs(start)) {
            return None;
        }
        let first = (start..self.next.0).find(|index| differs(*index));
        Some(first.and_then(|first| self.since(EventIndex(first))).unwrap_or_default())
    }

    fn first(&self) -> u64 {
        self.next.0 - self.last.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entries_come_back_as_they_were() {
        let entry = |index: u64| LogEntry {
            index: EventIndex(index),
            at: StoreTime(index.cast_signed() * 10),
            event: if index.is_multiple_of(2) { Event::Paused } else { Event::Resumed },
        };
        let mut history = History::default();
        let count = ENTRIES_MAX as u64 + 5;
        (0..count).for_each(|index| history.push(&entry(index)));
        assert_eq!(history.from(EventIndex(4), 9), None);
        assert_eq!(history.from(EventIndex(5), 2), Some(vec![entry(5), entry(6)]));
        assert_eq!(history.from(EventIndex(count - 1), 9), Some(vec![entry(count - 1)]));
        assert_eq!(history.from(EventIndex(count), 9), Some(vec![]));
        assert_eq!(history.before(EventIndex(9), 2), (EventIndex(7), vec![entry(7), entry(8)]));
        assert_eq!(history.before(EventIndex(6), 9), (EventIndex(5), vec![entry(5)]));
        assert_eq!(history.before(EventIndex(3), 9).1, []);

        let mut other = History::default();
        (0..count - 2).for_each(|index| other.push(&entry(index)));
        let last = Some(vec![entry(count - 2), entry(count - 1)]);
        assert_eq!(history.lost_in(&other), last);
        other.push(&LogEntry { event: Event::EndHinted, ..entry(count - 2) });
        assert_eq!(history.lost_in(&other), last);
        assert_eq!(history.lost_in(&history), Some(vec![]));

        // What came before may be lost as well.
        let mut short = History::default();
        (0..5).for_each(|index| short.push(&entry(index)));
        assert_eq!((history.reaches(EventIndex(4)), history.reaches(EventIndex(5))), (false, true));
        assert_eq!(history.lost_in(&short), None);
        assert_eq!(short.lost_in(&history), None);
        let whole = short.lost_in(&History::default()).map(|lost| lost.len());
        assert_eq!(whole, Some(5), "all of a log that is known from its beginning");
    }
}

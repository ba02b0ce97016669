//! How far each log was known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use broadcast::{Broadcast, BroadcastId, EventIndex, LogEntry, StoreTime};
use metadata::Followed;

/// The most broadcasts of which it is remembered, at about 60 bytes each. Of more, the oldest are looked at whole.
const MARKS_MAX: usize = 100_000;

/// The last entry of a log that is known to have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// How long the log was.
    pub(super) len: EventIndex,
    /// When its last entry was committed: another entry in its place has another time.
    pub(super) last_at: StoreTime,
}

impl Mark {
    /// There is no log.
    pub(super) const NOTHING: Self = Self { len: EventIndex(0), last_at: StoreTime(i64::MIN) };

    pub(super) fn of(broadcast: &Broadcast) -> Self {
        Self { len: broadcast.next_index(), last_at: broadcast.last_at() }
    }
}

/// The marks of those broadcasts of which all was seen to be there, in this run, each with how often the store had been
/// away by then. Others have to be looked at whole.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    known: Mutex<BTreeMap<BroadcastId, (Mark, u64)>>,
    /// Of these the hot store could not be asked, and nothing else says that something was lost; with the same number.
    trusted: Mutex<BTreeMap<BroadcastId, u64>>,
}

impl Marks {
    /// Something of this broadcast was committed here. That says nothing of what was there before; nor, if the store was
    /// away since it was looked at, that what was known of it still is.
    pub(crate) fn note(&self, followed: &Followed, breaks: u64) {
        let mark = Mark::of(&followed.read());
        self.move_to(followed.id(), mark, breaks);
    }

    fn move_to(&self, id: BroadcastId, mark: Mark, breaks: u64) {
        if let Some((known, seen)) = self.lock().get_mut(&id)
            && *seen == breaks
        {
            *known = mark;
        }
    }

    /// It was opened just now.
    pub(crate) fn opened(&self, id: BroadcastId, entry: &LogEntry, breaks: u64) {
        self.set(id, Mark { len: entry.index.next(), last_at: entry.at }, breaks);
    }

    /// Whether all of it was seen to be there since the store was last away, as far as that can be seen now: what comes
    /// next may be given a number.
    pub(crate) fn is_whole(&self, id: BroadcastId, breaks: u64) -> bool {
        let is_trusted = self.lock_trusted().get(&id).is_some_and(|seen| *seen == breaks);
        is_trusted || self.is_seen_whole(id, breaks)
    }

    /// The same, and the hot store could be asked.
    pub(crate) fn is_seen_whole(&self, id: BroadcastId, breaks: u64) -> bool {
        self.lock().get(&id).is_some_and(|(_, seen)| *seen == breaks)
    }

    pub(super) fn trust(&self, id: BroadcastId, breaks: u64) {
        let mut trusted = self.lock_trusted();
        trusted.insert(id, breaks);
        if trusted.len() > MARKS_MAX {
            trusted.pop_first();
        }
    }

    /// What is still to be looked for in the hot store.
    pub(super) fn trusted(&self) -> BTreeSet<BroadcastId> {
        self.lock_trusted().keys().copied().collect()
    }

    /// It has to be looked at whole.
    pub(crate) fn forget(&self, id: BroadcastId) {
        self.lock().remove(&id);
    }

    pub(super) fn set(&self, id: BroadcastId, mark: Mark, breaks: u64) {
        self.lock_trusted().remove(&id);
        let mut marks = self.lock();
        marks.insert(id, (mark, breaks));
        if marks.len() > MARKS_MAX {
            marks.pop_first();
        }
    }

    pub(super) fn get(&self, id: BroadcastId) -> Option<Mark> {
        self.lock().get(&id).map(|(mark, _)| *mark)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BroadcastId, (Mark, u64)>> {
        // Each change is whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_trusted(&self) -> MutexGuard<'_, BTreeMap<BroadcastId, u64>> {
        self.trusted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_after_a_break_hides_nothing_that_was_lost() {
        let (marks, id) = (Marks::default(), BroadcastId::new(1, 1));
        let at = |len| Mark { len: EventIndex(len), last_at: StoreTime(0) };
        marks.move_to(id, at(1), 0);
        assert_eq!(marks.get(id), None, "nothing was seen of it");
        marks.set(id, at(9), 0);
        marks.move_to(id, at(10), 0);
        assert_eq!(marks.get(id), Some(at(10)));
        marks.move_to(id, at(5), 1);
        assert_eq!(marks.get(id), Some(at(10)), "the store was away, and nobody has looked since");
        marks.set(id, at(11), 1);
        marks.move_to(id, at(12), 1);
        assert_eq!(marks.get(id), Some(at(12)));
    }
}

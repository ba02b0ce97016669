//! How far each log was known.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use broadcast::{BroadcastId, EventIndex, StoreTime};
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

/// The marks of all broadcasts.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<BTreeMap<BroadcastId, Mark>>);

impl Marks {
    /// Something of this broadcast was committed here.
    pub(crate) fn note(&self, followed: &Followed) {
        let mark = {
            let broadcast = followed.read();
            Mark { len: broadcast.next_index(), last_at: broadcast.last_at() }
        };
        self.set(followed.id(), mark);
    }

    pub(super) fn set(&self, id: BroadcastId, mark: Mark) {
        let mut marks = self.lock();
        marks.insert(id, mark);
        if marks.len() > MARKS_MAX {
            marks.pop_first();
        }
    }

    pub(super) fn get(&self, id: BroadcastId) -> Option<Mark> {
        self.lock().get(&id).copied()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<BroadcastId, Mark>> {
        // Each change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

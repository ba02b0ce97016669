//! From this recorder's disk to the hot store: what is stored here and not safe is copied, oldest first, and then
//! committed as safe; what is safe is deleted here when room runs short.
//!
//! What is owed is what is on this disk and not safe by the log. It is found by listing at the start, and told by each
//! commit from then on; what is remembered of it is bounded, and found by listing again if it was more.
//!
//! Taking in knows nothing of this: when the hot store is slow or away, it goes on up to the quota.

mod backoff;
mod copier;
mod finding;
mod oldest;
mod room;

pub(crate) use backoff::pause_after;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadcast::{Key, Object};
use storage::Store;
use tokio::sync::Notify;

use oldest::Oldest;

/// The most segments that are remembered as owed, and as deletable.
const REMEMBERED_MAX: usize = 100_000;

/// The hot store, and what there is to do for it.
#[derive(Debug)]
pub(crate) struct Hot {
    pub(crate) store: Arc<dyn Store>,
    work: Mutex<Work>,
    /// Something is owed, or safe.
    copier: Notify,
    room: Notify,
}

#[derive(Debug)]
struct Work {
    owed: Oldest,
    /// Safe, and still here.
    deletable: Oldest,
}

impl Hot {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let work = Work { owed: Oldest::new(REMEMBERED_MAX), deletable: Oldest::new(REMEMBERED_MAX) };
        Self { store, work: Mutex::new(work), copier: Notify::new(), room: Notify::new() }
    }

    /// This segment of `len` bytes is stored here, and not safe.
    pub(crate) fn owe(&self, key: &Key, len: u64) {
        debug_assert!(matches!(key.object, Object::Segment { .. }), "only segments become safe");
        self.work().owed.insert(key.clone(), len);
        self.copier.notify_one();
        self.room.notify_one();
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        // Each change is whole: a panic elsewhere leaves nothing half done.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

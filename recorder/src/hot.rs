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

use std::collections::{BTreeMap, BTreeSet};
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
    /// What is owed, on its way, or about to be committed as safe: it need not be told again.
    known: BTreeSet<Key>,
    /// What of these was told again meanwhile, with its length.
    again: BTreeMap<Key, u64>,
    /// Safe by the log, and the hot store has lost it.
    lost: BTreeSet<Key>,
    /// Safe, and still here.
    deletable: Oldest,
}

impl Hot {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let [owed, deletable] = [(); 2].map(|()| Oldest::new(REMEMBERED_MAX));
        let work = Work { owed, known: BTreeSet::new(), again: BTreeMap::new(), lost: BTreeSet::new(), deletable };
        Self { store, work: Mutex::new(work), copier: Notify::new(), room: Notify::new() }
    }

    /// This segment of `len` bytes is stored here, and not safe. It may be told again and again.
    pub(crate) fn owe(&self, key: &Key, len: u64) {
        debug_assert!(matches!(key.object, Object::Segment { .. }), "only segments become safe");
        if self.work().owe(key.clone(), len) {
            self.copier.notify_one();
            self.room.notify_one();
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        // Each change is whole: a panic elsewhere leaves nothing half done.
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    /// Whether that was not known.
    fn owe(&mut self, key: Key, len: u64) -> bool {
        let new = self.known.insert(key.clone());
        if new {
            self.copy_later(key, len);
        } else {
            self.again.insert(key, len);
        }
        new
    }

    /// It is copied again, whatever the log says.
    fn owe_again(&mut self, key: Key, len: u64) {
        self.lost.insert(key.clone());
        self.owe(key, len);
    }

    /// One that is known has to be tried again.
    fn copy_later(&mut self, key: Key, len: u64) {
        if let Some(forgotten) = self.owed.insert(key, len) {
            self.known.remove(&forgotten);
            self.again.remove(&forgotten);
        }
    }

    /// There is nothing left to do for it.
    fn settled(&mut self, key: &Key) {
        self.known.remove(key);
        self.again.remove(key);
        self.lost.remove(key);
    }

    /// There was nothing to copy. That is looked at again if it was told again meanwhile.
    fn nothing_there(&mut self, key: &Key) {
        let again = self.again.remove(key);
        self.settled(key);
        if let Some(len) = again {
            self.owe(key.clone(), len);
        }
    }
}

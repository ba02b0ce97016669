//! Segments that are durable and about to be committed by whoever has them at hand: nobody else has to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadcast::Key;

/// Their keys, each with how many have it at hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Mutex<BTreeMap<Key, usize>>>);

/// One of them, until dropped.
#[derive(Debug)]
pub(crate) struct Flying {
    all: InFlight,
    key: Key,
}

impl InFlight {
    /// To be held from before the key has its bytes until after the commit.
    pub(crate) fn enter(&self, key: &Key) -> Flying {
        *self.lock().entry(key.clone()).or_default() += 1;
        Flying { all: self.clone(), key: key.clone() }
    }

    pub(crate) fn contains(&self, key: &Key) -> bool {
        self.lock().contains_key(key)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, usize>> {
        // Each change is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let Some(count) = all.get_mut(&self.key) else { return };
        *count -= 1;
        if *count == 0 {
            all.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use broadcast::BroadcastId;

    use super::*;

    #[test]
    fn a_key_is_in_flight_as_long_as_anybody_has_it() {
        let (all, key) = (InFlight::default(), Key::of_document(BroadcastId::new(1, 1)));
        let (first, second) = (all.enter(&key), all.enter(&key));
        drop(first);
        assert!(all.contains(&key));
        drop(second);
        assert!(!all.contains(&key));
    }
}

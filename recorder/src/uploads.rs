//! How many uploads each broadcast has open: one may not take the room of the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadcast::BroadcastId;
use service::{Problem, ProblemKind};

use crate::problems::RETRY_SOON;

/// The open uploads of a recorder. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uploads(Arc<Mutex<HashMap<BroadcastId, usize>>>);

/// One open upload, until dropped.
#[derive(Debug)]
pub(crate) struct Open {
    uploads: Uploads,
    id: BroadcastId,
}

impl Uploads {
    /// Refused if the broadcast has `max` of them already.
    pub(crate) fn open(&self, id: BroadcastId, max: usize) -> Result<Open, Problem> {
        let mut all = self.lock();
        let open = all.entry(id).or_default();
        if *open >= max {
            let detail = format!("{max} uploads of this broadcast are open already");
            return Err(ProblemKind::UNAVAILABLE.detail(detail).retry_after(RETRY_SOON));
        }
        *open += 1;
        Ok(Open { uploads: self.clone(), id })
    }

    /// Whether any of this broadcast is open.
    pub(crate) fn has(&self, id: BroadcastId) -> bool {
        self.lock().contains_key(&id)
    }

    /// How many are open, of all broadcasts.
    pub(crate) fn count(&self) -> usize {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BroadcastId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut all = self.uploads.lock();
        match all.get_mut(&self.id) {
            Some(open) if *open > 1 => *open -= 1,
            _ => drop(all.remove(&self.id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broadcast_has_room_of_its_own() {
        let uploads = Uploads::default();
        let (one, other) = (BroadcastId::new(1, 1), BroadcastId::new(1, 2));
        let first = uploads.open(one, 2).expect("none are open");
        let _second = uploads.open(one, 2).expect("one is open");
        let refused = uploads.open(one, 2).expect_err("two are open");
        assert_eq!(refused.status(), 503);
        assert_eq!(uploads.count(), 2);
        let third = uploads.open(other, 2).expect("none of this one are open");
        drop((first, third));
        let _again = uploads.open(one, 2).expect("one has ended");
        assert_eq!(uploads.lock().len(), 1, "nothing is kept of a broadcast without uploads");
    }
}

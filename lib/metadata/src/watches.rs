//! Who waits for what, within this process. A store wakes the waiters of a broadcast when something was appended;
//! they read the log themselves. A waiter that goes away leaves nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadcast::BroadcastId;
use tokio::sync::watch;

/// All waiters of one store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches(Arc<Mutex<HashMap<BroadcastId, Waiters>>>);

#[derive(Debug, Default)]
struct Waiters {
    count: usize,
    wake: watch::Sender<()>,
}

impl Watches {
    /// Joins the waiters of `id`: what is appended from here on wakes it.
    pub(crate) fn watch(&self, id: BroadcastId) -> Watch {
        let mut watches = self.lock();
        let waiters = watches.entry(id).or_default();
        waiters.count += 1;
        Watch { id, woken: waiters.wake.subscribe(), watches: self.clone() }
    }

    /// Something was appended to this log.
    pub(crate) fn wake(&self, id: BroadcastId) {
        if let Some(waiters) = self.lock().get(&id) {
            waiters.wake.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BroadcastId, Waiters>> {
        // Nothing panics while it is held; if something did, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiter.
#[derive(Debug)]
pub(crate) struct Watch {
    id: BroadcastId,
    woken: watch::Receiver<()>,
    watches: Watches,
}

impl Watch {
    /// Ends if the broadcast was woken since the last time, or when it is.
    pub(crate) async fn woken(&mut self) {
        self.woken.changed().await.expect("the sender stays in the map for as long as there is a waiter");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watches = self.watches.lock();
        if let Some(waiters) = watches.get_mut(&self.id) {
            waiters.count -= 1;
            if waiters.count == 0 {
                watches.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_is_for_all_waiters_of_its_broadcast_and_is_not_lost() {
        let (watches, id, other) = (Watches::default(), BroadcastId::new(1, 1), BroadcastId::new(1, 2));
        let (mut first, mut second, mut stranger) = (watches.watch(id), watches.watch(id), watches.watch(other));
        watches.wake(id);
        first.woken().await;
        second.woken().await;
        tokio::select! {
            biased;
            () = stranger.woken() => panic!("woken by another broadcast"),
            () = std::future::ready(()) => {}
        }
    }

    #[test]
    fn a_waiter_leaves_nothing_behind() {
        let (watches, id) = (Watches::default(), BroadcastId::new(1, 1));
        let (first, second) = (watches.watch(id), watches.watch(id));
        drop(first);
        assert_eq!(watches.lock().len(), 1);
        drop(second);
        assert_eq!(watches.lock().len(), 0);
    }
}

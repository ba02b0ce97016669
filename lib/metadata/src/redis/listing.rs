//! Sees to it that what is worked with here is in the list of all broadcasts.
//!
//! In a cluster the list and a log are on different servers, and each may lose what it had acknowledged without the
//! other. A log that is lost is put back by whoever follows it. What the list may have lost is put into it again: all
//! that was found here, when the server of the list breaks, and each broadcast when it is first found, whoever opened it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broadcast::BroadcastId;
use redis::Cmd;
use tokio::sync::Notify;

use super::keys;
use super::servers::Servers;
use super::slot::Slot;

/// The most broadcasts that are known here to be listed. Beyond them the oldest is forgotten.
const LISTED_MAX: usize = 20_000;
/// The most that are listed at once.
const AT_ONCE_MAX: usize = 1_000;
/// How long to wait after that failed. A call waits for a server by itself.
const RETRY: Duration = Duration::from_secs(1);

/// What is in the list, and what is to be put into it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    state: Mutex<State>,
    has_owed: Notify,
}

#[derive(Debug, Default)]
struct State {
    listed: BTreeSet<BroadcastId>,
    owed: BTreeSet<BroadcastId>,
}

impl Listing {
    /// There is this broadcast: lists it, unless that has been done.
    pub(super) fn found(&self, id: BroadcastId) {
        let mut state = self.lock();
        if !state.listed.contains(&id) && state.owed.insert(id) {
            self.has_owed.notify_one();
        }
    }

    /// It has just been listed.
    pub(super) fn listed(&self, ids: impl IntoIterator<Item = BroadcastId>) {
        let mut state = self.lock();
        for id in ids {
            state.owed.remove(&id);
            state.listed.insert(id);
        }
        while state.listed.len() > LISTED_MAX {
            state.listed.pop_first();
        }
    }

    /// The list may have lost something.
    fn doubt(&self) {
        let mut state = self.lock();
        let listed = std::mem::take(&mut state.listed);
        state.owed.extend(listed);
    }

    fn next(&self) -> Vec<BroadcastId> {
        self.lock().owed.iter().rev().take(AT_ONCE_MAX).copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the list is.
pub(super) fn slot() -> Slot {
    Slot::of_key(keys::BROADCASTS)
}

/// Puts broadcasts into the list.
pub(super) fn list(ids: &[BroadcastId]) -> Cmd {
    let mut add = redis::cmd("ZADD");
    add.arg(keys::BROADCASTS);
    ids.iter().for_each(|id| {
        add.arg(0).arg(id.to_string());
    });
    add
}

/// Lists what is owed, as long as there is a store.
pub(super) async fn keep_listed(listing: Arc<Listing>, servers: Arc<Servers>) {
    let mut changes = servers.changes();
    let mut breaks = servers.breaks(slot());
    loop {
        changes.borrow_and_update();
        let before = std::mem::replace(&mut breaks, servers.breaks(slot()));
        if before != breaks {
            listing.doubt();
        }
        let owed = listing.next();
        if !owed.is_empty() {
            let add = list(&owed);
            let done: Result<(), _> = servers.call(slot(), async |redis| add.query_async(redis).await).await;
            match done {
                Ok(()) if servers.breaks(slot()) == breaks => listing.listed(owed),
                // It is looked at again at once.
                Ok(()) => {}
                Err(_) => servers.clock().sleep(RETRY).await,
            }
            continue;
        }
        tokio::select! {
            () = listing.has_owed.notified() => {}
            // The sender is with the servers.
            _ = changes.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_lost_is_listed_again() {
        let (listing, id) = (Listing::default(), |n| BroadcastId::new(n, 7));
        listing.found(id(1));
        listing.found(id(2));
        assert_eq!(listing.next(), [id(2), id(1)]);
        listing.listed([id(1), id(2), id(3)]);
        listing.found(id(1));
        assert_eq!(listing.next(), []);
        listing.doubt();
        assert_eq!(listing.next(), [id(3), id(2), id(1)]);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let listing = Listing::default();
        listing.listed((0..=LISTED_MAX as u64).map(|n| BroadcastId::new(n, 7)));
        assert_eq!(listing.lock().listed.len(), LISTED_MAX);
        listing.found(BroadcastId::new(1, 7));
        assert_eq!(listing.next(), []);
        listing.found(BroadcastId::new(0, 7));
        assert_eq!(listing.next(), [BroadcastId::new(0, 7)]);
    }
}

//! Who waits for what, within this process. A store wakes the waiters of a broadcast when something was appended;
//! they read the log themselves. A waiter that goes away leaves nothing behind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadcast::{BroadcastId, EventIndex};
use tokio::sync::Notify;

/// All waiters of one store.
///
/// A broadcast is heard while everything appended to it is certain to wake its waiters. Where commits are made in this
/// process that is always; where a server must be asked to tell of them, only from then on.
#[derive(Debug)]
pub(crate) struct Watches {
    broadcasts: Mutex<HashMap<BroadcastId, Waiters>>,
    always_heard: bool,
    /// Somebody waits for a broadcast that is not heard.
    unheard: Notify,
}

#[derive(Debug)]
struct Waiters {
    count: usize,
    news: Arc<Board>,
}

/// The news of one broadcast, and those who wait for them. They are woken in the order in which they came: tokio's `watch`
/// wakes in random order, and what follows from that could not be told again from a seed.
#[derive(Debug)]
struct Board {
    news: Mutex<News>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug)]
struct News {
    /// Counts the changes.
    number: u64,
    /// Whether the broadcast is heard.
    heard: bool,
    /// How long the log was when something was last appended, if that was told.
    len: Option<EventIndex>,
}

impl Watches {
    /// Every commit is told by [`wake`](Self::wake).
    pub(crate) fn always_heard() -> Self {
        Self { broadcasts: Mutex::default(), always_heard: true, unheard: Notify::new() }
    }

    /// A broadcast is not heard until [`set_heard`](Self::set_heard) says so.
    pub(crate) fn unheard_at_first() -> Self {
        Self { always_heard: false, ..Self::always_heard() }
    }

    /// Joins the waiters of `id`.
    pub(crate) fn watch(self: &Arc<Self>, id: BroadcastId) -> Watch {
        let mut broadcasts = self.lock();
        let new = || Waiters { count: 0, news: Arc::new(Board::new(self.always_heard)) };
        let waiters = broadcasts.entry(id).or_insert_with(new);
        waiters.count += 1;
        let news = waiters.news.get();
        if !news.heard {
            self.unheard.notify_one();
        }
        Watch { id, seen: news.number, news: waiters.news.clone(), watches: self.clone() }
    }

    /// Something was appended to this log, which is this long now, if that is known.
    pub(crate) fn wake(&self, id: BroadcastId, len: Option<EventIndex>) {
        if let Some(waiters) = self.lock().get(&id) {
            waiters.news.change(|news| news.len = len);
        }
    }

    /// From here on, everything appended to this log will be told.
    pub(crate) fn set_heard(&self, id: BroadcastId) {
        if let Some(waiters) = self.lock().get(&id) {
            waiters.news.change(|news| news.heard = true);
        }
    }

    /// What is appended from here on will not be told.
    pub(crate) fn set_all_unheard(&self) {
        for waiters in self.lock().values() {
            waiters.news.change(|news| (news.heard, news.len) = (false, None));
        }
        self.unheard.notify_one();
    }

    /// Ends when there may be something in [`list_unheard`](Self::list_unheard) that was not there the last time.
    pub(crate) async fn unheard(&self) {
        self.unheard.notified().await;
    }

    pub(crate) fn list_unheard(&self) -> Vec<BroadcastId> {
        let broadcasts = self.lock();
        broadcasts.iter().filter(|(_, waiters)| !waiters.news.get().heard).map(|(id, _)| *id).collect()
    }

    pub(crate) fn is_watched(&self, id: BroadcastId) -> bool {
        self.lock().contains_key(&id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BroadcastId, Waiters>> {
        lock(&self.broadcasts)
    }
}

/// Nothing panics while one is held; if something did, what it guards would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    fn new(heard: bool) -> Self {
        Self { news: Mutex::new(News { number: 0, heard, len: None }), changed: Notify::new() }
    }

    fn get(&self) -> News {
        *lock(&self.news)
    }

    fn change(&self, change: impl FnOnce(&mut News)) {
        let mut news = lock(&self.news);
        news.number += 1;
        change(&mut news);
        drop(news);
        self.changed.notify_waiters();
    }

    /// The first news from now on for which it holds.
    async fn until(&self, holds: impl Fn(News) -> bool) -> News {
        loop {
            let changed = self.changed.notified();
            let news = self.get();
            if holds(news) {
                return news;
            }
            changed.await;
        }
    }
}

/// One waiter.
#[derive(Debug)]
pub(crate) struct Watch {
    id: BroadcastId,
    /// The number of the last news that it has seen.
    seen: u64,
    news: Arc<Board>,
    watches: Arc<Watches>,
}

impl Watch {
    /// Ends when the broadcast is heard. What is appended after that will be told by [`woken`](Self::woken); what was
    /// before must be looked for.
    pub(crate) async fn heard(&mut self) {
        self.seen = self.news.until(|news| news.heard).await.number;
    }

    /// Ends if there may be something new since the last call of either, or when there is.
    pub(crate) async fn woken(&mut self) {
        let seen = self.seen;
        self.seen = self.news.until(|news| news.number != seen).await.number;
    }

    /// How long the log was when something was last appended, if that is known.
    pub(crate) fn len(&self) -> Option<EventIndex> {
        self.news.get().len
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut broadcasts = self.watches.lock();
        if let Some(waiters) = broadcasts.get_mut(&self.id) {
            waiters.count -= 1;
            if waiters.count == 0 {
                broadcasts.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `work` ends without anything else happening.
    async fn is_ready(work: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = work => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn a_wake_is_for_all_waiters_of_its_broadcast_and_is_not_lost() {
        let (watches, id, other) = (Arc::new(Watches::always_heard()), BroadcastId::new(1, 1), BroadcastId::new(1, 2));
        let (mut first, mut second, mut stranger) = (watches.watch(id), watches.watch(id), watches.watch(other));
        assert!(is_ready(first.heard()).await);
        watches.wake(id, None);
        assert!(is_ready(first.woken()).await && is_ready(second.woken()).await);
        assert!(!is_ready(first.woken()).await && !is_ready(stranger.woken()).await);
    }

    #[tokio::test]
    async fn what_may_have_been_missed_is_looked_for() {
        let (watches, id) = (Arc::new(Watches::unheard_at_first()), BroadcastId::new(1, 1));
        let mut watch = watches.watch(id);
        assert!(is_ready(watches.unheard()).await);
        assert_eq!(watches.list_unheard(), [id]);
        assert!(!is_ready(watch.heard()).await);
        watches.set_heard(id);
        assert!(is_ready(watch.heard()).await && !is_ready(watch.woken()).await);
        watches.set_all_unheard();
        assert!(is_ready(watch.woken()).await && !is_ready(watch.heard()).await);
        assert_eq!(watches.list_unheard(), [id]);
    }

    #[test]
    fn a_waiter_leaves_nothing_behind() {
        let (watches, id) = (Arc::new(Watches::always_heard()), BroadcastId::new(1, 1));
        let (first, second) = (watches.watch(id), watches.watch(id));
        drop(first);
        assert!(watches.is_watched(id));
        drop(second);
        assert!(!watches.is_watched(id));
    }
}

//! Who pushes: one [`Pusher`] for each broadcast that is pushed to.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use broadcast::BroadcastId;
use metadata::Followed;
use service::Problem;
use tokio::sync::{Mutex, Notify, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

use super::waiting::PusherState;
use crate::problems;
use crate::recorder::Recorder;

/// How long the memory of a pusher that has gone is kept.
const PUSHER_IDLE: Duration = Duration::from_secs(3_600);
/// Of more, those of whom nothing waits are forgotten sooner, the one that has been idle longest first.
const PUSHERS_MAX: usize = 10_000;
/// How many may be parked while nothing can be committed; more are refused.
const PARKED_MAX: usize = 10_000;

/// The pushers of a recorder, each with when it was last asked for. One that is in use, or of whom something waits, is not
/// forgotten.
#[derive(Debug, Default)]
pub(crate) struct Pushers(StdMutex<HashMap<BroadcastId, (Arc<Pusher>, Instant)>>);

impl Pushers {
    fn of(&self, id: BroadcastId, now: Instant) -> Arc<Pusher> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pusher, used)) = all.get_mut(&id) {
            *used = now;
            return pusher.clone();
        }
        all.retain(|_, (pusher, used)| now - *used < PUSHER_IDLE || !pusher.is_forgettable());
        if all.len() >= PUSHERS_MAX {
            let forgettable = all.iter().filter(|(_, (pusher, _))| pusher.is_forgettable());
            let oldest = forgettable.min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            oldest.and_then(|id| all.remove(&id));
        }
        let pusher = Arc::<Pusher>::default();
        all.insert(id, (pusher.clone(), now));
        pusher
    }
}

/// What is remembered of whoever pushes to one broadcast.
#[derive(Debug, Default)]
pub(crate) struct Pusher {
    pub(super) state: Mutex<PusherState>,
    /// Held by whoever goes through what waits, so that nothing is at hand for one and out of sight of another.
    pub(super) settling: Mutex<()>,
    /// Shared by those who park something; held alone by whoever ends the broadcast, so that nothing is acknowledged
    /// that the end then leaves out.
    open: RwLock<()>,
    /// Whether somebody will try again what could not be committed.
    pub(super) retrying: AtomicBool,
    /// Whether somebody puts back what the log may have lost.
    pub(super) making_whole: AtomicBool,
    /// Whose bodies are on their way, by path, and since when: an init section may be replaced by the one that is
    /// coming.
    arriving: StdMutex<BTreeMap<String, Vec<i64>>>,
    /// Told whenever one of them has arrived, or never will.
    has_arrived: Notify,
}

/// An upload on its way, until dropped.
#[derive(Debug)]
pub(super) struct Arriving {
    pusher: Arc<Pusher>,
    path: String,
    since_ms: i64,
}

impl Pusher {
    pub(super) fn arriving(self: &Arc<Self>, path: &str, since_ms: i64) -> Arriving {
        self.lock_arriving().entry(path.to_owned()).or_default().push(since_ms);
        Arriving { pusher: self.clone(), path: path.to_owned(), since_ms }
    }

    pub(super) fn is_arriving(&self, path: &str) -> bool {
        self.lock_arriving().contains_key(path)
    }

    /// The paths of what is on its way.
    pub(super) fn arriving_paths(&self) -> Vec<String> {
        self.lock_arriving().keys().cloned().collect()
    }

    /// Whether a body is on its way that began before `ms`.
    pub(super) fn is_arriving_since(&self, ms: i64) -> bool {
        self.lock_arriving().values().flatten().any(|since_ms| *since_ms < ms)
    }

    /// Ends when no body is on its way any more that began until `ms`.
    pub(crate) async fn until_arrived(&self, ms: i64) {
        loop {
            let arrived = self.has_arrived.notified();
            if !self.is_arriving_since(ms.saturating_add(1)) {
                return;
            }
            arrived.await;
        }
    }

    /// To be held while something is parked. Refused once the broadcast has ended.
    pub(super) async fn accepting(&self, followed: &Followed) -> Result<RwLockReadGuard<'_, ()>, Problem> {
        let accepting = self.open.read().await;
        if followed.read().is_over() {
            return Err(problems::ENDED.detail("the broadcast has ended; create another one for what follows"));
        }
        Ok(accepting)
    }

    /// Whether nobody has it at hand, and nothing waits here.
    fn is_forgettable(self: &Arc<Self>) -> bool {
        let is_idle = |state: tokio::sync::MutexGuard<'_, PusherState>| {
            state.waiting.is_empty() && state.uncommitted.is_none() && !state.owes_end
        };
        Arc::strong_count(self) == 1 && self.state.try_lock().is_ok_and(is_idle)
    }

    /// Whether one more may be parked.
    pub(super) async fn has_room(&self) -> bool {
        self.state.lock().await.waiting.len() < PARKED_MAX
    }

    /// To be held while the broadcast is ended.
    pub(crate) async fn nothing_parked(&self) -> RwLockWriteGuard<'_, ()> {
        self.open.write().await
    }

    fn lock_arriving(&self) -> MutexGuard<'_, BTreeMap<String, Vec<i64>>> {
        self.arriving.lock().expect("nobody panics while holding it")
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut arriving = self.pusher.lock_arriving();
        let Some(others) = arriving.get_mut(&self.path) else { return };
        if let Some(this) = others.iter().position(|since_ms| *since_ms == self.since_ms) {
            others.swap_remove(this);
        }
        if others.is_empty() {
            arriving.remove(&self.path);
        }
        drop(arriving);
        self.pusher.has_arrived.notify_waiters();
    }
}

impl Recorder {
    /// Whoever pushes to this broadcast.
    pub(crate) fn pusher_of(&self, id: BroadcastId) -> Arc<Pusher> {
        self.pushers.of(id, self.clock.instant())
    }
}

#[cfg(test)]
mod tests {
    use service::Clock;

    use super::*;

    #[test]
    fn a_pusher_is_forgotten_when_it_has_gone_and_nothing_waits() {
        let (pushers, began) = (Pushers::default(), Clock::from_tokio(0).instant());
        let id = |n| BroadcastId::new(1, n);
        let _held = pushers.of(id(1), began);
        pushers.of(id(2), began).state.try_lock().expect("nobody else has it").owes_end = true;
        pushers.of(id(3), began);
        pushers.of(id(4), began + PUSHER_IDLE / 2);
        pushers.of(id(5), began + PUSHER_IDLE);
        let known = |n| pushers.0.lock().expect("nobody panics").contains_key(&id(n));
        assert_eq!([1, 2, 3, 4, 5].map(known), [true, true, false, true, true]);
    }
}

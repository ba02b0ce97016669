//! Broadcasts folded from their logs and kept up to date, for those who answer questions about them again and again.
//!
//! Bounded: what nobody has asked for lately is forgotten, and folded again when somebody does.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, Event, EventIndex, LogEntry, LogError, Millis, StoreTime};
use moka::future::Cache;
use service::{Clock, Tasks};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::MetadataError;
use crate::store::{Metadata, Outcome, READ_MAX};

/// How many broadcasts are kept up to date at once.
const FOLLOWED_MAX: u64 = 10_000;
/// How long one is kept that nobody asks for.
const FOLLOWED_IDLE: Duration = Duration::from_secs(300);
/// How long to wait before the log of a broadcast is read again after an error.
const RETRY: Duration = Duration::from_secs(1);
/// How long to wait before a store's time that stands still is looked at again.
const STANDSTILL: Duration = Duration::from_millis(50);

/// All broadcasts of a store, each folded and followed from the first time that somebody asks for it.
#[derive(Clone, Debug)]
pub struct Broadcasts {
    store: Arc<dyn Metadata>,
    cache: Cache<BroadcastId, Arc<Followed>>,
    tasks: Tasks,
    clock: Clock,
}

/// One broadcast, up to date with its log.
#[derive(Debug)]
pub struct Followed {
    id: BroadcastId,
    store: Arc<dyn Metadata>,
    broadcast: RwLock<Broadcast>,
    /// Makes those who read the log for it take turns.
    reading: tokio::sync::Mutex<LastRead>,
    /// How many reads have begun.
    reads: AtomicU64,
    length: watch::Sender<EventIndex>,
    gone: CancellationToken,
}

/// What became of the last read of a log to its end.
#[derive(Debug)]
struct LastRead {
    number: u64,
    done: Result<(), MetadataError>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.gone.cancel();
    }
}

impl Broadcasts {
    pub fn new(store: Arc<dyn Metadata>, tasks: Tasks, clock: Clock) -> Self {
        let cache = Cache::builder().max_capacity(FOLLOWED_MAX).time_to_idle(FOLLOWED_IDLE).build();
        Self { store, cache, tasks, clock }
    }

    /// The log behind the broadcasts.
    pub fn store(&self) -> &Arc<dyn Metadata> {
        &self.store
    }

    /// The broadcast, folded up to the end that its log had when it was first asked for, or later.
    pub async fn get(&self, id: BroadcastId) -> Result<Arc<Followed>, MetadataError> {
        let loaded = self.cache.try_get_with(id, async { self.follow(id).await });
        loaded.await.map_err(|error: Arc<MetadataError>| (*error).clone())
    }

    /// Ends when the store's time, as far as it is settled, has come to `at`. This machine's clock has no say in it.
    pub async fn reached(&self, at: StoreTime) {
        let left = || self.store.horizon().map_or(Millis(1), |now| at - now);
        let mut pause = Duration::ZERO;
        while let Ok(left @ 1..) = u64::try_from(left().0) {
            self.clock.sleep(Duration::from_millis(left).max(pause)).await;
            // Time may have stood still meanwhile.
            pause = STANDSTILL;
        }
    }

    async fn follow(&self, id: BroadcastId) -> Result<Arc<Followed>, MetadataError> {
        let broadcast = load(self.store.as_ref(), id).await?;
        let gone = CancellationToken::new();
        let followed = Arc::new(Followed {
            id,
            store: self.store.clone(),
            length: watch::Sender::new(broadcast.next_index()),
            broadcast: RwLock::new(broadcast),
            reading: tokio::sync::Mutex::new(LastRead { number: 0, done: Ok(()) }),
            reads: AtomicU64::new(0),
            gone: gone.clone(),
        });
        let (weak, stop) = (Arc::downgrade(&followed), self.tasks.stop_token());
        let (store, clock) = (self.store.clone(), self.clock.clone());
        self.tasks.spawn("follow a log", async move {
            tokio::select! {
                biased;
                () = keep_up(id, store, weak, clock) => {}
                () = gone.cancelled() => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(followed)
    }
}

impl Followed {
    pub fn id(&self) -> BroadcastId {
        self.id
    }

    /// The broadcast as it is known now. Not to be held across an `.await`.
    pub fn read(&self) -> RwLockReadGuard<'_, Broadcast> {
        self.broadcast.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store's present time, as far as it is settled: [`Metadata::horizon`]. To be compared with times of the log,
    /// as this machine's clock must never be.
    pub fn now(&self) -> StoreTime {
        // Whoever has a log has reached the store. No lock is taken: a caller may hold that of `read`.
        self.store.horizon().unwrap_or(StoreTime(0))
    }

    /// Changes whenever an event has been taken in: the length of the log.
    pub fn watch(&self) -> watch::Receiver<EventIndex> {
        self.length.subscribe()
    }

    /// Reads the log to its end, so that what was committed before the call is taken in after it. Those who ask while
    /// one reads share the next read, and its failure.
    pub async fn refresh(&self) -> Result<(), MetadataError> {
        let begun = self.reads.load(Ordering::SeqCst);
        let mut last = self.reading.lock().await;
        // Later than the call, one that began after it.
        if last.number > begun {
            return last.done.clone();
        }
        let number = self.reads.fetch_add(1, Ordering::SeqCst) + 1;
        let done = self.read_to_end().await;
        *last = LastRead { number, done: done.clone() };
        done
    }

    async fn read_to_end(&self) -> Result<(), MetadataError> {
        loop {
            let next = self.read().next_index();
            let entries = self.store.read(self.id, next, READ_MAX).await?;
            if entries.is_empty() {
                return Ok(());
            }
            self.take(&entries)?;
        }
    }

    /// Takes in what a commit has just appended, without asking the store again unless something came in between.
    pub async fn committed(&self, events: &[Event], outcomes: &[Outcome]) -> Result<(), MetadataError> {
        let appended = events.iter().zip(outcomes).filter_map(|(event, outcome)| match outcome {
            Outcome::Appended { index, at } => Some(LogEntry { index: *index, at: *at, event: event.clone() }),
            _ => None,
        });
        let appended: Vec<LogEntry> = appended.collect();
        let next = self.read().next_index();
        // A duplicate may be of an event that has not been taken in here.
        let complete = appended.len() == events.len() && appended.iter().all(|entry| entry.index >= next);
        let follows = appended.first().is_none_or(|first| first.index <= next);
        if complete && follows { self.take(&appended) } else { self.refresh().await }
    }

    fn take(&self, entries: &[LogEntry]) -> Result<(), MetadataError> {
        let mut broadcast = self.broadcast.write().unwrap_or_else(PoisonError::into_inner);
        let next = broadcast.next_index();
        // The one who reads, the one who waits and the one who commits may all have been given an entry.
        for entry in entries.iter().skip_while(|entry| entry.index < next) {
            broadcast.apply(entry).map_err(|error| unreadable(self.id, error))?;
        }
        let length = broadcast.next_index();
        drop(broadcast);
        self.length.send_if_modified(|known| std::mem::replace(known, length) != length);
        Ok(())
    }
}

/// Takes in what is appended for as long as somebody holds the broadcast.
async fn keep_up(id: BroadcastId, store: Arc<dyn Metadata>, followed: Weak<Followed>, clock: Clock) {
    while let Some(next) = followed.upgrade().map(|followed| followed.read().next_index()) {
        // What is committed here is taken in by whoever commits it.
        let known = || followed.upgrade().map_or(next, |followed| followed.read().next_index());
        let taken = match store.wait_beyond(id, &known, READ_MAX).await {
            Ok(entries) => followed.upgrade().map_or(Ok(()), |followed| followed.take(&entries)),
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            tracing::warn!(%id, error = &error as &dyn std::error::Error, "cannot follow the log of a broadcast");
            clock.sleep(RETRY).await;
        }
    }
}

async fn load(store: &dyn Metadata, id: BroadcastId) -> Result<Broadcast, MetadataError> {
    let mut entries = store.read(id, EventIndex(0), READ_MAX).await?;
    let first = entries.first().ok_or(MetadataError::NotFound { id })?;
    let mut broadcast = Broadcast::open(first).map_err(|error| unreadable(id, error))?;
    let mut applied = 1;
    while applied < entries.len() {
        for entry in &entries[applied..] {
            broadcast.apply(entry).map_err(|error| unreadable(id, error))?;
        }
        // A short page is the last one; what comes after it is followed.
        if entries.len() < READ_MAX {
            break;
        }
        (entries, applied) = (store.read(id, broadcast.next_index(), READ_MAX).await?, 0);
    }
    Ok(broadcast)
}

fn unreadable(id: BroadcastId, error: LogError) -> MetadataError {
    MetadataError::corrupt(format!("the log of {id}"), error)
}

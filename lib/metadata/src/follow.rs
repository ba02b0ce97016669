//! Broadcasts folded from their logs and kept up to date, for those who answer questions about them again and again.
//!
//! Bounded: what nobody has asked for lately is forgotten, and folded again when somebody does.

mod history;
#[cfg(test)]
mod tests;
mod untold;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, Event, EventIndex, LogEntry, LogError, Millis, StoreTime};
use moka::future::Cache;
use service::{Clock, Tasks};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::batch::COMMIT_EVENTS_MAX;
use crate::error::MetadataError;
use crate::store::{Expect, Metadata, Outcome, READ_MAX};

use history::History;
use untold::Untold;

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
    /// How often a log turned out to have lost more than was known here.
    given_up: Arc<AtomicU64>,
}

/// One broadcast, up to date with its log.
#[derive(Debug)]
pub struct Followed {
    id: BroadcastId,
    store: Arc<dyn Metadata>,
    broadcast: RwLock<Broadcast>,
    history: Mutex<History>,
    /// How often the store had been away when it was last seen to have what is known here.
    checked: AtomicU64,
    given_up: Arc<AtomicU64>,
    /// What it went on without, until it was told again.
    untold: tokio::sync::Mutex<Untold>,
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
        Self { store, cache, tasks, clock, given_up: Arc::default() }
    }

    /// The log behind the broadcasts.
    pub fn store(&self) -> &Arc<dyn Metadata> {
        &self.store
    }

    /// How many times the store has been away, as far as is known here ([`Metadata::breaks`]), or a log that is followed
    /// has lost more than is known here: others may know what it was. What is then put back is put back by this number; a
    /// simulation that goes without sees none.
    pub fn breaks(&self) -> u64 {
        self.unless_without(self.store.breaks())
    }

    /// The same of what may concern this broadcast: [`Metadata::breaks_of`].
    pub fn breaks_of(&self, id: BroadcastId) -> u64 {
        self.unless_without(self.store.breaks_of(id))
    }

    fn unless_without(&self, breaks: u64) -> u64 {
        #[cfg(feature = "simulation")]
        if service::is_without(service::Safeguard::PutBack) {
            return 0;
        }
        breaks + self.given_up.load(Ordering::SeqCst)
    }

    /// The broadcast, folded up to the end that its log had when it was first asked for, or later.
    pub async fn get(&self, id: BroadcastId) -> Result<Arc<Followed>, MetadataError> {
        let mut is_ours = false;
        let load = async {
            is_ours = true;
            self.follow(id).await
        };
        let mut loaded = self.cache.try_get_with(id, load).await;
        let was_not_there = matches!(loaded.as_ref().map_err(AsRef::as_ref), Err(MetadataError::NotFound { .. }));
        if was_not_there && !is_ours {
            // Somebody had looked before we asked, and it may have been opened in between. Whoever looks now began later.
            loaded = self.cache.try_get_with(id, self.follow(id)).await;
        }
        loaded.map_err(|error: Arc<MetadataError>| (*error).clone())
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
        let breaks = self.store.breaks_of(id);
        let (broadcast, history) = load(self.store.as_ref(), id).await?;
        let gone = CancellationToken::new();
        let followed = Arc::new(Followed {
            id,
            store: self.store.clone(),
            length: watch::Sender::new(broadcast.next_index()),
            broadcast: RwLock::new(broadcast),
            history: Mutex::new(history),
            checked: AtomicU64::new(breaks),
            given_up: self.given_up.clone(),
            untold: tokio::sync::Mutex::default(),
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
        let mut put_back = false;
        loop {
            let next = self.read().next_index();
            match self.store.read(self.id, next, READ_MAX).await {
                Ok(entries) if entries.is_empty() => return self.look_after_break().await,
                Ok(entries) => {
                    self.look_after_break().await?;
                    self.take(&entries)?;
                }
                Err(error) if has_lost(&error) && !put_back => {
                    self.reconcile().await?;
                    put_back = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Commits events, and takes in what was appended. If the store turns out to have lost a part of the log, that is
    /// put back first.
    pub async fn commit(&self, events: &[Event]) -> Result<Vec<Outcome>, MetadataError> {
        let commit = async || {
            let known = self.read().next_index();
            self.store.commit(self.id, events, Expect::AtLeast(known)).await
        };
        self.look_after_break().await?;
        let mut done = commit().await;
        if done.as_ref().is_err_and(has_lost) {
            self.reconcile().await?;
            done = commit().await;
        }
        let outcomes = done?;
        self.committed(events, &outcomes).await?;
        Ok(outcomes)
    }

    /// After the store was away: whether it still has what is known here. Costs nothing while it stays.
    async fn look_after_break(&self) -> Result<(), MetadataError> {
        let breaks = self.store.breaks_of(self.id);
        if self.checked.load(Ordering::SeqCst) != breaks {
            self.reconcile().await?;
            self.checked.store(breaks, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Gives the store again what it has lost and is known here: with the index and the time that it had, or, if the store
    /// has something else in its place by now, as if it were new. If it has lost more than is known here, its log is the log
    /// from here on: it is for those to put back who have it on their disks.
    async fn reconcile(&self) -> Result<(), MetadataError> {
        #[cfg(feature = "simulation")]
        if service::is_without(service::Safeguard::PutBack) {
            return Ok(());
        }
        let mut untold = self.untold.lock().await;
        loop {
            let next = self.read().next_index();
            let len = match self.store.read(self.id, next, 1).await {
                Ok(_) => next,
                Err(MetadataError::Lost { len }) => len,
                Err(MetadataError::NotFound { .. }) => EventIndex(0),
                Err(error) => return Err(error),
            };
            if !self.history().reaches(len) || !self.is_known(len).await? {
                self.turn_to_the_store(&mut untold).await?;
                break;
            }
            if len == next {
                break;
            }
            self.put_back(len).await?;
        }
        self.tell(&mut untold).await
    }

    /// Whether the last entries of the store's log before `len` are those that are known here.
    async fn is_known(&self, len: EventIndex) -> Result<bool, MetadataError> {
        let (from, known) = self.history().before(len, READ_MAX);
        if known.is_empty() {
            return Ok(true);
        }
        Ok(self.store.read(self.id, from, known.len()).await? == known)
    }

    /// Puts back entries from the end of the store's log on, all of them in one step.
    async fn put_back(&self, len: EventIndex) -> Result<(), MetadataError> {
        // Somebody may have taken in more since it was looked.
        let Some(lost) = self.history().since(len) else { return Ok(()) };
        let unseen_until = self.unseen_until(&lost).await?;
        match self.store.put_back(self.id, &lost, unseen_until).await {
            Ok(()) => tracing::warn!(id = %self.id, from = len.0, entries = lost.len(), "put back what was lost"),
            // Somebody else is doing the same, or something new has come in between.
            Err(MetadataError::Stale { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Until when nobody can have seen that these entries, which follow the end of the store's log, were away.
    async fn unseen_until(&self, lost: &[LogEntry]) -> Result<StoreTime, MetadataError> {
        let (there, lost) = match (load(self.store.as_ref(), self.id).await, lost) {
            (Ok((broadcast, _)), _) => (Ok(broadcast), lost),
            // The log is gone altogether, and the first entry is what opened it.
            (Err(MetadataError::NotFound { .. }), [opened, rest @ ..]) => (Broadcast::open(opened), rest),
            (Err(error), _) => return Err(error),
        };
        // If they do not follow it any more, the store refuses them.
        Ok(there.and_then(|there| there.unseen_until(lost)).unwrap_or(StoreTime(i64::MIN)))
    }

    /// The store has lost entries, and has others in their places by now: from here on its log is the log. What was known
    /// here and is not there is to be told again.
    ///
    /// What was shown of it here is not what its log says. So nothing of that is shown before the log says that live was
    /// started anew.
    async fn turn_to_the_store(&self, untold: &mut Untold) -> Result<(), MetadataError> {
        let (broadcast, history) = loop {
            let (broadcast, history) = match load(self.store.as_ref(), self.id).await {
                // It is there again as soon as somebody has opened it again.
                Err(MetadataError::NotFound { .. }) => return Err(MetadataError::Lost { len: EventIndex(0) }),
                loaded => loaded?,
            };
            let lost = self.history().lost_in(&history);
            let was_shown = lost.is_none_or(|lost| lost.iter().any(|entry| entry.event.shapes_live()));
            if !was_shown || broadcast.generation() > self.read().generation() {
                break (broadcast, history);
            }
            match self.store.commit(self.id, &[Event::Restarted], Expect::Len(broadcast.next_index())).await {
                // Who else knew the same may just have said so.
                Ok(_) | Err(MetadataError::Stale { .. }) => {}
                Err(error) => return Err(error),
            }
        };
        let mut known = self.broadcast.write().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.history();
        match kept.lost_in(&history) {
            Some(lost) => {
                let entries = lost.len();
                tracing::warn!(id = %self.id, entries, "the metadata store has lost a part of the log, and went on");
                untold.add(lost, &known);
            }
            None => {
                let has = broadcast.next_index().0;
                tracing::error!(
                    id = %self.id, has,
                    "the metadata store has lost more of a log than is known here; recorders put it back from their disks"
                );
                // An end, or what was given up, would cut off what is not told again before it.
                *untold = Untold::default();
                self.given_up.fetch_add(1, Ordering::SeqCst);
            }
        }
        (*known, *kept) = (broadcast, history);
        let length = known.next_index();
        drop((kept, known));
        self.length.send_replace(length);
        Ok(())
    }

    /// Commits again what was lost; what fails is tried again the next time.
    async fn tell(&self, untold: &mut Untold) -> Result<(), MetadataError> {
        while !untold.events.is_empty() {
            let count = untold.events.len().min(COMMIT_EVENTS_MAX);
            let outcomes = self.store.commit(self.id, &untold.events[..count], Expect::Any).await?;
            for (event, outcome) in untold.events.drain(..count).zip(outcomes) {
                let refused = !matches!(outcome, Outcome::Appended { .. } | Outcome::Duplicate);
                if let (Event::Stored(segment), true) = (event, refused) {
                    let (seq, rendition) = (segment.seq, segment.rendition);
                    tracing::error!(id = %self.id, %rendition, %seq, ?outcome, "the log went on without an acknowledged segment, and has no place for it now; its bytes are kept");
                }
            }
        }
        if untold.safe.is_empty() {
            return Ok(());
        }
        // Whether it is under the key that was safe is known once the log is.
        let (now, _) = load(self.store.as_ref(), self.id).await?;
        let safe = untold.safe_in(&now);
        for events in safe.chunks(COMMIT_EVENTS_MAX) {
            self.store.commit(self.id, events, Expect::Any).await?;
        }
        untold.safe.clear();
        Ok(())
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // Each change is whole before anything can panic.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a commit has just appended, without asking the store again unless something came in between.
    async fn committed(&self, events: &[Event], outcomes: &[Outcome]) -> Result<(), MetadataError> {
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
        let mut history = self.history();
        for entry in entries.iter().skip_while(|entry| entry.index < next) {
            broadcast.apply(entry).map_err(|error| unreadable(self.id, error))?;
            history.push(entry);
        }
        drop(history);
        let length = broadcast.next_index();
        drop(broadcast);
        self.length.send_if_modified(|known| std::mem::replace(known, length) != length);
        Ok(())
    }
}

/// Takes in what is appended for as long as somebody holds the broadcast.
async fn keep_up(id: BroadcastId, store: Arc<dyn Metadata>, followed: Weak<Followed>, clock: Clock) {
    let mut lost_before = false;
    while let Some(next) = followed.upgrade().map(|followed| followed.read().next_index()) {
        // What is committed here is taken in by whoever commits it.
        let known = || followed.upgrade().map_or(next, |followed| followed.read().next_index());
        let waited = store.wait_beyond(id, &known, READ_MAX).await;
        let Some(followed) = followed.upgrade() else { return };
        let lost = waited.as_ref().is_err_and(has_lost);
        let taken = async {
            followed.look_after_break().await?;
            match waited {
                Err(error) if has_lost(&error) => followed.reconcile().await,
                Err(error) => Err(error),
                Ok(entries) => followed.take(&entries),
            }
        };
        let taken = taken.await;
        drop(followed);
        if let Err(error) = &taken {
            tracing::warn!(%id, error = error as &dyn std::error::Error, "cannot follow the log of a broadcast");
        }
        // A store that goes on losing is not asked all the time.
        if taken.is_err() || lost && lost_before {
            clock.sleep(RETRY).await;
        }
        lost_before = lost;
    }
}

/// Whether the store has lost what was there: nobody asks for it who does not know it.
fn has_lost(error: &MetadataError) -> bool {
    matches!(error, MetadataError::Lost { .. } | MetadataError::NotFound { .. })
}

async fn load(store: &dyn Metadata, id: BroadcastId) -> Result<(Broadcast, History), MetadataError> {
    let mut history = History::default();
    let mut entries = store.read(id, EventIndex(0), READ_MAX).await?;
    let first = entries.first().ok_or(MetadataError::NotFound { id })?;
    let mut broadcast = Broadcast::open(first).map_err(|error| unreadable(id, error))?;
    history.push(first);
    let mut applied = 1;
    while applied < entries.len() {
        for entry in &entries[applied..] {
            broadcast.apply(entry).map_err(|error| unreadable(id, error))?;
            history.push(entry);
        }
        // A short page is the last one; what comes after it is followed.
        if entries.len() < READ_MAX {
            break;
        }
        (entries, applied) = (store.read(id, broadcast.next_index(), READ_MAX).await?, 0);
    }
    Ok((broadcast, history))
}

fn unreadable(id: BroadcastId, error: LogError) -> MetadataError {
    MetadataError::corrupt(format!("the log of {id}"), error)
}

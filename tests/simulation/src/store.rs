//! The metadata store that all recorders share, and what goes wrong between them and it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, EventIndex, LogEntry, Opened, StoreTime};
use metadata::{Expect, Known, Metadata, MetadataError, Outcome, Sqlite};

use service::Clock;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::network::lock;
use crate::signal::{Away, Signal};

/// How long a call may take when all is well, in milliseconds.
const QUICK_MS: u64 = 3;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    /// How many of a thousand calls fail before anything is done.
    pub(crate) fails: u64,
    /// How many of a thousand commits are done, and told to have failed.
    pub(crate) silent: u64,
    /// The longest that a call takes, in milliseconds.
    pub(crate) slow_ms: u64,
}

/// Its file, in a directory of its own.
pub(crate) const STORE_FILE: &str = "metadata.sqlite";

/// Where the store is, and where it is after it has forgotten something for the n-th time.
pub(crate) fn store_dir(world: &Path, forgotten: u64) -> PathBuf {
    world.join(format!("store{forgotten}"))
}

/// The store as a recorder sees it.
#[derive(Debug)]
pub(crate) struct SharedStore {
    log: Mutex<(Arc<Sqlite>, PathBuf)>,
    pub(crate) clock: Clock,
    /// How many times it may have forgotten something.
    breaks: Signal<u64>,
    pub(crate) has_forgotten: Signal<bool>,
    pub(crate) mood: Signal<Mood>,
    pub(crate) away: Away,
    /// It has forgotten what nobody can put back.
    pub(crate) wants_rebuilding: Signal<bool>,
    /// How many times somebody has filled in what it forgot.
    pub(crate) rebuilt: Signal<u64>,
    pub(crate) dice: Dice,
}

pub(crate) fn unavailable(why: &'static str) -> MetadataError {
    MetadataError::Unavailable(Arc::from(Box::from(why)))
}

impl SharedStore {
    /// One whose file is in `dir`.
    pub(crate) fn new(log: Sqlite, dir: PathBuf, clock: Clock, dice: Dice) -> Self {
        let (log, breaks) = (Mutex::new((Arc::new(log), dir)), Signal::new(0));
        let (mood, away, wants_rebuilding) = (Signal::new(Mood::default()), Away::default(), Signal::new(false));
        let has_forgotten = Signal::new(false);
        Self { log, clock, breaks, has_forgotten, mood, away, wants_rebuilding, rebuilt: Signal::new(0), dice }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        lock(&self.log).1.clone()
    }

    /// Since when it can be reached, and fails no calls.
    pub(crate) fn back_since(&self) -> Option<Instant> {
        self.away.back_since()
    }

    /// The store as it is, without the way to it.
    pub(crate) fn log(&self) -> Arc<Sqlite> {
        lock(&self.log).0.clone()
    }

    /// From now on it knows what `older` knows, whose file is in `dir`.
    pub(crate) fn forget(&self, older: Sqlite, dir: PathBuf) {
        *lock(&self.log) = (Arc::new(older), dir);
        self.has_forgotten.change(|has| *has = true);
        self.breaks.change(|breaks| *breaks += 1);
    }

    /// It was away, and has forgotten nothing; nobody knows that.
    pub(crate) fn breaks_off(&self) {
        self.breaks.change(|breaks| *breaks += 1);
    }

    /// Whether it can be reached, fails no calls and takes its usual time.
    pub(crate) fn is_well(&self) -> bool {
        let Mood { fails, silent, slow_ms } = self.mood();
        !self.away.is() && fails == 0 && silent == 0 && slow_ms == 0
    }

    fn mood(&self) -> Mood {
        self.mood.get()
    }

    async fn takes_time(&self) {
        let slow_ms = self.mood().slow_ms.max(QUICK_MS);
        tokio::time::sleep(Duration::from_millis(self.dice.between(0, slow_ms))).await;
    }

    async fn reached(&self) -> Result<(), MetadataError> {
        self.takes_time().await;
        let mood = self.mood();
        if self.away.is() || self.dice.chance(mood.fails) { Err(unavailable("cannot be reached")) } else { Ok(()) }
    }

    fn heard(&self) -> Result<(), MetadataError> {
        let mood = self.mood();
        if self.away.is() || self.dice.chance(mood.silent) { Err(unavailable("the answer was lost")) } else { Ok(()) }
    }
}

#[async_trait]
impl Metadata for SharedStore {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        self.reached().await?;
        self.log().open(id, opened).await
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        self.reached().await?;
        let done = self.log().commit(id, events, expect).await;
        self.heard()?;
        done
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.reached().await?;
        self.log().read(id, from, max).await
    }

    async fn wait_beyond(&self, id: BroadcastId, known: Known<'_>, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let breaks = self.breaks.get();
        let log = self.log();
        let entries = tokio::select! {
            biased;
            () = self.breaks.until(|now| now != breaks) => Vec::new(),
            entries = log.wait_beyond(id, known, max) => entries?,
        };
        // News takes its time.
        self.takes_time().await;
        // What was appended while it is away is heard of when it is back.
        self.away.until_back().await;
        Ok(entries)
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.reached().await?;
        self.log().list(after, max).await
    }

    async fn put_back(&self, id: BroadcastId, entries: &[LogEntry], until: StoreTime) -> Result<(), MetadataError> {
        self.reached().await?;
        let done = self.log().put_back(id, entries, until).await;
        self.heard()?;
        done
    }

    fn breaks(&self) -> u64 {
        self.breaks.get()
    }

    fn horizon(&self) -> Option<StoreTime> {
        self.log().horizon()
    }

    fn time(&self) -> Option<StoreTime> {
        self.log().time()
    }

    fn health(&self) -> Result<(), MetadataError> {
        if self.away.is() { Err(unavailable("cannot be reached")) } else { Ok(()) }
    }
}

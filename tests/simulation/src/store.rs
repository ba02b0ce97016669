//! The metadata store that all recorders share, and what goes wrong between them and it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, EventIndex, LogEntry, Opened, StoreTime};
use metadata::{Expect, Known, Metadata, MetadataError, Outcome, Sqlite};

use crate::dice::Dice;
use crate::signal::Signal;

/// How long a call may take when all is well, in milliseconds.
const QUICK_MS: u64 = 3;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mood {
    pub(crate) away: bool,
    /// How many of a thousand calls fail before anything is done.
    pub(crate) fails: u64,
    /// How many of a thousand commits are done, and told to have failed.
    pub(crate) silent: u64,
    /// The longest that a call takes, in milliseconds.
    pub(crate) slow_ms: u64,
}

/// The store as a recorder sees it.
#[derive(Debug)]
pub(crate) struct SharedStore {
    pub(crate) log: Arc<Sqlite>,
    pub(crate) mood: Signal<Mood>,
    pub(crate) dice: Dice,
}

fn unavailable(why: &'static str) -> MetadataError {
    MetadataError::Unavailable(Arc::from(Box::from(why)))
}

impl SharedStore {
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
        if self.mood().away || self.dice.chance(mood.fails) { Err(unavailable("cannot be reached")) } else { Ok(()) }
    }

    fn heard(&self) -> Result<(), MetadataError> {
        let mood = self.mood();
        if mood.away || self.dice.chance(mood.silent) { Err(unavailable("the answer was lost")) } else { Ok(()) }
    }
}

#[async_trait]
impl Metadata for SharedStore {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        self.reached().await?;
        self.log.open(id, opened).await
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        self.reached().await?;
        let done = self.log.commit(id, events, expect).await;
        self.heard()?;
        done
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.reached().await?;
        self.log.read(id, from, max).await
    }

    async fn wait_beyond(&self, id: BroadcastId, known: Known<'_>, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let entries = self.log.wait_beyond(id, known, max).await?;
        // News takes its time.
        self.takes_time().await;
        // What was appended while it is away is heard of when it is back.
        self.mood.until(|mood| !mood.away).await;
        Ok(entries)
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.reached().await?;
        self.log.list(after, max).await
    }

    fn horizon(&self) -> Option<StoreTime> {
        self.log.horizon()
    }

    fn time(&self) -> Option<StoreTime> {
        self.log.time()
    }

    fn health(&self) -> Result<(), MetadataError> {
        if self.mood().away { Err(unavailable("cannot be reached")) } else { Ok(()) }
    }
}

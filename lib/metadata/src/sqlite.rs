//! The embedded store: one SQLite file, for one process on one machine. What a call answers is on the disk
//! (write-ahead log, `synchronous = FULL`): it survives the loss of power.
//!
//! One thread owns the connection that writes, and takes all commits that queued up while the disk was busy into one
//! transaction. Reads have connections of their own. Both are off the threads that run async code.
//!
//! The file belongs to one process, which holds a lock on `FILE-lock` beside it. A second one is refused; it could not
//! wake the waiters of the first, and its commits would be dated behind what the first has called settled.

mod horizon;
mod nodes;
mod outbox;
mod readers;
mod reading;
mod rules;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, EventIndex, LogEntry, Opened, StoreTime};
use rusqlite::ErrorCode;
use service::{Clock, Tasks};

use crate::batch;
use crate::error::MetadataError;
use crate::store::{Expect, Known, LIST_MAX, Limits, Metadata, Outcome, READ_MAX};
use crate::watches::Watches;

use horizon::Horizon;
use readers::Readers;
use schema::Locked;
use writer::Writer;

pub use reading::SqliteReader;
pub use schema::SqliteError;

/// The store in one file.
#[derive(Debug)]
pub struct Sqlite {
    readers: Readers,
    writer: Writer,
    watches: Arc<Watches>,
    horizon: Arc<Horizon>,
    registry: nodes::Registry,
}

impl Sqlite {
    /// Opens the file at `path`, or makes it; its directory must be there. It stays locked against other processes,
    /// and against a second [`Sqlite`] in this one, until [`shutdown`](Self::shutdown): whoever comes second gets
    /// [`SqliteError::InUse`].
    pub async fn open(path: &Path, limits: Limits, clock: Clock) -> Result<Self, SqliteError> {
        let owned = path.to_path_buf();
        let file = Tasks::blocking(move || schema::open(&owned)).await?;
        Ok(Self::start(file, path, limits, clock))
    }

    fn start(file: Locked, path: &Path, limits: Limits, clock: Clock) -> Self {
        let (watches, horizon) = (Arc::new(Watches::always_heard()), Arc::new(Horizon::new(clock.clone())));
        let writer = Writer::start(file, limits, clock, watches.clone(), horizon.clone());
        Self {
            readers: Readers::new(path.to_path_buf()),
            writer,
            watches,
            horizon,
            registry: nodes::Registry::default(),
        }
    }

    /// Finishes the commits that are queued and lets go of the file. Calls that come later get `Unavailable`.
    pub async fn shutdown(&self) {
        self.writer.shutdown().await;
    }
}

#[async_trait]
impl Metadata for Sqlite {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        let event = Event::Opened(opened.clone());
        let at = self.writer.open(id, batch::opened(&event)?).await?;
        Ok(LogEntry { index: EventIndex(0), at, event })
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        self.writer.commit(id, batch::check(events)?, expect).await
    }

    async fn put_back(
        &self,
        id: BroadcastId,
        entries: &[LogEntry],
        unseen_until: StoreTime,
    ) -> Result<(), MetadataError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.writer.put_back(id, batch::check_put_back(entries, unseen_until)?).await
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.readers.run(move |db| readers::log(db, id, from, max.min(READ_MAX))).await
    }

    async fn wait_beyond(&self, id: BroadcastId, known: Known<'_>, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let mut watch = self.watches.watch(id);
        loop {
            let from = known();
            if watch.len().is_none_or(|len| from < len) {
                let entries = self.read(id, from, max.max(1)).await?;
                if !entries.is_empty() {
                    return Ok(entries);
                }
            }
            watch.woken().await;
        }
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.readers.run(move |db| readers::list(db, after, max.min(LIST_MAX))).await
    }

    fn horizon(&self) -> Option<StoreTime> {
        Some(self.horizon.get())
    }

    fn time(&self) -> Option<StoreTime> {
        Some(self.horizon.now())
    }

    fn health(&self) -> Result<(), MetadataError> {
        self.writer.health()
    }
}

impl From<rusqlite::Error> for MetadataError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::corrupt("the file", error),
            _ => Self::unavailable(error),
        }
    }
}

//! The logs of a file that is somebody else's: also while a process is at work on it, or after one was killed.

use std::path::Path;

use broadcast::{BroadcastId, EventIndex, LogEntry};
use service::Tasks;

use super::readers::{self, Readers};
use super::schema::{self, SqliteError};
use crate::error::MetadataError;
use crate::store::{LIST_MAX, READ_MAX};

/// Reads a file without a claim to it.
#[derive(Debug)]
pub struct SqliteReader(Readers);

impl SqliteReader {
    /// Opens the file at `path`, which must be there and of this version.
    pub async fn open(path: &Path) -> Result<Self, SqliteError> {
        let owned = path.to_path_buf();
        Tasks::blocking(move || schema::check_version(&owned)).await?;
        Ok(Self(Readers::new(path.to_path_buf())))
    }

    /// A page of the broadcasts: see [`Metadata::list`](crate::Metadata::list).
    pub async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.0.run(move |db| readers::list(db, after, max.min(LIST_MAX))).await
    }

    /// The entries of a log: see [`Metadata::read`](crate::Metadata::read).
    pub async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.0.run(move |db| readers::log(db, id, from, max.min(READ_MAX))).await
    }
}

//! The connections that read: a few, opened when needed and kept.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broadcast::{BroadcastId, Event, EventIndex, LogEntry, StoreTime};
use rusqlite::{Connection, OptionalExtension};
use service::Tasks;
use tokio::sync::Semaphore;

use super::schema;
use crate::error::MetadataError;

/// The most reads at a time; others wait their turn.
const READERS_MAX: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Arc::default(), turns: Arc::new(Semaphore::new(READERS_MAX)) }
    }

    /// Runs `read` on a thread where it may block.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        let readers = self.clone();
        Tasks::blocking(move || {
            let _turn = turn;
            let db = readers.take()?;
            let answer = read(&db);
            // One that failed may be at fault itself.
            if answer.is_ok() {
                readers.idle().push(db);
            }
            answer
        })
        .await
    }

    fn take(&self) -> Result<Connection, MetadataError> {
        let idle = self.idle().pop();
        Ok(idle.map_or_else(|| schema::open_reader(&self.path), Ok)?)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries of one log from `from` on, at most `max`.
pub(super) fn log(
    db: &Connection,
    id: BroadcastId,
    from: EventIndex,
    max: usize,
) -> Result<Vec<LogEntry>, MetadataError> {
    let (no, len) = log_of(db, id)?.ok_or(MetadataError::NotFound { id })?;
    if from > len {
        return Err(MetadataError::Lost { len });
    }
    let rows = rows(db, no, from, max)?;
    let entry = |(index, at, body): (u64, i64, Vec<u8>)| {
        let event = Event::decode(&body)
            .map_err(|source| MetadataError::corrupt(format!("event {index} of broadcast {id}"), source))?;
        Ok(LogEntry { index: EventIndex(index), at: StoreTime(at), event })
    };
    rows.into_iter().map(entry).collect()
}

/// The broadcasts older than `after`, newest first.
pub(super) fn list(db: &Connection, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
    let texts = ids(db, after, max)?;
    let id = |text: String| {
        text.parse().map_err(|source| MetadataError::corrupt(format!("the broadcast id {text:?}"), source))
    };
    texts.into_iter().map(id).collect()
}

/// The number of a log here, and its length.
fn log_of(db: &Connection, id: BroadcastId) -> rusqlite::Result<Option<(i64, EventIndex)>> {
    let mut query = db.prepare_cached("SELECT no, len FROM broadcast WHERE id = ?1")?;
    let log = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, EventIndex(row.get::<_, i64>(1)?.cast_unsigned())));
    query.query_row([id.to_string()], log).optional()
}

fn rows(db: &Connection, no: i64, from: EventIndex, max: usize) -> rusqlite::Result<Vec<(u64, i64, Vec<u8>)>> {
    let sql = "SELECT idx, at, body FROM event WHERE broadcast = ?1 AND idx >= ?2 ORDER BY idx LIMIT ?3";
    let mut query = db.prepare_cached(sql)?;
    // An index beyond what SQLite can count to is beyond every log.
    let (from, max) = (i64::try_from(from.0).unwrap_or(i64::MAX), i64::try_from(max).unwrap_or(i64::MAX));
    let rows = query
        .query_map([no, from, max], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

fn ids(db: &Connection, after: Option<BroadcastId>, max: usize) -> rusqlite::Result<Vec<String>> {
    let mut query = db.prepare_cached("SELECT id FROM broadcast WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
    // Every id sorts before a tilde.
    let after = after.map_or("~".to_owned(), |id| id.to_string());
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = query.query_map((after, max), |row| row.get(0))?;
    rows.collect()
}

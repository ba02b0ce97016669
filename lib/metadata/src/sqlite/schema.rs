//! The file: its tables, its version, and the settings of a connection.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// What `PRAGMA user_version` says. Raise it with every change of [`TABLES`]. Older files are refused, as long as none
/// were written by a release.
const VERSION: i32 = 2;

/// What a new file says.
const NO_VERSION: i32 = 0;

/// How long a connection waits for another one; they only meet at the moment of a checkpoint.
const BUSY_MS_MAX: Duration = Duration::from_secs(5);

const TABLES: &str = "
    -- One row for each broadcast. The others name it by `no`.
    CREATE TABLE broadcast (
        no INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        len INTEGER NOT NULL,       -- of its log
        at INTEGER NOT NULL,        -- the time of its last entry, Unix ms
        paused INTEGER NOT NULL,    -- 0 or 1, and so is `ended`
        ended INTEGER NOT NULL
    ) STRICT;
    -- The arrival log. `body` is the compact form of the event.
    CREATE TABLE event (
        broadcast INTEGER NOT NULL,
        idx INTEGER NOT NULL,
        at INTEGER NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (broadcast, idx)
    ) STRICT, WITHOUT ROWID;
    -- The segments that the log speaks of: the first 8 bytes of the digest, or NULL for one that was abandoned.
    CREATE TABLE segment (
        broadcast INTEGER NOT NULL,
        rendition TEXT NOT NULL,
        seq INTEGER NOT NULL,
        digest BLOB,
        PRIMARY KEY (broadcast, rendition, seq)
    ) STRICT, WITHOUT ROWID;
    -- What may be said once: the formats and the mapped playlists.
    CREATE TABLE once (
        broadcast INTEGER NOT NULL,
        what TEXT NOT NULL,
        PRIMARY KEY (broadcast, what)
    ) STRICT, WITHOUT ROWID;
    -- Where the renditions of an ended broadcast end. One that is not here has nothing.
    CREATE TABLE last (
        broadcast INTEGER NOT NULL,
        rendition TEXT NOT NULL,
        seq INTEGER NOT NULL,
        abandoned INTEGER NOT NULL, -- 0 or 1: whether what is missing up to there will never come
        PRIMARY KEY (broadcast, rendition)
    ) STRICT, WITHOUT ROWID;
";

/// What was added since: a file of this version may not have it yet.
const MORE_TABLES: &str = "
    -- Since when somebody is told what happens: one row.
    CREATE TABLE IF NOT EXISTS outbox (
        no INTEGER PRIMARY KEY CHECK (no = 0),
        since INTEGER NOT NULL
    ) STRICT;
    -- How far each broadcast is told.
    CREATE TABLE IF NOT EXISTS told (
        id TEXT PRIMARY KEY,
        next INTEGER NOT NULL,
        at INTEGER NOT NULL,
        complete INTEGER NOT NULL   -- 0 or 1
    ) STRICT, WITHOUT ROWID;
    -- What is to be sent, and what could not be.
    CREATE TABLE IF NOT EXISTS letter (
        no INTEGER PRIMARY KEY AUTOINCREMENT,
        endpoint TEXT NOT NULL,
        broadcast TEXT NOT NULL,
        id TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        claims INTEGER NOT NULL,
        fresh INTEGER NOT NULL,     -- 0 or 1: whether its turn among those of its broadcast is still to come
        due INTEGER,                -- when it may be claimed; NULL for one whose turn it is not, and for a dead one
        dead_at INTEGER,
        why TEXT
    ) STRICT;
    CREATE INDEX IF NOT EXISTS letter_due ON letter (endpoint, due) WHERE due IS NOT NULL;
    CREATE INDEX IF NOT EXISTS letter_fresh ON letter (endpoint, broadcast, no) WHERE fresh;
    CREATE INDEX IF NOT EXISTS letter_dead ON letter (no) WHERE dead_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS mailbox (
        endpoint TEXT PRIMARY KEY,
        waiting INTEGER NOT NULL,
        dead INTEGER NOT NULL,
        gone INTEGER NOT NULL       -- 0 or 1
    ) STRICT, WITHOUT ROWID;
";

/// The file, open for writing and locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Locked {
    pub(super) db: Connection,
    _lock: File,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    #[error("{} is in use by another process", path.display())]
    InUse { path: PathBuf },
    #[error("cannot lock {}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("{} has version {found}, and this program knows only {VERSION}", path.display())]
    OtherVersion { path: PathBuf, found: i32 },
    #[error("cannot open {}", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
}

/// Opens the file for writing, with the tables of this version.
pub(super) fn open(path: &Path) -> Result<Locked, SqliteError> {
    let lock = lock(path)?;
    let open = |source| SqliteError::Open { path: path.to_path_buf(), source };
    let mut db = Connection::open(path).map_err(open)?;
    let found = version(&db).map_err(open)?;
    if found != VERSION && found != NO_VERSION {
        return Err(SqliteError::OtherVersion { path: path.to_path_buf(), found });
    }
    prepare(&mut db, found).map_err(open)?;
    Ok(Locked { db, _lock: lock })
}

/// Whether a file that is only read has the tables of this version.
pub(super) fn check_version(path: &Path) -> Result<(), SqliteError> {
    let found = open_reader(path).and_then(|db| version(&db));
    let found = found.map_err(|source| SqliteError::Open { path: path.to_path_buf(), source })?;
    if found == VERSION { Ok(()) } else { Err(SqliteError::OtherVersion { path: path.to_path_buf(), found }) }
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    settle(&db)?;
    Ok(db)
}

/// What every connection has.
fn settle(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY_MS_MAX)?;
    // Otherwise a prepared statement whose plan may depend on a value, such as that of a LIMIT, is parsed and planned
    // again whenever the value changes.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// A file of its own, since closing any handle of the database's would drop the locks that SQLite has on it.
fn lock(path: &Path) -> Result<File, SqliteError> {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    let error = |source| SqliteError::Lock { path: PathBuf::from(&name), source };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SqliteError::InUse { path: path.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

fn version(db: &Connection) -> rusqlite::Result<i32> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn prepare(db: &mut Connection, found: i32) -> rusqlite::Result<()> {
    settle(db)?;
    // These answer with a row, the value that holds from here on.
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.execute_batch("PRAGMA synchronous = FULL")?;
    if found == NO_VERSION {
        let tx = db.transaction()?;
        tx.execute_batch(TABLES)?;
        tx.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?;
        tx.commit()?;
    }
    db.execute_batch(MORE_TABLES)
}

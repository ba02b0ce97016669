//! The trait that every store implements, and the rules of a commit, which are the same in all of them.

use std::fmt;

use async_trait::async_trait;
use broadcast::{BroadcastId, Digest, Event, EventIndex, LogEntry, Opened, StoreTime};

use crate::error::MetadataError;

/// The most entries that one read returns.
pub const READ_MAX: usize = 10_000;
/// The most ids that one page of a list holds.
pub const LIST_MAX: usize = 1_000;

/// What a store refuses to hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest log, in entries.
    pub log_len: u64,
}

impl Default for Limits {
    /// With a segment and a `Safe` every two seconds, 48 days.
    fn default() -> Self {
        Self { log_len: 1 << 22 }
    }
}

/// The arrival logs of all broadcasts. Every call may fail with [`MetadataError::Unavailable`].
///
/// # The rules of a commit
///
/// The events of one commit are applied in order and together: all of those that are new are appended, or, when the
/// call fails, none. After an `Unavailable` they may or may not have been: commit them again, that is what the rules
/// are for. Each event has one [`Outcome`]:
///
/// | event | outcome |
/// |---|---|
/// | `Format` | `Duplicate` if the rendition has this format id already |
/// | `Stored` | by (rendition, seq): `Duplicate` if stored with this digest, `Conflict` if with another, `Abandoned` if abandoned; else `Ended` if the broadcast ended before it: beyond the rendition's `last`, or in a rendition that has none; else `Abandoned` if the end abandoned what was missing |
/// | `Safe`, `RecordedBy`, `Restarted` | always appended |
/// | `Abandoned` | marks those that are not stored; `Duplicate` if all are stored, or abandoned already, also by the end. Appended as given |
/// | `Paused`, `Resumed` | `Ended` if the broadcast ended or is closing; `Duplicate` if it is paused, or is not, already |
/// | `EndHinted` | `Ended` if the broadcast ended or is closing |
/// | `Closing` | `Duplicate` if the broadcast ended or is closing already |
/// | `Ended` | `Duplicate` if the broadcast ended already, whatever either says |
/// | `Mapped` | `Duplicate` if the playlist is mapped already, whatever to |
/// | `Opened` | refused: see [`open`](Self::open) |
///
/// In every other case the event is `Appended`, at the next index and at the store's time, which never goes back
/// within one log.
///
/// A commit of more than [`COMMIT_EVENTS_MAX`](crate::COMMIT_EVENTS_MAX) events, or with an event that is out of
/// bounds ([`Fault`](crate::Fault)), is refused as a whole.
#[async_trait]
pub trait Metadata: Send + Sync + fmt::Debug {
    /// Starts a log, with `opened` at index 0. [`MetadataError::AlreadyOpened`] if there is one.
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError>;

    /// Appends the events that are new, by the rules above, in one round trip. One outcome for each event.
    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError>;

    /// Appends entries that the store has lost, with the index and the time that they had. They follow each other, and
    /// the log's end: otherwise nothing is appended, and the answer is [`MetadataError::Stale`]. The first may be that
    /// which opened the log. At most [`PUT_BACK_MAX`](crate::PUT_BACK_MAX).
    ///
    /// If the store's time has come to `unseen_until`, somebody may have seen that they were away: then `Restarted` follows
    /// them in the same step, at the store's time.
    async fn put_back(
        &self,
        id: BroadcastId,
        entries: &[LogEntry],
        unseen_until: StoreTime,
    ) -> Result<(), MetadataError>;

    /// The entries from `from` on, at most `max` or [`READ_MAX`]; none if `from` is the log's end, and
    /// [`MetadataError::Lost`] if it is beyond.
    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError>;

    /// Like [`read`](Self::read), but waits while there are none, through times when the store is away; after one, it
    /// may return none, so that the caller looks at whether something was lost. Dropping the future ends the wait.
    async fn wait(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.wait_beyond(id, &|| from, max).await
    }

    /// [`wait`](Self::wait) for one who may meanwhile be told of entries in another way: `known` says up to where, and
    /// is asked again each time that something was appended. What is known by then is not read for it.
    async fn wait_beyond(&self, id: BroadcastId, known: Known<'_>, max: usize) -> Result<Vec<LogEntry>, MetadataError>;

    /// A page of the broadcasts, newest first: those older than `after`, at most `max` or [`LIST_MAX`].
    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError>;

    /// The store's present time, as far as that is settled: whatever is dated before it is in what a
    /// [`read`](Self::read) returns that begins from here on. Asks nobody. `None` until the store was reached for the
    /// first time.
    ///
    /// It goes on by itself, also while the store is away, and does not follow this machine's clock, which may be
    /// wrong; it is never later than the store's own time. It stands still while the date of a commit is settled and
    /// the commit is not. A later answer may be a little earlier, which takes nothing from what holds for the first.
    fn horizon(&self) -> Option<StoreTime>;

    /// The store's clock as far as it is known here, by which the next commit would be dated. Unlike the
    /// [`horizon`](Self::horizon) it never stands still, and says nothing of what is settled.
    fn time(&self) -> Option<StoreTime> {
        self.horizon()
    }

    /// How many times the store has been away, as far as is known here: since then it may have lost what it had
    /// acknowledged.
    fn breaks(&self) -> u64 {
        0
    }

    /// The same for one broadcast: what is away, or was, may not have had it.
    fn breaks_of(&self, _id: BroadcastId) -> u64 {
        self.breaks()
    }

    /// Whether the store can be used, as far as is known: asks nobody. If not, the error that a call would get, or
    /// that the last commit got.
    fn health(&self) -> Result<(), MetadataError>;
}

/// How much of a log one knows: tells the index of the first entry that one does not.
pub type Known<'a> = &'a (dyn Fn() -> EventIndex + Send + Sync);

/// What a commit takes the log to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is.
    Any,
    /// Exactly this long: otherwise nothing is appended, and the answer is [`MetadataError::Stale`].
    Len(EventIndex),
    /// At least this long: otherwise the store has lost what was known to be there, nothing is appended, and the answer
    /// is [`MetadataError::Lost`].
    AtLeast(EventIndex),
}

/// What became of one event of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was new.
    Appended { index: EventIndex, at: StoreTime },
    /// The log says so already.
    Duplicate,
    /// Other bytes are stored under this (rendition, seq).
    Conflict { existing: ShortDigest },
    /// The broadcast ended before it.
    Ended,
    /// The publisher had said that it would never come.
    Abandoned,
}

/// The first half of a [`Digest`], which is what the stores keep to tell segments apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortDigest(pub [u8; 8]);

impl ShortDigest {
    pub fn of(digest: &Digest) -> Self {
        let mut short = [0; 8];
        short.copy_from_slice(&digest.0[..8]);
        Self(short)
    }
}

impl fmt::Display for ShortDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ShortDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

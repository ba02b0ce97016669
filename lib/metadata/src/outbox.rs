//! What is to be told to others, kept until it is: how far each broadcast is told, the letters that wait to be sent,
//! and those that could not be.
//!
//! The log of a broadcast is the first outbox. Whoever tells of it moves its [`Told`] and files the letters in one
//! step, so that a process which ends at any moment leaves either both or none. Sending is claimed for a while; a claim
//! that is not settled in time is anybody's again. So each letter is sent at least once, and as a rule once. What the
//! letters say, and how they are sent, is not known here.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, EventIndex, StoreTime};
use serde::{Deserialize, Serialize};

use crate::error::MetadataError;

/// The most letters that wait for one endpoint. Those beyond are dead at once, and can be sent again later.
pub const WAITING_MAX: u64 = 20_000;
/// The most dead letters in all. Beyond them the oldest is forgotten.
pub const DEAD_MAX: u64 = 10_000;
/// The most letters in one call, of any kind.
pub const LETTERS_MAX: usize = 1_000;
/// The longest text of one letter, and of the address it goes to, in bytes.
pub const LETTER_LEN_MAX: usize = 64 << 10;
/// The longest reason that is kept, in bytes.
pub(crate) const WHY_LEN_MAX: usize = 500;

/// The outbox of a store. Every call may fail with [`MetadataError::Unavailable`]; after that, what was asked may or may
/// not have been done: ask again.
#[async_trait]
pub trait Outbox: Send + Sync + fmt::Debug {
    /// Since when somebody is told: the store's time at the first call of all.
    async fn begin(&self) -> Result<StoreTime, MetadataError>;

    /// How far each of these is told, in their order; at most [`LETTERS_MAX`].
    async fn told(&self, ids: &[BroadcastId]) -> Result<Vec<Option<Told>>, MetadataError>;

    /// Files `letters` and moves how far the broadcast is told from `before` to `after`, both or neither. Nothing is
    /// done if it is not at `before`: somebody else has told it.
    ///
    /// Letters of one broadcast to one endpoint are sent for the first time one after the other, in this order.
    async fn tell(
        &self,
        id: BroadcastId,
        before: Option<Told>,
        after: Told,
        letters: &[Letter],
    ) -> Result<Telling, MetadataError>;

    /// Takes at most `max` letters to `endpoint` that are to be sent now. They are the caller's for `lease`.
    async fn claim(&self, endpoint: &str, max: usize, lease: Duration) -> Result<Claim, MetadataError>;

    /// Says what became of a letter; how many dead letters had to be forgotten for it. Nothing is done if the claim had
    /// run out and the letter is somebody else's by now.
    async fn settle(&self, claimed: &Claimed, outcome: &Settled) -> Result<u64, MetadataError>;

    /// Whether `endpoint` wants no more letters. While it does not, those that are filed for it are dead at once.
    async fn set_gone(&self, endpoint: &str, gone: bool) -> Result<(), MetadataError>;

    /// What there is for each endpoint, by its address.
    async fn mailboxes(&self) -> Result<Vec<Mailbox>, MetadataError>;

    /// A page of the dead letters, oldest first: those filed after the letter `after`; at most `max` or [`LETTERS_MAX`].
    async fn dead(&self, after: Option<u64>, max: usize) -> Result<Vec<DeadLetter>, MetadataError>;

    /// Makes dead letters wait again, as if they had never been sent: those of `numbers` that are dead; at most
    /// [`LETTERS_MAX`]. How many.
    async fn resend(&self, numbers: &[u64]) -> Result<u64, MetadataError>;

    /// Forgets dead letters. How many.
    async fn discard(&self, numbers: &[u64]) -> Result<u64, MetadataError>;
}

/// How far a broadcast is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The first event of the log that is not told.
    pub next: EventIndex,
    /// Up to when what time alone brought about is told.
    pub at: StoreTime,
    /// Nothing more is to be told of it.
    pub complete: bool,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Where to.
    pub endpoint: String,
    /// What the receiver tells letters apart by.
    pub id: String,
    /// What it is about, for people.
    pub kind: String,
    pub body: String,
}

/// What became of a [`tell`](Outbox::tell).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Somebody else has told it: nothing was done.
    Elsewhere,
    /// Dead letters that had to be forgotten for it.
    Done { forgotten: u64 },
}

/// Letters to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    pub letters: Vec<Claimed>,
    /// The endpoint has said that it wants no more.
    pub gone: bool,
    /// When there is more to claim, if nothing is filed until then; not told if there may be more now.
    pub next: Option<Duration>,
}

/// A letter that is the claimer's to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub number: u64,
    /// Tells this claim from later ones.
    pub claim: u64,
    pub broadcast: BroadcastId,
    pub letter: Letter,
    /// How often it was tried before, without those who never said what became of it.
    pub attempts: u32,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    Delivered,
    /// To be tried again.
    Again {
        after: Duration,
        why: String,
    },
    /// Not to be tried again, unless somebody says so.
    Dead {
        why: String,
    },
}

/// A letter that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub number: u64,
    pub broadcast: BroadcastId,
    pub letter: Letter,
    pub attempts: u32,
    pub died_at: StoreTime,
    pub why: String,
}

/// What there is for one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub endpoint: String,
    pub waiting: u64,
    pub dead: u64,
    /// It has said that it wants no more.
    pub gone: bool,
}

/// Why a letter that was never tried is dead.
pub(crate) const GONE: &str = "the endpoint is disabled, because it answered 410 Gone";
pub(crate) const TOO_MANY: &str = "too many letters wait for the endpoint";

/// Checks the bounds of a call.
pub(crate) fn check(count: usize, letters: &[Letter]) -> Result<(), MetadataError> {
    if count > LETTERS_MAX {
        return Err(MetadataError::TooManyLetters { letters: count });
    }
    let len =
        |letter: &Letter| letter.endpoint.len().max(letter.id.len()).max(letter.kind.len()).max(letter.body.len());
    match letters.iter().map(len).max() {
        Some(bytes) if bytes > LETTER_LEN_MAX => Err(MetadataError::LetterTooLong { bytes }),
        _ => Ok(()),
    }
}

/// As much of a reason as is kept.
pub(crate) fn shortened(why: &str) -> &str {
    &why[..why.floor_char_boundary(WHY_LEN_MAX)]
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

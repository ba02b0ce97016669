//! What can go wrong with a store, and whose fault it is.

use std::error::Error;
use std::sync::Arc;

use broadcast::{BroadcastId, Event, EventIndex, Seq};

use crate::batch::EVENT_BYTES_MAX;
use crate::nodes::{NODE_BYTES_MAX, NodeName};
use crate::outbox::{LETTER_LEN_MAX, LETTERS_MAX};

/// Why a call has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetadataError {
    #[error("there is no broadcast {id}")]
    NotFound { id: BroadcastId },
    #[error("broadcast {id} is open already")]
    AlreadyOpened { id: BroadcastId },
    /// Not what [`Expect::Len`](crate::Expect::Len) said.
    #[error("the log has {} entries", len.0)]
    Stale { len: EventIndex },
    /// The log is shorter than it is known to have been: the store has lost what it had acknowledged.
    #[error("the store has lost a part of the log: it has {} entries", len.0)]
    Lost { len: EventIndex },
    #[error("{events} events in one commit, more than {max}")]
    TooMany { events: usize, max: usize },
    #[error("event {position} of the commit: {fault}")]
    Refused { position: usize, fault: Fault },
    #[error("the log of {id} is full, with {} entries", len.0)]
    Full { id: BroadcastId, len: EventIndex },
    #[error("the record of node {name} has {bytes} bytes, more than {NODE_BYTES_MAX}")]
    NodeTooLarge { name: NodeName, bytes: usize },
    #[error("{letters} letters in one call, more than {LETTERS_MAX}")]
    TooManyLetters { letters: usize },
    #[error("a letter of {bytes} bytes, more than {LETTER_LEN_MAX}")]
    LetterTooLong { bytes: usize },
    /// The store is away or cannot write just now.
    #[error("the metadata store is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// The store holds something that this program did not write, or that a newer one did.
    #[error("the metadata store holds something unreadable: {what}")]
    Corrupt {
        what: String,
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

impl MetadataError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(source.into()))
    }

    pub(crate) fn corrupt(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Corrupt { what: what.into(), source: Arc::from(source.into()) }
    }
}

/// Why an event cannot be in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("a log is opened once, by itself")]
    Opened,
    #[error("{bytes} bytes, more than {EVENT_BYTES_MAX}")]
    TooLarge { bytes: usize },
    #[error("segment number {}, more than {}", seq.0, Seq::MAX)]
    SeqTooLarge { seq: Seq },
    #[error("the range from {first} to {last} is empty")]
    EmptyRange { first: Seq, last: Seq },
    #[error("{seqs} segments abandoned in one commit, more than {}", Event::ABANDONED_MAX)]
    TooManyAbandoned { seqs: u64 },
}

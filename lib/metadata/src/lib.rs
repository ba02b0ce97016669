//! The arrival log of every broadcast behind one trait, [`Metadata`], with two stores: [`Sqlite`] for one machine,
//! in one file, and [`Redis`] for a fleet. Beside it, behind [`Nodes`], the registry of nodes.
//!
//! A store decides, atomically and by the same rules, whether an event is new; it gives it an index and a time, and
//! wakes those who wait for it. What the events *mean* is decided in `broadcast`. Only this crate speaks SQL or
//! Redis.

mod batch;
mod error;
mod follow;
mod nodes;
mod outbox;
mod redis;
mod running;
mod sqlite;
mod store;
mod watches;
mod writes;

pub use batch::{COMMIT_EVENTS_MAX, EVENT_BYTES_MAX, PUT_BACK_MAX};
pub use error::{Fault, MetadataError};
pub use follow::{Broadcasts, Followed};
pub use nodes::{
    Level, Load, NODES_MAX, Node, NodeName, NodeNameError, NodeState, Nodes, Place, PlaceError, Registered, Role,
};
pub use outbox::{
    Claim, Claimed, DEAD_MAX, DeadLetter, LETTER_LEN_MAX, LETTERS_MAX, Letter, Mailbox, Outbox, Settled, Telling, Told,
    WAITING_MAX,
};
pub use redis::{Redis, RedisAddress, RedisAddressError, RedisConfig, RedisMetrics};
pub use sqlite::{Sqlite, SqliteError, SqliteReader};
pub use store::{Expect, Known, LIST_MAX, Limits, Metadata, Outcome, READ_MAX, ShortDigest};

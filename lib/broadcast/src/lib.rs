//! The language of Headwater: ids, segments, the arrival log, the views as pure folds over it, tokens.
//!
//! No I/O, no async, no clock: whoever calls passes the time in. The words are those of RFC 8216bis; see
//! ARCHITECTURE.md for the list.

mod event;
mod ids;
mod policy;
mod segment;
mod time;
mod token;

pub use event::{Event, EventError, EventIndex, LastSeq, LogEntry, Opened, SeqRange};
pub use ids::{BroadcastId, Digest, FormatId, IdError, RenditionName, Seq};
pub use policy::ViewPolicy;
pub use segment::{Container, Cut, Format, Init, Key, KeyError, Object, Resolution, Segment};
pub use time::{CapturedAt, MediaDuration, MediaTime, Millis, StoreTime};
pub use token::{Claims, Scope, TokenError, TokenKey};

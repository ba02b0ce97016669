//! The language of Headwater: ids, segments, the arrival log, the views as pure folds over it, tokens.
//!
//! No I/O, no async, no clock: whoever calls passes the time in. The words are those of RFC 8216bis; see
//! ARCHITECTURE.md for the list.

mod broadcast;
mod capture_order;
mod closing;
mod continuity;
mod document;
mod event;
mod generation;
mod holes;
mod ids;
mod live;
mod multivariant;
mod playlist;
mod policy;
mod segment;
mod seq_set;
mod time;
mod token;
mod views;

#[cfg(test)]
mod tests;

pub use broadcast::{Broadcast, LogError, RecordedBy, Rendition, State};
pub use closing::Closing;
pub use document::{Document, DocumentFold, Lack, Unplaced};
pub use event::{Event, EventError, EventIndex, LastSeq, LogEntry, Missing, Opened, SeqRange};
pub use generation::Generation;
pub use ids::{BroadcastId, Digest, FormatId, IdError, RenditionName, Seq};
pub use live::{ByteRange, Content, DateRange, Entry, Item, Part, RangeKind};
pub use policy::{TargetDuration, ViewPolicy};
pub use segment::{Container, Cut, Format, Init, Key, KeyError, Object, Resolution, Segment};
pub use seq_set::SeqSet;
pub use time::{CapturedAt, MediaDuration, MediaTime, Millis, StoreTime};
pub use token::{Claims, Scope, TokenError, TokenKey, token_subject};
pub use views::{Extent, Rendered, View, ViewError};

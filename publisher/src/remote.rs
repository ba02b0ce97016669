//! The publish protocol as the uplink sees it: what can be asked of a recorder, and what can come of it.

mod bundle;
mod http;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{CapturedAt, Digest, RenditionName, Segment, Seq, SeqRange, SeqSet};
use bytes::Bytes;
use storage::Blob;

use crate::route::RecorderUrl;

pub use http::{AnswerBody, HttpRemote, RequestBody, Transport};

/// Recorders far away. Calls may be dropped at any moment, and made again: all of them are idempotent.
#[async_trait]
pub trait Remote: fmt::Debug + Send + Sync + 'static {
    /// To which recorders to send, as a balancer says; `None` if there is no balancer at that address.
    async fn route(&self, balancer: &RecorderUrl) -> Result<Option<Routed>, RemoteError>;

    /// What of the broadcast has arrived.
    async fn status(&self, recorder: &RecorderUrl) -> Result<RemoteStatus, RemoteError>;

    /// Sends a segment; the answer means that it is stored, and says whether it is safe.
    async fn put_segment(&self, recorder: &RecorderUrl, segment: Outgoing) -> Result<Acknowledged, RemoteError>;

    /// Sends an init section.
    async fn put_init(
        &self,
        recorder: &RecorderUrl,
        rendition: &RenditionName,
        bytes: Bytes,
    ) -> Result<(), RemoteError>;

    /// Sends many segments in one request, with the init sections that they need before them. What became of each segment
    /// that was looked at, in their order, and why there are not more of them.
    async fn put_bundle(&self, recorder: &RecorderUrl, parts: Vec<Part>) -> Bundled;

    /// Says what the publisher has to say.
    async fn say(&self, recorder: &RecorderUrl, said: &Said) -> Result<(), RemoteError>;
}

/// What a balancer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// Best first; at least one.
    pub recorders: Vec<RecorderUrl>,
    /// For how long that holds.
    pub ttl: Duration,
}

/// A segment on its way.
#[derive(Debug)]
pub struct Outgoing {
    pub segment: Arc<Segment>,
    /// By the recorders' clock.
    pub captured_at: CapturedAt,
    /// The digest of its init section.
    pub init: Option<Digest>,
    pub body: Blob,
}

/// A part of a bundle.
#[derive(Debug)]
pub enum Part {
    Init { rendition: RenditionName, bytes: Bytes },
    Segment(Outgoing),
}

/// What became of a bundle.
#[derive(Debug, Default)]
pub struct Bundled {
    /// Of its segments, as far as is known.
    pub segments: Vec<Result<Acknowledged, RemoteError>>,
    /// Why nothing is known of the rest.
    pub broke: Option<RemoteError>,
}

/// A recorder has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub safe: bool,
    /// The owner has ended the broadcast: see [`Over::Closing`].
    pub closing: bool,
}

/// What a recorder knows of the broadcast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteStatus {
    /// By its clock, in milliseconds since the Unix epoch.
    pub server_time_ms: i64,
    pub paused: bool,
    pub over: Over,
    pub arrived: BTreeMap<RenditionName, Vec<ArrivedRange>>,
    /// Arrived, not safe, and not at this recorder: whoever has it may be gone for good.
    pub elsewhere: BTreeMap<RenditionName, SeqSet>,
}

/// Whether a broadcast is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Over {
    #[default]
    No,
    /// Its owner has ended it. What was recorded until this is heard is taken, until its publisher has said where it ends.
    Closing,
    /// Where it ends is said.
    Ended,
}

/// Segments that a recorder has, without a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedRange {
    pub seqs: SeqRange,
    /// What they are: see [`Rendition::digest_of`](broadcast::Rendition::digest_of).
    pub digest: Digest,
    /// Which of them are safe.
    pub safe: SeqSet,
}

/// What a publisher says beside its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Pause,
    Resume,
    Abandon { rendition: RenditionName, seqs: SeqRange },
    End { last: BTreeMap<RenditionName, Seq> },
}

/// Why a recorder has not done what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RemoteError {
    #[error("cannot be reached: {reason}")]
    Unreachable { reason: String },
    #[error("nothing moved for {} s", .0.as_secs())]
    Stalled(Duration),
    #[error("answers, and nothing moves on this connection")]
    Stuck,
    #[error("cannot do it now: {detail}")]
    Busy { retry_after: Option<Duration>, detail: String },
    #[error("does not have the init section")]
    NoInit,
    #[error("refuses it for good: {detail}")]
    Refused { detail: String },
    #[error("does not accept the publish token: {detail}")]
    Unauthorized { detail: String },
    #[error("does not know the broadcast")]
    NoBroadcast,
    #[error("gave up on a body that stood still")]
    TooSlow,
    #[error("answered what it should not: {detail}")]
    Unexpected { detail: String },
    #[error("cannot read what is to be sent: {reason}")]
    Unreadable { reason: String },
    #[error("was sent other bytes than the digest says: {detail}")]
    Damaged { detail: String },
    #[error("does not take what its clock says is to come: {detail}")]
    Ahead { detail: String },
}

impl RemoteError {
    /// Whether it is the recorder, or the way to it, that failed, so that another one may do; or something here that may
    /// be better in a while.
    pub fn is_of_the_recorder(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Stalled(_) | Self::Busy { .. } | Self::Unexpected { .. } => true,
            // Its clock may be behind.
            Self::Ahead { .. } => true,
            _ => false,
        }
    }

    /// Whether nothing can be sent before somebody has done something about it: the address is wrong.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Unauthorized { .. } | Self::NoBroadcast)
    }

    /// For how long the recorder asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

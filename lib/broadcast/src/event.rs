//! The arrival log: the append-only, totally ordered list of what happened to one broadcast, and its compact form.
//!
//! Everything that anybody is ever shown of a broadcast follows from this list and the time. What an event *means*
//! is not decided here but in [`Broadcast`](crate::Broadcast) and [`Live`](crate::Live).

use serde::{Deserialize, Serialize};

use crate::ids::{RenditionName, Seq};
use crate::policy::ViewPolicy;
use crate::segment::{Format, Segment};
use crate::time::StoreTime;

/// The position of an event in its log, contiguous from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventIndex(pub u64);

impl EventIndex {
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub index: EventIndex,
    /// When the store took it in. Never earlier than the entry before.
    pub at: StoreTime,
    pub event: Event,
}

/// Something that happened to a broadcast. New kinds are added at the end, and none ever changes its fields: the
/// compact form is positional.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Always the first, and only once.
    Opened(Opened),
    /// A rendition has segments of this format; what DESIGN calls InitStored when it has an init section.
    Format(Format),
    /// A segment is durable on at least one node.
    Stored(Segment),
    /// Segments are in the hot store: the loss of any one node loses none of them.
    Safe { rendition: RenditionName, seqs: SeqRange },
    /// The publisher says: a break, nothing is being recorded.
    Paused,
    /// The publisher says: recording again.
    Resumed,
    /// The publisher says: these will never come.
    Abandoned { rendition: RenditionName, seqs: SeqRange },
    /// A stock pusher closed its playlist. It may start again, until somebody says `Ended`.
    EndHinted,
    /// Nothing new will be captured. Segments after `last` are refused from here on, and so are those before it that
    /// it abandons.
    Ended { last: Vec<LastSeq> },
    /// What a stock pusher sends by way of this playlist path belongs to this rendition. The first one counts.
    Mapped { playlist: String, rendition: RenditionName },
    /// What follows is taken in by this recorder, and not by the one named before it.
    RecordedBy { node: String },
    /// Readers may have shown live without what stands before this, or with something else in its place. What they show
    /// from here on, they show at other addresses: see [`Generation`](crate::Generation).
    Restarted,
    /// The owner says that it is over. What its publisher recorded until it heard of that may still come, under any number,
    /// until somebody says `Ended`: see [`Closing`](crate::Closing). `grace_ms` is how long that may take.
    Closing { grace_ms: u32 },
    /// The pictures of a rendition carry captions: from one of its segments on, and perhaps not all.
    Captioned { rendition: RenditionName },
}

/// What the creator of a broadcast decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub title: String,
    /// In seconds; without it the first segment decides.
    pub target_duration: Option<u32>,
    pub policy: ViewPolicy,
    /// On one machine what is stored is safe: no `Safe` events follow.
    pub stored_is_safe: bool,
}

/// An inclusive range of segment numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeqRange {
    pub first: Seq,
    pub last: Seq,
}

impl SeqRange {
    pub fn one(seq: Seq) -> Self {
        Self { first: seq, last: seq }
    }

    /// How many numbers it holds; 0 if it is the wrong way round.
    pub fn count(self) -> u64 {
        (self.last.0 + 1).saturating_sub(self.first.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Seq> {
        (self.first.0..=self.last.0).map(Seq)
    }
}

/// Where a rendition ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeq {
    pub rendition: RenditionName,
    /// `None` if nothing of it was ever recorded.
    pub seq: Option<Seq>,
    pub missing: Missing,
}

/// What becomes of the segments of a rendition, up to its last, that have not come when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Their publisher still has them.
    Awaited,
    /// They will never come: one event abandons them all, however many they are.
    Abandoned,
}

impl Event {
    /// The most segments that one `Abandoned` may name, so that its cost stays bounded.
    pub const ABANDONED_MAX: u64 = 10_000;

    /// Whether what live and dvr show depends on it.
    pub fn shapes_live(&self) -> bool {
        match self {
            Self::Stored(_) | Self::Paused | Self::Resumed | Self::Abandoned { .. } | Self::Ended { .. } => true,
            Self::Opened(_) | Self::Restarted | Self::Closing { .. } => true,
            Self::Format(_) | Self::Safe { .. } | Self::EndHinted => false,
            Self::Mapped { .. } | Self::RecordedBy { .. } | Self::Captioned { .. } => false,
        }
    }

    /// The compact form kept by the metadata stores: postcard, about 60 bytes for a segment.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("every event has a compact form")
    }

    /// Reads the compact form. All of `bytes` must belong to it.
    pub fn decode(bytes: &[u8]) -> Result<Self, EventError> {
        let (event, rest) = postcard::take_from_bytes(bytes).map_err(EventError::Malformed)?;
        if rest.is_empty() { Ok(event) } else { Err(EventError::Trailing { bytes: rest.len() }) }
    }
}

/// Bytes that are not the compact form of an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("not an event: {0}")]
    Malformed(postcard::Error),
    #[error("an event followed by {bytes} bytes that do not belong to it")]
    Trailing { bytes: usize },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CapturedAt, Container, Digest, FormatId, MediaDuration, MediaTime};

    fn segment() -> Segment {
        Segment {
            rendition: RenditionName::main(),
            seq: Seq(8_999),
            captured_at: CapturedAt(1_790_000_000_123),
            duration: MediaDuration(180_180),
            digest: Digest([7; 16]),
            len: 1_048_576,
            container: Container::Ts,
            format: FormatId([9; 8]),
            media_start: MediaTime((1 << 33) - 1),
            keyframe_start: true,
            cuts: vec![],
            pushed: Some(9_000),
        }
    }

    #[test]
    fn a_segment_takes_about_sixty_bytes() {
        let bytes = Event::Stored(segment()).encode();
        assert!(bytes.len() <= 64, "{} bytes", bytes.len());
        assert_eq!(Event::decode(&bytes), Ok(Event::Stored(segment())));
    }

    #[test]
    fn a_damaged_event_is_refused() {
        let bytes = Event::Stored(segment()).encode();
        for len in 0..bytes.len() {
            assert!(Event::decode(&bytes[..len]).is_err(), "{len}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Event::decode(&longer), Err(EventError::Trailing { bytes: 1 }));
        assert!(Event::decode(&[200]).is_err());
    }
}

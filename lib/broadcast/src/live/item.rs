//! What a live playlist is made of: entries and date ranges, in the order in which they were published.

use std::sync::Arc;

use crate::event::SeqRange;
use crate::segment::Segment;
use crate::time::{CapturedAt, MediaDuration, MediaTime, Millis, StoreTime};

/// A line group of a live or dvr playlist. Once published, an item never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Entry(Entry),
    Range(DateRange),
    /// EXT-X-ENDLIST.
    End,
}

/// One segment of a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The media sequence number.
    pub msn: u64,
    pub content: Content,
    /// The stretch of capture time that this entry stands for. Those of a playlist tile without overlap.
    pub from: CapturedAt,
    pub to: CapturedAt,
    /// Whether EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// How many EXT-X-DISCONTINUITY there are up to and including this entry.
    pub discontinuities: u64,
    /// From when on it is published, by the store's clock.
    pub published_at: StoreTime,
}

/// What an [`Entry`] holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Media(Part),
    Gap,
}

impl Entry {
    /// For EXTINF, in seconds.
    pub fn extinf(&self) -> f64 {
        match &self.content {
            Content::Media(part) => part.duration.as_secs_f64(),
            Content::Gap => self.length().as_secs_f64(),
        }
    }

    /// The capture time that it covers.
    pub fn length(&self) -> Millis {
        self.to - self.from
    }

    /// Its media; `None` for a gap.
    pub fn part(&self) -> Option<&Part> {
        match &self.content {
            Content::Media(part) => Some(part),
            Content::Gap => None,
        }
    }

    pub fn is_gap(&self) -> bool {
        self.part().is_none()
    }
}

/// A segment, or one of the byte ranges that a segment longer than the target duration is listed as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub segment: Arc<Segment>,
    /// `None` for the whole segment.
    pub bytes: Option<ByteRange>,
    pub captured_at: CapturedAt,
    /// Media from the segment's start to the part's.
    pub after: MediaDuration,
    pub duration: MediaDuration,
}

impl Part {
    /// The first of its timestamps.
    pub fn media_start(&self) -> MediaTime {
        MediaTime(self.segment.media_start.0.saturating_add(i64::from(self.after.0)))
    }

    pub fn captured_end(&self) -> CapturedAt {
        // Counted from the segment's start, so that parts tile whatever the rounding.
        self.segment.captured_at + MediaDuration(self.after.0 + self.duration.0).millis()
    }
}

/// For EXT-X-BYTERANGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    pub offset: u64,
    pub len: u64,
}

/// Something that viewers are told through EXT-X-DATERANGE (RFC 8216bis, 4.4.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    pub kind: RangeKind,
    /// Unique with the kind: the media sequence number at which it began.
    pub number: u64,
    pub start: CapturedAt,
    /// `None` while it lasts.
    pub end: Option<CapturedAt>,
}

/// What a [`DateRange`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeKind {
    /// Nothing arrives, and the publisher did not say why.
    Interrupted,
    /// Nothing arrives, and the publisher said so.
    Paused,
    /// What was missing has arrived: these segments, to be seen under catch-up.
    Recovered { seqs: SeqRange },
}

//! A strict little judge of HLS Media Playlists (draft-pantos-hls-rfc8216bis): what one must look like, and what may
//! change between two versions of the same one.
//!
//! It shares no code with what writes our playlists, so that a mistake there is not made twice. It is not a player's
//! parser: what we do not write, it refuses.

mod attributes;
mod delta;
mod reader;
#[cfg(test)]
mod tests;
mod transition;
mod well_formed;

pub use delta::apply_delta;
pub use reader::{ByteRange, DateRange, Kind, Playlist, Segment, read};
pub use transition::transition;
pub use well_formed::well_formed;

use std::fmt;

/// What is wrong with a playlist, or with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    /// Where, and what was found.
    pub detail: String,
}

impl Violation {
    fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)
    }
}

/// A rule of RFC 8216bis that can be broken, with its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    // Of one playlist.
    /// 4.4.1.1: EXTM3U is the first line.
    FirstLine,
    /// 4.1: every line is a known tag in the place and form that it must have, or a URI.
    Syntax,
    /// 4.4.3.1: there is a target duration.
    TargetDurationMissing,
    /// 4.4.3.1: EXTINF, rounded, is not longer than the target duration.
    SegmentTooLong,
    /// DESIGN 5: PROGRAM-DATE-TIME everywhere.
    DateTimeMissing,
    /// A playlist without segments, or with nothing but gaps, cannot be played.
    NothingToPlay,
    /// 8: the version allows what is used.
    VersionTooLow,
    /// 4.4.3.8: the skip boundary is at least six, the hold-back three target durations.
    ServerControl,
    /// 4.4.5.1: the attributes of a date range make sense together.
    DateRange,
    /// 4.4.3.4: here, nothing follows ENDLIST.
    AfterEnd,
    // Between two versions of one playlist.
    /// 6.2.1: what is said once for the whole playlist stays.
    HeaderChanged,
    /// 4.4.3.1: the target duration must not change.
    TargetDurationChanged,
    /// 6.2.1: media sequence numbers only rise.
    MediaSequenceWentBack,
    /// 6.2.1: segments are removed from the front only.
    TailRemoved,
    /// 6.2.1: a media sequence number keeps its URI.
    UriChanged,
    /// 6.2.1: and its byte range.
    ByteRangeChanged,
    /// 6.2.1: and its duration.
    DurationChanged,
    /// 6.2.1: a gap never becomes media.
    GapBecameMedia,
    /// 6.2.1: nor media a gap.
    MediaBecameGap,
    /// 6.2.1: DISCONTINUITY is neither added nor removed.
    DiscontinuityChanged,
    /// 6.2.1: PROGRAM-DATE-TIME stays.
    DateTimeChanged,
    /// 6.2.1: the init section in force stays, and so do the tags that say so.
    MapChanged,
    /// 6.2.1: a segment's other lines stay.
    LinesChanged,
    /// 6.2.2: DISCONTINUITY-SEQUENCE rises by the number of DISCONTINUITY removed.
    DiscontinuitySequence,
    /// 6.2.2: a playlist from which segments are removed holds at least three target durations.
    WindowTooShort,
    /// 6.2.1: lines are added at the end only, date ranges too.
    DateRangeInserted,
    /// 4.4.5.1: a date range may gain attributes, never change them.
    DateRangeChanged,
    /// 4.4.5.1: a date range stays while its dates map to a segment that is listed.
    DateRangeRemoved,
    /// 4.4.3.4: what is ended stays ended.
    EndRemoved,
    /// 4.4.3.4: nothing is added after the end.
    AddedAfterEnd,
    /// 4.4.3.5: nothing is removed from EVENT.
    EventRemoved,
    /// 4.4.3.5: VOD never changes.
    VodChanged,
    // Of a Playlist Delta Update.
    /// 6.2.5.1: it fits the earlier playlist, and skips only what is older than the skip boundary.
    Delta,
}

//! What the unit tests of this crate share.

use crate::{CapturedAt, Container, Digest, FormatId, MediaDuration, MediaTime, RenditionName, Segment, Seq};

/// Segment `seq` of two seconds of an unbroken recording.
pub(crate) fn segment(seq: u64) -> Segment {
    let start = i64::try_from(seq).expect("small") * 2_000;
    Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000 + start),
        duration: MediaDuration::from_millis(2_000),
        digest: Digest([u8::try_from(seq % 251).expect("small"); 16]),
        len: 500_000,
        container: Container::Ts,
        format: FormatId([1; 8]),
        media_start: MediaTime(start * 90),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    }
}

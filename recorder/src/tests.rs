//! What the unit tests of this crate share.

use broadcast::{
    CapturedAt, Container, Digest, FormatId, MediaDuration, MediaTime, Opened, RenditionName, Segment, Seq, ViewPolicy,
};

/// A broadcast as it is opened by default.
pub(crate) fn opened() -> Opened {
    Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true }
}

/// Segment `seq` of an unbroken recording in segments of two seconds, by a publisher that numbers them itself.
pub(crate) fn segment(seq: u64) -> Segment {
    Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000 + i64::try_from(seq).expect("small") * 2_000),
        duration: MediaDuration::from_millis(2_000),
        digest: Digest([0; 16]),
        len: 1,
        container: Container::Ts,
        format: FormatId([0; 8]),
        media_start: MediaTime(0),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    }
}

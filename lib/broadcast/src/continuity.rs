//! Whether one piece of media continues another, or EXT-X-DISCONTINUITY has to stand between them (RFC 8216bis,
//! 4.4.4.3: file format, tracks, timestamps, encoding parameters).

use crate::ids::FormatId;
use crate::live::Part;
use crate::segment::{Container, Segment};
use crate::time::{MediaDuration, MediaTime, Millis};

/// How far timestamps may be from where they are expected when media follows media directly.
const JOINT: MediaDuration = MediaDuration(MediaDuration::TICKS_PER_SEC / 10);
/// The same after a gap, whose length is only known by the publisher's clock, and between renditions, which are not cut
/// at the same sample.
const ACROSS_GAP: MediaDuration = MediaDuration(MediaDuration::TICKS_PER_SEC / 2);
/// MPEG-TS timestamps count modulo 2^33 (ISO/IEC 13818-1, 2.4.3.7).
const TS_WRAP: i64 = 1 << 33;

/// Where a piece of media left off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MediaEnd {
    format: FormatId,
    container: Container,
    time: i64,
    /// Gaps listed since.
    gap: Millis,
    tolerance: MediaDuration,
}

impl MediaEnd {
    /// Where `part` leaves off.
    pub(crate) fn of(part: &Part) -> Self {
        let Segment { format, container, .. } = *part.segment;
        // A publisher's timestamps may be anywhere.
        let time = part.media_start().0.saturating_add(i64::from(part.duration.0));
        Self { format, container, time, gap: Millis::ZERO, tolerance: JOINT }
    }

    pub(crate) fn after_gap(self, duration: Millis) -> Self {
        let tolerance = if duration == Millis::ZERO { self.tolerance } else { ACROSS_GAP };
        Self { gap: self.gap + duration, tolerance, ..self }
    }

    /// The same place in the rendition that `part` belongs to.
    pub(crate) fn of_rendition(self, part: &Part) -> Self {
        Self { format: part.segment.format, container: Container::Ts, tolerance: ACROSS_GAP, ..self }
    }

    pub(crate) fn is_continued_by(&self, part: &Part) -> bool {
        self.continues(part.segment.format, part.media_start())
    }

    /// Whether media of `format` that starts at `start` continues the timeline.
    fn continues(&self, format: FormatId, start: MediaTime) -> bool {
        let expected = self.time.saturating_add(self.gap.0 * 90);
        let mut off = start.0.saturating_sub(expected);
        if self.container == Container::Ts {
            off = off.saturating_add(TS_WRAP / 2).rem_euclid(TS_WRAP) - TS_WRAP / 2;
        }
        self.format == format && off.unsigned_abs() <= u64::from(self.tolerance.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: FormatId = FormatId([1; 8]);

    fn end(container: Container, time: i64, gap_ms: i64) -> MediaEnd {
        let end = MediaEnd { format: FORMAT, container, time, gap: Millis::ZERO, tolerance: JOINT };
        end.after_gap(Millis(gap_ms))
    }

    #[test]
    fn timestamps_must_go_on_where_they_left_off() {
        use Container::{M4s, Ts};
        let cases = [
            ("direct", end(Ts, 1_000, 0), 1_000, true),
            ("a frame off", end(Ts, 1_000, 0), 4_000, true),
            ("a restart", end(Ts, 900_000, 0), 0, false),
            ("a jump", end(M4s, 0, 0), 20_000, false),
            ("the wrap of MPEG-TS", end(Ts, (1 << 33) + 5, 0), 5, true),
            ("no wrap in MP4", end(M4s, (1 << 33) + 5, 0), 5, false),
            ("over a gap", end(Ts, 0, 10_000), 900_000, true),
            ("over a gap by another clock", end(Ts, 0, 10_000), 930_000, true),
            ("from one end of time to the other", end(Ts, i64::MIN, 10_000), i64::MAX, false),
            ("over a gap, restarted", end(Ts, 5_000_000, 10_000), 0, false),
            ("over a gap that the timestamps ignore", end(Ts, 0, 10_000), 0, false),
        ];
        for (name, end, start, continues) in cases {
            assert_eq!(end.continues(FORMAT, MediaTime(start)), continues, "{name}");
        }
        assert!(!end(Ts, 0, 0).continues(FormatId([2; 8]), MediaTime(0)), "another format");
    }
}

//! Media time and duration in ticks of 90 kHz, the clock of MPEG-TS. Not wall-clock time.

use std::time::Duration;

use crate::Container;

/// Ticks in one second, in either container: fragmented MP4 time is converted.
pub const TICKS_PER_SECOND: u32 = 90_000;

/// MPEG-TS timestamps have 33 bits (ISO/IEC 13818-1, 2.4.3.7) and start again at 0 after 26.5 hours.
const TS_WRAP_BITS: u32 = 33;

/// A moment on a rendition's media timeline, in ticks of 1/90000 s.
///
/// From MPEG-TS it is within `0..2^33` and wraps; from fragmented MP4 it does not wrap, and is below zero for what an
/// edit list puts before the start (the priming of audio codecs). [`MediaTime::since`] compares either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaTime(i64);

impl MediaTime {
    pub const fn from_ticks(ticks: i64) -> Self {
        Self(ticks)
    }

    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// The moment `duration` later, wrapped if the container's timestamps wrap.
    pub fn advance(self, duration: MediaDuration, container: Container) -> Self {
        let ticks = self.0.saturating_add_unsigned(duration.0);
        match container {
            Container::MpegTs => Self(wrap_ts(ticks)),
            Container::Fmp4 => Self(ticks),
        }
    }

    /// Ticks from `earlier` to this moment, negative if it is later after all. Of the two ways round the wrapping
    /// clock of MPEG-TS the shorter one is taken, so moments up to 13 hours apart compare rightly.
    pub fn since(self, earlier: Self, container: Container) -> i64 {
        let ticks = self.0.saturating_sub(earlier.0);
        match container {
            Container::MpegTs => shortest_ts(ticks),
            Container::Fmp4 => ticks,
        }
    }
}

/// A length of media time in ticks of 1/90000 s.
///
/// Ticks, not microseconds, so that the end of a segment is exactly the start of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaDuration(u64);

impl MediaDuration {
    pub const ZERO: Self = Self(0);

    pub const fn from_ticks(ticks: u64) -> Self {
        Self(ticks)
    }

    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// Rounded down to a nanosecond.
    pub fn to_std(self) -> Duration {
        let rate = u64::from(TICKS_PER_SECOND);
        let nanos = self.0 % rate * 1_000_000_000 / rate;
        Duration::new(self.0 / rate, u32::try_from(nanos).expect("below one second"))
    }
}

/// A tick count of any size as an MPEG-TS timestamp.
pub(crate) fn wrap_ts(ticks: i64) -> i64 {
    ticks.rem_euclid(1 << TS_WRAP_BITS)
}

/// The signed distance of least size that equals `ticks` on the 33-bit clock.
pub(crate) fn shortest_ts(ticks: i64) -> i64 {
    let unused = i64::BITS - TS_WRAP_BITS;
    (ticks << unused) >> unused
}

/// `value` units of `1/timescale` s in ticks, rounded down; `None` if that is beyond 64 bits.
pub(crate) fn to_ticks(value: i128, timescale: u32) -> Option<i64> {
    let scaled = value.checked_mul(i128::from(TICKS_PER_SECOND))?;
    i64::try_from(scaled.div_euclid(i128::from(timescale.max(1)))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ts_time_wraps_and_fmp4_time_does_not() {
        let last = MediaTime::from_ticks((1 << 33) - 1);
        let next = last.advance(MediaDuration::from_ticks(3), Container::MpegTs);
        assert_eq!(next, MediaTime::from_ticks(2));
        assert_eq!(next.since(last, Container::MpegTs), 3);
        assert_eq!(last.since(next, Container::MpegTs), -3);
        let next = last.advance(MediaDuration::from_ticks(3), Container::Fmp4);
        assert_eq!(next, MediaTime::from_ticks((1 << 33) + 2));
        assert_eq!(next.since(last, Container::Fmp4), 3);
    }

    #[test]
    fn durations_convert() {
        for (ticks, expected) in [
            (0, Duration::ZERO),
            (90_000, Duration::from_secs(1)),
            (3_003, Duration::from_nanos(33_366_666)),
            (u64::MAX, Duration::new(204_963_823_041_217, 240_166_666)),
        ] {
            assert_eq!(MediaDuration::from_ticks(ticks).to_std(), expected, "{ticks}");
        }
    }

    #[test]
    fn units_convert_to_ticks_rounding_down() {
        for (value, timescale, expected) in [
            (48_000, 48_000, Some(90_000)),
            (1, 44_100, Some(2)),
            (-1, 44_100, Some(-3)),
            (7, 0, Some(630_000)),
            (i128::from(u64::MAX), 1, None),
        ] {
            assert_eq!(to_ticks(value, timescale), expected, "{value}/{timescale}");
        }
    }
}

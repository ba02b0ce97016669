//! What decides how the views of one broadcast come out. It is part of the log, so that every playlist server,
//! however configured, comes to the same answer.

use serde::{Deserialize, Serialize};

use crate::time::{MediaDuration, Millis};

/// The view settings of one broadcast, fixed when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewPolicy {
    /// How long a segment waits in live for those before it. `None`: one target duration. Never longer than RFC
    /// 8216bis, 6.2.1 allows a playlist to go without a new segment (1.5 target durations).
    pub patience_ms: Option<u32>,
    /// How much the live playlist holds, at least; never less than three target durations.
    pub window_ms: u32,
    /// How much the clocks of the store and of a playlist server may differ.
    pub clock_margin_ms: u32,
    /// How long an interruption may last before live rests, publishing no more gaps until the publisher is back.
    pub rest_after_ms: u32,
    /// The longest hole that is covered by gaps; beyond it the timeline jumps.
    pub hole_max_ms: u32,
    /// The most gaps that cover holes, in each of a broadcast's playlists; beyond them, too, the timeline jumps. Those
    /// that live needs because nothing comes are not counted: they cost the time that they cover.
    pub gaps_max: u32,
    /// How long after a stock pusher closed its playlist the broadcast ends by itself.
    pub end_grace_ms: u32,
}

impl Default for ViewPolicy {
    fn default() -> Self {
        Self {
            patience_ms: None,
            window_ms: 30_000,
            clock_margin_ms: 250,
            rest_after_ms: 30 * 60_000,
            hole_max_ms: 6 * 3_600_000,
            gaps_max: 50_000,
            end_grace_ms: 120_000,
        }
    }
}

impl ViewPolicy {
    pub fn clock_margin(&self) -> Millis {
        Millis(self.clock_margin_ms.into())
    }

    pub fn end_grace(&self) -> Millis {
        Millis(self.end_grace_ms.into())
    }
}

/// EXT-X-TARGETDURATION: whole seconds, at least 1, fixed for the life of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetDuration(u32);

impl TargetDuration {
    /// The longest that is accepted, in seconds: an hour.
    pub const MAX: u32 = 3600;

    /// `secs` brought within 1 and [`MAX`](Self::MAX).
    pub fn new(secs: u32) -> Self {
        Self(secs.clamp(1, Self::MAX))
    }

    /// For a broadcast that declared none: its first segment's duration, rounded up.
    pub fn measured(first: MediaDuration) -> Self {
        Self::new(first.0.div_ceil(MediaDuration::TICKS_PER_SEC))
    }

    pub fn secs(self) -> u32 {
        self.0
    }

    pub fn millis(self) -> Millis {
        Millis::from_secs(self.0)
    }

    /// The longest gap that it allows, in whole milliseconds.
    pub fn longest(self) -> Millis {
        self.millis() + Millis(499)
    }

    /// RFC 8216bis, 4.4.3.1: whether a segment of this length, rounded to the nearest second, may be listed.
    pub fn allows(self, duration: MediaDuration) -> bool {
        let half = MediaDuration::TICKS_PER_SEC / 2;
        u64::from(duration.0) < u64::from(self.0) * u64::from(MediaDuration::TICKS_PER_SEC) + u64::from(half)
    }
}

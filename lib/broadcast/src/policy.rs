//! What decides how the views of one broadcast come out. It is part of the log, so that every playlist server,
//! however configured, comes to the same answer.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

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
            end_grace_ms: 20_000,
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

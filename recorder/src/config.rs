//! What an operator can set of a recorder. Limits have defaults that suit one machine.

use std::time::Duration;

use broadcast::ViewPolicy;
use serde::Deserialize;
use service::BodyLimits;

use crate::portal::AuthorizeConfig;

/// The settings of one recorder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecorderConfig {
    /// What this recorder is called among others: the log says which one takes a broadcast in. Without it, nothing is
    /// said.
    pub node: Option<String>,
    /// Whether the portal is asked who may publish. Without it, a valid token is enough.
    pub authorize: Option<AuthorizeConfig>,
    /// The longest segment, in bytes.
    pub segment_len_max: u64,
    /// The longest bundle of segments, in bytes, and the most segments in one.
    pub bundle_len_max: u64,
    pub bundle_parts_max: usize,
    /// The longest time without a byte of a body, in seconds. Some pushers open a request a whole segment before
    /// they send its body.
    pub body_idle_s: u32,
    /// The longest time that a body may take in all, in seconds. A byte now and then would hold an upload open for ever.
    pub body_max_s: u32,
    /// How long a stock pusher's segment waits for a playlist that names it, in milliseconds; then its file name and
    /// the order of arrival decide.
    pub unnamed_wait_ms: u32,
    /// How far ahead of this recorder's clock a segment may claim to have been captured, in seconds.
    pub clock_skew_max_s: u32,
    /// How far ahead of the last that is stored a segment's number may be: two days and more of two-second segments.
    pub seq_ahead_max: u64,
    /// The most renditions of one broadcast.
    pub renditions_max: usize,
    /// The most uploads that one broadcast may have open at a time, so that it leaves room for others.
    pub uploads_per_broadcast_max: usize,
    /// For how long after its owner has ended a broadcast its publisher is waited for, in seconds, counted from the last that
    /// came: it may be without network and hear of the end later. Then the broadcast is complete with what has come. With 0,
    /// nothing that comes after the owner's end is taken; otherwise it is at least `clock_skew_max_s`.
    pub closing_grace_s: u32,
    /// Whether what is stored here needs no second copy to be safe.
    pub stored_is_safe: bool,
    /// The view settings of new broadcasts.
    pub views: ViewPolicy,
    /// What is done with a hot store, if there is one.
    #[serde(skip)]
    pub hot: HotConfig,
}

/// How a recorder copies to the hot store, and what it keeps here of what is safe.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HotConfig {
    /// How many segments are copied at a time.
    pub copies_max: usize,
    /// The most that this recorder's disk holds, in bytes, before what is safe is deleted from it, the oldest first.
    /// Without it, only when room runs short.
    pub keep_bytes: Option<u64>,
    /// With less room than this for new segments, in bytes, what is safe is deleted; but at most a quarter of the quota
    /// is kept free in this way.
    pub free_bytes: u64,
}

impl Default for HotConfig {
    fn default() -> Self {
        Self { copies_max: 8, keep_bytes: None, free_bytes: 1 << 30 }
    }
}

impl Default for RecorderConfig {
    fn default() -> Self {
        Self {
            node: None,
            authorize: None,
            segment_len_max: 128 << 20,
            bundle_len_max: 512 << 20,
            bundle_parts_max: 1_000,
            body_idle_s: 60,
            body_max_s: 3600,
            unnamed_wait_ms: 2_000,
            clock_skew_max_s: 60,
            seq_ahead_max: 100_000,
            renditions_max: 32,
            uploads_per_broadcast_max: 64,
            closing_grace_s: 24 * 3600,
            stored_is_safe: true,
            views: ViewPolicy::default(),
            hot: HotConfig::default(),
        }
    }
}

impl RecorderConfig {
    /// The limits of a body of at most `len_max` bytes.
    pub(crate) fn body_limits(&self, len_max: u64) -> BodyLimits {
        let [idle, whole] = [self.body_idle_s, self.body_max_s].map(|secs| Duration::from_secs(secs.into()));
        BodyLimits { len_max, idle, whole }
    }

    /// A shorter grace than a clock may be wrong would refuse what was captured before the end.
    pub(crate) fn closing_grace_ms(&self) -> u32 {
        let grace_s = if self.closing_grace_s == 0 { 0 } else { self.closing_grace_s.max(self.clock_skew_max_s) };
        grace_s.saturating_mul(1000)
    }

    pub(crate) fn unnamed_wait(&self) -> Duration {
        Duration::from_millis(self.unnamed_wait_ms.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_none_or_as_long_as_a_clock_may_be_wrong() {
        for (grace_s, expected_ms) in [(0, 0), (1, 60_000), (60, 60_000), (3_600, 3_600_000), (u32::MAX, u32::MAX)] {
            let config = RecorderConfig { closing_grace_s: grace_s, ..RecorderConfig::default() };
            assert_eq!(config.closing_grace_ms(), expected_ms, "{grace_s}");
        }
    }
}

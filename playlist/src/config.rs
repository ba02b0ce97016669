//! What a playlist server may use, and what it tells caches.

use serde::Deserialize;

/// Settings of a playlist server. None of them changes what a playlist says: that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Memory for finished playlists, in bytes.
    pub cache_bytes_max: u64,
    /// The most requests that may wait at a time for a playlist to grow (`_HLS_msn`). Others are told to come back.
    pub waiters_max: usize,
    /// How long caches may keep what never changes: segments, init sections, finished playlists. In seconds.
    pub immutable_max_age_s: u32,
    /// How long caches may keep the answer that something is not there yet. In seconds.
    pub absent_max_age_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_bytes_max: 256 << 20,
            waiters_max: 20_000,
            immutable_max_age_s: 365 * 24 * 3600,
            absent_max_age_s: 1,
        }
    }
}

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
    /// The most viewers that are counted at a time. Each takes about a hundred bytes.
    pub viewers_max: usize,
    /// How long caches may keep what never changes: segments, init sections, finished playlists. In seconds.
    pub immutable_max_age_s: u32,
    /// How long caches may keep the answer that something is not there yet. In seconds.
    pub absent_max_age_s: u32,
    /// Pictures of broadcasts.
    pub stills: StillsConfig,
}

/// What pictures may cost. Each is made by an ffmpeg of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StillsConfig {
    /// The most that are made at a time.
    pub at_once_max: usize,
    /// The most requests that may wait for their turn, one for each picture that is not at hand: so many for posters, and so
    /// many for pictures of segments. Others are told to come back.
    pub waiting_max: usize,
    /// How long one may take, in milliseconds. What takes longer has no picture.
    pub time_ms_max: u32,
    /// The address space of an ffmpeg, in bytes. What needs more has no picture.
    pub memory_bytes_max: u64,
    /// How much of a segment is read until its first keyframe is found, in bytes.
    pub input_bytes_max: u64,
    /// Memory for finished pictures, in bytes.
    pub cache_bytes_max: u64,
}

impl Default for StillsConfig {
    fn default() -> Self {
        Self {
            at_once_max: 2,
            waiting_max: 64,
            time_ms_max: 10_000,
            memory_bytes_max: 1 << 30,
            input_bytes_max: 64 << 20,
            cache_bytes_max: 64 << 20,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cache_bytes_max: 256 << 20,
            waiters_max: 20_000,
            viewers_max: 200_000,
            immutable_max_age_s: 365 * 24 * 3600,
            absent_max_age_s: 1,
            stills: StillsConfig::default(),
        }
    }
}

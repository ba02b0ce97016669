//! What the uplink is doing, for a person or an app to see.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How things stand at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `created`, `live`, `interrupted`, `paused`, `ended` or `complete`, by the local log.
    pub state: String,
    /// The recorder that answered last; none while nobody can be reached.
    pub recorder: Option<String>,
    /// The recorders that a balancer named, best first; none without one.
    pub route: Vec<String>,
    /// Why nobody can be reached, or nothing can be sent.
    pub trouble: Option<String>,
    /// Whether the spool has hardly any room left, and nothing in it is safe: what is recorded now may be refused.
    pub spool_is_full: bool,
    /// From the end of the capture of the newest segment that has arrived to its acknowledgement, in milliseconds.
    pub latency_ms: Option<i64>,
    /// What is recorded and has not arrived.
    pub owed_segments: usize,
    pub owed_s: f64,
    pub owed_bytes: u64,
    /// The same as ranges of segment numbers, `[first, last]`, by rendition.
    pub missing: BTreeMap<String, Vec<[u64; 2]>>,
    /// What has arrived, and is not safe there yet.
    pub not_safe: BTreeMap<String, Vec<[u64; 2]>>,
    /// What a recorder will never take.
    pub refused_segments: usize,
    pub refused: BTreeMap<String, Vec<[u64; 2]>>,
    /// What the others go on without: it cannot be read now, or is dated ahead of the recorders' clock. It is tried again.
    pub held_back: BTreeMap<String, Vec<[u64; 2]>>,
    pub held_back_because: Option<String>,
    /// How many of these could not be read for so long that the end does not wait for them.
    pub unreadable_segments: usize,
    /// How much of the local log this takes into account, in events.
    pub log_len: u64,
    /// What the link has carried lately, in bits per second.
    pub bits_per_s: Option<u64>,
    /// What is added to the local time to get the recorders', in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Whether the owner has ended the broadcast, and this machine has not: whoever records should stop, and say so here.
    pub ended_by_owner: bool,
    /// Whether it is the end there too, so that nothing more is taken: it was waited for long enough, or given up, or another
    /// publisher has said its end.
    pub is_closed: bool,
    /// Whether all that was recorded is safe, and the broadcast has ended.
    pub is_done: bool,
}

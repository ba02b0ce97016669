//! The keys of a broadcast. Their hash tag, the id in braces, keeps them in one slot of a Redis Cluster. So does that of
//! the nodes, and that of the outbox; each of the others is alone in its slot.
//!
//! | key | type | what |
//! |---|---|---|
//! | `hw:{ID}` | stream | the log. An entry's id is its index and its time, `INDEX-MS`; its one field, `e`, is the compact form of the event |
//! | `hw:{ID}:state` | hash | `ended` and `paused` if it is, `resumed` if it ever was; `format RENDITION FORMAT` and `mapped PLAYLIST` for what may be said once; `last RENDITION`: its last segment, once ended, and `awaited` or `abandoned` for what is missing up to there |
//! | `hw:{ID}:RENDITION:N` | hash | segments N * 128 and on: number modulo 128 to the first 8 bytes of the digest, or nothing for one that was abandoned |
//! | `hw:broadcasts` | sorted set | the ids of all broadcasts, in their own order |
//! | `hw:{nodes}` | hash | by the names of nodes: when it was renewed, a space, and the record in JSON |
//! | `hw:{nodes}:until` | sorted set | the same names, by when they expire |
//! | `hw:agreed` | hash | what all nodes must have alike, by its name: the keys that sign tokens |
//!
//! Redis keeps hashes of up to 128 small fields packed, at about 12 bytes for a segment.

use broadcast::{BroadcastId, RenditionName, Seq};

/// How many segments share a hash: the most that every version of Redis keeps packed (`hash-max-listpack-entries`).
pub(super) const BUCKET_LEN: u64 = 128;

/// All broadcasts.
pub(super) const BROADCASTS: &str = "hw:broadcasts";

/// The nodes, until when each is registered, and what all have agreed on.
pub(super) const NODES: &str = "hw:{nodes}";
pub(super) const NODES_UNTIL: &str = "hw:{nodes}:until";
pub(super) const AGREED: &str = "hw:agreed";

pub(super) fn log(id: BroadcastId) -> String {
    format!("hw:{{{id}}}")
}

pub(super) fn state(id: BroadcastId) -> String {
    format!("hw:{{{id}}}:state")
}

pub(super) fn segments(id: BroadcastId, rendition: &RenditionName, bucket: u64) -> String {
    format!("hw:{{{id}}}:{rendition}:{bucket}")
}

/// The field of the state that says where a rendition ends.
pub(super) fn last(rendition: &RenditionName) -> String {
    format!("last {rendition}")
}

/// The number of a segment's bucket, and its field there.
pub(super) fn bucket(seq: Seq) -> (u64, u64) {
    (seq.0 / BUCKET_LEN, seq.0 % BUCKET_LEN)
}

/// Where it is told that something was appended to a log. The message says nothing more.
pub(super) fn channel(id: BroadcastId) -> String {
    format!("hw:{id}")
}

/// The broadcast that a channel belongs to.
pub(super) fn of_channel(channel: &[u8]) -> Option<BroadcastId> {
    str::from_utf8(channel).ok()?.strip_prefix("hw:")?.parse().ok()
}

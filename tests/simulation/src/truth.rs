//! What really happened, kept where no fault reaches it: what was recorded, what was acknowledged, what went wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use broadcast::{BroadcastId, Digest};
use bytes::Bytes;
use http::StatusCode;
use publisher::SegmentName;
use serde_json::Value;
use tokio::time::Instant;

use crate::network::{lock, tokio_now};
use crate::pusher::Sent;

/// What counts as a segment of one broadcast: names and digests.
pub(crate) type Segments = BTreeMap<SegmentName, Digest>;

/// Where a segment is on the timeline of who made it, which nothing that comes after knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Segments of one epoch are on one timeline, in one format.
    pub(crate) epoch: u64,
    /// Its start on it, in milliseconds.
    pub(crate) media_ms: i64,
    pub(crate) duration_ms: i64,
}

/// What a publisher's spool has said that it has, and when.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    digest: Digest,
    at: Instant,
    /// When its first frame was.
    captured: Instant,
}

/// What a recorder has acknowledged to a stock pusher.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) sent: Sent,
    /// By whom, and when.
    pub(crate) by: String,
    pub(crate) at: Instant,
    /// The disk that it was on is gone for good, and it was nowhere else.
    pub(crate) is_lost: bool,
}

/// Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    made: BTreeMap<(BroadcastId, Digest), Place>,
    recorded: BTreeMap<BroadcastId, BTreeMap<SegmentName, Recorded>>,
    acknowledged: BTreeMap<BroadcastId, Segments>,
    taken: Vec<Taken>,
    violations: Vec<String>,
    story: DefaultHasher,
    told: Vec<String>,
    tell: bool,
}

/// The most violations that are kept: what follows from the first ones says nothing new.
const VIOLATIONS_MAX: usize = 20;

impl Truth {
    pub(crate) fn new(tell: bool) -> Self {
        Self(Arc::new(Mutex::new(State { tell, ..State::default() })))
    }

    /// It was made, and is being given to the publisher's spool.
    pub(crate) fn made(&self, id: BroadcastId, digest: Digest, place: Place) {
        lock(&self.0).made.insert((id, digest), place);
    }

    pub(crate) fn place(&self, id: BroadcastId, digest: Digest) -> Option<Place> {
        lock(&self.0).made.get(&(id, digest)).copied()
    }

    /// The publisher's spool has said that it has it.
    pub(crate) fn recorded(&self, id: BroadcastId, name: SegmentName, digest: Digest, captured: Instant) {
        self.note(&format_args!("recorded {id} {} {}", name.rendition, name.seq));
        let recorded = Recorded { digest, at: tokio_now(), captured };
        lock(&self.0).recorded.entry(id).or_default().insert(name, recorded);
    }

    /// A recorder has answered to a PUT: of a segment, or of many.
    pub(crate) fn answered(&self, path: &str, status: StatusCode, answer: &Bytes) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let Some(parts) = answer["parts"].as_array() else {
            return self.may_be_acknowledged(path, status.as_u16().into(), &answer);
        };
        self.note(&format_args!("{} parts of a bundle were looked at", parts.len()));
        for part in parts {
            let of_part = format!("{path}/{}", part["path"].as_str().unwrap_or_default());
            self.may_be_acknowledged(&of_part, part["status"].as_u64().unwrap_or_default(), &part["body"]);
        }
    }

    fn may_be_acknowledged(&self, path: &str, status: u64, answer: &Value) {
        if !(200..300).contains(&status) {
            return;
        }
        let Some((id, name, digest)) = read(path, answer) else { return };
        let SegmentName { rendition, seq } = name.clone();
        let before = lock(&self.0).acknowledged.entry(id).or_default().insert(name, digest);
        if before.is_some_and(|before| before != digest) {
            self.violated(format!("{id} {rendition} {seq} was acknowledged with other bytes before"));
        }
        self.note(&format_args!("acknowledged {id} {rendition} {seq}"));
    }

    /// A recorder has answered to what a stock pusher sent.
    pub(crate) fn answered_push(&self, sent: Sent, by: &str, status: StatusCode) {
        self.note(&format_args!("{status} by {by} to {sent:?}"));
        if status.is_success() {
            let taken = Taken { sent, by: by.to_owned(), at: tokio_now(), is_lost: false };
            lock(&self.0).taken.push(taken);
        }
    }

    pub(crate) fn taken_of(&self, id: BroadcastId) -> Vec<Taken> {
        lock(&self.0).taken.iter().filter(|taken| taken.sent.id == id).cloned().collect()
    }

    /// A recorder's disk is gone for good, and with it what stock pushers sent there and is nowhere else: they do not send it
    /// again.
    pub(crate) fn lost_disk_of(&self, name: &str, is_elsewhere: impl Fn(BroadcastId, Digest) -> bool) {
        for taken in lock(&self.0).taken.iter_mut().filter(|taken| taken.by == name) {
            taken.is_lost |= taken.sent.digest().is_none_or(|digest| !is_elsewhere(taken.sent.id, digest));
        }
    }

    pub(crate) fn recorded_of(&self, id: BroadcastId) -> Segments {
        self.recorded_when(id, |_| true)
    }

    /// What was recorded by then.
    pub(crate) fn recorded_until(&self, id: BroadcastId, until: Instant) -> Segments {
        self.recorded_when(id, |at| at <= until)
    }

    /// When what was recorded was captured.
    pub(crate) fn captured_of(&self, id: BroadcastId) -> Vec<(SegmentName, Instant)> {
        let state = lock(&self.0);
        let recorded = state.recorded.get(&id).into_iter().flatten();
        recorded.map(|(name, recorded)| (name.clone(), recorded.captured)).collect()
    }

    fn recorded_when(&self, id: BroadcastId, is_then: impl Fn(Instant) -> bool) -> Segments {
        let state = lock(&self.0);
        let recorded = state.recorded.get(&id).into_iter().flatten().filter(|(_, recorded)| is_then(recorded.at));
        recorded.map(|(name, recorded)| (name.clone(), recorded.digest)).collect()
    }

    pub(crate) fn acknowledged_of(&self, id: BroadcastId) -> Segments {
        lock(&self.0).acknowledged.get(&id).cloned().unwrap_or_default()
    }

    /// An invariant does not hold.
    pub(crate) fn violated(&self, what: String) {
        self.note(&what);
        let mut state = lock(&self.0);
        if state.violations.len() < VIOLATIONS_MAX && !state.violations.contains(&what) {
            state.violations.push(what);
        }
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.0).violations.clone()
    }

    /// Something happened. The same seed has the same story.
    pub(crate) fn note(&self, what: &dyn std::fmt::Display) {
        let mut line = format!("{:>12} ", now_us());
        let _ = write!(line, "{what}");
        let mut state = lock(&self.0);
        line.hash(&mut state.story);
        if state.tell {
            state.told.push(line);
        }
    }

    /// What tells two stories apart.
    pub(crate) fn story(&self) -> u64 {
        lock(&self.0).story.finish()
    }

    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).told)
    }
}

/// Simulated time since the clock of the simulation began, in microseconds.
#[expect(clippy::disallowed_methods, reason = "simulated time")]
fn now_us() -> u128 {
    thread_local! {
        static BEGAN: std::cell::Cell<Option<tokio::time::Instant>> = const { std::cell::Cell::new(None) };
    }
    let now = tokio::time::Instant::now();
    let began = BEGAN.get().filter(|began| *began <= now).unwrap_or(now);
    BEGAN.set(Some(began));
    now.duration_since(began).as_micros()
}

/// What an answer acknowledges; nothing, if that is no segment.
fn read(path: &str, answer: &Value) -> Option<(BroadcastId, SegmentName, Digest)> {
    let mut parts = path.strip_prefix("/ingest/")?.split('/');
    let (id, rendition, file) = (parts.next()?, parts.next()?, parts.next()?);
    let name = SegmentName { rendition: rendition.parse().ok()?, seq: file.split_once('.')?.0.parse().ok()? };
    Some((id.parse().ok()?, name, answer["digest"].as_str()?.parse().ok()?))
}

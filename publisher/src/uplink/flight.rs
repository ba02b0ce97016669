//! One upload on its way: its segments one after the other, its bytes watched while they go.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use broadcast::{CapturedAt, Digest, Key, Segment};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use service::Clock;
use storage::{Blob, Store, StoreError};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Uplink, millis};
use crate::ledger::SegmentName;
use crate::policy::{Class, InFlight, Start};
use crate::remote::{Acknowledged, Bundled, Outgoing, Part, RemoteError};
use crate::route::RecorderUrl;

/// How much of a body goes at a time: between two pieces, the body of a missing segment lets live ones pass.
const PIECE_LEN: usize = 16 << 10;
/// How much longer each further attempt at a segment may stand still, at most.
const PATIENCE_DOUBLED_MAX: u32 = 6;

/// An upload on its way, as the uplink sees it.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) number: u64,
    pub(super) class: Class,
    pub(super) recorder: RecorderUrl,
    pub(super) from_ms: i64,
    names: Vec<SegmentName>,
    watched: Arc<Watched>,
    stuck_after_ms: i64,
}

/// What became of an upload.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) number: u64,
    pub(super) acknowledged: Vec<(SegmentName, Acknowledged)>,
    pub(super) failed: Vec<(SegmentName, RemoteError)>,
    /// What may have arrived, or not: it has to be asked.
    pub(super) unsure: Vec<SegmentName>,
}

impl Landed {
    fn note(&mut self, parcel: &Parcel, sent: Result<Acknowledged, RemoteError>) {
        match sent {
            Ok(answer) => self.acknowledged.push((parcel.name.clone(), answer)),
            Err(error) => self.failed.push((parcel.name.clone(), error)),
        }
    }
}

/// What an upload and its watcher share.
#[derive(Debug)]
struct Watched {
    clock: Clock,
    began: Instant,
    /// When the last byte was taken from us.
    moved_ms: AtomicI64,
    given_up: Notify,
    /// Whose bytes could not be read when some of them were on their way.
    torn: OnceLock<SegmentName>,
}

impl Watched {
    fn now_ms(&self) -> i64 {
        millis(self.clock.instant().duration_since(self.began))
    }

    fn moved(&self) {
        self.moved_ms.store(self.now_ms(), Ordering::Relaxed);
    }
}

/// How many live segments are on their way. Those who wait are woken in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct OnTheirWay {
    count: AtomicUsize,
    none: Notify,
}

impl OnTheirWay {
    pub(super) fn set(&self, count: usize) {
        if self.count.swap(count, Ordering::SeqCst) != 0 && count == 0 {
            self.none.notify_waiters();
        }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    async fn until_none(&self) {
        loop {
            // Waits from here on: what changes after the look is not missed.
            let none = self.none.notified();
            if self.count() == 0 {
                return;
            }
            none.await;
        }
    }
}

impl Flight {
    pub(super) fn in_flight(&self) -> InFlight {
        InFlight {
            names: self.names.clone(),
            class: self.class,
            recorder: self.recorder.clone(),
            moved_ms: self.watched.moved_ms.load(Ordering::Relaxed),
        }
    }

    /// Whether nothing has moved for longer than it should take.
    pub(super) fn is_stuck(&self, now_ms: i64) -> bool {
        now_ms - self.watched.moved_ms.load(Ordering::Relaxed) >= self.stuck_after_ms
    }

    pub(super) fn give_up(&self) {
        self.watched.given_up.notify_one();
    }
}

impl Uplink {
    /// Begins an upload.
    pub(super) fn take_off(&mut self, start: Start) -> (Flight, BoxFuture<'static, Landed>) {
        let Start { names, class, recorder } = start;
        let number = self.next_flight;
        self.next_flight += 1;
        let from_ms = self.now_ms();
        let watched = Arc::new(Watched {
            clock: self.deps.clock.clone(),
            began: self.began,
            moved_ms: AtomicI64::new(from_ms),
            given_up: Notify::new(),
            torn: OnceLock::new(),
        });
        // On a slow link everything stands still now and then: who was given up too early is given more time.
        let given_up = names.iter().filter_map(|name| self.given_up.get(name)).max().copied().unwrap_or(0);
        let hedge_after = self.config.policy.hedge_after(self.ledger.longest(&names));
        let stuck_after_ms = hedge_after.0 << given_up.min(PATIENCE_DOUBLED_MAX);
        let parcels: Vec<_> = names.iter().map(|name| self.parcel(name)).collect();
        let sending = Sending {
            uplink: (self.deps.clone(), self.id),
            recorder: recorder.clone(),
            class,
            live_on_its_way: self.live_on_its_way.clone(),
            watched: watched.clone(),
        };
        let flight = Flight { number, class, recorder, from_ms, names, watched, stuck_after_ms };
        (flight, Box::pin(sending.all(number, parcels)))
    }

    /// A segment with all that is sent of it, and how long that may take.
    fn parcel(&self, name: &SegmentName) -> Parcel {
        let rendition = self.broadcast.rendition(&name.rendition).expect("it was recorded");
        let segment = rendition.segment(name.seq).expect("it was recorded").clone();
        let init = rendition.format(segment.format).and_then(|format| format.init).map(|init| init.digest);
        let added = self.places.get(name).and_then(|at| self.times.get(*at));
        let captured_at = segment.captured_at + added.expect("nothing is sent before the offset is learned");
        let limit = self.answer_max(segment.len);
        Parcel { name: name.clone(), segment, init, captured_at, limit }
    }
}

struct Parcel {
    name: SegmentName,
    segment: Arc<Segment>,
    init: Option<Digest>,
    captured_at: CapturedAt,
    /// How long nothing may move.
    limit: Duration,
}

struct Sending {
    uplink: (super::Deps, broadcast::BroadcastId),
    recorder: RecorderUrl,
    class: Class,
    live_on_its_way: Arc<OnTheirWay>,
    watched: Arc<Watched>,
}

impl Sending {
    async fn all(self, number: u64, parcels: Vec<Parcel>) -> Landed {
        let mut landed = Landed { number, acknowledged: vec![], failed: vec![], unsure: vec![] };
        match &parcels[..] {
            [parcel] => {
                let sent = tokio::select! {
                    biased;
                    sent = self.one(parcel) => sent,
                    stalls = self.stalls(parcel.limit) => Err(stalls),
                };
                landed.note(parcel, sent);
            }
            many => {
                let limit = many.iter().map(|parcel| parcel.limit).max().unwrap_or_default();
                let Bundled { segments, broke } = tokio::select! {
                    biased;
                    sent = self.bundle(many) => sent,
                    stalls = self.stalls(limit) => Bundled { segments: vec![], broke: Some(stalls) },
                };
                let mut rest = many.iter();
                segments.into_iter().zip(rest.by_ref()).for_each(|(sent, parcel)| landed.note(parcel, sent));
                landed.unsure = rest.map(|parcel| parcel.name.clone()).collect();
                if let (Some(first), Some(error)) = (landed.unsure.first(), broke) {
                    let to_blame = self.watched.torn.get().unwrap_or(first).clone();
                    landed.unsure.retain(|name| *name != to_blame);
                    landed.failed.push((to_blame, error));
                }
            }
        }
        landed
    }

    /// Many segments, each init section before the first that needs it.
    async fn bundle(&self, parcels: &[Parcel]) -> Bundled {
        let mut parts = Vec::with_capacity(parcels.len() + 1);
        let mut unreadable = None;
        let mut inits = BTreeSet::new();
        for parcel in parcels {
            let part = async {
                if let Some(init) = parcel.init
                    && inits.insert((parcel.segment.rendition.clone(), init))
                {
                    let (rendition, bytes) = (parcel.segment.rendition.clone(), self.read_init(parcel).await?);
                    parts.push(Part::Init { rendition, bytes });
                }
                self.outgoing(parcel).await
            };
            match part.await {
                Ok(outgoing) => parts.push(Part::Segment(outgoing)),
                // What is before it goes without it; what comes after it goes with the next.
                Err(error) => {
                    unreadable = Some(error);
                    break;
                }
            }
        }
        let mut bundled = Bundled::default();
        if !parts.is_empty() {
            bundled = self.uplink.0.remote.put_bundle(&self.recorder, parts).await;
        }
        if bundled.broke.is_none() {
            bundled.segments.extend(unreadable.map(Err));
        }
        bundled
    }

    async fn one(&self, parcel: &Parcel) -> Result<Acknowledged, RemoteError> {
        match self.put(parcel).await {
            Err(RemoteError::NoInit) => {
                self.put_init(parcel).await?;
                self.put(parcel).await
            }
            done => done,
        }
    }

    async fn put(&self, parcel: &Parcel) -> Result<Acknowledged, RemoteError> {
        let outgoing = self.outgoing(parcel).await?;
        self.uplink.0.remote.put_segment(&self.recorder, outgoing).await
    }

    async fn outgoing(&self, parcel: &Parcel) -> Result<Outgoing, RemoteError> {
        let (deps, id) = &self.uplink;
        let blob = deps.store.read(&Key::of_segment(*id, &parcel.segment), None).await.map_err(unreadable)?;
        Ok(Outgoing {
            segment: parcel.segment.clone(),
            captured_at: parcel.captured_at,
            init: parcel.init,
            body: self.watch(&parcel.name, blob),
        })
    }

    async fn put_init(&self, parcel: &Parcel) -> Result<(), RemoteError> {
        let bytes = self.read_init(parcel).await?;
        self.uplink.0.remote.put_init(&self.recorder, &parcel.segment.rendition, bytes).await
    }

    async fn read_init(&self, parcel: &Parcel) -> Result<Bytes, RemoteError> {
        let (deps, id) = &self.uplink;
        let digest = parcel.init.ok_or(RemoteError::NoInit)?;
        let key = Key::of_init(*id, parcel.segment.rendition.clone(), digest);
        let blob = deps.store.read(&key, None).await.map_err(unreadable)?;
        blob.collect().await.map_err(unreadable)
    }

    /// The same bytes in small pieces, noted as they go; those of a missing segment let live ones pass.
    fn watch(&self, name: &SegmentName, blob: Blob) -> Blob {
        let (watched, len, name) = (self.watched.clone(), blob.len(), name.clone());
        let gate = (self.class == Class::Missing).then(|| self.live_on_its_way.clone());
        let pieces = blob.into_stream().flat_map(|bytes| stream::iter(pieces(bytes)));
        Blob::new(
            len,
            pieces.then(move |piece| {
                let (watched, gate) = (watched.clone(), gate.clone());
                if piece.is_err() {
                    let _ = watched.torn.set(name.clone());
                }
                async move {
                    if let Some(gate) = gate {
                        gate.until_none().await;
                    }
                    watched.moved();
                    piece
                }
            }),
        )
    }

    /// Ends when nothing has moved for `limit`, or when the uplink has given up.
    async fn stalls(&self, limit: Duration) -> RemoteError {
        let waits = |now_ms: i64| now_ms - self.watched.moved_ms.load(Ordering::Relaxed);
        loop {
            tokio::select! {
                biased;
                () = self.watched.given_up.notified() => return RemoteError::Stuck,
                () = self.watched.clock.sleep(super::TICK) => {}
            }
            if self.class == Class::Missing && self.live_on_its_way.count() > 0 {
                self.watched.moved();
            }
            if waits(self.watched.now_ms()) >= millis(limit) {
                return RemoteError::Stalled(limit);
            }
        }
    }
}

fn pieces(bytes: Result<Bytes, StoreError>) -> Vec<Result<Bytes, StoreError>> {
    let mut bytes = match bytes {
        Ok(bytes) => bytes,
        Err(error) => return vec![Err(error)],
    };
    let mut pieces = Vec::with_capacity(bytes.len().div_ceil(PIECE_LEN));
    while !bytes.is_empty() {
        pieces.push(Ok(bytes.split_to(bytes.len().min(PIECE_LEN))));
    }
    pieces
}

fn unreadable(error: StoreError) -> RemoteError {
    RemoteError::Unreadable { reason: error.to_string() }
}

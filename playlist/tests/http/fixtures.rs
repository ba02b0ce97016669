//! A broadcast that is being recorded, and a server that shows it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use broadcast::{
    BroadcastId, CapturedAt, Container, Digest, Event, Format, FormatId, Init, Key, LastSeq, MediaDuration, MediaTime,
    Missing, Opened, RenditionName, Segment, Seq, SeqRange, ViewPolicy,
};
use bytes::Bytes;
use headwater_playlist::{Config, Deps, Playlists};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use metadata::{Broadcasts, Expect, Limits, Metadata, Sqlite};
use prometheus::Registry;
use service::{Clock, Tasks};
use storage::{Blob, LocalStore, StorageConfig, Store};
use tempfile::TempDir;
use tower::ServiceExt;

/// When every world begins, in milliseconds since the Unix epoch.
pub(crate) const START_MS: i64 = 1_790_000_000_000;
/// The target duration and the length of every segment, in seconds.
pub(crate) const TARGET: u32 = 6;

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) log: Arc<dyn Metadata>,
    pub(crate) store: LocalStore,
    pub(crate) clock: Clock,
    pub(crate) id: BroadcastId,
    pub(crate) server: Server,
}

/// One of the servers that show the world.
pub(crate) struct Server {
    pub(crate) playlists: Playlists,
    pub(crate) broadcasts: Broadcasts,
    pub(crate) registry: Registry,
}

impl World {
    /// A broadcast that is open, and of which nothing has arrived. Time must be paused.
    pub(crate) async fn new() -> Self {
        Self::with(ViewPolicy::default(), Config::default(), |log| log).await
    }

    pub(crate) async fn with(
        policy: ViewPolicy,
        config: Config,
        wrap: impl FnOnce(Arc<dyn Metadata>) -> Arc<dyn Metadata>,
    ) -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Clock::from_tokio(START_MS);
        let sqlite = Sqlite::open(&dir.path().join("metadata.db"), Limits::default(), clock.clone()).await.unwrap();
        let log = wrap(Arc::new(sqlite));
        let storage = StorageConfig { reserve: 0, ..StorageConfig::default() };
        let store = LocalStore::open(&dir.path().join("store"), storage).await.unwrap();
        let id = BroadcastId::new(START_MS.cast_unsigned(), 7);
        let opened =
            Opened { title: "Cup final".to_owned(), target_duration: Some(TARGET), policy, stored_is_safe: true };
        log.open(id, &opened).await.unwrap();
        let server = Server::new(&log, &store, &clock, config);
        Self { dir, log, store, clock, id, server }
    }

    /// A broadcast with these segments of `main`, recorded one after the other.
    pub(crate) async fn live(segments: u64) -> Self {
        let world = Self::new().await;
        world.record_all(0..segments).await;
        world
    }

    /// A broadcast that has ended, and of which everything has arrived.
    pub(crate) async fn complete(segments: u64) -> Self {
        let world = Self::live(segments).await;
        world.end(segments - 1).await;
        world
    }

    pub(crate) async fn another_server(&self) -> Server {
        Server::new(&self.log, &self.store, &self.clock, Config::default())
    }

    /// Records the segments one after the other, each in its time.
    pub(crate) async fn record_all(&self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            self.pass(f64::from(TARGET)).await;
            self.record(seq).await;
        }
    }

    /// A segment arrives: what was captured from `seq` segments after the start on.
    pub(crate) async fn record(&self, seq: u64) {
        let bytes = bytes_of(seq);
        let segment = segment(seq, &bytes);
        self.store.put(&Key::of_segment(self.id, &segment), Blob::from(bytes)).await.unwrap();
        self.commit(&[Event::Format(format(1, Container::Ts, None)), Event::Stored(segment)]).await;
    }

    pub(crate) async fn abandon(&self, first: u64, last: u64) {
        let seqs = SeqRange { first: Seq(first), last: Seq(last) };
        self.commit(&[Event::Abandoned { rendition: RenditionName::main(), seqs }]).await;
    }

    pub(crate) async fn end(&self, last: u64) {
        let (rendition, seq) = (RenditionName::main(), Some(Seq(last)));
        self.commit(&[Event::Ended { last: vec![LastSeq { rendition, seq, missing: Missing::Awaited }] }]).await;
    }

    /// Commits, and waits until the server knows.
    pub(crate) async fn commit(&self, events: &[Event]) {
        self.log.commit(self.id, events, Expect::Any).await.unwrap();
        self.server.catch_up_with(self.id).await;
    }

    /// Time passes, at a leap. By itself it does not: the log's writing thread never rests.
    pub(crate) async fn pass(&self, secs: f64) {
        tokio::time::advance(Duration::from_secs_f64(secs)).await;
    }

    /// Until so many requests wait for a playlist to grow.
    pub(crate) async fn until_waiting(&self, waiters: u32) {
        while self.server.metric("headwater_playlist_waiters") != f64::from(waiters) {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/hls/{}/{rest}", self.id)
    }

    pub(crate) async fn get(&self, rest: &str) -> Answer {
        self.ask(Method::GET, rest, &[]).await
    }

    pub(crate) async fn ask(&self, method: Method, rest: &str, headers: &[(&str, &str)]) -> Answer {
        self.server.ask(method, &self.path(rest), headers).await
    }
}

impl Server {
    pub(crate) fn new(log: &Arc<dyn Metadata>, store: &LocalStore, clock: &Clock, config: Config) -> Self {
        let broadcasts = Broadcasts::new(log.clone(), Tasks::new(), clock.clone());
        let registry = Registry::new();
        let deps = Deps {
            broadcasts: broadcasts.clone(),
            store: Arc::new(store.clone()),
            clock: clock.clone(),
            registry: &registry,
            config,
        };
        Self { playlists: Playlists::new(deps).unwrap(), broadcasts, registry }
    }

    pub(crate) async fn catch_up_with(&self, id: BroadcastId) {
        self.broadcasts.get(id).await.unwrap().refresh().await.unwrap();
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        Answer::of(self.playlists.router().oneshot(request).await.unwrap()).await
    }

    /// The sum of a metric over its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap_or_else(|| panic!("no {name}"));
        let value =
            |metric: &prometheus::proto::Metric| metric.get_counter().get_value() + metric.get_gauge().get_value();
        family.get_metric().iter().map(value).sum()
    }
}

/// An answer that has arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn problem(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) fn bytes_of(seq: u64) -> Bytes {
    let len = 1000 + usize::try_from(seq).unwrap();
    (0..len).map(|at| u8::try_from((at + len) % 251).unwrap()).collect()
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest::of_blake3(blake3::hash(bytes).as_bytes())
}

pub(crate) fn segment(seq: u64, bytes: &[u8]) -> Segment {
    let duration = MediaDuration::from_millis(TARGET * 1000);
    let place = i64::try_from(seq).unwrap();
    Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(START_MS + place * i64::from(TARGET) * 1000),
        duration,
        digest: digest_of(bytes),
        len: bytes.len() as u64,
        container: Container::Ts,
        format: FormatId([1; 8]),
        media_start: MediaTime(place * i64::from(duration.0)),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    }
}

pub(crate) fn format(id: u8, container: Container, init: Option<Init>) -> Format {
    Format {
        rendition: RenditionName::main(),
        id: FormatId([id; 8]),
        container,
        codecs: "avc1.64001f,mp4a.40.2".to_owned(),
        resolution: None,
        frame_rate_milli: None,
        init,
    }
}

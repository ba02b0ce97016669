//! A playlist server with one running broadcast, to be measured from outside: `benches/against-nginx` does.
//!
//! `serve {service|router|bare} [SEGMENT_MS]`: behind the server that every role uses, asked directly or through axum's
//! router, or behind nothing but hyper. Prints the addresses to ask for, and serves until it is killed.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use broadcast::{
    BroadcastId, CapturedAt, Container, Digest, Event, Format, FormatId, Key, MediaDuration, MediaTime, Opened,
    RenditionName, Resolution, Segment, Seq, ViewPolicy,
};
use bytes::Bytes;
use headwater_playlist::{Config, Deps, Front, Playlists};
use hyper_util::rt::TokioIo;
use metadata::{Broadcasts, Expect, Limits, Metadata, Sqlite};
use prometheus::Registry;
use service::{Clock, HttpMetrics, ServeConfig, Tasks};
use storage::{Blob, LocalStore, StorageConfig, Store};
use tokio::net::TcpListener;

/// How many segments there are when it starts.
const SEGMENTS: u64 = 30;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut args = std::env::args().skip(1);
    let behind = args.next().unwrap_or_else(|| "service".to_owned());
    let segment_ms = args.next().map_or(2_000, |ms| ms.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let (clock, tasks, registry) = (Clock::system(), Tasks::new(), Registry::new());
    let log = Sqlite::open(&dir.path().join("metadata.db"), Limits::default(), clock.clone()).await.unwrap();
    let log: Arc<dyn Metadata> = Arc::new(log);
    let store = LocalStore::open(&dir.path().join("store"), StorageConfig::default()).await.unwrap();
    let publisher = Publisher { log: log.clone(), store: store.clone(), clock: clock.clone(), segment_ms };
    let id = publisher.open().await;
    let deps = Deps {
        broadcasts: Broadcasts::new(log, tasks.clone(), clock.clone()),
        store: Arc::new(store),
        clock: clock.clone(),
        registry: &registry,
        config: Config::default(),
    };
    let playlists = Playlists::new(deps).unwrap();
    let front = playlists.clone().before(Router::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    println!("http://{address}/hls/{id}/main/live.m3u8");
    println!("http://{address}/hls/{id}/main/{}.ts", SEGMENTS - 1);
    let metrics = HttpMetrics::register(&registry, "bench").unwrap();
    let config = ServeConfig::default();
    match behind.as_str() {
        "service" => service::serve(listener, front, config, metrics, &tasks, clock),
        "router" => service::serve(listener, playlists.router(), config, metrics, &tasks, clock),
        "bare" => {
            let owner = tasks.clone();
            tasks.spawn("accept", async move { serve_bare(listener, front, owner).await });
        }
        _ => panic!("service, router or bare"),
    }
    publisher.publish_for_ever(id).await;
}

async fn serve_bare(listener: TcpListener, front: Front, tasks: Tasks) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = hyper_util::service::TowerToHyperService::new(front.clone());
        tasks.spawn("connection", async move {
            // A client that goes away is no news.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Somebody who records for ever.
struct Publisher {
    log: Arc<dyn Metadata>,
    store: LocalStore,
    clock: Clock,
    segment_ms: u32,
}

impl Publisher {
    async fn open(&self) -> BroadcastId {
        let started = self.clock.now_ms();
        let id = BroadcastId::new(started.cast_unsigned(), 1);
        let opened = Opened {
            title: "bench".to_owned(),
            target_duration: Some(self.segment_ms.div_ceil(1000)),
            policy: ViewPolicy::default(),
            stored_is_safe: true,
        };
        self.log.open(id, &opened).await.unwrap();
        let format = Format {
            rendition: RenditionName::main(),
            id: FormatId([1; 8]),
            container: Container::Ts,
            codecs: "avc1.64001f,mp4a.40.2".to_owned(),
            resolution: Some(Resolution { width: 1280, height: 720 }),
            frame_rate_milli: Some(30_000),
            init: None,
        };
        self.log.commit(id, &[Event::Format(format)], Expect::Any).await.unwrap();
        let span = i64::from(self.segment_ms) * i64::try_from(SEGMENTS).unwrap();
        for seq in 0..SEGMENTS {
            self.publish(id, seq, started - span).await;
        }
        id
    }

    async fn publish_for_ever(&self, id: BroadcastId) {
        let start = self.clock.now_ms() - i64::from(self.segment_ms) * i64::try_from(SEGMENTS).unwrap();
        for seq in SEGMENTS.. {
            self.clock.sleep(Duration::from_millis(self.segment_ms.into())).await;
            self.publish(id, seq, start).await;
        }
    }

    async fn publish(&self, id: BroadcastId, seq: u64, start: i64) {
        let bytes = Bytes::from(vec![u8::try_from(seq % 256).unwrap(); 1 << 20]);
        let place = i64::try_from(seq).unwrap();
        let segment = Segment {
            rendition: RenditionName::main(),
            seq: Seq(seq),
            captured_at: CapturedAt(start + place * i64::from(self.segment_ms)),
            duration: MediaDuration::from_millis(self.segment_ms),
            digest: Digest::of_blake3(blake3::hash(&bytes).as_bytes()),
            len: bytes.len() as u64,
            container: Container::Ts,
            format: FormatId([1; 8]),
            media_start: MediaTime(place * i64::from(self.segment_ms) * 90),
            keyframe_start: true,
            cuts: vec![],
            pushed: None,
        };
        self.store.put(&Key::of_segment(id, &segment), Blob::from(bytes)).await.unwrap();
        self.log.commit(id, &[Event::Stored(segment)], Expect::Any).await.unwrap();
    }
}

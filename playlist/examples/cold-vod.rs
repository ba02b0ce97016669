//! How long the first answer of a long recording takes: a server that has just started, the log on the disk, the page
//! cache warm. `cold-vod [SEGMENTS]`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use broadcast::{
    Broadcast, BroadcastId, CapturedAt, Container, Digest, Event, EventIndex, Extent, Format, FormatId, LastSeq,
    LogEntry, MediaDuration, MediaTime, Missing, Opened, RenditionName, Segment, Seq, StoreTime, View, ViewPolicy,
};
use headwater_playlist::{Config, Deps, Playlists};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use metadata::{Broadcasts, Expect, Limits, Metadata, READ_MAX, Sqlite};
use prometheus::Registry;
use service::{Clock, Tasks};
use storage::{LocalStore, StorageConfig};

const ROUNDS: usize = 30;

/// When the recording began, in milliseconds since the Unix epoch.
const START_MS: i64 = 1_790_000_000_000;
/// The length of a segment, in milliseconds.
const SEGMENT_MS: i64 = 2_002;

fn main() {
    let segments = std::env::args().nth(1).map_or(9_000, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    // Hours pass at a leap, so that the log has the times that a recording has.
    let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let id = paused.block_on(record(dir.path(), segments));
    drop(paused);
    tokio::runtime::Runtime::new().unwrap().block_on(measure(dir.path(), id, segments));
}

async fn measure(dir: &Path, id: BroadcastId, segments: u64) {
    let clock = Clock::system();
    let log = Sqlite::open(&dir.join("metadata.db"), Limits::default(), clock.clone()).await.unwrap();
    let log: Arc<dyn Metadata> = Arc::new(log);
    let store = LocalStore::open(&dir.join("store"), StorageConfig::default()).await.unwrap();

    let mut whole = Vec::new();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let tasks = Tasks::new();
        let registry = Registry::new();
        let deps = Deps {
            broadcasts: Broadcasts::new(log.clone(), tasks.clone(), clock.clone()),
            store: Arc::new(store.clone()),
            clock: clock.clone(),
            registry: &registry,
            config: Config::default(),
        };
        let playlists = Playlists::new(deps).unwrap();
        let uri = format!("/hls/{id}/main/vod.m3u8").parse().unwrap();
        let started = clock.instant();
        let answer = playlists.answer(&Method::GET, &uri, &HeaderMap::new(), None).await;
        assert_eq!(answer.status(), 200);
        bytes = answer.into_body().collect().await.unwrap().to_bytes().len();
        whole.push(started.elapsed());
        tasks.shutdown().await;
    }
    println!("vod of {segments} segments, {bytes} bytes");
    report("the whole answer", whole);
    parts(&*log, id, &clock).await;
}

/// Where the time goes.
async fn parts(log: &dyn Metadata, id: BroadcastId, clock: &Clock) {
    let (mut read, mut fold, mut view) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = clock.instant();
        let entries = read_all(log, id).await;
        read.push(started.elapsed());
        let started = clock.instant();
        let broadcast = Broadcast::replay(&entries).unwrap().unwrap();
        fold.push(started.elapsed());
        let started = clock.instant();
        broadcast.view(&RenditionName::main(), View::Vod, Extent::Whole, StoreTime(clock.now_ms())).unwrap();
        view.push(started.elapsed());
    }
    report("  reading the log", read);
    report("  folding it", fold);
    report("  making the view", view);
}

async fn read_all(log: &dyn Metadata, id: BroadcastId) -> Vec<LogEntry> {
    let mut all = Vec::new();
    loop {
        let more = log.read(id, EventIndex(all.len() as u64), READ_MAX).await.unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what}: median {:.2} ms, worst {:.2} ms", median.as_secs_f64() * 1e3, worst.as_secs_f64() * 1e3);
}

async fn record(dir: &Path, segments: u64) -> BroadcastId {
    let clock = Clock::from_tokio(START_MS);
    let log = Sqlite::open(&dir.join("metadata.db"), Limits::default(), clock).await.unwrap();
    let id = BroadcastId::new(START_MS.cast_unsigned(), 1);
    let opened = Opened {
        title: "bench".to_owned(),
        target_duration: Some(2),
        policy: ViewPolicy::default(),
        stored_is_safe: true,
    };
    log.open(id, &opened).await.unwrap();
    let format = Event::Format(Format {
        rendition: RenditionName::main(),
        id: FormatId([1; 8]),
        container: Container::Ts,
        codecs: "avc1.64001f,mp4a.40.2".to_owned(),
        resolution: None,
        frame_rate_milli: None,
        init: None,
    });
    log.commit(id, &[format], Expect::Any).await.unwrap();
    for seq in 0..segments {
        tokio::time::advance(Duration::from_millis(SEGMENT_MS.cast_unsigned())).await;
        log.commit(id, &[Event::Stored(segment(seq))], Expect::Any).await.unwrap();
    }
    let last = LastSeq { rendition: RenditionName::main(), seq: Some(Seq(segments - 1)), missing: Missing::Awaited };
    log.commit(id, &[Event::Ended { last: vec![last] }], Expect::Any).await.unwrap();
    log.shutdown().await;
    id
}

fn segment(seq: u64) -> Segment {
    let place = i64::try_from(seq).unwrap();
    Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(START_MS + place * SEGMENT_MS),
        duration: MediaDuration(180_180),
        digest: Digest([7; 16]),
        len: 1 << 20,
        container: Container::Ts,
        format: FormatId([1; 8]),
        media_start: MediaTime(place * 180_180),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    }
}

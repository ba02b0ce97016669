//! How long the embedded store takes to read a log, to follow it, and to commit. Tab-separated.
//!
//! ```text
//! cargo run -p headwater-metadata --release --example log-read
//! ```
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people to read")]

use std::sync::Arc;
use std::time::Duration;

use broadcast::{
    BroadcastId, CapturedAt, Container, Digest, Event, EventIndex, FormatId, MediaDuration, MediaTime, Opened,
    RenditionName, Segment, Seq, ViewPolicy,
};
use headwater_metadata::{Expect, Limits, Metadata, READ_MAX, Sqlite};
use service::{Clock, Tasks};
use tempfile::TempDir;

/// Five hours of segments of two seconds.
const SEGMENTS: u64 = 9_000;
const RUNS: usize = 20;
const WRITERS: u64 = 32;
const COMMITS: u64 = 50;

#[tokio::main]
async fn main() {
    let (dir, clock) = (TempDir::new().unwrap(), Clock::system());
    let path = dir.path().join("metadata.db");
    let store = Arc::new(Sqlite::open(&path, Limits::default(), clock.clone()).await.unwrap());
    let id = BroadcastId::new(1_790_000_000_000, 1);
    store.open(id, &opened()).await.unwrap();
    for first in (0..SEGMENTS).step_by(1_000) {
        let events: Vec<_> = (first..first + 1_000).map(segment).collect();
        store.commit(id, &events, Expect::Any).await.unwrap();
    }
    println!("what\tmedian\tworst\tunit");
    let whole = time(&clock, RUNS, async || assert_eq!(read(&store, id, 0).await, SEGMENTS as usize + 1)).await;
    report("read 9,001 events", &whole);
    let tail = time(&clock, RUNS, async || assert_eq!(read(&store, id, SEGMENTS).await, 1)).await;
    report("read the last event", &tail);
    let one = time(&clock, RUNS, {
        let (store, mut seq) = (store.clone(), SEGMENTS);
        async move || {
            store.commit(id, &[segment(seq)], Expect::Any).await.unwrap();
            seq += 1;
        }
    });
    report("commit one segment", &one.await);
    let started = clock.instant();
    many(&store, id).await;
    let rate = (WRITERS * COMMITS) as f64 / started.elapsed().as_secs_f64();
    println!("commits of {WRITERS} writers\t{rate:.0}\t\tcommits/s");
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("file for each segment\t{}\t\tbytes", bytes / (SEGMENTS + RUNS as u64 + WRITERS * COMMITS));
    store.shutdown().await;
}

async fn read(store: &Sqlite, id: BroadcastId, from: u64) -> usize {
    store.read(id, EventIndex(from), READ_MAX).await.unwrap().len()
}

async fn many(store: &Arc<Sqlite>, id: BroadcastId) {
    let tasks = Tasks::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn("writes", async move {
            for n in 0..COMMITS {
                let seq = 100_000 + writer * COMMITS + n;
                store.commit(id, &[segment(seq)], Expect::Any).await.unwrap();
            }
        });
    }
    tasks.shutdown().await;
}

async fn time(clock: &Clock, runs: usize, mut work: impl AsyncFnMut()) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let started = clock.instant();
        work().await;
        times.push(started.elapsed());
    }
    times.sort();
    times
}

fn report(what: &str, times: &[Duration]) {
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what}\t{:.2}\t{:.2}\tms", median.as_secs_f64() * 1e3, worst.as_secs_f64() * 1e3);
}

fn opened() -> Opened {
    Opened { title: "Cup final".to_owned(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true }
}

fn segment(seq: u64) -> Event {
    Event::Stored(Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000 + 2_002 * seq.cast_signed()),
        duration: MediaDuration::from_millis(2_002),
        digest: Digest(u128::from(seq + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes()),
        container: Container::Ts,
        len: 1_000_000 + seq,
        format: FormatId([0xa5; 8]),
        media_start: MediaTime(180_180 * seq.cast_signed()),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    })
}

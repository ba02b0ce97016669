//! A playlist server whose clock is wrong by an hour, on a real Redis and in real time.

use std::sync::Arc;

use broadcast::{BroadcastId, CapturedAt, Event, MediaDuration, MediaTime, Opened, Segment, StoreTime, ViewPolicy};
use headwater_playlist::Config;
use http::Method;
use metadata::{Expect, Limits, Metadata, Outcome, Redis, RedisConfig, RedisMetrics};
use prometheus::Registry;
use service::Clock;
use storage::{LocalStore, StorageConfig};
use tempfile::TempDir;
use testkit::RedisServer;

use crate::fixtures::{Server, bytes_of, segment};

const HOUR_MS: i64 = 3_600_000;
/// The target duration and the length of every segment.
const TARGET_MS: i64 = 1_000;
/// RFC 8216bis, 6.2.1: within 1.5 target durations there is a new entry, and before that there need be no gap.
const GAP_AFTER_MS: i64 = 1_500;

async fn connect(redis: &RedisServer, clock: &Clock) -> Arc<dyn Metadata> {
    let config = RedisConfig::new(redis.url().parse().unwrap());
    let metrics = RedisMetrics::register(&Registry::new()).unwrap();
    let store = Redis::start(&config, Limits::default(), clock.clone(), metrics).unwrap();
    Arc::new(store)
}

/// Opens a broadcast and commits three segments of it, the last one recorded just now; when.
async fn record(log: &Arc<dyn Metadata>, id: BroadcastId, now_ms: i64) -> StoreTime {
    let policy = ViewPolicy::default();
    let opened = Opened { title: String::new(), target_duration: Some(1), policy, stored_is_safe: true };
    log.open(id, &opened).await.unwrap();
    let events = [0, 1, 2].map(|seq| {
        let start = i64::try_from(seq).unwrap() * TARGET_MS;
        let duration = MediaDuration::from_millis(1_000);
        Event::Stored(Segment {
            captured_at: CapturedAt(now_ms - 3 * TARGET_MS + start),
            duration,
            media_start: MediaTime(start * 90),
            ..segment(seq, &bytes_of(seq))
        })
    });
    match log.commit(id, &events, Expect::Any).await.unwrap()[2] {
        Outcome::Appended { at, .. } => at,
        other => panic!("not appended: {other:?}"),
    }
}

async fn check(redis: &RedisServer, wrong_by_ms: i64) {
    let right = Clock::system();
    let wrong = Clock::from_tokio(right.now_ms() + wrong_by_ms);
    let (log, dir) = (connect(redis, &wrong).await, TempDir::new().unwrap());
    let store = LocalStore::open(dir.path(), StorageConfig::default()).await.unwrap();
    let server = Server::new(&log, &store, &wrong, Config::default());
    let id = BroadcastId::new(1_790_000_000_000, wrong_by_ms.unsigned_abs().into());
    let recorded_at = record(&log, id, right.now_ms()).await;

    let path = format!("/hls/{id}/main/live.m3u8");
    for directive in ["", "?_HLS_msn=3"] {
        let answer = server.ask(Method::GET, &format!("{path}{directive}"), &[]).await;
        let after_ms = right.now_ms() - recorded_at.0;
        assert_eq!(answer.status, 200, "{wrong_by_ms}, after {after_ms} ms: {answer:?}");
        let gap = answer.text().contains("\n2.ts\n") && answer.text().contains("#EXT-X-GAP\ngap-3.ts\n");
        assert!(!gap || after_ms >= GAP_AFTER_MS, "{wrong_by_ms}: a gap after {after_ms} ms");
        assert!(gap || directive.is_empty(), "{wrong_by_ms}: {}", answer.text());
    }
}

#[tokio::test]
async fn gaps_come_neither_early_nor_hours_late() {
    let redis = RedisServer::start();
    tokio::join!(check(&redis, HOUR_MS), check(&redis, 0), check(&redis, -2 * HOUR_MS));
}

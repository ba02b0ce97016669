//! Events to commit, and the stores to commit them to.

use std::sync::Arc;

use broadcast::{
    BroadcastId, CapturedAt, Container, Cut, Digest, Event, EventIndex, Format, FormatId, LastSeq, LogEntry,
    MediaDuration, MediaTime, Missing, Opened, RenditionName, Segment, Seq, SeqRange, StoreTime, ViewPolicy,
};
use headwater_metadata::{Expect, Metadata, MetadataError, Nodes, Outbox, Outcome, ShortDigest};

/// Two handles of one store; where it is a server's, with connections of their own.
pub(crate) struct Stores {
    pub(crate) one: Arc<dyn Metadata>,
    pub(crate) other: Arc<dyn Metadata>,
    pub(crate) one_nodes: Arc<dyn Nodes>,
    pub(crate) other_nodes: Arc<dyn Nodes>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) other_outbox: Arc<dyn Outbox>,
}

/// The most entries in a log of these stores, few enough to reach.
pub(crate) const LOG_LEN_MAX: u64 = 30_000;

pub(crate) mod sqlite {
    use std::sync::Arc;

    use headwater_metadata::{Limits, Sqlite};
    use service::Clock;
    use tempfile::TempDir;

    pub(crate) struct Host {
        store: Arc<Sqlite>,
        _dir: TempDir,
    }

    impl Host {
        pub(crate) async fn start() -> Self {
            let dir = TempDir::new().unwrap();
            let limits = Limits { log_len: super::LOG_LEN_MAX };
            let store = Sqlite::open(&dir.path().join("metadata.db"), limits, Clock::system()).await.unwrap();
            Self { store: Arc::new(store), _dir: dir }
        }

        pub(crate) fn stores(&self) -> super::Stores {
            let (one, other) = (self.store.clone(), self.store.clone());
            let (one_nodes, other_nodes) = (one.clone(), other.clone());
            let (outbox, other_outbox) = (one.clone(), other.clone());
            super::Stores { one, other, one_nodes, other_nodes, outbox, other_outbox }
        }

        pub(crate) async fn stop(self) {
            self.store.shutdown().await;
        }
    }
}

pub(crate) mod redis {
    use std::sync::Arc;

    use headwater_metadata::{Limits, Redis, RedisConfig, RedisMetrics};
    use prometheus::Registry;
    use service::Clock;
    use testkit::RedisServer;

    pub(crate) struct Host {
        one: Arc<Redis>,
        other: Arc<Redis>,
        _server: RedisServer,
    }

    pub(crate) fn metrics() -> RedisMetrics {
        RedisMetrics::register(&Registry::new()).unwrap()
    }

    /// A store in `server`.
    pub(crate) fn connect(server: &RedisServer) -> Arc<Redis> {
        connect_to(&server.url())
    }

    pub(crate) fn connect_to(url: &str) -> Arc<Redis> {
        let limits = Limits { log_len: super::LOG_LEN_MAX };
        let config = RedisConfig::new(url.parse().unwrap());
        Arc::new(Redis::start(&config, limits, Clock::system(), metrics()).unwrap())
    }

    pub(crate) fn stores(one: &Arc<Redis>, other: &Arc<Redis>) -> super::Stores {
        super::Stores {
            one: one.clone(),
            other: other.clone(),
            one_nodes: one.clone(),
            other_nodes: other.clone(),
            outbox: one.clone(),
            other_outbox: other.clone(),
        }
    }

    impl Host {
        pub(crate) async fn start() -> Self {
            let server = RedisServer::start();
            Self { one: connect(&server), other: connect(&server), _server: server }
        }

        pub(crate) fn stores(&self) -> super::Stores {
            stores(&self.one, &self.other)
        }

        pub(crate) async fn stop(self) {
            self.one.shutdown().await;
            self.other.shutdown().await;
        }
    }
}

pub(crate) mod cluster {
    use std::sync::Arc;

    use headwater_metadata::Redis;
    use testkit::ClusterRedis;

    use crate::redis_server::ask;

    pub(crate) struct Host {
        one: Arc<Redis>,
        other: Arc<Redis>,
    }

    impl Host {
        /// Whatever was in the cluster is gone.
        pub(crate) async fn start_in(cluster: &ClusterRedis) -> Self {
            for primary in &cluster.primaries {
                let _: () = ask(primary, "FLUSHALL").await;
            }
            let connect = || super::redis::connect_to(&cluster.url());
            Self { one: connect(), other: connect() }
        }

        pub(crate) fn stores(&self) -> super::Stores {
            super::redis::stores(&self.one, &self.other)
        }

        pub(crate) async fn stop(self) {
            self.one.shutdown().await;
            self.other.shutdown().await;
        }
    }
}

pub(crate) fn id(n: u64) -> BroadcastId {
    BroadcastId::new(1_790_000_000_000 + n, 7)
}

pub(crate) fn name(text: &str) -> RenditionName {
    text.parse().unwrap()
}

pub(crate) fn opened() -> Opened {
    Opened {
        title: "Cup final".to_owned(),
        target_duration: Some(6),
        policy: ViewPolicy::default(),
        stored_is_safe: true,
    }
}

/// A segment of `main` with bytes of its own.
pub(crate) fn stored(seq: u64) -> Event {
    stored_in("main", seq, 1)
}

pub(crate) fn stored_in(rendition: &str, seq: u64, digest: u8) -> Event {
    Event::Stored(Segment {
        rendition: name(rendition),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000 + i64::try_from(seq % 1_000_000).unwrap() * 2_000),
        duration: MediaDuration::from_millis(2_000),
        digest: Digest([digest; 16]),
        container: Container::Ts,
        len: 1_000_000,
        format: FormatId([1; 8]),
        media_start: MediaTime(0),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    })
}

/// A segment whose event has more than `bytes` bytes.
pub(crate) fn stored_with_bytes(bytes: usize) -> Event {
    let Event::Stored(mut segment) = stored(0) else { unreachable!("a segment") };
    segment.cuts = vec![Cut { offset: u64::MAX, after: MediaDuration(u32::MAX) }; bytes / 10];
    Event::Stored(segment)
}

pub(crate) fn format(rendition: &str, id: u8) -> Event {
    Event::Format(Format {
        rendition: name(rendition),
        id: FormatId([id; 8]),
        container: Container::Ts,
        codecs: "avc1.64001f,mp4a.40.2".to_owned(),
        resolution: None,
        frame_rate_milli: Some(30_000),
        init: None,
    })
}

pub(crate) fn safe(first: u64, last: u64) -> Event {
    Event::Safe { rendition: RenditionName::main(), seqs: range(first, last) }
}

pub(crate) fn abandoned(first: u64, last: u64) -> Event {
    Event::Abandoned { rendition: RenditionName::main(), seqs: range(first, last) }
}

pub(crate) fn range(first: u64, last: u64) -> SeqRange {
    SeqRange { first: Seq(first), last: Seq(last) }
}

pub(crate) fn ended(last: &[(&str, Option<u64>)]) -> Event {
    ended_with(last, Missing::Awaited)
}

pub(crate) fn ended_with(last: &[(&str, Option<u64>)], missing: Missing) -> Event {
    let last = last.iter().map(|(rendition, seq)| LastSeq { rendition: name(rendition), seq: seq.map(Seq), missing });
    Event::Ended { last: last.collect() }
}

pub(crate) fn mapped(playlist: &str, rendition: &str) -> Event {
    Event::Mapped { playlist: playlist.to_owned(), rendition: name(rendition) }
}

pub(crate) const DUPLICATE: Outcome = Outcome::Duplicate;

pub(crate) fn conflict(digest: u8) -> Outcome {
    Outcome::Conflict { existing: ShortDigest([digest; 8]) }
}

/// Opens broadcast 0.
pub(crate) async fn open(store: &Arc<dyn Metadata>) {
    store.open(id(0), &opened()).await.unwrap();
}

/// Commits to broadcast 0, whatever its length.
pub(crate) async fn commit(store: &Arc<dyn Metadata>, events: &[Event]) -> Vec<Outcome> {
    store.commit(id(0), events, Expect::Any).await.unwrap()
}

pub(crate) async fn commit_one(store: &Arc<dyn Metadata>, event: Event) -> Outcome {
    commit(store, &[event]).await[0]
}

/// All of broadcast 0's log.
pub(crate) async fn log(store: &Arc<dyn Metadata>) -> Vec<LogEntry> {
    let mut log = Vec::new();
    loop {
        let from = EventIndex(log.len() as u64);
        let page = store.read(id(0), from, usize::MAX).await.unwrap();
        if page.is_empty() {
            return log;
        }
        log.extend(page);
    }
}

/// The index of what was appended.
#[track_caller]
pub(crate) fn index(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Appended { index, .. } => index.0,
        other => panic!("not appended: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, MetadataError>) -> MetadataError {
    let error = result.expect_err("should have been refused");
    assert!(!error.is_retryable(), "{error:?}");
    error
}

/// That a log is whole: its indexes contiguous, its times in order.
#[track_caller]
pub(crate) fn assert_whole(log: &[LogEntry]) {
    for (position, entry) in log.iter().enumerate() {
        assert_eq!(entry.index, EventIndex(position as u64));
    }
    assert!(log.is_sorted_by_key(|entry| entry.at));
    assert!(log[0].at > StoreTime(0));
}

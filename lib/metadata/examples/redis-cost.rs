//! What a broadcast costs in Redis: memory for each segment, round trips and time for each commit. Starts a server of
//! its own. Tab-separated.
//!
//! ```text
//! cargo run -p headwater-metadata --release --example redis-cost
//! ```
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement for people to read")]

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use broadcast::{
    BroadcastId, CapturedAt, Container, Digest, Event, EventIndex, FormatId, MediaDuration, MediaTime, Opened,
    RenditionName, Segment, Seq, SeqRange, ViewPolicy,
};
use headwater_metadata::{Expect, Limits, Metadata, READ_MAX, Redis, RedisConfig, RedisMetrics};
use prometheus::Registry;
use service::Clock;
use testkit::RedisServer;

/// Five hours of segments of two seconds.
const SEGMENTS: u64 = 9_000;
const RUNS: usize = 20;

#[tokio::main]
async fn main() {
    let (server, clock) = (RedisServer::start(), Clock::system());
    let config = RedisConfig::new(server.url().parse().unwrap());
    let metrics = RedisMetrics::register(&Registry::new()).unwrap();
    let store = Redis::start(&config, Limits::default(), clock.clone(), metrics).unwrap();
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let id = BroadcastId::new(1_790_000_000_000, 1);
    store.open(id, &opened()).await.unwrap();
    // Brings the script.
    store.commit(id, &[Event::Paused, Event::Resumed], Expect::Any).await.unwrap();
    let empty = used_memory(&mut redis).await;
    let commands = info(&mut redis, "stats", "total_commands_processed").await;

    println!("what\tmedian\tworst\tunit");
    let mut times = Vec::new();
    for seq in 0..SEGMENTS {
        let event = [segment(seq)];
        let started = clock.instant();
        store.commit(id, &event, Expect::Any).await.unwrap();
        times.push(started.elapsed());
    }
    report("commit one segment, one at a time", times);
    let calls = info(&mut redis, "commandstats", "cmdstat_evalsha").await;
    println!("EVALSHA for each commit\t{:.3}\t\tcalls", calls as f64 / (SEGMENTS + 2) as f64);
    let commands = info(&mut redis, "stats", "total_commands_processed").await - commands;
    println!("commands for each commit, with those in the script\t{:.2}\t\tcalls", commands as f64 / SEGMENTS as f64);

    println!("event\t{}\t\tbytes", segment(SEGMENTS - 1).encode().len());
    let keys = memory(&mut redis, "hw:*").await;
    for (kind, bytes) in [("log", keys.log), ("index", keys.index), ("state", keys.state)] {
        println!("MEMORY USAGE of the {kind}, for each segment\t{:.1}\t\tbytes", bytes as f64 / SEGMENTS as f64);
    }
    let all = keys.log + keys.index + keys.state;
    println!("MEMORY USAGE of all {} keys, for each segment\t{:.1}\t\tbytes", keys.count, all as f64 / SEGMENTS as f64);
    let grown = used_memory(&mut redis).await - empty;
    println!("growth of used_memory, for each segment\t{:.1}\t\tbytes", grown as f64 / SEGMENTS as f64);

    let whole = time(&clock, async || assert_eq!(read(&store, id, 0).await, SEGMENTS as usize + 3)).await;
    report("read 9,003 events", whole);
    let tail = time(&clock, async || assert_eq!(read(&store, id, SEGMENTS + 2).await, 1)).await;
    report("read the last event", tail);
    let mut first = 1_000_000;
    let long = time(&clock, async || {
        store.commit(id, &[abandon(first)], Expect::Any).await.unwrap();
        first += Event::ABANDONED_MAX;
    });
    report("abandon 10,000 segments", long.await);
    store.shutdown().await;
}

struct Memory {
    log: u64,
    index: u64,
    state: u64,
    count: usize,
}

/// MEMORY USAGE, not sampled, of all keys of the broadcasts.
async fn memory(redis: &mut MultiplexedConnection, pattern: &str) -> Memory {
    let keys: Vec<String> = ::redis::cmd("KEYS").arg(pattern).query_async(redis).await.unwrap();
    let mut memory = Memory { log: 0, index: 0, state: 0, count: keys.len() };
    for key in &keys {
        let mut usage = ::redis::cmd("MEMORY");
        usage.arg("USAGE").arg(key).arg("SAMPLES").arg(0);
        let bytes: u64 = usage.query_async(redis).await.unwrap();
        if key.ends_with('}') {
            memory.log += bytes;
        } else if key.contains(":main:") {
            let encoding: String = ::redis::cmd("OBJECT").arg("ENCODING").arg(key).query_async(redis).await.unwrap();
            assert_eq!(encoding, "listpack");
            memory.index += bytes;
        } else {
            memory.state += bytes;
        }
    }
    memory
}

async fn used_memory(redis: &mut MultiplexedConnection) -> u64 {
    info(redis, "memory", "used_memory").await
}

/// The first number of a line of INFO.
async fn info(redis: &mut MultiplexedConnection, section: &str, name: &str) -> u64 {
    let info: String = ::redis::cmd("INFO").arg(section).query_async(redis).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("0");
    let digits = line.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

async fn read(store: &Redis, id: BroadcastId, from: u64) -> usize {
    store.read(id, EventIndex(from), READ_MAX).await.unwrap().len()
}

async fn time(clock: &Clock, mut work: impl AsyncFnMut()) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = clock.instant();
        work().await;
        times.push(started.elapsed());
    }
    times
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what}\t{:.2}\t{:.2}\tms", median.as_secs_f64() * 1e3, worst.as_secs_f64() * 1e3);
}

fn opened() -> Opened {
    Opened { title: "Cup final".to_owned(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true }
}

fn abandon(first: u64) -> Event {
    let seqs = SeqRange { first: Seq(first), last: Seq(first + Event::ABANDONED_MAX - 1) };
    Event::Abandoned { rendition: RenditionName::main(), seqs }
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

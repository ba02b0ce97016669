//! What only the store in Redis has to do: with its server, and without.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use ::redis::{Client, FromRedisValue, Value, cmd};
use broadcast::{Event, EventIndex, Millis, StoreTime};
use headwater_metadata::{
    Broadcasts, Expect, Limits, Metadata, MetadataError, Outbox, Outcome, Redis, RedisConfig, RedisMetrics,
};
use prometheus::Registry;
use service::Clock;
use testkit::RedisServer;

use crate::fixtures::redis::{connect, metrics};
use crate::fixtures::*;

pub(crate) fn object(store: &Arc<Redis>) -> Arc<dyn Metadata> {
    store.clone()
}

/// A store with a configuration that `change` has changed.
pub(crate) fn connect_with(url: &str, change: impl FnOnce(&mut RedisConfig)) -> Arc<Redis> {
    let mut config = RedisConfig::new(url.parse().unwrap());
    change(&mut config);
    Arc::new(Redis::start(&config, Limits::default(), Clock::system(), metrics()).unwrap())
}

/// Asks the server something, past the store.
pub(crate) async fn ask<T: FromRedisValue>(server: &RedisServer, command: &str) -> T {
    let client = Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut words = command.split(' ');
    let mut command = cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(&mut connection).await.unwrap()
}

/// The server's clock.
async fn time(server: &RedisServer) -> StoreTime {
    let (secs, micros): (i64, i64) = ask(server, "TIME").await;
    StoreTime(secs * 1_000 + micros / 1_000)
}

/// Makes a call again while the store is away. Each attempt waits for a connection by itself.
pub(crate) async fn once_back<T>(call: impl AsyncFn() -> Result<T, MetadataError>) -> T {
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_is_found_again() {
    let mut server = RedisServer::start_durable();
    let store = connect_with(&server.url(), |config| config.call_wait = Duration::from_millis(20));
    once_back(async || store.open(id(0), &opened()).await).await;
    commit(&object(&store), &[stored(0), abandoned(1, 1)]).await;
    let before = log(&object(&store)).await;
    let mut waits = store.wait(id(0), EventIndex(3), 9);
    assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());

    server.kill();
    for _ in 0..3 {
        let error = store.commit(id(0), &[stored(2)], Expect::Any).await.expect_err("the server is away");
        assert!(error.is_retryable(), "{error:?}");
    }
    server.restart();
    let outcomes = once_back(async || store.commit(id(0), &[stored(0), stored(1), stored(2)], Expect::Any).await);
    let outcomes = outcomes.await;
    assert_eq!(outcomes[..2], [DUPLICATE, Outcome::Abandoned]);
    let mut waited = waits.await.expect("it waited through the interruption");
    if waited.is_empty() {
        waited = store.wait(id(0), EventIndex(3), 9).await.unwrap();
    }
    assert_eq!(waited[0].event, stored(2));
    assert_eq!(log(&object(&store)).await[..3], before);
}

/// What the horizon is depends on the server's clock alone.
#[tokio::test]
async fn a_clock_of_ours_that_is_wrong_by_an_hour_changes_nothing() {
    let server = RedisServer::start();
    for wrong_by in [-3_600_000, 0, 3_600_000] {
        let clock = Clock::from_tokio(Clock::system().now_ms() + wrong_by);
        let (config, registry) = (RedisConfig::new(server.url().parse().unwrap()), Registry::new());
        let metrics = RedisMetrics::register(&registry).unwrap();
        let store = Redis::start(&config, Limits::default(), clock, metrics).unwrap();
        once_back(async || store.list(None, 1).await).await;
        for _ in 0..20 {
            let before = time(&server).await;
            let horizon = store.horizon().expect("the store was reached");
            assert!(horizon <= time(&server).await, "{wrong_by}: {horizon:?} is still to come");
            assert!(horizon >= before - BEHIND_MAX, "{wrong_by}: {horizon:?} is long past at {before:?}");
        }
        let [offset] = &registry.gather()[..] else { panic!("one metric") };
        assert_eq!(offset.name(), "headwater_metadata_clock_offset_seconds");
        let (measured, wrong_by) = (offset.get_metric()[0].get_gauge().get_value(), wrong_by as f64 / 1_000.0);
        assert!((measured - wrong_by).abs() < 1.0, "{measured} s, and it is {wrong_by}");
    }
}

/// How far behind the server's clock the horizon may be: an answer may have been on its way for so long.
const BEHIND_MAX: Millis = Millis(2_000);

#[tokio::test]
async fn before_the_server_was_reached_nothing_is_settled() {
    let mut server = RedisServer::start();
    server.kill();
    let store = connect_with(&server.url(), |config| config.call_wait = Duration::from_millis(20));
    let error = store.list(None, 1).await.expect_err("the server is away");
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!((store.horizon(), reason(&store)), (None, refused_connection()));
    server.restart();
    once_back(async || store.list(None, 1).await).await;
    assert_eq!(reason(&store), "");
    let reached = store.horizon().expect("the server was reached");
    server.kill();
    store.list(None, 1).await.expect_err("the server is away again");
    assert!(store.horizon().is_some_and(|later| later >= reached), "time goes on without it");
    // What a call says of the lost connection comes a little before the reason why there is no other.
    let said = async {
        while reason(&store) != refused_connection() {
            let _ = store.list(None, 1).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), said).await.unwrap_or_else(|_| panic!("{}", reason(&store)));
}

/// Why a store is not well, with all causes.
fn reason(store: &Arc<Redis>) -> String {
    let error = store.health().err();
    let first = error.as_ref().map(|error| error as &dyn std::error::Error);
    let chain = std::iter::successors(first, |error| error.source());
    chain.map(|error| error.to_string()).collect::<Vec<_>>().join(": ")
}

fn refused_connection() -> String {
    "the metadata store is unavailable: not connected to redis: Connection refused (os error 111)".to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_asked_for_its_time_again_and_again() {
    let server = RedisServer::start();
    let store = connect_with(&server.url(), |config| config.time_every = Duration::from_millis(5));
    once_back(async || store.list(None, 1).await).await;
    let asked = async || {
        let stats: String = ask(&server, "INFO commandstats").await;
        calls(&stats, "time")
    };
    let often = async { while asked().await < 10 {} };
    tokio::time::timeout(Duration::from_secs(10), often).await.expect("it is asked every 5 ms");
}

/// How often a command was called, by `INFO commandstats`.
pub(crate) fn calls(stats: &str, name: &str) -> u64 {
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_server_that_lost_everything_says_so() {
    let mut server = RedisServer::start();
    let store = connect(&server);
    open(&object(&store)).await;
    server.restart();
    let result = loop {
        match store.commit(id(0), &[stored(0)], Expect::Any).await {
            Err(error) if error.is_retryable() => {}
            done => break done,
        }
    };
    assert!(matches!(refused(result), MetadataError::NotFound { .. }));
    store.open(id(0), &opened()).await.unwrap();
    assert_eq!(index(commit_one(&object(&store), stored(0)).await), 1, "the scripts are brought again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_empty_is_given_its_logs_again() {
    let mut server = RedisServer::start();
    let store = connect_with(&server.url(), |_| {});
    let tasks = service::Tasks::new();
    let broadcasts = Broadcasts::new(store.clone(), tasks.clone(), Clock::system());
    once_back(async || store.open(id(0), &opened()).await).await;
    let followed = broadcasts.get(id(0)).await.unwrap();
    for seq in 0..2_500 {
        followed.commit(&[stored(seq)]).await.unwrap();
    }
    let before = log(&object(&store)).await;
    server.kill();
    server.restart();
    // Without a request: whoever follows a log notices.
    let after = loop {
        match store.read(id(0), EventIndex(0), 9_999).await {
            Ok(log) if log.len() == before.len() => break log,
            Ok(_) | Err(MetadataError::NotFound { .. } | MetadataError::Unavailable(_)) => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!(after, before, "with the index and the time that each had");
    assert_eq!(followed.commit(&[stored(7)]).await.unwrap(), [DUPLICATE]);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time() {
    let server = RedisServer::start();
    let store = connect_with(&server.url(), |config| {
        config.answer_wait = Duration::from_millis(50);
        config.call_wait = Duration::from_millis(50);
    });
    once_back(async || store.open(id(0), &opened()).await).await;
    let _: () = ask(&server, "CLIENT PAUSE 400 ALL").await;
    let error = store.commit(id(0), &[stored(0)], Expect::Any).await.expect_err("the server hangs");
    assert!(error.is_retryable(), "{error:?}");
    // The first attempt may have been carried out after all.
    let outcome = once_back(async || store.commit(id(0), &[stored(0)], Expect::Any).await).await[0];
    assert!(matches!(outcome, Outcome::Appended { .. } | Outcome::Duplicate), "{outcome:?}");
    assert_eq!(log(&object(&store)).await.len(), 2);
}

#[tokio::test]
async fn a_server_that_is_full_loses_nothing() {
    let server = RedisServer::start();
    let store = connect(&server);
    open(&object(&store)).await;
    let _: () = ask(&server, "CONFIG SET maxmemory 1").await;
    let error = store.commit(id(0), &[stored(0)], Expect::Any).await.expect_err("no memory left");
    assert!(error.is_retryable(), "{error:?}");
    assert!(reason(&store).contains("maxmemory"), "{}", reason(&store));
    let _: () = ask(&server, "CONFIG SET maxmemory 0").await;
    assert_eq!(index(commit_one(&object(&store), stored(0)).await), 1);
    assert_eq!(reason(&store), "");
}

#[tokio::test]
async fn what_cannot_be_read_is_reported() {
    let server = RedisServer::start();
    let store = connect(&server);
    open(&object(&store)).await;
    let _: String = ask(&server, &format!("XADD hw:{{{}}} 1-1 e garbage", id(0))).await;
    let error = refused(store.read(id(0), EventIndex(0), 9).await);
    assert!(matches!(error, MetadataError::Corrupt { .. }), "{error:?}");
    let _: () = ask(&server, &format!("SET hw:{{{}}} text", id(1))).await;
    for result in [store.read(id(1), EventIndex(0), 9).await.map(drop), commit_to(&store, 1).await] {
        assert!(matches!(refused(result), MetadataError::Corrupt { .. }));
    }
}

async fn commit_to(store: &Arc<Redis>, n: u64) -> Result<(), MetadataError> {
    store.commit(id(n), &[stored(0)], Expect::Any).await.map(drop)
}

#[tokio::test]
async fn a_commit_is_one_round_trip() {
    let server = RedisServer::start();
    let store = connect(&server);
    open(&object(&store)).await;
    commit(&object(&store), &[stored(1_000)]).await;
    let _: () = ask(&server, "CONFIG RESETSTAT").await;
    for seq in 0..20 {
        commit(&object(&store), &[format("main", 1), stored(seq), safe(seq, seq)]).await;
    }
    let stats: String = ask(&server, "INFO commandstats").await;
    let calls = |name| calls(&stats, name);
    assert_eq!((calls("evalsha"), calls("eval"), calls("script|load")), (20, 0, 0), "{stats}");
    assert_eq!((calls("xadd"), calls("publish")), (41, 20), "{stats}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_share_one_connection_and_leave_no_subscription() {
    let server = RedisServer::start();
    let store = connect_with(&server.url(), |config| config.time_every = Duration::from_millis(20));
    let mut waits = Vec::new();
    for n in 0..50 {
        store.open(id(n), &opened()).await.unwrap();
        for _ in 0..4 {
            let mut wait = store.wait(id(n), EventIndex(1), 9);
            assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            waits.push(wait);
        }
    }
    subscriptions_become(&server, 50).await;
    let clients: String = ask(&server, "CLIENT LIST").await;
    // Who asks here speaks the older protocol, and an earlier question may not have been seen to hang up yet.
    let stores = clients.lines().filter(|client| client.contains("resp=3"));
    assert_eq!(stores.count(), 1, "the store: {clients}");
    drop(waits);
    subscriptions_become(&server, 0).await;
    let mut wait = store.wait(id(7), EventIndex(1), 9);
    assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    store.commit(id(7), &[Event::Paused], Expect::Any).await.unwrap();
    assert_eq!(wait.await.unwrap()[0].event, Event::Paused);
}

async fn subscriptions_become(server: &RedisServer, expected: usize) {
    let becomes = async { while ask::<Vec<String>>(server, "PUBSUB CHANNELS").await.len() != expected {} };
    tokio::time::timeout(Duration::from_secs(10), becomes).await.unwrap_or_else(|_| panic!("not {expected}"));
}

/// One node that has all slots refuses, as a large cluster does, whatever reaches beyond one slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_stays_within_one_slot_of_a_cluster() {
    let server = RedisServer::start_with(&["--save", "", "--cluster-enabled", "yes"]);
    let _: () = ask(&server, "CLUSTER ADDSLOTSRANGE 0 16383").await;
    let store = connect(&server);
    once_back(async || store.open(id(0), &opened()).await).await;
    let events = [format("main", 1), stored(0), stored(100_000), abandoned(5, 900), ended(&[("main", Some(7))])];
    let outcomes = commit(&object(&store), &events).await;
    assert_eq!(outcomes.into_iter().map(index).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let follows = store.wait(id(0), EventIndex(6), 9);
    let commits = async { commit_one(&object(&store), safe(0, 0)).await };
    assert_eq!(tokio::join!(follows, commits).0.unwrap()[0].event, safe(0, 0));
    let outbox: Arc<dyn Outbox> = store;
    crate::outbox::the_dead_are_kept(outbox.clone(), outbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_master_fails_the_sentinels_name_another() {
    let mut master = RedisServer::start_durable();
    let replica_of = master.port().to_string();
    let replica = RedisServer::start_with(&["--save", "", "--replicaof", "127.0.0.1", &replica_of]);
    replicated(&master).await;
    let file = master.dir().join("sentinel.conf");
    let watch = format!("sentinel monitor cup 127.0.0.1 {replica_of} 1\nsentinel down-after-milliseconds cup 300\n");
    std::fs::write(&file, watch).unwrap();
    let sentinel = RedisServer::start_with(&[file.to_str().unwrap(), "--sentinel"]);

    let store = connect_with(&format!("redis+sentinel://127.0.0.1:{}/cup", sentinel.port()), |_| {});
    once_back(async || store.open(id(0), &opened()).await).await;
    commit(&object(&store), &[stored(0)]).await;
    // A loss of what was not yet replicated is another matter.
    has_all_of(&replica, &master).await;
    knows_replica(&sentinel).await;
    let mut waits = store.wait(id(0), EventIndex(2), 9);
    assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    master.kill();
    let outcomes = once_back(async || store.commit(id(0), &[stored(0), stored(1)], Expect::Any).await).await;
    assert_eq!((outcomes[0], index(outcomes[1])), (DUPLICATE, 2));
    let mut waited = waits.await.expect("it waited through the failover");
    if waited.is_empty() {
        waited = store.wait(id(0), EventIndex(2), 9).await.unwrap();
    }
    assert_eq!(waited[0].event, stored(1));
    let role: Vec<Value> = ask(&replica, "ROLE").await;
    assert_eq!(role[0], Value::BulkString(b"master".to_vec()));
}

async fn replicated(master: &RedisServer) {
    let online = async { while !ask::<String>(master, "INFO replication").await.contains("state=online") {} };
    tokio::time::timeout(Duration::from_secs(20), online).await.expect("the replica comes online");
}

/// WAIT would not do: it waits for what its own connection has written.
pub(crate) async fn has_all_of(replica: &RedisServer, master: &RedisServer) {
    let offset = async |server, field| {
        let info: String = ask(server, "INFO replication").await;
        let offset = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        offset.expect("a server tells it").parse::<u64>().expect("a number")
    };
    let written = offset(master, "master_repl_offset").await;
    let taken_in = async { while offset(replica, "slave_repl_offset").await < written {} };
    tokio::time::timeout(Duration::from_secs(20), taken_in).await.expect("the replica takes in what was written");
}

async fn knows_replica(sentinel: &RedisServer) {
    let knows = async { while ask::<Vec<Value>>(sentinel, "SENTINEL REPLICAS cup").await.is_empty() {} };
    tokio::time::timeout(Duration::from_secs(20), knows).await.expect("the sentinel finds the replica");
}

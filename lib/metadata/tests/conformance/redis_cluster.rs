//! What only the store in a Redis Cluster has to do: when slots move, and when primaries are lost.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use broadcast::{BroadcastId, EventIndex, LogEntry, StoreTime};
use headwater_metadata::{Broadcasts, Expect, Metadata, MetadataError, Outbox, Outcome, Redis, Told};
use service::{Clock, Tasks};
use testkit::{ClusterRedis, RedisServer};

use crate::fixtures::*;
use crate::redis_server::{ask, calls, connect_with, has_all_of, object, once_back};

/// The slot of a key, as the servers say it.
async fn slot_of(cluster: &ClusterRedis, key: &str) -> u16 {
    let alive = if cluster.replicas.is_empty() { &cluster.primaries } else { &cluster.replicas };
    ask(&alive[0], &format!("CLUSTER KEYSLOT {key}")).await
}

/// Which of the primaries has a broadcast.
async fn primary_of(cluster: &ClusterRedis, id: BroadcastId) -> usize {
    ClusterRedis::index_of(slot_of(cluster, &format!("{{{id}}}")).await)
}

/// The first broadcasts that each primary has, so many of each.
async fn of_each(cluster: &ClusterRedis, count: usize) -> [Vec<BroadcastId>; 3] {
    let mut found: [Vec<BroadcastId>; 3] = Default::default();
    for id in (0..).map(id) {
        let at = primary_of(cluster, id).await;
        if found[at].len() < count {
            found[at].push(id);
        }
        if found.iter().all(|found| found.len() == count) {
            break;
        }
    }
    found
}

fn begun<T>(waits: &mut Pin<Box<dyn Future<Output = T> + Send + '_>>) {
    assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// A slot on its way from one primary to another.
struct Move<'a> {
    from: &'a RedisServer,
    to: &'a RedisServer,
    all: &'a [RedisServer],
    slot: u16,
}

impl<'a> Move<'a> {
    async fn begin(cluster: &'a ClusterRedis, slot: u16) -> Self {
        let at = ClusterRedis::index_of(slot);
        let (from, to) = (&cluster.primaries[at], &cluster.primaries[(at + 1) % 3]);
        let (from_id, to_id): (String, String) = (ask(from, "CLUSTER MYID").await, ask(to, "CLUSTER MYID").await);
        let _: () = ask(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}")).await;
        let _: () = ask(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}")).await;
        Self { from, to, all: &cluster.primaries, slot }
    }

    async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = ask(self.from, &format!("CLUSTER GETKEYSINSLOT {} 1000", self.slot)).await;
        keys.sort();
        keys
    }

    async fn bring(&self, keys: &[String]) {
        for key in keys {
            let _: () = ask(self.from, &format!("MIGRATE 127.0.0.1 {} {key} 0 5000", self.to.port())).await;
        }
    }

    async fn end(self) {
        let to_id: String = ask(self.to, "CLUSTER MYID").await;
        for node in [self.to, self.from].into_iter().chain(self.all) {
            let _: () = ask(node, &format!("CLUSTER SETSLOT {} NODE {to_id}", self.slot)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_is_followed() {
    let cluster = ClusterRedis::start();
    let store = connect_with(&cluster.url(), |config| config.call_wait = Duration::from_millis(100));
    let other = connect_with(&cluster.url(), |_| {});
    once_back(async || store.open(id(0), &opened()).await).await;
    let object = object(&store);
    commit(&object, &[format("main", 1), stored(0)]).await;
    let slot = slot_of(&cluster, &format!("{{{}}}", id(0))).await;
    let breaks = store.breaks_of(id(0));
    let elsewhere = of_each(&cluster, 1).await[(ClusterRedis::index_of(slot) + 2) % 3][0];
    let breaks_elsewhere = store.breaks_of(elsewhere);

    let moved = Move::begin(&cluster, slot).await;
    assert_eq!(index(commit_one(&object, stored(1)).await), 3, "its keys are all there");
    let keys = moved.keys().await;
    assert_eq!(keys.len(), 3, "{keys:?}");
    // Some of them are there, some here: nothing is done, rather than half of it.
    moved.bring(&keys[..1]).await;
    let error = store.commit(id(0), &[stored(2)], Expect::Any).await.expect_err("its keys are apart");
    assert!(error.is_retryable() && store.health().is_ok(), "{error:?}");
    assert_eq!(log(&object).await.len(), 4, "it can be read");
    // All of them are there: whoever is asked says so each time.
    moved.bring(&keys[1..]).await;
    let mut waits = other.wait(id(0), EventIndex(4), 9);
    begun(&mut waits);
    assert_eq!(index(commit_one(&object, stored(2)).await), 4, "the scripts are brought too");
    assert_eq!(waits.await.unwrap()[0].event, stored(2));
    assert_eq!(store.breaks_of(id(0)), breaks, "it has not moved yet");

    let new_home = moved.to;
    let mut waits = other.wait(id(0), EventIndex(5), 9);
    begun(&mut waits);
    moved.end().await;
    assert_eq!(index(commit_one(&object, stored(3)).await), 5);
    let mut waited = waits.await.unwrap();
    if waited.is_empty() {
        waited = other.wait(id(0), EventIndex(5), 9).await.unwrap();
    }
    assert_eq!(waited[0].event, stored(3));
    assert!(store.breaks_of(id(0)) > breaks, "nobody knows whether it was moved or lost");
    assert_eq!(store.breaks_of(elsewhere), breaks_elsewhere);
    assert_whole(&log(&object).await);

    // From here on it is asked at once.
    let _: () = ask(new_home, "CONFIG RESETSTAT").await;
    for seq in 4..24 {
        commit(&object, &[stored(seq), safe(seq, seq)]).await;
    }
    let stats: String = ask(new_home, "INFO commandstats").await;
    assert_eq!((calls(&stats, "evalsha"), calls(&stats, "asking")), (20, 0), "{stats}");
}

/// Whatever a script of several keys does, it does all of it or nothing, while its slot moves too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outbox_that_moves_is_whole() {
    let cluster = ClusterRedis::start();
    let store = connect_with(&cluster.url(), |config| config.call_wait = Duration::from_millis(100));
    once_back(async || store.begin().await).await;
    let told = |next| Told { next: EventIndex(next), at: StoreTime(1), complete: false };
    store.tell(id(0), None, told(1), &[crate::outbox::letter("a", "1")]).await.unwrap();

    let moved = Move::begin(&cluster, slot_of(&cluster, "{outbox}").await).await;
    let claim = async || store.claim("a", 9, Duration::from_secs(60)).await;
    for part in [0..0, 0..1, 1..usize::MAX] {
        let keys = moved.keys().await;
        moved.bring(&keys[part.start.min(keys.len())..part.end.min(keys.len())]).await;
        let error = claim().await.expect_err("it is on its way");
        assert!(error.is_retryable(), "{error:?}");
    }
    let keys = moved.keys().await;
    moved.bring(&keys).await;
    assert_eq!(store.told(&[id(0)]).await.unwrap(), [Some(told(1))], "it can be read");
    moved.end().await;
    assert_eq!(claim().await.unwrap().letters.len(), 1);
    let outbox: Arc<dyn Outbox> = store;
    assert_eq!(outbox.told(&[id(0)]).await.unwrap(), [Some(told(1))]);
}

/// What becomes of a primary whose replica takes over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Killed,
    /// It lives on, as a replica, and keeps its connections.
    Demoted,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_of_a_killed_primary_has_not_is_put_back() {
    what_was_lost_is_put_back(Fate::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_of_a_demoted_primary_has_not_is_put_back() {
    what_was_lost_is_put_back(Fate::Demoted).await;
}

async fn what_was_lost_is_put_back(fate: Fate) {
    let mut cluster = ClusterRedis::start_with_replicas();
    let store = connect_with(&cluster.url(), |_| {});
    let lost = ClusterRedis::index_of(slot_of(&cluster, "hw:broadcasts").await);
    let [there, elsewhere] = {
        let ids = of_each(&cluster, 2).await;
        [ids[lost].clone(), ids[(lost + 1) % 3].clone()]
    };
    let tasks = Tasks::new();
    let broadcasts = Broadcasts::new(store.clone(), tasks.clone(), Clock::system());
    let mut followed = Vec::new();
    for id in [there[0], elsewhere[0]] {
        once_back(async || store.open(id, &opened()).await).await;
        followed.push(broadcasts.get(id).await.unwrap());
    }
    let commit = async |seq| {
        for followed in &followed {
            let outcome = once_back(async || followed.commit(&[stored(seq)]).await).await[0];
            assert!(matches!(outcome, Outcome::Appended { .. } | Outcome::Duplicate), "{seq}: {outcome:?}");
        }
    };
    for seq in 0..50 {
        commit(seq).await;
    }
    // From here on the replica gets nothing.
    let (primary, replica) = (&cluster.primaries[lost], &cluster.replicas[lost]);
    has_all_of(replica, primary).await;
    let _: () = ask(replica, "CONFIG SET masteruser nobody").await;
    let _: () = ask(replica, "CONFIG SET masterauth nothing").await;
    let _: u64 = ask(primary, "CLIENT KILL TYPE replica").await;
    becomes(primary, "connected_slaves:0").await;
    for seq in 50..100 {
        commit(seq).await;
    }
    // Of this, the log is elsewhere, and only its place in the list is lost.
    store.open(elsewhere[1], &opened()).await.unwrap();
    let before = all(&store, there[0]).await.unwrap();
    assert_eq!(before.len(), 101);
    let breaks = [there[0], elsewhere[0]].map(|id| store.breaks_of(id));
    let mut waits = store.wait(there[0], EventIndex(101), 9);
    begun(&mut waits);

    if fate == Fate::Killed {
        cluster.primaries[lost].kill();
    }
    let _: () = ask(&cluster.replicas[lost], "CLUSTER FAILOVER TAKEOVER").await;
    for seq in 100..150 {
        commit(seq).await;
    }
    let waited = waits.await.unwrap();
    assert!(waited.first().is_none_or(|entry| entry.index == EventIndex(101)), "{waited:?}");
    let after = all(&store, there[0]).await.unwrap();
    assert_eq!(after[..101], before, "with the index and the time that each had");
    for id in [there[0], elsewhere[0]] {
        let log = all(&store, id).await.unwrap();
        assert_whole(&log);
        assert_eq!(
            log[1..].iter().map(|entry| &entry.event).filter(|event| event.shapes_live()).cloned().collect::<Vec<_>>(),
            (0..150).map(stored).collect::<Vec<_>>()
        );
    }
    assert!(store.breaks_of(there[0]) > breaks[0], "what it had acknowledged may be lost");
    assert_eq!(store.breaks_of(elsewhere[0]), breaks[1], "the others have lost nothing");
    let listed = async {
        while !store.list(None, 9).await.is_ok_and(|ids| ids.contains(&elsewhere[1])) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), listed).await.expect("it is listed again");
    let (stores, fresh) = (store.list(None, 9).await.unwrap(), connect_with(&cluster.url(), |_| {}));
    assert_eq!(stores.len(), 3);
    assert_eq!(
        once_back(async || fresh.list(None, 9).await).await,
        stores,
        "the primary that is gone is one of its seeds"
    );
    tasks.shutdown().await;
}

async fn all(store: &Arc<Redis>, id: BroadcastId) -> Result<Vec<LogEntry>, MetadataError> {
    store.read(id, EventIndex(0), usize::MAX).await
}

async fn becomes(server: &RedisServer, fact: &str) {
    let becomes = async { while !ask::<String>(server, "INFO replication").await.contains(fact) {} };
    tokio::time::timeout(Duration::from_secs(20), becomes).await.expect(fact);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_away_blocks_only_what_it_has() {
    let mut cluster = ClusterRedis::start();
    let store = connect_with(&cluster.url(), |config| config.call_wait = Duration::from_millis(100));
    let ids = of_each(&cluster, 1).await.map(|ids| ids[0]);
    for id in ids {
        once_back(async || store.open(id, &opened()).await).await;
    }
    let with_list = ClusterRedis::index_of(slot_of(&cluster, "hw:broadcasts").await);
    let gone = (with_list + 1) % 3;
    let lives: Vec<_> = (0..3).filter(|at| *at != gone).collect();
    let mut waits = store.wait(ids[lives[0]], EventIndex(1), 9);
    begun(&mut waits);
    let breaks = lives.iter().map(|at| store.breaks_of(ids[*at])).collect::<Vec<_>>();
    cluster.primaries[gone].kill();
    let error = store.commit(ids[gone], &[stored(0)], Expect::Any).await.expect_err("its primary is away");
    assert!(error.is_retryable(), "{error:?}");
    for seq in 0..100 {
        for at in &lives {
            store.commit(ids[*at], &[stored(seq)], Expect::Any).await.unwrap();
        }
    }
    assert_eq!(waits.await.unwrap()[0].event, stored(0));
    assert!(store.read(ids[gone], EventIndex(0), 9).await.is_err_and(|error| error.is_retryable()));
    assert!(store.health().is_ok(), "{:?}", store.health());
    assert!(store.horizon().is_some());
    assert_eq!(store.list(None, 9).await.unwrap().len(), 3);
    assert_eq!(lives.iter().map(|at| store.breaks_of(ids[*at])).collect::<Vec<_>>(), breaks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_is_given_the_password() {
    let cluster = ClusterRedis::start();
    let ids = of_each(&cluster, 1).await.map(|ids| ids[0]);
    for node in &cluster.primaries {
        let _: () = ask(node, "CONFIG SET requirepass secret").await;
    }
    let hosts = cluster.url().replace("redis+cluster://", "");
    let store = connect_with(&format!("redis+cluster://:secret@{hosts}"), |_| {});
    for id in ids {
        once_back(async || store.open(id, &opened()).await).await;
    }
    assert_eq!(store.list(None, 9).await.unwrap().len(), 3);
    let stranger = connect_with(&cluster.url(), |_| {});
    says(async || stranger.read(ids[0], EventIndex(0), 1).await, "NOAUTH").await;
}

/// An address of one node, without the word, is told from one of a cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_address_is_explained() {
    let (cluster, alone) = (ClusterRedis::start(), RedisServer::start());
    let ids = of_each(&cluster, 1).await.map(|ids| ids[0]);
    let one_node = connect_with(&cluster.primaries[0].url(), |_| {});
    says(async || one_node.read(ids[1], EventIndex(0), 1).await, "redis+cluster://HOST:PORT").await;
    let none = connect_with(&format!("redis+cluster://127.0.0.1:{}", alone.port()), |_| {});
    says(async || none.read(ids[1], EventIndex(0), 1).await, "cluster support disabled").await;
}

/// Makes a call until its error says what is expected: at first nothing may have been tried.
async fn says<T: std::fmt::Debug>(call: impl AsyncFn() -> Result<T, MetadataError>, expected: &str) {
    let mut said = String::new();
    let says = async {
        while !said.contains(expected) {
            said = reason(&call().await.expect_err("a wrong address"));
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), says).await;
    in_time.unwrap_or_else(|_| panic!("{said}"));
}

/// An error with all its causes.
fn reason(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(|error| error.to_string()).collect::<Vec<_>>().join(": ")
}

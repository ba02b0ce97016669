//! While the metadata store is away, or behind with what it has dated: what is known is served, and nothing is said
//! that may turn out wrong.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, EventIndex, LogEntry, Opened, StoreTime, ViewPolicy};
use headwater_playlist::Config;
use metadata::{Expect, Known, Metadata, MetadataError, Outcome};

use crate::fixtures::{START_MS, World, bytes_of, segment};

/// A real store at the other end of a network that can be cut: reads fail, and who waits is not told. What others
/// commit arrives. Or its disk can be slow: what was committed is dated, and cannot be read.
#[derive(Debug)]
struct Distant {
    store: Arc<dyn Metadata>,
    trouble: Arc<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    cut: AtomicBool,
    /// How often the store was read.
    reads: AtomicU64,
    /// Who waits is never told.
    deaf: AtomicBool,
    /// The first entry that is not on the disk yet, and its date.
    unsettled: Mutex<Option<(EventIndex, StoreTime)>>,
}

impl Trouble {
    fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    fn unsettled(&self) -> Option<(EventIndex, StoreTime)> {
        *self.unsettled.lock().unwrap()
    }
}

impl Distant {
    fn reach(&self) -> Result<(), MetadataError> {
        let error = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        if self.trouble.cut.load(Ordering::SeqCst) {
            Err(MetadataError::Unavailable(Arc::new(error())))
        } else {
            Ok(())
        }
    }

    fn readable(&self, mut entries: Vec<LogEntry>) -> Vec<LogEntry> {
        entries.retain(|entry| self.trouble.unsettled().is_none_or(|(first, _)| entry.index < first));
        entries
    }
}

#[async_trait]
impl Metadata for Distant {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        self.store.open(id, opened).await
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        self.store.commit(id, events, expect).await
    }

    async fn put_back(&self, id: BroadcastId, entries: &[LogEntry], until: StoreTime) -> Result<(), MetadataError> {
        self.store.put_back(id, entries, until).await
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.trouble.reads.fetch_add(1, Ordering::SeqCst);
        self.reach()?;
        Ok(self.readable(self.store.read(id, from, max).await?))
    }

    async fn wait_beyond(&self, id: BroadcastId, known: Known<'_>, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let entries = self.store.wait_beyond(id, known, max).await?;
        self.reach()?;
        let entries = self.readable(entries);
        if entries.is_empty() || self.trouble.deaf.load(Ordering::SeqCst) { pending().await } else { Ok(entries) }
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.store.list(after, max).await
    }

    fn health(&self) -> Result<(), MetadataError> {
        self.reach().and_then(|()| self.store.health())
    }

    fn horizon(&self) -> Option<StoreTime> {
        let dated = self.trouble.unsettled().map(|(_, at)| at);
        self.store.horizon().map(|now| dated.map_or(now, |at| now.min(at)))
    }
}

async fn troubled_world() -> (World, Arc<Trouble>) {
    let trouble = Arc::new(Trouble::default());
    let distant = |store| -> Arc<dyn Metadata> { Arc::new(Distant { store, trouble: trouble.clone() }) };
    let world = World::with(ViewPolicy::default(), Config::default(), distant).await;
    world.record_all(0..4).await;
    (world, trouble)
}

/// A segment arrives; the servers are not told.
async fn commit_unheard(world: &World, seq: u64) -> Outcome {
    let segment = segment(seq, &bytes_of(seq));
    world.log.commit(world.id, &[Event::Stored(segment)], Expect::Any).await.unwrap()[0]
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_served_and_time_stands_still() {
    let (world, trouble) = troubled_world().await;
    let before = world.get("main/live.m3u8").await;
    world.get("main/dvr.m3u8").await;
    trouble.cut(true);
    // In time for its place, and committed: no server may publish a gap there.
    world.pass(6.0).await;
    commit_unheard(&world, 4).await;
    for _ in 0..10 {
        world.pass(3.0).await;
        let meanwhile = world.get("main/live.m3u8").await;
        assert_eq!(meanwhile.body, before.body, "{}", meanwhile.text());
    }
    // What was never asked for before is served from what is known.
    let catch_up = world.get("main/catchup.m3u8?from=1").await;
    assert!(catch_up.text().ends_with("\n3.ts\n"), "{}", catch_up.text());
    trouble.cut(false);
    world.pass(2.0).await;
    let after = world.get("main/live.m3u8").await;
    assert!(after.text().contains("\n4.ts\n"), "{}", after.text());
    let (media, gap) = (after.text().find("\n4.ts\n"), after.text().find("#EXT-X-GAP"));
    assert!(gap.is_some() && media < gap, "the gaps come after what had arrived: {}", after.text());
}

#[tokio::test(start_paused = true)]
async fn gaps_that_were_published_are_not_taken_back() {
    let (world, trouble) = troubled_world().await;
    world.pass(20.0).await;
    let before = world.get("main/dvr.m3u8").await;
    assert!(before.text().contains("#EXT-X-GAP"), "{}", before.text());
    trouble.cut(true);
    world.pass(20.0).await;
    assert_eq!(world.get("main/dvr.m3u8").await.body, before.body);
    // Nor in a view that is made only now.
    let live = world.get("main/live.m3u8").await;
    let last = |text: &str| text.lines().last().map(str::to_owned);
    assert_eq!(last(live.text()), last(before.text()));
}

#[tokio::test(start_paused = true)]
async fn when_the_store_is_back_no_view_is_behind_another() {
    let (world, trouble) = troubled_world().await;
    trouble.cut(true);
    world.pass(20.0).await;
    let (live, dvr) = ("main/live.m3u8", "main/dvr.m3u8");
    let last = |text: &str| text.lines().last().map(str::to_owned);
    // Both stand still; the second is made a little later, and would be made again a little later.
    world.get(live).await;
    world.pass(0.6).await;
    let before = world.get(dvr).await;
    trouble.cut(false);
    world.pass(0.6).await;
    let after = world.get(live).await;
    assert_ne!(last(after.text()), last(before.text()));
    assert_eq!(last(world.get(dvr).await.text()), last(after.text()));
}

#[tokio::test(start_paused = true)]
async fn no_gap_takes_the_place_of_what_is_dated_and_not_on_the_disk() {
    let (world, trouble) = troubled_world().await;
    let before = world.get("main/live.m3u8").await;
    world.pass(6.0).await;
    let next = world.server.broadcasts.get(world.id).await.unwrap().read().next_index();
    *trouble.unsettled.lock().unwrap() = Some((next, StoreTime(world.clock.now_ms())));
    let Outcome::Appended { index, .. } = commit_unheard(&world, 4).await else { panic!("not appended") };
    assert_eq!(index, next);
    for _ in 0..10 {
        world.pass(3.0).await;
        let meanwhile = world.get("main/live.m3u8").await;
        assert_eq!(meanwhile.body, before.body, "{}", meanwhile.text());
    }
    *trouble.unsettled.lock().unwrap() = None;
    let after = world.get("main/live.m3u8").await;
    let (media, gap) = (after.text().find("\n4.ts\n"), after.text().find("#EXT-X-GAP"));
    assert!(media.is_some() && gap.is_some() && media < gap, "{}", after.text());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_an_honest_503() {
    let (world, trouble) = troubled_world().await;
    trouble.cut(true);
    let cold = world.another_server().await;
    for rest in ["index.m3u8", "main/live.m3u8", "main/live.m3u8?_HLS_msn=4", "main/0.ts"] {
        let answer = cold.ask(http::Method::GET, &world.path(rest), &[]).await;
        assert_eq!(answer.status, 503, "{rest}");
        assert_eq!(answer.header("retry-after"), Some("2"), "{rest}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{rest}");
    }
}

/// Another server knows more, and a player was told by that one.
#[tokio::test(start_paused = true)]
async fn who_asks_for_more_than_is_known_here_makes_this_server_look() {
    let (world, trouble) = troubled_world().await;
    trouble.deaf.store(true, Ordering::SeqCst);
    for seq in 4..7 {
        commit_unheard(&world, seq).await;
    }
    assert!(world.get("main/live.m3u8").await.text().ends_with("\n3.ts\n"));
    let answer = world.get("main/live.m3u8?_HLS_msn=6").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().ends_with("\n6.ts\n"), "{}", answer.text());
    let answer = world.get("main/live.m3u8?_HLS_msn=9").await;
    assert_eq!((answer.status.as_u16(), &answer.problem()["last_msn"]), (400, &6.into()));
    trouble.cut(true);
    assert_eq!(world.get("main/live.m3u8?_HLS_msn=9").await.status, 503, "nobody can say");
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_is_not_there_is_looked_for_once_a_second() {
    let (world, trouble) = troubled_world().await;
    let id = BroadcastId::new(START_MS.cast_unsigned(), 8);
    let ask = async |rest| world.server.ask(http::Method::GET, &format!("/hls/{id}/{rest}"), &[]).await.status;
    let reads = || trouble.reads.swap(0, Ordering::SeqCst);
    reads();
    for rest in ["index.m3u8", "main/live.m3u8", "main/0.ts"].into_iter().cycle().take(60) {
        assert_eq!(ask(rest).await, 404, "{rest}");
    }
    assert_eq!(reads(), 1);
    world.pass(0.999).await;
    assert_eq!((ask("main/0.ts").await.as_u16(), reads()), (404, 0));
    let opened =
        Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true };
    world.log.open(id, &opened).await.unwrap();
    world.pass(0.001).await;
    let answer = world.server.ask(http::Method::GET, &format!("/hls/{id}/main/live.m3u8"), &[]).await;
    assert_eq!(answer.problem()["type"], "/problems/not-yet", "it is there now, and empty");
    // What could not be looked for is not known to be missing.
    trouble.cut(true);
    let other = format!("/hls/{}/index.m3u8", BroadcastId::new(START_MS.cast_unsigned(), 9));
    assert_eq!(world.server.ask(http::Method::GET, &other, &[]).await.status, 503);
    trouble.cut(false);
    assert_eq!(world.server.ask(http::Method::GET, &other, &[]).await.status, 404);
}

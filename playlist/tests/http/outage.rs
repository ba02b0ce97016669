//! While the metadata store is away: what is known is served, and nothing is said that may turn out wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, EventIndex, LogEntry, Opened, StoreTime, ViewPolicy};
use headwater_playlist::Config;
use metadata::{Expect, Metadata, MetadataError, Outcome};

use crate::fixtures::World;

/// A real store at the other end of a network that can be cut: reads fail, and who waits is not told. What others
/// commit arrives.
#[derive(Debug)]
struct Distant {
    store: Arc<dyn Metadata>,
    cut: Arc<AtomicBool>,
}

impl Distant {
    fn reach(&self) -> Result<(), MetadataError> {
        let error = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        if self.cut.load(Ordering::SeqCst) { Err(MetadataError::Unavailable(Arc::new(error()))) } else { Ok(()) }
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

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.reach()?;
        self.store.read(id, from, max).await
    }

    async fn wait(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let entries = self.store.wait(id, from, max).await?;
        self.reach()?;
        Ok(entries)
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.store.list(after, max).await
    }

    fn horizon(&self) -> Option<StoreTime> {
        self.store.horizon()
    }
}

async fn world_with_a_cut() -> (World, Arc<AtomicBool>) {
    let cut = Arc::new(AtomicBool::new(false));
    let distant = |store| -> Arc<dyn Metadata> { Arc::new(Distant { store, cut: cut.clone() }) };
    let world = World::with(ViewPolicy::default(), Config::default(), distant).await;
    world.record_all(0..4).await;
    (world, cut)
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_served_and_time_stands_still() {
    let (world, cut) = world_with_a_cut().await;
    let before = world.get("main/live.m3u8").await;
    world.get("main/dvr.m3u8").await;
    cut.store(true, Ordering::SeqCst);
    // In time for its place, and committed: no server may publish a gap there.
    world.pass(6.0).await;
    let event = {
        let bytes = crate::fixtures::bytes_of(4);
        Event::Stored(crate::fixtures::segment(4, &bytes))
    };
    world.log.commit(world.id, &[event], Expect::Any).await.unwrap();
    for _ in 0..10 {
        world.pass(3.0).await;
        let meanwhile = world.get("main/live.m3u8").await;
        assert_eq!(meanwhile.body, before.body, "{}", meanwhile.text());
    }
    // What was never asked for before is served from what is known.
    let catch_up = world.get("main/catchup.m3u8?from=1").await;
    assert!(catch_up.text().ends_with("\n3.ts\n"), "{}", catch_up.text());
    cut.store(false, Ordering::SeqCst);
    world.pass(2.0).await;
    let after = world.get("main/live.m3u8").await;
    assert!(after.text().contains("\n4.ts\n"), "{}", after.text());
    let (media, gap) = (after.text().find("\n4.ts\n"), after.text().find("#EXT-X-GAP"));
    assert!(gap.is_some() && media < gap, "the gaps come after what had arrived: {}", after.text());
}

#[tokio::test(start_paused = true)]
async fn gaps_that_were_published_are_not_taken_back() {
    let (world, cut) = world_with_a_cut().await;
    world.pass(20.0).await;
    let before = world.get("main/dvr.m3u8").await;
    assert!(before.text().contains("#EXT-X-GAP"), "{}", before.text());
    cut.store(true, Ordering::SeqCst);
    world.pass(20.0).await;
    assert_eq!(world.get("main/dvr.m3u8").await.body, before.body);
    // Nor in a view that is made only now.
    let live = world.get("main/live.m3u8").await;
    let last = |text: &str| text.lines().last().map(str::to_owned);
    assert_eq!(last(live.text()), last(before.text()));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_an_honest_503() {
    let (world, cut) = world_with_a_cut().await;
    cut.store(true, Ordering::SeqCst);
    let cold = world.another_server().await;
    for rest in ["index.m3u8", "main/live.m3u8", "main/live.m3u8?_HLS_msn=4", "main/0.ts"] {
        let answer = cold.ask(http::Method::GET, &world.path(rest), &[]).await;
        assert_eq!(answer.status, 503, "{rest}");
        assert_eq!(answer.header("retry-after"), Some("2"), "{rest}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{rest}");
    }
}

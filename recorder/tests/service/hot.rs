//! From the recorder's disk to the hot store: what becomes safe, when, and what is deleted here afterwards.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Document, Event, Key};
use futures_util::TryStreamExt;
use headwater_recorder::{HotConfig, RecorderConfig};
use service::Random;
use storage::{Blob, HotStore, Listed, Listing, Named, Store, StoreError};
use tempfile::TempDir;
use tokio::sync::RwLock;

use crate::fixtures::{Media, Mood, World};

/// A real hot store, which can be away. Whoever locks `busy` keeps it from answering who reads; and who writes what contains
/// `unheard` never hears that it is written.
#[derive(Debug)]
pub(crate) struct Distant {
    pub(crate) store: HotStore,
    away: AtomicBool,
    pub(crate) busy: RwLock<()>,
    pub(crate) unheard: OnceLock<&'static str>,
    pub(crate) reading: AtomicUsize,
    pub(crate) asked: AtomicUsize,
    pub(crate) listed: AtomicUsize,
    _dir: TempDir,
}

impl Distant {
    pub(crate) fn new() -> Arc<Self> {
        let dir = TempDir::new().unwrap();
        let url = dir.path().to_str().unwrap().parse().unwrap();
        let store = HotStore::open(&url, [], &Random::seeded(1)).unwrap();
        let (away, busy, unheard) = (AtomicBool::new(false), RwLock::new(()), OnceLock::new());
        let [reading, asked, listed] = [0; 3].map(AtomicUsize::new);
        Arc::new(Self { store, away, busy, unheard, reading, asked, listed, _dir: dir })
    }

    pub(crate) fn go_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn here(&self) -> Result<&HotStore, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Away { store: "it".into(), operation: "answer", source: "a test".into() });
        }
        Ok(&self.store)
    }

    async fn keys(&self, id: BroadcastId) -> Vec<Key> {
        let listed: Vec<_> = self.store.list(id).try_collect().await.unwrap();
        let key = |named| match named {
            Named::Ours(Listed { key, .. }) => key,
            Named::Foreign(name) => panic!("{name} in the hot store"),
        };
        let mut keys: Vec<Key> = listed.into_iter().map(key).collect();
        keys.sort();
        keys
    }
}

#[async_trait]
impl Store for Distant {
    async fn put(&self, key: &Key, blob: Blob) -> Result<(), StoreError> {
        let bytes = blob.collect().await?;
        let is_unheard = self.unheard.get().is_some_and(|text| String::from_utf8_lossy(&bytes).contains(text));
        let put = self.here()?.put(key, bytes.into()).await;
        if is_unheard {
            std::future::pending::<()>().await;
        }
        put
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.reading.fetch_add(1, Ordering::SeqCst);
        let _not_busy = self.busy.read().await;
        self.reading.fetch_sub(1, Ordering::SeqCst);
        self.here()?.read(key, range).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.here()?.len(key).await
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.here()?.remove(key).await
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        self.store.broadcasts()
    }

    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        self.listed.fetch_add(1, Ordering::SeqCst);
        if let Err(error) = self.here() {
            return Box::pin(futures_util::stream::iter([Err(error)]));
        }
        self.store.list(broadcast)
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_becomes_safe() {
    let hot = Distant::new();
    hot.go_away(true);
    let (world, media) = (World::with_hot(RecorderConfig::default(), hot.clone()).await, Media::fmp4());
    world.publish("init.mp4", media.init.clone(), &[]).await.expect(201);
    for seq in [0, 1, 3] {
        let answer = world.publish(&format!("{seq}.m4s"), media.segments[seq].clone(), &[]).await.expect(201).json();
        assert_eq!(answer["safe"], false);
    }
    hot.go_away(false);
    world.until_safe(&[(0, 1), (3, 3)]).await;
    assert_eq!(world.arrived().await["renditions"]["main"]["safe"], serde_json::json!([[0, 1], [3, 3]]));
    let again = world.publish("1.m4s", media.segments[1].clone(), &[]).await.expect(200).json();
    assert_eq!((&again["safe"], &again["outcome"]), (&true.into(), &"duplicate".into()));
    for segment in world.stored().await {
        let there = hot.store.read(&Key::of_segment(world.id, &segment), None).await.unwrap().collect().await.unwrap();
        let seq = usize::try_from(segment.seq.0).unwrap();
        assert_eq!(there, media.segments[seq]);
    }
    let inits = hot.keys(world.id).await.iter().filter(|key| key.to_string().ends_with(".mp4")).count();
    assert_eq!(inits, 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_hot_store_is_away_segments_are_taken_in_and_later_they_are_safe() {
    let hot = Distant::new();
    hot.go_away(true);
    let (mut world, media) = (World::with_hot(RecorderConfig::default(), hot.clone()).await, Media::ts());
    for seq in 0..3 {
        world.publish(&format!("{seq}.ts"), media.segments[seq].clone(), &[]).await.expect(201);
    }
    world.pass(3600).await;
    world.publish("3.ts", media.segments[3].clone(), &[]).await.expect(201);
    assert_eq!(world.safe().await, []);
    // What is owed is found again after a crash.
    world.crash().await;
    world.publish("4.ts", media.segments[4].clone(), &[]).await.expect(201);
    hot.go_away(false);
    world.until_safe(&[(0, 4)]).await;
    // A crash between the copy and its commit costs another copy.
    world.log.feel(Mood::ReadOnly);
    assert_eq!(world.publish("5.ts", media.segments[5].clone(), &[]).await.status, 503);
    world.log.feel(Mood::Well);
    world.crash().await;
    world.until_safe(&[(0, 5)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_safe_is_deleted_here_when_there_is_too_much_and_nothing_else_is() {
    let (hot, media) = (Distant::new(), Media::ts());
    let config = HotConfig { keep_bytes: Some(0), free_bytes: 0, ..HotConfig::default() };
    let world = World::with_hot(RecorderConfig { hot: config, ..RecorderConfig::default() }, hot.clone()).await;
    hot.go_away(true);
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(201);
    world.publish("1.ts", media.segments[1].clone(), &[]).await.expect(201);
    world.pass(600).await;
    assert_eq!(world.segment_files().len(), 2, "what is not safe stays");
    hot.go_away(false);
    world.until_safe(&[(0, 1)]).await;
    world.until("no files", async |world| world.segment_files().is_empty()).await;
    // It is not taken in again.
    let again = world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(200).json();
    assert_eq!(again["safe"], true);
    assert!(world.segment_files().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_on_a_lost_recorder_only_is_taken_in_again_by_another() {
    let (hot, media) = (Distant::new(), Media::ts());
    hot.go_away(true);
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(201);
    world.move_elsewhere().await;
    hot.go_away(false);
    let other = media.segments[1].clone();
    assert_eq!(world.publish("0.ts", other, &[]).await.expect(409).problem(), "other-bytes-stored");
    assert!(world.segment_files().is_empty());
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(200);
    assert_eq!(world.segment_files().len(), 1);
    world.until_safe(&[(0, 0)]).await;
    assert_eq!(world.stored().await.len(), 1);
}

/// The commit was made, and nobody here heard of it: without another word it would be copied after the next start only.
#[tokio::test(start_paused = true)]
async fn what_was_committed_unheard_becomes_safe_when_its_publisher_asks() {
    let (hot, media) = (Distant::new(), Media::ts());
    let world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    for (seq, again) in [(0, false), (1, true)] {
        let file = format!("{seq}.ts");
        world.log.feel(Mood::Deaf);
        assert_eq!(world.publish(&file, media.segments[seq].clone(), &[]).await.status, 503);
        world.log.feel(Mood::Well);
        if again {
            world.publish(&file, media.segments[seq].clone(), &[]).await.expect(200);
        } else {
            let arrived = world.arrived().await;
            assert_eq!(arrived["renditions"]["main"]["elsewhere"], serde_json::json!([]));
        }
        world.until_safe(&[(0, seq as u64)]).await;
    }
}

/// As when one primary of a Redis Cluster is away.
#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_keeps_no_other_broadcast_waiting() {
    let (hot, media) = (Distant::new(), Media::ts());
    hot.go_away(true);
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(201);
    let first = world.id;
    world.log.go_away_for(Some(first));
    world.create().await;
    world.publish("0.ts", media.segments[1].clone(), &[]).await.expect(201);
    hot.go_away(false);
    world.until_safe(&[(0, 0)]).await;
    world.id = first;
    assert_eq!(world.safe().await, []);
    world.log.go_away_for(None);
    world.until_safe(&[(0, 0)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_on_another_disk_alone_is_told() {
    let (hot, media) = (Distant::new(), Media::ts());
    hot.go_away(true);
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(201);
    world.move_elsewhere().await;
    world.publish("1.ts", media.segments[1].clone(), &[]).await.expect(201);
    let arrived = world.arrived().await;
    assert_eq!(arrived["renditions"]["main"]["elsewhere"], serde_json::json!([[0, 0]]));
}

/// Two recorders have the same segment, dated a little differently; the one that is listed is gone for good.
#[tokio::test(start_paused = true)]
async fn a_copy_under_another_time_is_kept_as_it_is_listed() {
    let (hot, media) = (Distant::new(), Media::ts());
    hot.go_away(true);
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    let dated = |ms: &'static str| [("segment-captured-at", ms)];
    // The first copy is durable, and its commit was not made.
    world.log.feel(Mood::ReadOnly);
    let refused = world.publish("0.ts", media.segments[0].clone(), &dated("1790000000000")).await;
    assert_eq!(refused.status, 503);
    world.log.feel(Mood::Well);
    world.move_elsewhere().await;
    world.publish("0.ts", media.segments[0].clone(), &dated("1790000000007")).await.expect(201);
    world.move_back().await;
    hot.go_away(false);
    world.until_safe(&[(0, 0)]).await;
    let listed = Key::of_segment(world.id, &world.stored().await[0]);
    assert!(hot.store.len(&listed).await.unwrap().is_some());
    assert_eq!(world.segment_files().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_document_tells_what_no_key_does() {
    let (hot, media) = (Distant::new(), Media::ts());
    let world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("2.ts", media.segments[2].clone(), &[]).await.expect(201);
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(201);
    world.say("pause", "").await.expect(200);
    world.say("end", r#"{"last":{"main":2}}"#).await.expect(200);
    let told = async || {
        let Ok(blob) = hot.store.read(&Key::of_document(world.id), None).await else { return Vec::new() };
        let document: Document = serde_json::from_slice(&blob.collect().await.unwrap()).unwrap();
        assert!(document.first_stored.is_none_or(|(_, seq)| seq.0 == 2));
        let kind = |event: &Event| format!("{event:?}").split([' ', '(']).next().unwrap().to_owned();
        document.entries.iter().map(|entry| kind(&entry.event)).collect::<Vec<_>>()
    };
    world.until("the document", async |_| told().await == ["Opened", "Format", "Paused", "Ended"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_init_section_that_is_only_elsewhere_is_found_and_kept_here() {
    let hot = Distant::new();
    let (mut world, media) = (World::with_hot(RecorderConfig::default(), hot.clone()).await, Media::fmp4());
    let inits = |world: &World| {
        let files = world.segment_files().into_iter();
        files.filter(|file| file.extension().is_some_and(|end| end == "mp4")).collect::<Vec<_>>()
    };
    world.publish("init.mp4", media.init.clone(), &[]).await.expect(201);
    world.publish("0.m4s", media.segments[0].clone(), &[]).await.expect(201);
    world.until_safe(&[(0, 0)]).await;
    // Another recorder gets the next segment.
    world.move_elsewhere().await;
    world.publish("1.m4s", media.segments[1].clone(), &[]).await.expect(201);
    assert_eq!(inits(&world).len(), 1, "what a disk holds is of use without any other");
    // It dies before it has committed one more, and has no init section when it starts again.
    world.until_safe(&[(0, 1)]).await;
    world.log.feel(Mood::ReadOnly);
    world.publish("2.m4s", media.segments[2].clone(), &[]).await.expect(503);
    world.log.feel(Mood::Well);
    inits(&world).into_iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let scanned = world.crash().await;
    assert_eq!((scanned.committed, scanned.unreadable), (1, 0));
    assert_eq!(world.recorded(media).await, [(0, 0), (1, 1), (2, 2)]);
    assert_eq!(inits(&world).len(), 1);
}

/// Changes one byte of a file.
pub(crate) fn damage(file: &std::path::Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_has_changed_is_asked_for_again() {
    let (hot, media) = (Distant::new(), Media::ts());
    hot.go_away(true);
    let world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    for seq in 0..2 {
        world.publish(&format!("{seq}.ts"), media.segments[seq].clone(), &[]).await.expect(201);
    }
    let file = world.segment_files().into_iter().find(|file| file.to_string_lossy().contains("/0000000000000-"));
    let file = file.unwrap();
    let elsewhere = async |world: &World| world.arrived().await["renditions"]["main"]["elsewhere"].clone();
    assert_eq!(elsewhere(&world).await, serde_json::json!([]));
    damage(&file);
    hot.go_away(false);
    world.until_safe(&[(1, 1)]).await;
    world.until_later("told", async |world| elsewhere(world).await == serde_json::json!([[0, 0]])).await;
    assert!(!file.exists(), "whoever asks for it is not given it");
    assert_eq!(world.damaged(), 1);
    let aside = file.to_string_lossy().replace("/segments/", "/damaged/");
    assert!(std::path::Path::new(&aside).exists(), "{aside}");
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(200);
    world.until_safe(&[(0, 1)]).await;
    assert_eq!(world.recorded(media).await, [(0, 0), (1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn an_init_section_that_the_disk_has_changed_is_asked_for_again() {
    let (hot, media) = (Distant::new(), Media::fmp4());
    hot.go_away(true);
    let world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("init.mp4", media.init.clone(), &[]).await.expect(201);
    world.publish("0.m4s", media.segments[0].clone(), &[]).await.expect(201);
    let init = world.segment_files().into_iter().find(|file| file.extension().is_some_and(|end| end == "mp4")).unwrap();
    damage(&init);
    hot.go_away(false);
    let told =
        async |world: &World| world.arrived().await["renditions"]["main"]["elsewhere"] == serde_json::json!([[0, 0]]);
    world.until_later("told", told).await;
    let problem = world.publish("0.m4s", media.segments[0].clone(), &[]).await.expect(409).problem();
    assert_eq!(problem, "no-init-section");
    world.publish("init.mp4", media.init.clone(), &[]).await;
    world.publish("0.m4s", media.segments[0].clone(), &[]).await.expect(200);
    world.until_safe(&[(0, 0)]).await;
    let found = hot.keys(world.id).await.into_iter().find(|key| key.to_string().ends_with(".mp4")).unwrap();
    assert_eq!(hot.store.read(&found, None).await.unwrap().collect().await.unwrap(), media.init);
}

/// A file that the disk does not give keeps nothing else waiting, and is no reason to think that the hot store is away.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_here_is_told_apart_from_a_hot_store_that_is_away() {
    let (hot, media) = (Distant::new(), Media::ts());
    hot.go_away(true);
    let config = HotConfig { copies_max: 1, ..HotConfig::default() };
    let world = World::with_hot(RecorderConfig { hot: config, ..RecorderConfig::default() }, hot.clone()).await;
    for seq in 0..4 {
        world.publish(&format!("{seq}.ts"), media.segments[seq].clone(), &[]).await.expect(201);
    }
    // A link to itself cannot be opened, whoever asks.
    let file = world.segment_files().into_iter().find(|file| file.to_string_lossy().contains("/0000000000000-"));
    let file = file.unwrap();
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&file, &file).unwrap();
    world.pass(120).await;
    hot.go_away(false);
    world.until_safe(&[(1, 3)]).await;
    let tried = async |world: &World, times: u64| {
        world.pass(5).await;
        world.unreadable() >= times
    };
    world.until_later("tried again", async |world| tried(world, 2).await).await;
    let failures = world.hot_failures();
    world.until_later("and again", async |world| tried(world, 4).await).await;
    assert_eq!((world.hot_failures(), world.is_hot_away()), (failures, false));
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, kept).unwrap();
    world.pass(60).await;
    world.until_safe(&[(0, 3)]).await;
}

/// Not even while it is waited for.
#[tokio::test(start_paused = true)]
async fn a_log_that_hangs_keeps_no_other_broadcast_waiting() {
    let (hot, media) = (Distant::new(), Media::ts());
    hot.go_away(true);
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("0.ts", media.segments[0].clone(), &[]).await.expect(201);
    let first = world.id;
    world.create().await;
    world.log.hang_for(Some(first));
    world.crash_unscanned().await;
    world.publish("0.ts", media.segments[1].clone(), &[]).await.expect(201);
    hot.go_away(false);
    // It is tried again after a while.
    let is_safe = async |world: &World| world.safe().await == [(0, 0)];
    world.until_passed(Duration::from_secs(1), "it is safe", is_safe).await;
    world.id = first;
    assert_eq!(world.safe().await, []);
    world.log.hang_for(None);
    world.until_safe(&[(0, 0)]).await;
}

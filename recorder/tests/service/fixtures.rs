//! A recorder with one broadcast, whose metadata store can be made to fail, and segments to send to it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use broadcast::{
    Broadcast, BroadcastId, Event, EventIndex, LogEntry, Opened, RenditionName, Segment, StoreTime, TokenKey,
};
use bytes::Bytes;
use headwater_recorder::{Deps, Recorder, RecorderConfig, ScanReport};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use metadata::{Broadcasts, COMMIT_EVENTS_MAX, Expect, Known, Limits, Metadata, MetadataError, Outcome, Sqlite};
use prometheus::Registry;
use service::{Clock, Random, Tasks};
use storage::{LocalStore, OpenError, StorageConfig, Store};
use tempfile::TempDir;
use testkit::Tool;
use tokio::sync::watch;
use tower::ServiceExt;

/// When every world begins, in milliseconds since the Unix epoch.
pub(crate) const START_MS: i64 = 1_790_000_000_000;
/// How often a condition is looked at before it counts as never met.
const LOOKS_MAX: usize = 100_000;
/// After so many of them a step is taken.
const LOOKS_PER_STEP: usize = 100;
const OWNER_KEY: &str = "the-owner-of-the-test";

/// What is there from one life of a recorder to the next.
pub(crate) struct World {
    dir: TempDir,
    /// The name of the recorder's directory.
    store: String,
    pub(crate) log: Arc<Moody>,
    pub(crate) clock: Clock,
    config: RecorderConfig,
    life: Option<Life>,
    hot: Option<Arc<dyn Store>>,
    others: Option<Arc<dyn Store>>,
    pub(crate) id: BroadcastId,
    token: String,
}

/// One run of a recorder.
struct Life {
    recorder: Arc<Recorder>,
    router: Router,
    tasks: Tasks,
    registry: Registry,
    scanned: ScanReport,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(RecorderConfig::default()).await
    }

    /// A recorder with one broadcast. Time must be paused.
    pub(crate) async fn with(config: RecorderConfig) -> Self {
        Self::build(config, 0, None).await
    }

    /// The same with a hot store.
    pub(crate) async fn with_hot(config: RecorderConfig, hot: Arc<dyn Store>) -> Self {
        Self::build(config, 0, Some(hot)).await
    }

    /// The same on a machine whose clock is so far ahead of the metadata store's.
    pub(crate) async fn with_clock(config: RecorderConfig, ahead_ms: i64) -> Self {
        Self::build(config, ahead_ms, None).await
    }

    async fn build(config: RecorderConfig, ahead_ms: i64, hot: Option<Arc<dyn Store>>) -> Self {
        let (dir, clock) = (TempDir::new().unwrap(), Clock::from_tokio(START_MS + ahead_ms));
        let of_store = Clock::from_tokio(START_MS);
        let sqlite = Sqlite::open(&dir.path().join("metadata.db"), Limits::default(), of_store).await.unwrap();
        let log = Arc::new(Moody::new(sqlite));
        let id = BroadcastId::new(1, 1);
        let store = "store".to_owned();
        let mut world =
            Self { dir, store, log, clock, config, life: None, hot, others: None, id, token: String::new() };
        world.start().await;
        world.create().await;
        world
    }

    /// Another broadcast, of which everything is from now on.
    pub(crate) async fn create(&mut self) {
        let created =
            self.ask(Method::POST, "/v1/broadcasts", &[OWNER, JSON], Bytes::from("{}")).await.expect(201).json();
        self.id = created["id"].as_str().unwrap().parse().unwrap();
        self.token = created["publish"]["token"].as_str().unwrap().to_owned();
    }

    async fn start(&mut self) {
        self.start_and(true).await;
    }

    async fn start_and(&mut self, scans: bool) {
        let store = self.open_store().await;
        let (tasks, registry) = (Tasks::new(), Registry::new());
        let log: Arc<dyn Metadata> = self.log.clone();
        let deps = Deps {
            broadcasts: Broadcasts::new(log, tasks.clone(), self.clock.clone()),
            store,
            hot: self.hot.clone(),
            others: self.others.clone(),
            clock: self.clock.clone(),
            random: Random::seeded(1),
            tasks: tasks.clone(),
            registry: &registry,
            tokens: TokenKey::new(&[7; 32]),
            owner_key: OWNER_KEY.parse().unwrap(),
            public_url: None,
        };
        let recorder = Recorder::build(self.config.clone(), deps).unwrap();
        let scanned = if scans { recorder.scan().await.unwrap() } else { ScanReport::default() };
        recorder.start();
        self.life = Some(Life { router: recorder.router(), recorder, tasks, registry, scanned });
    }

    /// From its next life on, it is one of several; what they have is here.
    pub(crate) fn join(&mut self, others: Arc<dyn Store>) {
        self.others = Some(others);
    }

    /// From now on another recorder is asked, which has the same metadata and nothing else.
    pub(crate) async fn move_elsewhere(&mut self) {
        self.move_to("another").await;
    }

    /// The same, to one that has a name.
    pub(crate) async fn move_to(&mut self, node: &str) {
        self.store = node.to_owned();
        self.config.node = self.config.node.is_some().then(|| node.to_owned());
        self.crash().await;
    }

    /// The first recorder is asked again; the other is gone for good.
    pub(crate) async fn move_back(&mut self) {
        self.store = "store".to_owned();
        self.crash().await;
    }

    /// The store, once the life before has let go of it: threads that were at work in it end a little later.
    async fn open_store(&self) -> LocalStore {
        let storage = StorageConfig { reserve: 0, ..StorageConfig::default() };
        for _ in 0..LOOKS_MAX {
            match LocalStore::open(&self.dir.path().join(&self.store), storage.clone()).await {
                Err(OpenError::Locked { .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
        panic!("somebody keeps the store");
    }

    /// The process is gone, and another one starts; tells what it found.
    pub(crate) async fn crash(&mut self) -> ScanReport {
        self.crash_for(0).await
    }

    /// The same without the start-up scan: no log has been read.
    pub(crate) async fn crash_unscanned(&mut self) {
        self.stop().await;
        self.start_and(false).await;
    }

    async fn stop(&mut self) {
        let Life { recorder, router, tasks, .. } = self.life.take().unwrap();
        tasks.shutdown().await;
        drop((router, recorder));
    }

    /// The same, after so many seconds.
    pub(crate) async fn crash_for(&mut self, secs: u64) -> ScanReport {
        self.stop().await;
        self.pass(secs).await;
        self.start().await;
        self.life.as_ref().unwrap().scanned
    }

    /// The files of all segments.
    pub(crate) fn segment_files(&self) -> Vec<PathBuf> {
        let main = self.dir.path().join(&self.store).join("segments").join(self.id.to_string()).join("main");
        // A directory without files is removed.
        std::fs::read_dir(main).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// A folder of the recorder's directory.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(&self.store).join(name)
    }

    /// The files of parked uploads, or what is left of them in `refused`.
    pub(crate) fn parked_files(&self, folder: &str) -> Vec<PathBuf> {
        let all = self.folder(folder).join(self.id.to_string());
        std::fs::read_dir(all).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// How long it has been there.
    pub(crate) fn now_s(&self) -> u64 {
        u64::try_from(self.clock.now_ms() - START_MS).unwrap() / 1_000
    }

    /// Time passes, at a leap.
    pub(crate) async fn pass(&self, secs: u64) {
        tokio::time::advance(Duration::from_secs(secs)).await;
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.life.as_ref().unwrap().router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        Answer { status, body: response.into_body().collect().await.unwrap().to_bytes() }
    }

    /// PUT by a stock pusher.
    pub(crate) async fn push(&self, file: &str, body: impl Into<Body>) -> Answer {
        self.ask(Method::PUT, &format!("/push/{}/{file}", self.token), &[], body).await
    }

    /// PUT of an init section as ffmpeg does it: its request begins with the run, and its body comes when a segment was sent.
    pub(crate) async fn push_init_while(&self, init: Bytes, segment_is_sent: impl Future<Output = ()>) {
        self.push_while("init.mp4", init, segment_is_sent).await.expect(201);
    }

    /// PUT by a stock pusher that begins before it has the body.
    pub(crate) async fn push_while(&self, file: &str, bytes: Bytes, passes: impl Future<Output = ()>) -> Answer {
        let (cut, rest) = tokio::sync::oneshot::channel::<()>();
        let body = Body::from_stream(futures_util::stream::once(async {
            rest.await.expect("it has passed");
            Ok::<_, std::io::Error>(bytes)
        }));
        let cut = async {
            passes.await;
            cut.send(()).expect("somebody waits for it");
        };
        tokio::join!(self.push(file, body), cut).0
    }

    /// PUT of the playlist with these files, the first of which is number 0.
    pub(crate) async fn push_playlist(&self, files: &[&str], rest: &str) -> Answer {
        let map = if files[0].ends_with(".m4s") { "#EXT-X-MAP:URI=\"init.mp4\"\n" } else { "" };
        let segments: String = files.iter().map(|file| format!("#EXTINF:1.0,\n{file}\n")).collect();
        let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0";
        self.push("out.m3u8", format!("{head}\n{map}{segments}{rest}")).await
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// PUT by the publish protocol.
    pub(crate) async fn publish(&self, file: &str, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [&[("authorization", bearer.as_str())], headers].concat();
        self.ask(Method::PUT, &format!("/ingest/{}/main/{file}", self.id), &headers, body).await
    }

    /// The end, as its publisher says it.
    pub(crate) async fn publisher_ends(&self, body: impl Into<Body>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        self.ask(Method::POST, &format!("/v1/broadcasts/{}/end", self.id), &headers, body).await
    }

    /// What the publisher is told has arrived.
    pub(crate) async fn arrived(&self) -> serde_json::Value {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        self.ask(Method::GET, &format!("/ingest/{}", self.id), &headers, Body::empty()).await.expect(200).json()
    }

    /// The ranges of `main` that the log says are safe.
    pub(crate) async fn safe(&self) -> Vec<(u64, u64)> {
        let broadcast = self.broadcast().await;
        let safe = broadcast.safe(&RenditionName::main());
        safe.into_iter().flat_map(broadcast::SeqSet::ranges).map(|range| (range.first.0, range.last.0)).collect()
    }

    /// Until exactly these are safe. Time passes, a little with each look.
    pub(crate) async fn until_safe(&self, ranges: &[(u64, u64)]) {
        self.until_later(&format!("{ranges:?} are safe"), async |world| world.safe().await == ranges).await;
    }

    /// Until a condition holds. Time passes, a little with each look.
    pub(crate) async fn until_later(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        self.until_passed(Duration::from_millis(50), what, holds).await;
    }

    /// The same, with so much time after each hundred looks.
    pub(crate) async fn until_passed(&self, step: Duration, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        for look in 0..LOOKS_MAX {
            if holds(self).await {
                return;
            }
            if look % LOOKS_PER_STEP == LOOKS_PER_STEP - 1 {
                self.keep_pace_with_the_disk().await;
                tokio::time::advance(step).await;
            }
            tokio::task::yield_now().await;
        }
        panic!("never came: {what}");
    }

    /// Real disks need real time, and some need much: calls that are waited for with a limit would seem to take for ever. So no
    /// time passes, and nobody looks any further, before the disk has kept something.
    async fn keep_pace_with_the_disk(&self) {
        let file = self.dir.path().join("pace");
        let kept = Tasks::blocking(move || std::fs::File::create(file).and_then(|file| file.sync_all()));
        kept.await.unwrap();
    }

    /// A counter of this life of the recorder.
    fn counted(&self, name: &str) -> u64 {
        let families = self.life.as_ref().unwrap().registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        family.get_metric()[0].get_counter().get_value() as u64
    }

    /// Attempts to copy what could not be read here.
    pub(crate) fn unreadable(&self) -> u64 {
        self.counted("headwater_recorder_unreadable_total")
    }

    /// Copies that failed otherwise.
    pub(crate) fn hot_failures(&self) -> u64 {
        self.counted("headwater_recorder_hot_failures_total")
    }

    pub(crate) fn is_hot_away(&self) -> bool {
        let families = self.life.as_ref().unwrap().registry.gather();
        let family = families.iter().find(|family| family.name() == "headwater_recorder_hot_away").unwrap();
        family.get_metric()[0].get_gauge().get_value() > 0.0
    }

    /// Objects that the disk has changed.
    pub(crate) fn damaged(&self) -> u64 {
        self.counted("headwater_recorder_damaged_total")
    }

    /// How often all broadcasts have been looked at for what was lost.
    pub(crate) fn looked_through(&self) -> u64 {
        self.counted("headwater_recorder_looked_through_total")
    }

    /// POST that the owner sends about the broadcast.
    pub(crate) async fn say(&self, what: &str, body: impl Into<Body>) -> Answer {
        self.ask(Method::POST, &format!("/v1/broadcasts/{}/{what}", self.id), &[OWNER], body).await
    }

    /// The log, whatever mood the store is in. Nothing, if it is gone.
    pub(crate) async fn entries(&self) -> Vec<LogEntry> {
        self.log.store().read(self.id, EventIndex(0), usize::MAX).await.unwrap_or_default()
    }

    /// Appends so many entries that say nothing of segments.
    pub(crate) async fn lengthen(&self, count: usize) {
        let events: Vec<Event> = (0..count).map(|n| Event::RecordedBy { node: format!("r{}", n % 2) }).collect();
        for events in events.chunks(COMMIT_EVENTS_MAX) {
            self.log.store().commit(self.id, events, Expect::Any).await.unwrap();
        }
    }

    /// The store was away, and has lost all but the first `kept` entries.
    pub(crate) async fn forget(&self, kept: usize) {
        self.replace_log(&self.entries().await[..kept]).await;
    }

    /// The store was away, and has this log now.
    pub(crate) async fn replace_log(&self, log: &[LogEntry]) {
        let breaks = self.log.breaks.load(Ordering::SeqCst) + 1;
        let path = self.dir.path().join(format!("metadata{breaks}.db"));
        let sqlite = Sqlite::open(&path, Limits::default(), Clock::from_tokio(START_MS)).await.unwrap();
        if !log.is_empty() {
            sqlite.put_back(self.id, log, StoreTime(i64::MAX)).await.unwrap();
        }
        *self.log.store.lock().unwrap() = Arc::new(sqlite);
        self.log.breaks.store(breaks, Ordering::SeqCst);
    }

    /// The broadcast as its log tells it, whatever mood the store is in.
    pub(crate) async fn broadcast(&self) -> Broadcast {
        Broadcast::replay(&self.entries().await).unwrap().unwrap()
    }

    /// The segments of `main`, in order.
    pub(crate) async fn stored(&self) -> Vec<Arc<Segment>> {
        let broadcast = self.broadcast().await;
        let main = broadcast.rendition(&RenditionName::main());
        main.map(|main| main.segments().cloned().collect()).unwrap_or_default()
    }

    /// Which of `media` the segments of `main` are, by their number.
    pub(crate) async fn recorded(&self, media: &Media) -> Vec<(u64, usize)> {
        let place = |segment: &Arc<Segment>| {
            let is = |bytes: &Bytes| broadcast::Digest::of_blake3(blake3::hash(bytes).as_bytes()) == segment.digest;
            (segment.seq.0, media.segments.iter().position(is).unwrap())
        };
        self.stored().await.iter().map(place).collect()
    }

    /// How wide the pictures of each segment of `main` are, by the init section that it was given.
    pub(crate) async fn widths(&self) -> Vec<u32> {
        let broadcast = self.broadcast().await;
        let main = broadcast.rendition(&RenditionName::main()).unwrap();
        let width = |segment: &Arc<Segment>| main.format(segment.format).unwrap().resolution.unwrap().width;
        main.segments().map(width).collect()
    }

    /// Until so many segments of `main` are in the log.
    pub(crate) async fn until_stored(&self, count: usize) {
        self.until(&format!("{count} segments"), async |world| world.stored().await.len() == count).await;
    }

    /// Until a condition holds. Time does not pass.
    pub(crate) async fn until(&self, what: &str, holds: impl AsyncFn(&Self) -> bool) {
        for look in 0..LOOKS_MAX {
            if holds(self).await {
                return;
            }
            if look % LOOKS_PER_STEP == LOOKS_PER_STEP - 1 {
                self.keep_pace_with_the_disk().await;
            }
            tokio::task::yield_now().await;
        }
        panic!("never came: {what}");
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const OWNER: (&str, &str) = ("authorization", "Bearer the-owner-of-the-test");

/// An answer that has arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Which kind of problem it is.
    pub(crate) fn problem(&self) -> String {
        self.json()["type"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }
}

/// The real store, and how it feels.
#[derive(Debug)]
pub(crate) struct Moody {
    store: Mutex<Arc<Sqlite>>,
    mood: AtomicU8,
    /// Nothing can be written of this broadcast: a part of a cluster is away.
    away_for: Mutex<Option<BroadcastId>>,
    /// Nothing is answered that is asked of this broadcast, and nothing refused.
    hangs_for: watch::Sender<Option<BroadcastId>>,
    /// How many times it has forgotten something.
    breaks: AtomicU64,
    /// What somebody else commits just before the next end.
    before_end: Mutex<Option<Event>>,
}

/// What a store does with the calls it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mood {
    Well,
    /// It can be read, and nothing can be written.
    ReadOnly,
    Away,
    /// What is written is written, and said to have failed.
    Deaf,
}

impl Moody {
    fn new(store: Sqlite) -> Self {
        let mood = AtomicU8::new(Mood::Well as u8);
        Self {
            store: Mutex::new(Arc::new(store)),
            mood,
            away_for: Mutex::default(),
            hangs_for: watch::Sender::new(None),
            breaks: AtomicU64::new(0),
            before_end: Mutex::default(),
        }
    }

    fn store(&self) -> Arc<Sqlite> {
        self.store.lock().unwrap().clone()
    }

    pub(crate) fn feel(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }

    pub(crate) fn go_away_for(&self, id: Option<BroadcastId>) {
        *self.away_for.lock().unwrap() = id;
    }

    /// Just before the next end is committed, somebody else commits this.
    pub(crate) fn commit_before_end(&self, event: Event) {
        *self.before_end.lock().unwrap() = Some(event);
    }

    pub(crate) fn hang_for(&self, id: Option<BroadcastId>) {
        self.hangs_for.send_replace(id);
    }

    fn answers_unless(&self, moods: &[Mood]) -> Result<Arc<Sqlite>, MetadataError> {
        let mood = self.mood.load(Ordering::SeqCst);
        if moods.iter().any(|other| *other as u8 == mood) {
            return Err(MetadataError::Unavailable(Arc::from(Box::from("out of sorts"))));
        }
        Ok(self.store())
    }
}

#[async_trait]
impl Metadata for Moody {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        self.answers_unless(&[Mood::Away, Mood::ReadOnly])?.open(id, opened).await
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        if *self.away_for.lock().unwrap() == Some(id) {
            return Err(MetadataError::Unavailable(Arc::from(Box::from("a part is away"))));
        }
        let store = self.answers_unless(&[Mood::Away, Mood::ReadOnly])?;
        if events.iter().any(|event| matches!(event, Event::Ended { .. })) {
            let before = self.before_end.lock().unwrap().take();
            store.commit(id, before.as_slice(), Expect::Any).await?;
        }
        let done = store.commit(id, events, expect).await;
        self.answers_unless(&[Mood::Deaf])?;
        done
    }

    async fn put_back(&self, id: BroadcastId, entries: &[LogEntry], until: StoreTime) -> Result<(), MetadataError> {
        self.answers_unless(&[Mood::Away, Mood::ReadOnly])?.put_back(id, entries, until).await
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.hangs_for.subscribe().wait_for(|hangs| *hangs != Some(id)).await.expect("the sender is here");
        self.answers_unless(&[Mood::Away])?.read(id, from, max).await
    }

    async fn wait_beyond(&self, id: BroadcastId, known: Known<'_>, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.store().wait_beyond(id, known, max).await
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.answers_unless(&[Mood::Away])?.list(after, max).await
    }

    fn horizon(&self) -> Option<StoreTime> {
        self.store().horizon()
    }

    fn time(&self) -> Option<StoreTime> {
        self.store().time()
    }

    fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::SeqCst)
    }

    fn health(&self) -> Result<(), MetadataError> {
        self.answers_unless(&[Mood::Away, Mood::ReadOnly])?.health()
    }
}

/// Segments of one second, each unlike the others.
pub(crate) struct Media {
    /// Of fragmented MP4.
    pub(crate) init: Bytes,
    pub(crate) segments: Vec<Bytes>,
}

const ENCODE: &str = "-hide_banner -loglevel error -nostdin -f lavfi -i testsrc2=s=128x72:r=10 -t 6 -c:v libx264 \
                      -preset ultrafast -g 10 -keyint_min 10 -sc_threshold 0 -f hls -hls_time 1 -hls_list_size 0";

impl Media {
    /// Six segments of MPEG-TS.
    pub(crate) fn ts() -> &'static Self {
        static TS: OnceLock<Media> = OnceLock::new();
        TS.get_or_init(|| Self::encode("ts", "-hls_segment_type mpegts"))
    }

    /// Six segments of fragmented MP4.
    pub(crate) fn fmp4() -> &'static Self {
        static FMP4: OnceLock<Media> = OnceLock::new();
        FMP4.get_or_init(|| Self::encode("m4s", "-hls_segment_type fmp4"))
    }

    /// The same in another size, which needs another init section.
    pub(crate) fn small_fmp4() -> &'static Self {
        static SMALL: OnceLock<Media> = OnceLock::new();
        SMALL.get_or_init(|| Self::encode("m4s", "-hls_segment_type fmp4 -vf scale=64:36"))
    }

    fn encode(extension: &str, options: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let playlist = dir.path().join("out.m3u8").into_os_string().into_string().unwrap();
        let args = format!("{ENCODE} {options}");
        Tool::find("ffmpeg").run(args.split_ascii_whitespace().chain([playlist.as_str()]));
        let read = |name: String| std::fs::read(dir.path().join(name)).map(Bytes::from);
        let segments = (0..6).map(|n| read(format!("out{n}.{extension}")).unwrap()).collect();
        Self { init: read("init.mp4".to_owned()).unwrap_or_default(), segments }
    }
}

//! The uplink with recorders in memory, in simulated time: whom it asks, to whom it sends, and how soon it goes to another.

mod dating;
mod ending;
mod holding;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use broadcast::{Digest, Format, MediaTime, Opened, RenditionName, Segment, SeqRange, StoreTime, ViewPolicy};
use bytes::Bytes;
use metadata::{Expect, Limits, Sqlite};
use service::Tasks;
use storage::{Blob, Crash, StorageConfig};
use tempfile::TempDir;

use super::*;
use crate::ledger::tests::segment;
use crate::remote::{Acknowledged, ArrivedRange, Bundled, Outgoing, Over, Part, Routed, Said};

const BEGINNING_MS: i64 = 1_790_000_000_000;
/// How long an answer is on its way.
const LATENCY: Duration = Duration::from_millis(20);

fn id() -> BroadcastId {
    BroadcastId::new(1_790_000_000_000, 7)
}

/// How an address behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Nobody listens there.
    Dead,
    /// 503, come back in a minute.
    Busy,
    /// Nothing comes back.
    Hangs,
    /// It knows where to send, and takes nothing.
    Balancer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Route,
    Status,
    Said,
    Segment(u64),
}

/// What was asked of whom, and when it was granted.
#[derive(Clone, Debug)]
struct Call {
    at_ms: i64,
    to: String,
    what: Asked,
}

/// All recorders and balancers, which share one log.
#[derive(Debug)]
struct Far {
    clock: Clock,
    state: Mutex<FarState>,
}

#[derive(Debug)]
struct FarState {
    moods: BTreeMap<&'static str, Mood>,
    /// What balancers tell, if they do, and for how long that holds.
    route: Option<Vec<&'static str>>,
    ttl: Duration,
    broadcast: Broadcast,
    /// Whether it was ended there.
    over: Over,
    said: Vec<Said>,
    granted: Vec<Call>,
    /// When each segment was captured, by what was ever said with it.
    captured: BTreeMap<u64, BTreeSet<CapturedAt>>,
    stored_is_safe: bool,
    /// A segment that comes with other bytes than its digest says.
    damaged: Option<u64>,
    /// Who takes nothing that is captured now: its clock is behind.
    behind: Option<&'static str>,
    /// How often something was refused for lying ahead.
    too_early: u32,
    /// A file that is lost once a bundle is on its way.
    torn: Option<std::path::PathBuf>,
}

impl Far {
    fn new(clock: Clock, moods: &[(&'static str, Mood)], route: Option<&[&'static str]>) -> Arc<Self> {
        let state = FarState {
            moods: moods.iter().copied().collect(),
            route: route.map(<[_]>::to_vec),
            ttl: Duration::from_secs(30),
            broadcast: nothing(),
            over: Over::No,
            said: Vec::new(),
            granted: Vec::new(),
            captured: BTreeMap::new(),
            stored_is_safe: false,
            damaged: None,
            behind: None,
            too_early: 0,
            torn: None,
        };
        Arc::new(Self { clock, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, FarState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metadata store forgets what has come.
    fn forget(&self) {
        self.state().broadcast = nothing();
    }

    fn set(&self, url: &'static str, mood: Mood) {
        self.state().moods.insert(url, mood);
    }

    /// Who has what was asked, in the order in which it was granted.
    fn granted(&self) -> Vec<Call> {
        self.state().granted.clone()
    }

    async fn ask(&self, to: &RecorderUrl, what: Asked) -> Result<(), RemoteError> {
        self.clock.sleep(LATENCY).await;
        let mood = self.state().moods.get(to.0.as_str()).copied().unwrap_or(Mood::Dead);
        match mood {
            Mood::Well => {}
            Mood::Balancer if what == Asked::Route => {}
            Mood::Balancer => return Err(RemoteError::NoBroadcast),
            Mood::Dead => return Err(RemoteError::Unreachable { reason: "connection refused".to_owned() }),
            Mood::Busy => {
                let retry_after = Some(Duration::from_secs(60));
                return Err(RemoteError::Busy { retry_after, detail: "no room".to_owned() });
            }
            Mood::Hangs => std::future::pending().await,
        }
        let at_ms = self.clock.now_ms() - BEGINNING_MS;
        self.state().granted.push(Call { at_ms, to: to.0.clone(), what });
        Ok(())
    }
}

#[async_trait]
impl Remote for Far {
    async fn route(&self, balancer: &RecorderUrl) -> Result<Option<Routed>, RemoteError> {
        self.ask(balancer, Asked::Route).await?;
        let state = self.state();
        let url = |name: &&str| RecorderUrl((*name).to_owned());
        let routed = |recorders: &Vec<&str>| Routed { recorders: recorders.iter().map(url).collect(), ttl: state.ttl };
        Ok(state.route.as_ref().map(routed))
    }

    async fn status(&self, recorder: &RecorderUrl) -> Result<RemoteStatus, RemoteError> {
        self.ask(recorder, Asked::Status).await?;
        let state = self.state();
        let of_rendition = |rendition: &broadcast::Rendition| {
            let stored = |segment: &Arc<Segment>| {
                let seqs = SeqRange::one(segment.seq);
                let mut safe = SeqSet::default();
                if state.stored_is_safe {
                    safe.insert(seqs);
                }
                ArrivedRange { seqs, digest: rendition.digest_of(seqs).unwrap(), safe }
            };
            (rendition.name().clone(), rendition.segments().map(stored).collect())
        };
        Ok(RemoteStatus {
            server_time_ms: self.clock.now_ms(),
            over: state.over,
            elsewhere: BTreeMap::new(),
            arrived: state.broadcast.renditions().iter().map(of_rendition).collect(),
            ..RemoteStatus::default()
        })
    }

    async fn put_segment(&self, recorder: &RecorderUrl, outgoing: Outgoing) -> Result<Acknowledged, RemoteError> {
        self.ask(recorder, Asked::Segment(outgoing.segment.seq.0)).await?;
        let body = outgoing.body.collect().await;
        body.map_err(|error| RemoteError::Unreadable { reason: error.to_string() })?;
        let mut state = self.state();
        if state.damaged == Some(outgoing.segment.seq.0) {
            state.granted.pop();
            return Err(RemoteError::Damaged { detail: "the digest differs".to_owned() });
        }
        if outgoing.captured_at.0 > self.clock.now_ms() + 60_000 || state.behind == Some(recorder.0.as_str()) {
            state.too_early += 1;
            state.granted.pop();
            return Err(RemoteError::Ahead { detail: "is the clock right?".to_owned() });
        }
        state.captured.entry(outgoing.segment.seq.0).or_default().insert(outgoing.captured_at);
        let (index, at) = (state.broadcast.next_index(), StoreTime(self.clock.now_ms()));
        let event = Event::Stored(Segment::clone(&outgoing.segment));
        state.broadcast.apply(&LogEntry { index, at, event }).unwrap();
        Ok(Acknowledged { safe: false, closing: state.over == Over::Closing })
    }

    async fn put_init(&self, _: &RecorderUrl, _: &RenditionName, _: Bytes) -> Result<(), RemoteError> {
        unreachable!("these segments need none")
    }

    async fn put_bundle(&self, recorder: &RecorderUrl, parts: Vec<Part>) -> Bundled {
        let torn = self.state().torn.take();
        if let Some(path) = torn {
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1).unwrap();
            std::fs::remove_file(path).unwrap();
            return broken_off(parts).await;
        }
        let mut bundled = Bundled::default();
        for part in parts {
            let Part::Segment(outgoing) = part else { continue };
            match self.put_segment(recorder, outgoing).await {
                Ok(acknowledged) => bundled.segments.push(Ok(acknowledged)),
                Err(error @ (RemoteError::Ahead { .. } | RemoteError::Damaged { .. })) => {
                    bundled.segments.push(Err(error))
                }
                Err(error) => return Bundled { broke: Some(error), ..bundled },
            }
        }
        bundled
    }

    async fn say(&self, recorder: &RecorderUrl, said: &Said) -> Result<(), RemoteError> {
        self.ask(recorder, Asked::Said).await?;
        let mut state = self.state();
        state.said.push(said.clone());
        if matches!(said, Said::End { .. }) {
            state.over = Over::Ended;
        }
        Ok(())
    }
}

/// Nothing of it is stored yet when its bytes end too soon.
async fn broken_off(parts: Vec<Part>) -> Bundled {
    for part in parts {
        let Part::Segment(outgoing) = part else { continue };
        if let Err(error) = outgoing.body.collect().await {
            let broke = Some(RemoteError::Unreadable { reason: error.to_string() });
            return Bundled { segments: vec![], broke };
        }
    }
    panic!("all of it can be read");
}

fn opened() -> Opened {
    Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: false }
}

/// A log in which nothing has come.
fn nothing() -> Broadcast {
    Broadcast::open(&LogEntry { index: EventIndex(0), at: StoreTime(0), event: Event::Opened(opened()) }).unwrap()
}

/// A spool with its uplink.
struct Rig {
    far: Arc<Far>,
    clock: Clock,
    metadata: Arc<Sqlite>,
    store: LocalStore,
    disk: Crash,
    recorded: u64,
    deps: Deps,
    life: Life,
    dir: TempDir,
}

/// One run of the uplink.
struct Life {
    status: watch::Receiver<Status>,
    ended: tokio::sync::oneshot::Receiver<Result<(), UplinkError>>,
    tasks: Tasks,
}

impl Life {
    async fn begin(deps: Deps) -> Self {
        let uplink = Uplink::new(id(), deps, UplinkConfig::default()).await.unwrap();
        let (status, tasks) = (uplink.status(), Tasks::new());
        let ((tell, ended), stop) = (tokio::sync::oneshot::channel(), tasks.stop_token());
        tasks.spawn("uplink", async move {
            tokio::select! {
                done = uplink.run() => drop(tell.send(done)),
                () = stop.cancelled() => {}
            }
        });
        Self { status, ended, tasks }
    }
}

/// A disk with room enough, which fails as `crash` says.
async fn open_store(crash: &Crash, dir: &TempDir) -> LocalStore {
    LocalStore::open_on_failing_disk(crash.clone(), 1 << 40, dir.path(), StorageConfig::default()).await.unwrap()
}

impl Rig {
    /// An uplink that was given the address `to`.
    async fn start(to: &str, moods: &[(&'static str, Mood)], route: Option<&[&'static str]>) -> Self {
        Self::start_again(to, &[], moods, route).await
    }

    /// One that was told of these recorders in an earlier run.
    async fn start_again(
        to: &str,
        remembered: &[&str],
        moods: &[(&'static str, Mood)],
        route: Option<&[&'static str]>,
    ) -> Self {
        service::simulate_on_this_thread();
        let (dir, clock) = (TempDir::new().unwrap(), Clock::from_tokio(BEGINNING_MS));
        // They have a clock of their own.
        let far = Far::new(Clock::from_tokio(BEGINNING_MS), moods, route);
        let disk = Crash::default();
        let store = open_store(&disk, &dir).await;
        let metadata = Sqlite::open(&dir.path().join("metadata"), Limits::default(), clock.clone()).await.unwrap();
        let metadata = Arc::new(metadata);
        Metadata::open(&*metadata, id(), &opened()).await.unwrap();
        let format = Event::Format(Format {
            rendition: RenditionName::main(),
            id: segment(0).format,
            container: segment(0).container,
            codecs: "avc1.64001f".to_owned(),
            resolution: None,
            frame_rate_milli: None,
            init: None,
        });
        metadata.commit(id(), &[format], Expect::Any).await.unwrap();
        let deps = Deps {
            metadata: metadata.clone(),
            store: store.clone(),
            remote: far.clone(),
            recorders: vec![RecorderUrl(to.to_owned())],
            remembered: remembered.iter().map(|url| RecorderUrl((*url).to_owned())).collect(),
            clock: clock.clone(),
            random: Random::seeded(1),
        };
        let life = Life::begin(deps.clone()).await;
        Self { far, clock, metadata, store, disk, recorded: 0, deps, life, dir }
    }

    /// Kills the uplink, and starts it again.
    async fn begin_again(&mut self) {
        self.life.tasks.shutdown().await;
        self.life = Life::begin(self.deps.clone()).await;
    }

    fn status(&self) -> Status {
        self.life.status.borrow().clone()
    }

    /// Records a segment that has just been captured; when that was.
    async fn record(&mut self) -> i64 {
        let segment = self.capture().await;
        self.metadata.commit(id(), &[Event::Stored(segment)], Expect::Any).await.unwrap();
        self.clock.now_ms() - BEGINNING_MS
    }

    /// The bytes of the next one are in the spool, and not in its log.
    async fn capture(&mut self) -> Segment {
        self.capture_as(CapturedAt(self.clock.now_ms() - 2_000), MediaTime(0)).await
    }

    async fn capture_as(&mut self, captured_at: CapturedAt, media_start: MediaTime) -> Segment {
        let seq = self.recorded;
        self.recorded += 1;
        let digest = Digest([u8::try_from(seq).unwrap(); 16]);
        let segment = Segment { captured_at, media_start, digest, len: 1_000, ..segment(seq) };
        self.store.put(&Key::of_segment(id(), &segment), Blob::from(Bytes::from(vec![1; 1_000]))).await.unwrap();
        segment
    }

    /// Records one every two seconds; how long after its capture each was stored far away, and by whom.
    async fn record_many(&mut self, count: u64) -> Vec<(i64, String)> {
        let first = self.recorded;
        let mut recorded_at = Vec::new();
        for _ in 0..count {
            recorded_at.push(self.record().await);
            self.pass(2_000).await;
        }
        self.pass(8_000).await;
        let granted = self.far.granted();
        let of = |(position, at_ms): (usize, i64)| {
            let what = Asked::Segment(first + position as u64);
            let call = granted.iter().find(|call| call.what == what).unwrap_or_else(|| panic!("{what:?}: {granted:?}"));
            (call.at_ms - at_ms, call.to.clone())
        };
        recorded_at.into_iter().enumerate().map(of).collect()
    }

    async fn pass(&self, ms: u64) {
        self.clock.sleep(Duration::from_millis(ms)).await;
    }

    /// How often this was granted by `to`, or by anybody.
    fn count(&self, what: &Asked, to: Option<&str>) -> usize {
        let granted = self.far.granted();
        granted.iter().filter(|call| call.what == *what && to.is_none_or(|to| call.to == to)).count()
    }

    async fn stop(self) {
        self.life.tasks.shutdown().await;
        self.metadata.shutdown().await;
    }
}

/// That each was stored by `by`, soon.
#[track_caller]
fn check(sent: &[(i64, String)], by: &str, within_ms: i64) {
    for (position, (took_ms, to)) in sent.iter().enumerate() {
        assert!(to == by && *took_ms <= within_ms, "segment {position} of {sent:?}");
    }
}

use Mood::{Balancer, Busy, Dead, Hangs, Well};

#[tokio::test(start_paused = true)]
async fn it_asks_first_and_sends_to_the_best() {
    let mut rig = Rig::start("balancer", &[("balancer", Balancer), ("a", Well), ("b", Well)], Some(&["a", "b"])).await;
    check(&rig.record_many(3).await, "a", 600);
    assert_eq!(rig.far.granted()[0].what, Asked::Route);
    assert_eq!(rig.status().recorder.as_deref(), Some("a"));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_balancer_it_sends_to_the_address_it_was_given() {
    let mut rig = Rig::start("a", &[("a", Well)], None).await;
    check(&rig.record_many(3).await, "a", 600);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_is_passed_over_at_once() {
    // A refusal and a 503 cost a round trip or two; silence costs what a live segment may stand still.
    for (mood, within_ms) in [(Dead, 500), (Busy, 500), (Hangs, 2_500 + 500)] {
        let moods = [("balancer", Balancer), ("a", Well), ("b", Well)];
        let mut rig = Rig::start("balancer", &moods, Some(&["a", "b"])).await;
        check(&rig.record_many(2).await, "a", 600);
        rig.far.set("a", mood);
        let sent = rig.record_many(8).await;
        check(&sent[..2], "b", within_ms);
        check(&sent[2..], "b", 500);
        assert_eq!(rig.status().trouble, None, "{mood:?}: another one answers");
        // And already at the start.
        rig.stop().await;
        let mut rig =
            Rig::start("balancer", &[("balancer", Balancer), ("a", mood), ("b", Well)], Some(&["a", "b"])).await;
        check(&rig.record_many(4).await, "b", within_ms);
        rig.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_returns_to_the_better_one_once_that_answers() {
    let moods = [("balancer", Balancer), ("a", Dead), ("b", Well)];
    let mut rig = Rig::start("balancer", &moods, Some(&["a", "b"])).await;
    check(&rig.record_many(5).await, "b", 1_000);
    rig.far.set("a", Well);
    // Asked for its status, not tried with what is live.
    rig.pass(8_000).await;
    assert!(rig.count(&Asked::Status, Some("a")) > 0);
    check(&rig.record_many(5).await, "a", 600);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_asks_again_when_the_answer_is_old_and_follows() {
    let moods = [("balancer", Balancer), ("a", Well), ("b", Well)];
    let mut rig = Rig::start("balancer", &moods, Some(&["a", "b"])).await;
    check(&rig.record_many(2).await, "a", 600);
    assert_eq!(rig.count(&Asked::Route, None), 1);
    rig.far.state().route = Some(vec!["b", "a"]);
    rig.pass(33_000).await;
    assert_eq!(rig.count(&Asked::Route, None), 2);
    check(&rig.record_many(2).await, "b", 600);
    // A balancer that is gone takes nothing with it.
    rig.far.set("balancer", Dead);
    rig.pass(100_000).await;
    check(&rig.record_many(2).await, "b", 600);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_it_asks_at_once_for_others() {
    let moods = [("balancer", Balancer), ("a", Well), ("b", Well), ("new", Well)];
    let mut rig = Rig::start("balancer", &moods, Some(&["a", "b"])).await;
    check(&rig.record_many(2).await, "a", 600);
    rig.far.set("a", Dead);
    rig.far.set("b", Dead);
    rig.far.state().route = Some(vec!["new"]);
    let sent = rig.record_many(3).await;
    check(&sent[..1], "new", 5_000);
    check(&sent[2..], "new", 600);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn any_recorder_may_tell_when_the_address_given_is_dead() {
    let moods = [("a", Well), ("b", Well), ("c", Well)];
    let mut rig = Rig::start("a", &moods, Some(&["a", "b"])).await;
    check(&rig.record_many(2).await, "a", 600);
    rig.far.set("a", Dead);
    rig.far.state().route = Some(vec!["c", "b"]);
    rig.pass(45_000).await;
    assert!(rig.count(&Asked::Route, Some("b")) > 0);
    check(&rig.record_many(2).await, "c", 600);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_was_named_in_an_earlier_run_may_tell_too() {
    let moods = [("balancer", Dead), ("a", Dead), ("b", Well), ("c", Well)];
    let mut rig = Rig::start_again("balancer", &["a", "b"], &moods, Some(&["c", "b"])).await;
    rig.pass(3_000).await;
    assert_eq!(rig.status().route, ["c", "b"]);
    check(&rig.record_many(3).await, "c", 600);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_balancer_without_recorders_ends_nothing() {
    let moods = [("balancer", Balancer), ("a", Dead)];
    let mut rig = Rig::start("balancer", &moods, Some(&["a"])).await;
    rig.record().await;
    rig.pass(20_000).await;
    assert!(rig.life.ended.try_recv().is_err(), "it goes on");
    assert!(rig.status().trouble.as_ref().is_some_and(|why| why.contains("a cannot be reached")));
    rig.far.set("a", Well);
    rig.pass(10_000).await;
    assert_eq!(rig.count(&Asked::Segment(0), Some("a")), 1);
    rig.stop().await;
}

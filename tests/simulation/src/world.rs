//! A world: some phones, some recorders, one metadata store, and a time of faults. Everything in it follows from a seed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use broadcast::{Broadcast, BroadcastId, Event, EventIndex, Extent, Key, RenditionName, State, View};
use http::Request;
use metadata::{Limits, Metadata, Sqlite};
use recorder::{HotConfig, RecorderConfig};
use service::{Clock, Random, Tasks};
use storage::Crash;
use tokio::sync::{Notify, oneshot};

use crate::dice::Dice;
use crate::disks::Disks;
use crate::faults::Faults;
use crate::hot::HotStore;
use crate::network::Link;
use crate::node::{Node, Nodes, OWNER_KEY, open_store};
use crate::phone::{Habits, Phone};
use crate::signal::Signal;
use crate::store::{Mood, STORE_FILE, SharedStore, store_dir};
use crate::truth::Truth;
use crate::viewer::Viewer;
use crate::{Options, Outcome, Safeguard};

/// When every world begins, in milliseconds since the Unix epoch.
const START_MS: i64 = 1_790_000_000_000;
/// How long everything may take to be complete once nothing fails any more.
const MENDED_WITHIN: Duration = Duration::from_secs(3_600);
/// How long the views may take to show the end.
const SHOWN_WITHIN: Duration = Duration::from_secs(120);

struct World {
    store: Arc<SharedStore>,
    nodes: Nodes,
    disks: Disks,
    truth: Truth,
    dice: Dice,
    tasks: Tasks,
    clock: Clock,
}

/// Lets a world go by. Its disks are in `dir`.
pub(crate) async fn run(seed: u64, dir: &Path, options: &Options) -> Outcome {
    let (truth, dice, tasks) = (Truth::new(options.tell), Dice::new(seed), Tasks::new());
    let world = World::new(dir, &truth, &dice, &tasks, options).await;
    let mut recorded_ms = 0;
    let mut phones = Vec::new();
    let faults_over = Signal::new(false);
    let faults = |phones| Faults {
        nodes: world.nodes.all().to_vec(),
        phones,
        store: world.store.clone(),
        dir: dir.to_owned(),
        dice: dice.fork(),
        truth: truth.clone(),
        tasks: tasks.clone(),
        every_ms: dice.between(5_000, 120_000),
        over: faults_over.clone(),
    };
    faults(Vec::new()).keep_alive();
    for number in 0..dice.between(1, options.phones_max) {
        let lasts_ms = dice.between(60_000, options.minutes_max * 60_000);
        recorded_ms += lasts_ms;
        phones.push(world.phone(dir, number, lasts_ms, options).await);
    }
    let befalls = faults(phones.clone());
    tasks.spawn("faults", befalls.befall());
    let mut lives = Vec::new();
    for phone in &phones {
        let (tell, told) = oneshot::channel();
        let (phone, id) = (phone.clone(), phone.id);
        let viewer = Viewer::new(id, world.store.clone(), world.disks.clone(), truth.clone());
        tasks.spawn("a viewer", viewer.watch());
        tasks.spawn("a phone", async move {
            phone.live().await;
            let _ = tell.send(());
        });
        lives.push((id, told));
    }
    let until_ms = phones.iter().map(|phone| phone.habits.until_ms).max().unwrap_or(START_MS);
    world.clock.sleep_until_ms(until_ms).await;
    world.mend(&faults_over, &phones);
    let mut done = true;
    for (id, life) in lives {
        if tokio::time::timeout(MENDED_WITHIN, life).await.is_err() {
            truth.violated(format!("{id} is not complete an hour after the last fault"));
            done = false;
        }
    }
    if done {
        tokio::time::sleep(SHOWN_WITHIN).await;
        for phone in &phones {
            world.check(phone).await;
        }
    }
    let failed = tokio::time::timeout(Duration::ZERO, tasks.failed()).await.is_ok();
    if failed {
        truth.violated("a task panicked".to_owned());
    }
    let segments = phones.iter().map(|phone| truth.recorded_of(phone.id).len() as u64).sum();
    for node in world.nodes.all() {
        node.crash(storage::Kept::Everything).await;
    }
    tasks.abort();
    tasks.shutdown().await;
    Outcome { seed, recorded_ms, segments, violations: truth.violations(), story: truth.story(), told: truth.told() }
}

impl World {
    async fn new(dir: &Path, truth: &Truth, dice: &Dice, tasks: &Tasks, options: &Options) -> Self {
        std::fs::create_dir_all(store_dir(dir, 0)).expect("a directory can be made");
        let clock = Clock::from_tokio(START_MS);
        let log = Sqlite::open(&store_dir(dir, 0).join(STORE_FILE), Limits::default(), clock.clone()).await;
        let store = Arc::new(SharedStore::new(log.expect("a new file"), store_dir(dir, 0), clock.clone(), dice.fork()));
        let hot = if dice.chance(500) { Some(hot(dir, dice).await) } else { None };
        let config = RecorderConfig {
            hot: HotConfig { keep_bytes: [Some(0), Some(50_000), None][dice.index(3)], ..HotConfig::default() },
            ..RecorderConfig::default()
        };
        let node = |number: u64| {
            let name = format!("r{number}");
            Arc::new(Node {
                dir: dir.join(&name),
                name,
                disk: disk(options),
                clock: skewed(dice),
                random: Random::seeded(dice.roll()),
                metadata: store.clone(),
                hot: hot.clone(),
                config: config.clone(),
                life: Mutex::default(),
                killed: Notify::new(),
                crashes: AtomicU64::new(0),
                loses_disk: AtomicBool::new(false),
            })
        };
        let nodes: Vec<_> = (0..dice.between(1, 3)).map(node).collect();
        let dirs = nodes.iter().map(|node| node.dir.clone()).chain([dir.join("hot")]).collect();
        let disks = Disks::new(dirs, hot.is_some());
        let nodes = Nodes::new(nodes, truth.clone(), dice.fork());
        Self { store, nodes, disks, truth: truth.clone(), dice: dice.clone(), tasks: tasks.clone(), clock }
    }

    async fn phone(&self, dir: &Path, number: u64, lasts_ms: u64, options: &Options) -> Arc<Phone> {
        let id = self.create().await;
        let dir = dir.join(format!("p{number}"));
        std::fs::create_dir_all(&dir).expect("a directory can be made");
        let clock = skewed(&self.dice);
        let habits = Habits {
            segment_ms: self.dice.between(250, 2_500) * 4,
            padding_packets: self.dice.between(0, 20) as usize,
            until_ms: clock.now_ms() + lasts_ms.cast_signed(),
            pauses: self.dice.between(0, 10),
            keep_bytes: [0, 20_000, 1 << 30][self.dice.index(3)],
        };
        Arc::new(Phone {
            id,
            dir,
            disk: disk(options),
            random: Random::seeded(self.dice.roll()),
            dice: self.dice.fork(),
            link: Link::new(clock.instant()),
            clock,
            nodes: self.nodes.clone(),
            truth: self.truth.clone(),
            tasks: self.tasks.clone(),
            habits,
            killed: Notify::new(),
        })
    }

    /// A broadcast, before anything fails.
    async fn create(&self) -> BroadcastId {
        let host = self.nodes.all()[0].name.clone();
        loop {
            let request = Request::post("/v1/broadcasts")
                .header("authorization", format!("Bearer {OWNER_KEY}"))
                .header("content-type", "application/json")
                .body(Body::from(r#"{"title":"simulated"}"#))
                .expect("a request");
            if let Some(served) = self.nodes.serve(&host, request) {
                let answer = served.await.expect("nothing fails as yet").into_body();
                let answer: serde_json::Value = serde_json::from_slice(&answer).expect("an answer in JSON");
                return answer["id"].as_str().and_then(|id| id.parse().ok()).expect("a broadcast");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// From now on nothing fails.
    fn mend(&self, faults_over: &Signal<bool>, phones: &[Arc<Phone>]) {
        self.truth.note(&"everything is mended");
        faults_over.change(|over| *over = true);
        self.store.mood.change(|mood| *mood = Mood::default());
        if let Some(hot) = &self.nodes.all()[0].hot {
            hot.away.change(|away| *away = false);
        }
        phones.iter().for_each(|phone| phone.link.set(|condition| *condition = crate::network::Condition::GOOD));
    }

    /// What was recorded is there, and nothing else is.
    async fn check(&self, phone: &Phone) {
        let id = phone.id;
        let log = self.store.log().read(id, EventIndex(0), usize::MAX).await.expect("the log can be read");
        let broadcast = match Broadcast::replay(&log) {
            Ok(Some(broadcast)) => broadcast,
            other => return self.truth.violated(format!("the log of {id} is none: {other:?}")),
        };
        let mut once = BTreeSet::new();
        for entry in &log {
            if let Event::Stored(segment) = &entry.event
                && !once.insert(segment.seq)
            {
                self.truth.violated(format!("{id} {} is in the log twice", segment.seq));
            }
        }
        let now = self.store.log().horizon().expect("it was reached");
        if broadcast.state(now) != State::Complete {
            return self.truth.violated(format!("{id} is {:?}, not complete", broadcast.state(now)));
        }
        let main = RenditionName::main();
        let recorded = self.truth.recorded_of(id);
        let Some(rendition) = broadcast.rendition(&main) else {
            if !recorded.is_empty() {
                self.truth.violated(format!("nothing of {id} is there"));
            }
            return;
        };
        let safe = broadcast.safe(&main);
        for (seq, digest) in recorded.iter().chain(&self.truth.acknowledged_of(id)) {
            let found = rendition.segment(*seq);
            match found {
                None => self.truth.violated(format!("{id} {seq} is lost")),
                Some(segment) if segment.digest != *digest => self.truth.violated(format!("{id} {seq} is another")),
                Some(_) if self.disks.may_lose() && !safe.is_some_and(|safe| safe.contains(*seq)) => {
                    self.truth.violated(format!("{id} {seq} is not safe"));
                }
                Some(segment) if !self.disks.hold_whole(&Key::of_segment(id, segment), *digest) => {
                    self.truth.violated(format!("{id} {seq} is in the log, and its bytes are nowhere"));
                }
                Some(_) => {}
            }
        }
        let vod = broadcast.view(&main, View::Vod, Extent::Whole, now);
        let listed = vod.map(|vod| vod.text.lines().filter(|line| line.ends_with(".ts")).count());
        let stored = rendition.segments().count();
        let gaps = broadcast.abandoned(&main).map_or(0, |set| set.count() as usize);
        if listed.as_ref().ok().is_none_or(|listed| *listed < stored || *listed > stored + gaps) {
            self.truth.violated(format!("the vod of {id} lists {listed:?} segments of {stored}"));
        }
    }
}

async fn hot(dir: &Path, dice: &Dice) -> Arc<HotStore> {
    let store = open_store(&Crash::default(), &dir.join("hot")).await;
    Arc::new(HotStore { store, away: Signal::new(false), dice: dice.fork() })
}

/// A clock that is wrong by up to twenty seconds.
fn skewed(dice: &Dice) -> Clock {
    Clock::from_tokio(START_MS + dice.between(0, 40_000).cast_signed() - 20_000)
}

/// One that fails only as it is told to; or one that syncs nothing at all.
fn disk(options: &Options) -> Crash {
    let disk = Crash::default();
    disk.lie(options.without == Some(Safeguard::Fsync));
    disk
}

//! A world: some phones, some recorders, one metadata store, and a time of faults. Everything in it follows from a seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use broadcast::Digest;
use broadcast::{Broadcast, BroadcastId, Container, Event, EventIndex, Key, Rendition, RenditionName, State};
use http::Request;
use metadata::{Limits, Metadata, Sqlite};
use publisher::SegmentName;
use recorder::{HotConfig, RecorderConfig};
use service::{Clock, Random, Tasks};
use storage::Crash;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::camera::Form;
use crate::captured::{self, Lives};
use crate::dice::Dice;
use crate::disks::Disks;
use crate::faults::Faults;
use crate::hot::HotStore;
use crate::network::Link;
use crate::node::{Node, Nodes, OWNER_KEY, open_store};
use crate::operator::Operator;
use crate::phone::{Habits, Phone};
use crate::pushed::{Able, Pushed};
use crate::pusher::{self, Names, Pusher, Sends};
use crate::reach::Reach;
use crate::signal::{Away, Signal};
use crate::store::{Mood, STORE_FILE, SharedStore, store_dir};
use crate::truth::Truth;
use crate::viewer::Viewer;
use crate::within_reach::WithinReach;
use crate::{Options, Outcome, Safeguard, balancing, spool};

/// When every world begins, in milliseconds since the Unix epoch.
const START_MS: i64 = 1_790_000_000_000;
/// How long everything may take to be complete once nothing fails any more.
const MENDED_WITHIN: Duration = Duration::from_secs(3_600);
/// For how long a publisher is waited for: longer than a world lasts.
const GRACE_S: u32 = 24 * 3_600;
/// In which worlds a publisher is waited for only for minutes, and some stay away longer: of those with owners. The others are
/// what they were.
const HASTY_IN_EVERY: u64 = 15;
const HASTY_GRACE_S: [u64; 2] = [300, 900];
/// In which worlds there are owners who end broadcasts: the others are what they were before there were any.
const OWNERS_IN_EVERY: u64 = 3;
/// How many of a thousand broadcasts they end, and how long after their publishers, at most.
const ENDED_BY_OWNER: u64 = 700;
const ENDED_AFTER_MS: u64 = 60_000;
/// In which worlds there are stock pushers, and disks that cannot be read, by the rest of their number: the others are what they
/// were before there was any of that.
const YOUNGER_IN_EVERY: u64 = 4;
const YOUNGER_AT: u64 = 2;
const PUSHERS_MAX: u64 = 2;
/// What makes the dice of some others than those of everybody else.
const PUSHERS_SEED: u64 = 0x7075_7368;
const VIEWERS_SEED: u64 = 0x7669_6577;
const READING_SEED: u64 = 0x7265_6164;
/// How many of a thousand broadcasts that are pushed their owner ends while they are.
const PUSHED_AND_ENDED: u64 = 200;
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

impl Drop for World {
    fn drop(&mut self) {
        self.nodes.let_go();
    }
}

/// Lets a world go by. Its disks are in `dir`.
pub(crate) async fn run(seed: u64, dir: &Path, options: &Options) -> Outcome {
    let (truth, dice, tasks) = (Truth::new(options.tell), Dice::new(seed), Tasks::new());
    let hasty = seed.is_multiple_of(HASTY_IN_EVERY).then(|| Dice::new(seed.rotate_left(32)));
    let grace = hasty.as_ref().map(|dice| Duration::from_secs(dice.between(HASTY_GRACE_S[0], HASTY_GRACE_S[1])));
    let world = World::new(dir, &truth, &dice, (&tasks, grace), options).await;
    let mut recorded_ms = 0;
    let mut phones = Vec::new();
    let faults_over = Signal::new(false);
    let faults = |phones| Faults {
        nodes: world.nodes.clone(),
        disks: world.disks.clone(),
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
    if dice.chance(500) {
        let router = balancing::start(&world.nodes, &world.store, &world.clock, &tasks).await;
        world.nodes.add_balancer(tasks.clone(), router);
    }
    for number in 0..dice.between(1, options.phones_max) {
        let lasts_ms = dice.between(60_000, options.minutes_max * 60_000);
        recorded_ms += lasts_ms;
        phones.push(world.phone(dir, number, lasts_ms, options).await);
    }
    let operator = Operator { store: world.store.clone(), nodes: world.nodes.clone(), truth: truth.clone() };
    tasks.spawn("an operator", operator.clone().look_after());
    let (owners, mut within_reach) = (Dice::new(!seed), BTreeMap::new());
    for phone in phones.iter().filter(|_| seed.is_multiple_of(OWNERS_IN_EVERY) && owners.chance(ENDED_BY_OWNER)) {
        let after = Duration::from_millis(owners.between(0, world.lasts_ms(phone.habits.until) + ENDED_AFTER_MS));
        tasks.spawn("an owner", operator.clone().end(phone.id, after, owners.fork()));
        if let (Some(dice), Some(grace)) = (&hasty, grace) {
            let reach = WithinReach::new(world.store.clone(), world.nodes.clone(), phone.clone(), (after, grace));
            let stays_away = reach.clone().befall(after, dice.fork());
            tasks.spawn("what lasts longer than the grace", stays_away);
            tasks.spawn("who is within reach", reach.clone().watch());
            within_reach.insert(phone.id, reach);
        }
    }
    let pushers_dice = Dice::new(seed ^ PUSHERS_SEED);
    let pushers = world.pushers(seed, &pushers_dice, options).await;
    recorded_ms += pushers.iter().map(|pusher| world.lasts_ms(pusher.habits.until)).sum::<u64>();
    let able = Able::new(world.nodes.clone(), world.store.clone());
    let befalls = faults(phones.clone());
    let every_ms = befalls.every_ms;
    if is_younger(seed) {
        let reading = Faults { dice: Dice::new(seed ^ READING_SEED), ..befalls.clone() };
        tasks.spawn("disks that cannot be read", reading.befall_reading());
    }
    tasks.spawn("faults", befalls.befall());
    let (mut lives, mut viewers, run_is_over) = (Vec::new(), Vec::new(), Signal::new(false));
    let viewers_dice = Dice::new(seed ^ VIEWERS_SEED);
    let watch = |id, dice: &Dice| {
        let reach = (world.reach(dice), viewers_dice.fork());
        let viewer = Viewer::new(id, world.store.clone(), reach, truth.clone(), tasks.clone());
        let (has_watched, watched) = oneshot::channel();
        let watch = viewer.watch(run_is_over.clone());
        tasks.spawn("a viewer", async move {
            watch.await;
            let _ = has_watched.send(());
        });
        (id, watched)
    };
    for phone in &phones {
        let (tell, told) = oneshot::channel();
        let (phone, id) = (phone.clone(), phone.id);
        viewers.push(watch(id, &dice));
        tasks.spawn("a spool is watched", spool::watch(phone.clone(), world.safe_dirs(dir), truth.clone()));
        tasks.spawn("a phone", async move {
            phone.live().await;
            let _ = tell.send(());
        });
        lives.push((id, told));
    }
    if !pushers.is_empty() {
        tasks.spawn("who is able", able.clone().watch());
    }
    for pusher in &pushers {
        let (tell, told) = oneshot::channel();
        viewers.push(watch(pusher.id, &pushers_dice));
        tasks.spawn("the way of a pusher", pusher.clone().befall(faults_over.clone(), every_ms));
        if pushers_dice.chance(PUSHED_AND_ENDED) {
            let after = Duration::from_millis(pushers_dice.between(0, world.lasts_ms(pusher.habits.until)));
            tasks.spawn("an owner", operator.clone().end(pusher.id, after, pushers_dice.fork()));
        }
        lives.push((pusher.id, told));
        let pusher = pusher.clone();
        tasks.spawn("a pusher", async move {
            pusher.live().await;
            let _ = tell.send(());
        });
    }
    let until = phones.iter().map(|phone| phone.habits.until).chain(pushers.iter().map(|pusher| pusher.habits.until));
    let until = until.max().expect("there is a phone");
    tokio::time::sleep_until(until).await;
    world.mend(&faults_over, &phones, &pushers);
    let mut done = true;
    for (id, life) in lives {
        if tokio::time::timeout(MENDED_WITHIN, life).await.is_err() {
            truth.violated(format!("{id} is not complete an hour after the last fault"));
            done = false;
        }
    }
    let pushed = |pusher| Pushed {
        pusher,
        nodes: &world.nodes,
        disks: &world.disks,
        able: &able,
        truth: &truth,
        is_rebuilt: world.store.rebuilt.get() > 0,
        was_forgotten: world.store.has_forgotten.get(),
    };
    if done {
        for pusher in &pushers {
            operator.end_pushed(pusher.id, pushed(pusher).ends_itself()).await;
        }
        tokio::time::sleep(SHOWN_WITHIN + grace.unwrap_or_default()).await;
        for phone in &phones {
            operator.say_what_nobody_heard(phone.id, within_reach.get(&phone.id)).await;
        }
        tokio::time::sleep(SHOWN_WITHIN).await;
        for phone in &phones {
            let reach = within_reach.get(&phone.id);
            world.check(phone, reach).await;
            if let Some(reach) = reach {
                reach.judge(&world.truth).await;
            }
        }
        for pusher in &pushers {
            let log = world.store.log().read(pusher.id, EventIndex(0), usize::MAX).await.expect("the log can be read");
            pushed(pusher).check(&log);
        }
        run_is_over.change(|over| *over = true);
        for (id, viewer) in viewers {
            if tokio::time::timeout(SHOWN_WITHIN, viewer).await.is_err() {
                truth.violated(format!("the viewer of {id} does not look any more"));
            }
        }
    }
    let failed = tokio::time::timeout(Duration::ZERO, tasks.failed()).await.is_ok();
    if failed {
        truth.violated("a task panicked".to_owned());
    }
    let recorded = phones.iter().map(|phone| truth.recorded_of(phone.id).len());
    let segments = recorded.chain(pushers.iter().map(|pusher| truth.taken_of(pusher.id).len())).sum::<usize>() as u64;
    for node in world.nodes.all() {
        node.crash(storage::Kept::Everything).await;
    }
    tasks.abort();
    tasks.shutdown().await;
    Outcome { seed, recorded_ms, segments, violations: truth.violations(), story: truth.story(), told: truth.told() }
}

impl World {
    async fn new(
        dir: &Path,
        truth: &Truth,
        dice: &Dice,
        (tasks, hasty): (&Tasks, Option<Duration>),
        options: &Options,
    ) -> Self {
        std::fs::create_dir_all(store_dir(dir, 0)).expect("a directory can be made");
        let clock = Clock::from_tokio(START_MS);
        let log = Sqlite::open(&store_dir(dir, 0).join(STORE_FILE), Limits::default(), clock.clone()).await;
        let store = Arc::new(SharedStore::new(log.expect("a new file"), store_dir(dir, 0), clock.clone(), dice.fork()));
        let hot = if dice.chance(500) { Some(hot(dir, dice).await) } else { None };
        let grace_s = hasty.map_or(GRACE_S, |grace| u32::try_from(grace.as_secs()).expect("minutes"));
        let config = RecorderConfig {
            closing_grace_s: if options.without == Some(Safeguard::Grace) { 0 } else { grace_s },
            hot: HotConfig { keep_bytes: [Some(0), Some(50_000), None][dice.index(3)], ..HotConfig::default() },
            ..RecorderConfig::default()
        };
        let node = |number: u64| {
            let (name, skew_ms) = (format!("r{number}"), skew(dice));
            Arc::new(Node {
                dir: dir.join(&name),
                name,
                disk: disk(options),
                clock: Clock::from_tokio(START_MS + skew_ms),
                skew_ms: AtomicI64::new(skew_ms),
                random: Random::seeded(dice.roll()),
                metadata: store.clone(),
                hot: hot.clone(),
                config: config.clone(),
                life: Mutex::default(),
                unreadable: Away::default(),
                killed: Notify::new(),
                crashes: AtomicU64::new(0),
                loses_disk: AtomicBool::new(false),
            })
        };
        let nodes: Vec<_> = (0..dice.between(options.recorders_min, 3)).map(node).collect();
        let dirs = nodes.iter().map(|node| node.dir.clone()).chain([dir.join("hot")]).collect();
        let disks = Disks::new(dirs, hot.is_some());
        let nodes = Nodes::new(nodes, truth.clone(), dice.fork());
        Self { store, nodes, disks, truth: truth.clone(), dice: dice.clone(), tasks: tasks.clone(), clock }
    }

    async fn phone(&self, dir: &Path, number: u64, lasts_ms: u64, options: &Options) -> Arc<Phone> {
        let dice = &self.dice;
        let dir = dir.join(format!("p{number}"));
        std::fs::create_dir_all(&dir).expect("a directory can be made");
        let clock = Clock::from_tokio(START_MS + skew(dice));
        let habits = Habits {
            segment_ms: dice.between(250, 2_500) * 4,
            until: clock.instant() + Duration::from_millis(lasts_ms),
            pauses: dice.between(0, 10),
            resets: [0, 5][dice.index(2)],
            formats: [0, 10][dice.index(2)],
            short: [0, 30][dice.index(2)],
            keep_bytes: [0, 20_000, 1 << 30][dice.index(3)],
        };
        let form = Form {
            container: [Container::Ts, Container::M4s][dice.index(2)],
            renditions: ["main", "720p", "audio"][..[1, 1, 2, 3][dice.index(4)]]
                .iter()
                .map(|name| name_of(name))
                .collect(),
            padding: dice.between(0, 20) as usize,
            base_ms: dice.between(0, 100_000_000),
        };
        Arc::new(Phone {
            id: self.create(dice.chance(500).then(|| habits.segment_ms.div_ceil(1_000))).await,
            dir,
            disk: disk(options),
            random: Random::seeded(dice.roll()),
            dice: dice.fork(),
            link: Link::new(clock.instant()),
            clock,
            nodes: self.nodes.clone(),
            truth: self.truth.clone(),
            tasks: self.tasks.clone(),
            habits,
            form,
            epochs: AtomicU64::new(0),
            lives: Lives::default(),
            killed: Notify::new(),
        })
    }

    /// Those of this world.
    async fn pushers(&self, seed: u64, dice: &Dice, options: &Options) -> Vec<Pusher> {
        let count = if is_younger(seed) { dice.between(1, PUSHERS_MAX) } else { 0 };
        let mut pushers = Vec::new();
        for _ in 0..count.max(options.pushers_min) {
            pushers.push(self.pusher(dice, options).await);
        }
        pushers
    }

    async fn pusher(&self, dice: &Dice, options: &Options) -> Pusher {
        let lasts_ms = dice.between(60_000, options.minutes_max * 60_000);
        let segment_ms = dice.between(250, 2_500) * 4;
        let habits = pusher::Habits {
            segment_ms,
            until: self.clock.instant() + Duration::from_millis(lasts_ms),
            connections: [1, 2, 6][dice.index(3)],
            sends: [Sends::Whole, Sends::AsEncoded][dice.index(2)],
            names: [Names::Numbers { from: 0 }, Names::Numbers { from: 1 }, Names::Times][dice.index(3)],
            window: [5, usize::MAX][dice.index(2)],
            gives_up: Duration::from_millis(dice.between(5_000, 90_000)),
            closes: [0, 500, 1_000][dice.index(3)],
            moves: [0, 500][dice.index(2)],
        };
        let form = Form {
            container: [Container::Ts, Container::M4s][dice.index(2)],
            renditions: ["0", "1"][..[1, 1, 2][dice.index(3)]].iter().map(|name| name_of(name)).collect(),
            padding: dice.between(0, 20) as usize,
            base_ms: dice.between(0, 100_000_000),
        };
        Pusher {
            id: self.create(dice.chance(500).then(|| segment_ms.div_ceil(1_000))).await,
            dice: dice.fork(),
            clock: self.clock.clone(),
            link: Link::new(self.clock.instant()),
            nodes: self.nodes.clone(),
            truth: self.truth.clone(),
            habits,
            form,
        }
    }

    /// How long it is until then.
    fn lasts_ms(&self, until: Instant) -> u64 {
        u64::try_from(until.duration_since(self.clock.instant()).as_millis()).expect("a world is not that old")
    }

    /// A broadcast, before anything fails.
    async fn create(&self, target_duration: Option<u64>) -> BroadcastId {
        let host = self.nodes.all()[0].name.clone();
        let wanted = serde_json::json!({"title": "simulated", "target_duration": target_duration}).to_string();
        loop {
            let request = Request::post("/v1/broadcasts")
                .header("authorization", format!("Bearer {OWNER_KEY}"))
                .header("content-type", "application/json")
                .body(Body::from(wanted.clone()))
                .expect("a request");
            if let Some(served) = self.nodes.serve(&host, request) {
                let answer = served.await.expect("nothing fails as yet").into_body();
                let answer: serde_json::Value = serde_json::from_slice(&answer).expect("an answer in JSON");
                return answer["id"].as_str().and_then(|id| id.parse().ok()).expect("a broadcast");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where what is, is safe.
    fn safe_dirs(&self, dir: &Path) -> Vec<PathBuf> {
        let nodes = self.nodes.all();
        if nodes[0].hot.is_some() { vec![dir.join("hot")] } else { nodes.iter().map(|node| node.dir.clone()).collect() }
    }

    fn reach(&self, dice: &Dice) -> Reach {
        let (nodes, store, disks) = (self.nodes.clone(), self.store.clone(), self.disks.clone());
        Reach::new(nodes, self.nodes.all()[0].hot.clone(), store, disks, self.clock.clone(), dice.fork())
    }

    /// From now on nothing fails.
    fn mend(&self, faults_over: &Signal<bool>, phones: &[Arc<Phone>], pushers: &[Pusher]) {
        self.truth.note(&"everything is mended");
        faults_over.change(|over| *over = true);
        self.store.mood.change(|mood| *mood = Mood::default());
        let links = phones.iter().map(|phone| &phone.link).chain(pushers.iter().map(|pusher| &pusher.link));
        links.for_each(|link| link.set(|condition| *condition = crate::network::Condition::GOOD));
    }

    /// What was recorded is there, and nothing else is.
    async fn check(&self, phone: &Phone, reach: Option<&WithinReach>) {
        let id = phone.id;
        let log = self.store.log().read(id, EventIndex(0), usize::MAX).await.expect("the log can be read");
        let broadcast = match Broadcast::replay(&log) {
            Ok(Some(broadcast)) => broadcast,
            other => return self.truth.violated(format!("the log of {id} is none: {other:?}")),
        };
        let mut once = BTreeSet::new();
        for entry in &log {
            if let Event::Stored(segment) = &entry.event
                && !once.insert(SegmentName::of(segment))
            {
                self.truth.violated(format!("{id} {} {} is in the log twice", segment.rendition, segment.seq));
            }
        }
        let now = self.store.log().horizon().expect("it was reached");
        if broadcast.state(now) != State::Complete {
            let missing = |of: &Rendition| (of.name().to_string(), broadcast.missing(of.name()));
            let missing: Vec<_> = broadcast.renditions().iter().map(missing).collect();
            return self.truth.violated(format!("{id} is {:?}, not complete: {missing:?}", broadcast.state(now)));
        }
        let recorded = reach.map_or_else(|| self.truth.recorded_of(id), |reach| reach.to_arrive(&log));
        for (name, digest) in recorded.iter().chain(&self.truth.acknowledged_of(id)) {
            self.check_kept(id, &broadcast, name, *digest);
        }
        captured::judge(phone, &broadcast, &self.clock, &self.truth);
    }

    /// What was recorded or acknowledged is in the log, and on disks.
    fn check_kept(&self, id: BroadcastId, broadcast: &Broadcast, name: &SegmentName, digest: Digest) {
        let SegmentName { rendition, seq } = name;
        let found = broadcast.rendition(rendition).and_then(|rendition| rendition.segment(*seq));
        let is_safe = broadcast.safe(rendition).is_some_and(|safe| safe.contains(*seq));
        let what = match found {
            None => "is lost",
            Some(segment) if segment.digest != digest => "is another",
            // Who rebuilds says of nothing that it is safe.
            Some(_) if self.disks.may_lose() && !is_safe && self.store.rebuilt.get() == 0 => "is not safe",
            Some(segment) if !self.disks.hold_whole(&Key::of_segment(id, segment), digest) => {
                "is in the log, and its bytes are nowhere"
            }
            Some(_) => return,
        };
        self.truth.violated(format!("{id} {rendition} {seq} {what}"));
    }
}

fn is_younger(seed: u64) -> bool {
    seed % YOUNGER_IN_EVERY == YOUNGER_AT
}

fn name_of(name: &str) -> RenditionName {
    name.parse().expect("a name")
}

async fn hot(dir: &Path, dice: &Dice) -> Arc<HotStore> {
    let store = open_store(&Crash::default(), &dir.join("hot")).await;
    Arc::new(HotStore { store, away: Away::default(), dice: dice.fork() })
}

/// How wrong a clock is: by up to twenty seconds.
fn skew(dice: &Dice) -> i64 {
    dice.between(0, 40_000).cast_signed() - 20_000
}

/// One that fails only as it is told to; or one that syncs nothing at all.
fn disk(options: &Options) -> Crash {
    let disk = Crash::default();
    disk.lie(options.without == Some(Safeguard::Fsync));
    disk
}

//! What befalls everybody, as long as it is meant to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metadata::{Limits, Metadata, Sqlite};
use service::Tasks;
use storage::Kept;

use crate::dice::Dice;
use crate::disks::Disks;
use crate::network::Condition;
use crate::node::{Node, Nodes};
use crate::phone::Phone;
use crate::signal::Signal;
use crate::store::{Mood, STORE_FILE, SharedStore, store_dir};
use crate::truth::Truth;

/// How wrong the clock of a machine may become, in milliseconds: what its fellows sign is good for minutes.
pub(crate) const SKEW_MAX_MS: u64 = 120_000;

/// For how long what is on a recorder's disk cannot be read, at most, and how long all can be read after that, at least, in
/// milliseconds: an end waits a minute for what was acknowledged and cannot be read, and passes over it then.
const UNREADABLE_MS_MAX: u64 = 45_000;
const READABLE_MS_MIN: u64 = 90_000;

/// Everything that can be made to fail.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) nodes: Nodes,
    pub(crate) disks: Disks,
    pub(crate) phones: Vec<Arc<Phone>>,
    pub(crate) store: Arc<SharedStore>,
    /// Of the world.
    pub(crate) dir: PathBuf,
    pub(crate) dice: Dice,
    pub(crate) truth: Truth,
    pub(crate) tasks: Tasks,
    /// The mean time from one fault to the next, in milliseconds.
    pub(crate) every_ms: u64,
    /// Set once all faults shall end.
    pub(crate) over: Signal<bool>,
}

impl Faults {
    /// Keeps each machine alive: it starts again after each crash.
    pub(crate) fn keep_alive(&self) {
        for node in self.nodes.all() {
            let (faults, node, dice) = (self.clone(), node.clone(), self.dice.fork());
            self.tasks.spawn("a machine", async move {
                loop {
                    node.start(&faults.nodes, &dice).await;
                    faults.until_crash(&node).await;
                    let kept = [Kept::Everything, Kept::Names, Kept::Nothing][dice.index(3)];
                    faults.truth.note(&format_args!("{} stops, its disk keeps {kept:?}", node.name));
                    node.crash(kept).await;
                    if node.loses_disk.swap(false, Ordering::SeqCst) {
                        faults.truth.note(&format_args!("{} loses its disk", node.name));
                        node.lose_disk();
                        faults.disks.lost_one();
                        faults.truth.lost_disk_of(&node.name, |id, digest| faults.disks.hold_digest(id, digest));
                    }
                    tokio::time::sleep(Duration::from_millis(dice.between(10, 60_000))).await;
                    faults.truth.note(&format_args!("{} starts", node.name));
                }
            });
        }
    }

    async fn until_crash(&self, node: &Node) {
        tokio::select! {
            biased;
            () = node.killed.notified() => {}
            () = node.power_is_gone() => {}
        }
    }

    /// One fault after the other, and several at a time, until it is over; then everything is mended.
    pub(crate) async fn befall(self) {
        loop {
            let pause = Duration::from_millis(self.dice.between(1, 2 * self.every_ms));
            tokio::select! {
                biased;
                () = self.over.until(|over| over) => return,
                () = tokio::time::sleep(pause) => {}
            }
            let (faults, dice) = (self.clone(), self.dice.fork());
            self.tasks.spawn("a fault", async move { faults.one(&dice).await });
        }
    }

    /// Some file on a recorder's disk cannot be read for a while, or all that stock pushers have left there; and then another,
    /// until it is over.
    pub(crate) async fn befall_reading(self) {
        loop {
            self.last(READABLE_MS_MIN + self.dice.between(1, 2 * self.every_ms)).await;
            if self.over.get() {
                return;
            }
            let node = &self.nodes.all()[self.dice.index(self.nodes.all().len())];
            let parked = node.dir.join("parked");
            let mut files: Vec<PathBuf> =
                ["parked", "segments"].iter().flat_map(|sub| files_in(&node.dir.join(sub))).collect();
            files.sort();
            let path = match self.dice.index(3) {
                0 if !files.is_empty() => files.swap_remove(self.dice.index(files.len())),
                1 => parked,
                _ => node.dir.join("segments"),
            };
            let what = path.strip_prefix(&node.dir).expect("it is under it").display().to_string();
            self.truth.note(&format_args!("{what} of {} cannot be read", node.name));
            node.disk.cannot_read(&path, true);
            node.unreadable.goes();
            self.last(self.dice.between(1_000, UNREADABLE_MS_MAX)).await;
            node.unreadable.comes_back();
            node.disk.cannot_read(&path, false);
            self.truth.note(&format_args!("{what} of {} can be read", node.name));
        }
    }

    async fn one(&self, dice: &Dice) {
        let phone = &self.phones[dice.index(self.phones.len())];
        let node = &self.nodes.all()[dice.index(self.nodes.all().len())];
        match dice.between(0, 15) {
            0..=2 => self.outage(phone, dice).await,
            3 | 4 => self.bad_link(phone, dice).await,
            5 => {
                self.truth.note(&format_args!("{} is killed", node.name));
                node.killed.notify_one();
            }
            6 => {
                let steps = dice.between(0, 40) as usize;
                self.truth.note(&format_args!("the power of {} goes after {steps} steps", node.name));
                node.disk.cut_after(steps);
            }
            7 => self.store_fails(dice).await,
            8 => {
                if dice.chance(500) {
                    self.truth.note(&format_args!("phone {} is killed", phone.id));
                    phone.killed.notify_one();
                } else {
                    let steps = dice.between(0, 40) as usize;
                    self.truth.note(&format_args!("the power of phone {} goes after {steps} steps", phone.id));
                    phone.disk.cut_after(steps);
                }
            }
            9 => self.store_forgets(dice).await,
            10 => self.hot_store_fails(dice).await,
            // What was there alone is sent again by whoever recorded it; without a hot store nobody would.
            11 if node.hot.is_some() => {
                node.loses_disk.store(true, Ordering::SeqCst);
                node.killed.notify_one();
            }
            12 => self.set_clock_of_phone(phone, dice),
            13 => {
                let ms = node.set_clock(dice.between(0, 2 * SKEW_MAX_MS).cast_signed() - SKEW_MAX_MS.cast_signed());
                self.truth.note(&format_args!("the clock of {} is set by {ms} ms", node.name));
            }
            14 => {
                self.truth.note(&"the balancer is away");
                self.nodes.balancer_away.goes();
                self.last(dice.between(1_000, 300_000)).await;
                self.nodes.balancer_away.comes_back();
            }
            _ => {
                self.truth.note(&format_args!("the disk of {} is full", node.name));
                node.disk.fill_up(true);
                self.last(dice.between(5_000, 120_000)).await;
                node.disk.fill_up(false);
            }
        }
    }

    /// A little, or a lot: somebody travels, or a battery was empty.
    fn set_clock_of_phone(&self, phone: &Phone, dice: &Dice) {
        let most = [10_000, 600_000, 7_200_000][dice.index(3)];
        let ms = dice.between(0, 2 * most).cast_signed() - most.cast_signed();
        self.truth.note(&format_args!("the clock of phone {} is set by {ms} ms", phone.id));
        phone.clock.set_by_ms(ms);
        phone.lives.clock_is_set();
    }

    /// So long, but no longer than faults shall last.
    async fn last(&self, ms: u64) {
        tokio::select! {
            biased;
            () = self.over.until(|over| over) => {}
            () = tokio::time::sleep(Duration::from_millis(ms)) => {}
        }
    }

    async fn outage(&self, phone: &Phone, dice: &Dice) {
        let swallows = dice.chance(500);
        self.truth.note(&format_args!("phone {} is in a tunnel, which swallows: {swallows}", phone.id));
        phone.link.set(|condition| (condition.up, condition.swallows) = (false, swallows));
        self.last(dice.between(500, 300_000)).await;
        phone.link.set(|condition| condition.up = true);
        self.truth.note(&format_args!("phone {} is out of the tunnel", phone.id));
    }

    async fn bad_link(&self, phone: &Phone, dice: &Dice) {
        // From a third of what is recorded to thirty times that.
        let recorded = phone.bytes_per_s();
        let bad = Condition {
            bytes_per_s: (recorded * dice.between(1, 90) / 3).max(50),
            latency_ms: dice.between(10, 2_000),
            torn: dice.between(0, 200),
            deaf: dice.between(0, 200),
            twice: dice.between(0, 100),
            ..Condition::GOOD
        };
        self.truth.note(&format_args!("the way of phone {} is {bad:?}", phone.id));
        phone.link.set(|condition| *condition = Condition { up: condition.up, swallows: condition.swallows, ..bad });
        self.last(dice.between(5_000, 300_000)).await;
        phone.link.set(|condition| {
            *condition = Condition { up: condition.up, swallows: condition.swallows, ..Condition::GOOD };
        });
    }

    /// The store goes back to what it knew some seconds ago, as after a failover. What only a machine knew that has
    /// crashed meanwhile nobody can put back: then somebody has to rebuild the logs from the stores.
    async fn store_forgets(&self, dice: &Dice) {
        let crashes = || self.nodes.all().iter().map(|node| node.crashes.load(Ordering::SeqCst)).sum::<u64>();
        let (crashes_before, breaks) = (crashes(), self.store.breaks());
        let older = store_dir(&self.dir, dice.roll());
        copy(&self.store.dir(), &older);
        tokio::time::sleep(Duration::from_millis(dice.between(1, 20_000))).await;
        // What somebody rebuilds or puts back is the business of one fault at a time.
        if self.store.breaks() != breaks || self.over.get() {
            return;
        }
        let crashed = crashes() != crashes_before || dice.chance(100) && self.crash_all();
        self.truth.note(&format_args!("the metadata store forgets; somebody who knew more crashed: {crashed}"));
        let clock = self.store.clock.clone();
        let log = Sqlite::open(&older.join(STORE_FILE), Limits::default(), clock).await;
        self.store.forget(log.expect("a copy of a store is one"), older);
        if crashed {
            self.store.wants_rebuilding.change(|wants| *wants = true);
        }
    }

    /// The whole house goes dark.
    fn crash_all(&self) -> bool {
        self.nodes.all().iter().for_each(|node| node.killed.notify_one());
        true
    }

    async fn hot_store_fails(&self, dice: &Dice) {
        let Some(hot) = self.nodes.all().iter().find_map(|node| node.hot.clone()) else { return };
        self.truth.note(&"the hot store is away");
        hot.away.goes();
        self.last(dice.between(1_000, 600_000)).await;
        hot.away.comes_back();
        self.truth.note(&"the hot store is back");
    }

    async fn store_fails(&self, dice: &Dice) {
        let mood = Mood { fails: dice.between(0, 200), silent: dice.between(0, 200), slow_ms: dice.between(0, 3_000) };
        let away = dice.chance(500);
        self.truth.note(&format_args!("the metadata store is {mood:?}, away: {away}"));
        self.store.mood.change(|now| *now = mood);
        if away {
            self.store.away.goes();
        }
        self.last(dice.between(1_000, 120_000)).await;
        self.store.mood.change(|now| *now = Mood::default());
        if away {
            self.store.away.comes_back();
        }
        self.truth.note(&"the metadata store is well");
    }
}

/// All that is in a directory, at any depth.
fn files_in(dir: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|found| found.path());
    found.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// Nothing is written meanwhile: all is done on one thread.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    for file in std::fs::read_dir(from).expect("it is there").flatten() {
        if !file.file_name().to_string_lossy().ends_with("-lock") {
            std::fs::copy(file.path(), to.join(file.file_name())).expect("it can be copied");
        }
    }
}

//! Somebody who watches a broadcast all the time, and fetches whatever is new: the judge looks at what is shown, and
//! whatever is listed must be there.

use std::sync::Arc;
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, Event, EventIndex, Format, Key, LogEntry, State};
use metadata::{Metadata, READ_MAX};
use service::Tasks;

use crate::judge::Judge;
use crate::reach::Reach;
use crate::store::SharedStore;
use crate::truth::Truth;

/// How often the live playlist is looked at, and how seldom the longer ones are.
const LOOK_EVERY: Duration = Duration::from_millis(1_500);
const LOOKS_PER_LONG: u64 = 32;
/// For how many looks the store may know less than it did: a few minutes, as machines and the way to it fail too.
const FORGOTTEN_LOOKS_MAX: u32 = 400;
/// The same after somebody has rebuilt it.
const REBUILT_LOOKS_MAX: u32 = 20;

/// One who watches.
pub(crate) struct Viewer {
    id: BroadcastId,
    store: Arc<SharedStore>,
    reach: Reach,
    truth: Truth,
    /// Of the world.
    tasks: Tasks,
    judge: Judge,
    last: Option<LogEntry>,
    breaks: u64,
    /// How many looks in a row the store knew less than was seen before.
    forgotten: u32,
    looks: u64,
    /// At which look the store was last seen to have forgotten something.
    broke_at_look: Option<u64>,
}

impl Viewer {
    pub(crate) fn new(id: BroadcastId, store: Arc<SharedStore>, reach: Reach, truth: Truth, tasks: Tasks) -> Self {
        let judge = Judge::default();
        Self {
            id,
            store,
            reach,
            truth,
            tasks,
            judge,
            last: None,
            breaks: 0,
            forgotten: 0,
            looks: 0,
            broke_at_look: None,
        }
    }

    /// Watches until nothing changes any more, or for ever.
    pub(crate) async fn watch(mut self) {
        while !self.look().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether it is over.
    async fn look(&mut self) -> bool {
        // First the time, then the log: what is settled by then is in it.
        let Some(now) = self.store.log().horizon() else { return false };
        let read = self.read_on().await;
        self.tell();
        if let Err(what) = read {
            self.truth.violated(format!("the log of {} cannot be folded: {what}", self.id));
            return true;
        }
        if self.forgotten > 0 || self.judge.broadcast().is_none() {
            return false;
        }
        self.looks += 1;
        self.judge.wait_until(now);
        self.judge.look_at_live(now);
        let over = self.judge.broadcast().is_some_and(|broadcast| broadcast.state(now) == State::Complete);
        if over {
            self.judge.look_back(now);
        } else if self.looks.is_multiple_of(LOOKS_PER_LONG) {
            self.judge.look_at_all(now);
        }
        self.tell();
        over
    }

    fn tell(&mut self) {
        for violation in self.judge.violations() {
            self.truth.violated(format!("{}: {violation}", self.id));
        }
    }

    async fn read_on(&mut self) -> Result<(), String> {
        let log = self.store.log();
        if self.breaks != self.store.breaks()
            && let Some(last) = &self.last
        {
            match log.read(self.id, last.index, 1).await.map(|found| found.first().cloned()) {
                Ok(Some(found)) if found == *last => {}
                // It went on without what was lost: what is shown from here on is shown under other addresses.
                Ok(Some(_)) => self.begin_again(),
                // What nobody could put back was made anew.
                _ if self.forgotten > REBUILT_LOOKS_MAX && self.store.rebuilt.get() > 0 => self.begin_again(),
                _ if self.forgotten > FORGOTTEN_LOOKS_MAX => return Err("what it forgot is not put back".to_owned()),
                _ => {
                    self.forgotten += 1;
                    return Ok(());
                }
            }
        }
        if self.breaks != self.store.breaks() {
            self.broke_at_look = Some(self.looks);
        }
        (self.breaks, self.forgotten) = (self.store.breaks(), 0);
        loop {
            let next = self.judge.broadcast().map_or(EventIndex(0), Broadcast::next_index);
            let entries = log.read(self.id, next, READ_MAX).await.map_err(|error| error.to_string())?;
            let Some(last) = entries.last() else { return Ok(()) };
            if entries.iter().any(|entry| self.judge.comes_late(entry)) {
                if !self.may_come_late() {
                    return Err("an entry is dated before what had been settled".to_owned());
                }
                // What was shown meanwhile, without what the store had forgotten, cannot be taken back.
                self.begin_again();
                continue;
            }
            self.last = Some(last.clone());
            for entry in &entries {
                self.judge.take(entry, |digest| self.truth.place(self.id, digest))?;
                self.fetch_what_is_new(&entry.event);
            }
        }
    }

    /// For some minutes after the store has forgotten something: what somebody knew of it is put back with the time that it
    /// had. Who had not seen it before has shown gaps instead.
    fn may_come_late(&self) -> bool {
        self.broke_at_look.is_some_and(|look| self.looks - look <= u64::from(FORGOTTEN_LOOKS_MAX))
    }

    fn fetch_what_is_new(&self, event: &Event) {
        match event {
            Event::Stored(segment) => self.fetch(Key::of_segment(self.id, segment)),
            Event::Format(Format { rendition, init: Some(init), .. }) => {
                self.fetch(Key::of_init(self.id, rendition.clone(), init.digest));
            }
            _ => {}
        }
    }

    /// Rule 2.
    fn fetch(&self, key: Key) {
        let (reach, truth) = (self.reach.clone(), self.truth.clone());
        self.tasks.spawn("a fetch", async move {
            if let Err(what) = reach.fetch(&key).await {
                truth.violated(format!("rule 2: {key} is listed, and {what}"));
            }
        });
    }

    fn begin_again(&mut self) {
        self.truth.note(&format_args!("the viewer of {} begins again", self.id));
        if let Some(now) = self.judge.seen_until() {
            self.judge.look_back(now);
        }
        self.tell();
        (self.judge, self.last) = (Judge::default(), None);
    }
}

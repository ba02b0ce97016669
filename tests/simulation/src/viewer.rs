//! Somebody who watches a broadcast all the time, and fetches whatever is new: the judge looks at what is shown, and
//! whatever is listed must be there.

use std::sync::Arc;
use std::time::Duration;

use broadcast::{BroadcastId, Event, EventIndex, Format, Key, LogEntry, State};
use metadata::{Expect, Metadata, READ_MAX};
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
/// The same after somebody has rebuilt it, or it went on without what it lost: then nobody is left who knew that.
const LEFT_LOOKS_MAX: u32 = 20;

/// One who watches.
pub(crate) struct Viewer {
    id: BroadcastId,
    store: Arc<SharedStore>,
    reach: Reach,
    truth: Truth,
    /// Of the world.
    tasks: Tasks,
    judge: Judge,
    /// The log as far as it was seen.
    seen: Vec<LogEntry>,
    breaks: u64,
    /// How many looks in a row the store knew less than was seen before.
    forgotten: u32,
    looks: u64,
}

impl Viewer {
    pub(crate) fn new(id: BroadcastId, store: Arc<SharedStore>, reach: Reach, truth: Truth, tasks: Tasks) -> Self {
        let judge = Judge::default();
        Self { id, store, reach, truth, tasks, judge, seen: Vec::new(), breaks: 0, forgotten: 0, looks: 0 }
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
        if self.breaks != self.store.breaks() && !self.is_as_it_was().await? {
            return Ok(());
        }
        (self.breaks, self.forgotten) = (self.store.breaks(), 0);
        loop {
            let next = EventIndex(self.seen.len() as u64);
            let entries = log.read(self.id, next, READ_MAX).await.map_err(|error| error.to_string())?;
            if entries.is_empty() {
                return Ok(());
            }
            if entries.iter().any(|entry| self.judge.comes_late(entry)) {
                if self.breaks == 0 {
                    return Err("an entry is dated before what had been settled".to_owned());
                }
                // Somebody knew of it, and put it back with the time that it had. What was shown without it cannot be taken
                // back: either it does not differ, or it is shown elsewhere from here on.
                self.begin_again();
                continue;
            }
            for entry in entries {
                self.judge.take(&entry, |digest| self.truth.place(self.id, digest))?;
                self.fetch_what_is_new(&entry.event);
                self.seen.push(entry);
            }
        }
    }

    /// After a break: whether the log has all that was seen of it, or has said that live is another from here on. Until then
    /// one who knew more goes on with what it knew.
    async fn is_as_it_was(&mut self) -> Result<bool, String> {
        let log = self.store.log().read(self.id, EventIndex(0), READ_MAX).await.unwrap_or_default();
        let same = self.seen.iter().zip(&log).take_while(|(seen, found)| seen == found).count();
        let (lost, went_on) = (&self.seen[same..], &log[same..]);
        if lost.is_empty() {
            return Ok(true);
        }
        let is_seen = lost.iter().any(|entry| entry.event.shapes_live());
        let has_restarted = went_on.iter().any(|entry| entry.event == Event::Restarted);
        let is_left = !went_on.is_empty() || self.store.rebuilt.get() > 0;
        if has_restarted || !is_seen && is_left {
            self.begin_again();
            return Ok(true);
        }
        self.forgotten += 1;
        if self.forgotten > LEFT_LOOKS_MAX && is_left && !log.is_empty() {
            // Whoever shows it does that at once. Here recorders are given time to do it.
            self.truth.note(&format_args!("the viewer of {} starts live anew", self.id));
            let restarted = self.store.log().commit(self.id, &[Event::Restarted], Expect::Any).await;
            restarted.map_err(|error| error.to_string())?;
        }
        if self.forgotten > FORGOTTEN_LOOKS_MAX {
            return Err("what it forgot is not put back".to_owned());
        }
        Ok(false)
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
        self.judge.begin_again();
        self.tell();
        self.seen.clear();
    }
}

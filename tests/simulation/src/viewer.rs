//! Somebody who watches a broadcast until the run is over, and fetches whatever is new: the judge looks at what is shown,
//! whatever is listed must be there, and what was complete stays so.

use std::sync::Arc;
use std::time::Duration;

use broadcast::{BroadcastId, Event, EventIndex, Format, Key, LogEntry, Segment, State, StoreTime};
use metadata::{Expect, Metadata, READ_MAX};
use service::Tasks;

use crate::dice::Dice;
use crate::judge::Judge;
use crate::reach::Reach;
use crate::signal::Signal;
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
    /// The same, for what it fetches once more.
    again: Reach,
    dice: Dice,
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
    /// How long the log was when it was looked at, once it was complete.
    complete: Option<usize>,
}

impl Viewer {
    pub(crate) fn new(
        id: BroadcastId,
        store: Arc<SharedStore>,
        (reach, dice): (Reach, Dice),
        truth: Truth,
        tasks: Tasks,
    ) -> Self {
        let (judge, again) = (Judge::default(), reach.with_dice(&dice));
        let (seen, complete) = (Vec::new(), None);
        Self { id, store, reach, again, dice, truth, tasks, judge, seen, breaks: 0, forgotten: 0, looks: 0, complete }
    }

    /// Watches until the run is over: by then all is complete.
    pub(crate) async fn watch(mut self, run_is_over: Signal<bool>) {
        loop {
            let is_last = run_is_over.get();
            let looked = self.look().await;
            self.tell();
            if let Err(what) = looked {
                return self.truth.violated(format!("the log of {} cannot be folded: {what}", self.id));
            }
            if is_last {
                return self.look_for_the_last_time();
            }
            tokio::select! {
                biased;
                () = run_is_over.until(|over| over) => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), String> {
        // First the time, then the log: what is settled by then is in it.
        let Some(now) = self.store.log().horizon() else { return Ok(()) };
        self.read_on().await?;
        if self.forgotten > 0 || self.judge.broadcast().is_none() {
            return Ok(());
        }
        self.judge.wait_until(now);
        // Of what is complete, nothing changes by time alone.
        if self.complete == Some(self.seen.len()) {
            return Ok(());
        }
        self.looks += 1;
        self.judge.look_at_live(now);
        match &mut self.complete {
            Some(looked_at) if *looked_at == 0 => self.judge.look_back(now),
            None if !self.looks.is_multiple_of(LOOKS_PER_LONG) => {}
            Some(_) | None => self.judge.look_at_all(now),
        }
        if self.looks.is_multiple_of(LOOKS_PER_LONG) || self.complete == Some(0) {
            self.fetch_any();
        }
        self.complete = self.complete.map(|_| self.seen.len());
        Ok(())
    }

    /// What is listed stays: it may be on another disk by now, or on one disk less.
    fn fetch_any(&self) {
        let stored = |entry: &LogEntry| match &entry.event {
            Event::Stored(segment) => Some(Key::of_segment(self.id, segment)),
            _ => None,
        };
        let keys: Vec<Key> = self.seen.iter().filter_map(stored).collect();
        if !keys.is_empty() {
            self.fetch(&self.again, keys[self.dice.index(keys.len())].clone());
        }
    }

    fn look_for_the_last_time(&mut self) {
        match self.judge.seen_until() {
            Some(now) if self.complete.is_some() && self.forgotten == 0 => self.judge.look_back(now),
            _ => self.truth.violated(format!("{} is not complete for those who watch it", self.id)),
        }
        self.tell();
    }

    /// Whoever has seen that it is complete asks no more: playlists are kept for ever, the portal is told for the last time.
    fn stays_complete(&mut self, at: StoreTime) {
        let Some(state) = self.judge.broadcast().map(|broadcast| broadcast.state(at)) else { return };
        match (self.complete, state) {
            (None, State::Complete) => self.complete = Some(0),
            (None, _) | (Some(_), State::Complete) => {}
            (Some(_), state) => {
                self.truth.violated(format!("{} was complete, and is {} at {at:?}", self.id, state.word()));
                self.complete = None;
            }
        }
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
                self.stays_complete(entry.at);
                self.note_what_is_pushed(&entry.event);
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

    /// What became of what a stock pusher sent, for those who have to find out why.
    fn note_what_is_pushed(&self, event: &Event) {
        if let Event::Stored(segment) = event
            && let Some(number) = segment.pushed
        {
            let Segment { rendition, seq, digest, captured_at, format, .. } = segment;
            self.truth.note(&format_args!(
                "{} has {digest} as {rendition} {seq}, by its number {number}, captured at {captured_at:?}, of {format}",
                self.id
            ));
        }
    }

    fn fetch_what_is_new(&self, event: &Event) {
        match event {
            Event::Stored(segment) => self.fetch(&self.reach, Key::of_segment(self.id, segment)),
            Event::Format(Format { rendition, init: Some(init), .. }) => {
                self.fetch(&self.reach, Key::of_init(self.id, rendition.clone(), init.digest));
            }
            _ => {}
        }
    }

    /// Rule 2.
    fn fetch(&self, reach: &Reach, key: Key) {
        let (reach, truth) = (reach.clone(), self.truth.clone());
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
        self.complete = None;
    }
}

//! What is to be told of one broadcast, as a pure fold over its log and the time: whoever folds, whenever and however
//! often, comes to the same messages with the same names in the same order.
//!
//! Interrupted and back follow from the log and the time. They are found at the very moments at which the broadcast
//! says that time changes something, and never by when somebody happens to look.

use broadcast::{Broadcast, BroadcastId, Event, LogEntry, LogError, Millis, State, StoreTime};
use metadata::Told;
use serde_json::{Value, json};

use crate::message::{Cause, Kind, Message, Position, of_segment};

/// How far ahead a change is looked for that time alone brings: many times the longest segment. If there is none by
/// then, there is none.
const LOOK_AHEAD: Millis = Millis(24 * 3_600_000);

/// Whether each segment is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segments {
    Told,
    Untold,
}

/// One broadcast up to some event of its log, and some time after it.
#[derive(Clone, Debug)]
pub struct Teller {
    id: BroadcastId,
    segments: Segments,
    broadcast: Broadcast,
    /// Up to when time has been looked through.
    at: StoreTime,
    /// As it was told last.
    state: State,
    was_live: bool,
    owes_caught_up: bool,
}

impl Teller {
    /// Begins with the first entry of a log, and tells of it.
    pub fn open(id: BroadcastId, segments: Segments, first: &LogEntry) -> Result<(Self, Vec<Message>), LogError> {
        let broadcast = Broadcast::open(first)?;
        let (at, state) = (first.at, State::Created);
        let teller = Self { id, segments, broadcast, at, state, was_live: false, owes_caught_up: false };
        let created = teller.message(Kind::Created, Cause::Event, Value::Null);
        Ok((teller, vec![created]))
    }

    /// Takes in the next entry: what time brought about before it, and what it brings about.
    pub fn take(&mut self, entry: &LogEntry) -> Result<Vec<Message>, LogError> {
        // Everything before this entry is known: the store dates none back.
        let mut messages = self.pass(entry.at);
        let recorder = self.broadcast.recorded_by().map(|by| by.node.clone());
        self.broadcast.apply(entry)?;
        self.at = self.at.max(self.broadcast.last_at());
        match &entry.event {
            Event::RecordedBy { node } if recorder.as_ref().is_some_and(|before| before != node) => {
                messages.push(self.message(Kind::TakenOver, Cause::Event, json!({"previous_recorder": recorder})));
            }
            Event::Stored(segment) if self.segments == Segments::Told => {
                messages.push(self.message(Kind::SegmentStored, Cause::Event, of_segment(segment)));
            }
            _ => {}
        }
        self.note(self.broadcast.state(self.as_seen()), Cause::Event, &mut messages);
        Ok(messages)
    }

    /// Lets time pass until `until`, up to when the whole log is known.
    pub fn pass(&mut self, until: StoreTime) -> Vec<Message> {
        let mut messages = Vec::new();
        let changes: Vec<_> = self.broadcast.changes(self.at, until).collect();
        for (at, state) in changes {
            self.at = at;
            self.note(state, Cause::Time, &mut messages);
        }
        self.at = self.at.max(until);
        messages
    }

    /// By the store's clock as readers see it: when to [`pass`](Self::pass) again if no entry comes.
    pub fn next_change(&self) -> Option<StoreTime> {
        let change = self.broadcast.changes(self.at, self.at + LOOK_AHEAD).next();
        change.map(|(at, _)| at + self.margin().max(Millis(1)))
    }

    /// Up to when the whole log is known if it was read to its end after the store's time was settled up to `horizon`.
    pub fn settled(&self, horizon: StoreTime) -> StoreTime {
        horizon - self.margin().max(Millis(1))
    }

    /// How far it is told when all messages so far are.
    pub fn told(&self) -> Told {
        let Position { next, at } = self.position();
        Told { next, at, complete: self.is_complete() }
    }

    /// Nothing more will be told.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    pub fn broadcast(&self) -> &Broadcast {
        &self.broadcast
    }

    fn position(&self) -> Position {
        Position { next: self.broadcast.next_index(), at: self.at }
    }

    fn margin(&self) -> Millis {
        self.broadcast.opened().policy.clock_margin()
    }

    /// The moment at which readers, who wait for the clock margin, see what holds at `at`.
    fn as_seen(&self) -> StoreTime {
        self.at + self.margin()
    }

    /// Tells how the state has changed since it was told last.
    fn note(&mut self, now: State, cause: Cause, messages: &mut Vec<Message>) {
        let before = std::mem::replace(&mut self.state, now);
        let is_on_air = matches!(now, State::Live | State::Interrupted { .. });
        let is_first = is_on_air && !self.was_live;
        self.was_live |= is_on_air;
        let kinds = if is_first {
            [&[Kind::Live], changes(State::Live, self.state)].concat()
        } else {
            changes(before, self.state).to_vec()
        };
        self.owes_caught_up |= kinds.contains(&Kind::Interrupted);
        messages.extend(kinds.into_iter().map(|kind| self.message(kind, cause, Value::Null)));
        if self.owes_caught_up
            && !matches!(self.state, State::Interrupted { .. })
            && self.broadcast.missing_count() == 0
        {
            self.owes_caught_up = false;
            // Of one that is over, that is what `complete` says.
            if !self.state.is_over() {
                messages.push(self.message(Kind::CaughtUp, cause, Value::Null));
            }
        }
    }

    fn message(&self, kind: Kind, cause: Cause, more: Value) -> Message {
        Message::new(kind, cause, self.id, self.position(), (&self.broadcast, self.state), more)
    }
}

/// What is told when the state changes like this.
fn changes(before: State, now: State) -> &'static [Kind] {
    use State::{Complete, Created, Ended, Interrupted, Live, Paused};
    match (before, now) {
        (Created, Created) | (Live, Live) | (Interrupted { .. }, Interrupted { .. }) => &[],
        (Paused { .. }, Paused { .. }) | (Ended, Ended) | (Complete, _) => &[],
        (_, Interrupted { .. }) => &[Kind::Interrupted],
        (_, Paused { .. }) => &[Kind::Paused],
        (Interrupted { .. }, Live | Created) => &[Kind::Back],
        (_, Live | Created) => &[Kind::Resumed],
        (_, Ended) => &[Kind::Ended],
        (Ended, Complete) => &[Kind::Complete],
        (_, Complete) => &[Kind::Ended, Kind::Complete],
    }
}

//! The end of a grace: a phone, or the metadata store, stays away for longer than a publisher is waited for. Nobody is given up
//! who could not have come back, or who was back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use broadcast::{Broadcast, Event, EventIndex, LogEntry, Missing, StoreTime};
use metadata::Metadata;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::faults::SKEW_MAX_MS;
use crate::network::{lock, tokio_now};
use crate::node::Nodes;
use crate::phone::Phone;
use crate::store::SharedStore;
use crate::truth::{Segments, Truth};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many of a thousand phones, and of a thousand stores, stay away for longer than the grace.
const PHONE_AWAY: u64 = 700;
const STORE_AWAY: u64 = 400;

/// How wrong the clocks may be by which it is said when something was captured: the publisher's is set right by those of recorders.
const CLOCKS_WRONG_BY: Duration = Duration::from_millis(SKEW_MAX_MS + 10_000);

/// When somebody could take in what comes, and whether it could come, looked at again and again.
#[derive(Clone, Debug)]
pub(crate) struct WithinReach {
    store: Arc<SharedStore>,
    nodes: Nodes,
    phone: Arc<Phone>,
    grace: Duration,
    /// When its owner says the end, at the earliest.
    ended_at: Instant,
    looks: Arc<Mutex<Vec<Look>>>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: StoreTime,
    takes_in: bool,
    is_up: bool,
}

impl WithinReach {
    /// Of a phone whose owner ends its broadcast after so long.
    pub(crate) fn new(
        store: Arc<SharedStore>,
        nodes: Nodes,
        phone: Arc<Phone>,
        (ended_after, grace): (Duration, Duration),
    ) -> Self {
        Self { store, nodes, phone, grace, ended_at: tokio_now() + ended_after, looks: Arc::default() }
    }

    /// Until when what is recorded is taken, if it is not given up before.
    fn takes_until(&self) -> Instant {
        self.ended_at + self.grace.saturating_sub(CLOCKS_WRONG_BY)
    }

    /// Whether the phone may have recorded on for longer than it is waited for: it has not heard of the end for so long.
    pub(crate) fn stays_away(&self) -> bool {
        let (id, truth) = (self.phone.id, &self.phone.truth);
        truth.recorded_until(id, self.takes_until()).len() < truth.recorded_of(id).len()
    }

    /// What has to be there in the end. Whoever is given up keeps what was not acknowledged, and so does who has recorded for too
    /// long of what came after that.
    pub(crate) fn to_arrive(&self, log: &[LogEntry]) -> Segments {
        let (id, truth) = (self.phone.id, &self.phone.truth);
        if !log.iter().any(|entry| matches!(entry.event, Event::Closing { .. })) {
            return truth.recorded_of(id);
        }
        // Who rebuilds tells otherwise that it was given up.
        let is_given_up = log.iter().any(is_given_up) || self.store.rebuilt.get() > 0;
        if is_given_up { Segments::default() } else { truth.recorded_until(id, self.takes_until()) }
    }

    /// From some time around the end that its owner says.
    pub(crate) async fn befall(self, ended_after: Duration, dice: Dice) {
        let longer = |part: u64| self.grace * u32::try_from(dice.between(part, 20)).expect("small") / 10;
        tokio::time::sleep(ended_after.saturating_sub(Duration::from_secs(dice.between(0, 60)))).await;
        let (phone_away, store_after, store_away) = (longer(5), longer(0), longer(10));
        let (phone_goes, store_goes) = (dice.chance(PHONE_AWAY), dice.chance(STORE_AWAY));
        let phone = async {
            if phone_goes {
                self.phone_stays_away(phone_away).await;
            }
        };
        let store = async {
            if store_goes {
                tokio::time::sleep(store_after).await;
                self.store_stays_away(store_away).await;
            }
        };
        futures_util::future::join(phone, store).await;
    }

    /// Other faults mend the way, and that is of no use.
    async fn phone_stays_away(&self, until_back: Duration) {
        self.phone.truth.note(&format_args!("phone {} stays away for {until_back:?}", self.phone.id));
        for _ in 0..until_back.as_secs() {
            self.phone.link.set(|condition| condition.up = false);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.phone.link.set(|condition| condition.up = true);
    }

    /// As one whose connections are gone meanwhile.
    async fn store_stays_away(&self, until_back: Duration) {
        self.phone.truth.note(&format_args!("the metadata store stays away for {until_back:?}"));
        self.store.away.goes();
        tokio::time::sleep(until_back).await;
        self.store.breaks_off();
        self.store.away.comes_back();
    }

    pub(crate) async fn watch(self) {
        loop {
            let serves = self.nodes.all().iter().any(|node| node.serving_since().is_some());
            let look = Look {
                at: self.store.log().horizon().unwrap_or(StoreTime(0)),
                takes_in: serves && !self.store.away.is(),
                is_up: self.phone.link.is_up(),
            };
            lock(&self.looks).push(look);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// If it was given up: was it silent for the grace, by the log, and could it have been otherwise?
    pub(crate) async fn judge(&self, truth: &Truth) {
        let id = self.phone.id;
        let log = self.store.log().read(id, EventIndex(0), usize::MAX).await.unwrap_or_default();
        // What was forgotten, or given up by somebody else, is told otherwise.
        let Some(ended) = log.iter().position(is_given_up).filter(|_| self.store.rebuilt.get() == 0) else { return };
        let Ok(Some(before)) = Broadcast::replay(&log[..ended]) else { return };
        let Some(closing) = before.closing() else { return };
        let at = log[ended].at;
        truth.note(&format_args!("{id} was given up"));
        if closing.over_at() > at {
            truth.violated(format!("{id} is given up though something came {:?} before", at - closing.quiet_since));
        }
        let grace_ms = i64::try_from(self.grace.as_millis()).expect("minutes");
        let looks = lock(&self.looks);
        let window: Vec<&Look> = looks.iter().filter(|look| look.at <= at && look.at.0 > at.0 - grace_ms).collect();
        let listened = window.iter().filter(|look| look.takes_in).count();
        if listened * 2 < window.len() {
            let of = window.len();
            truth.violated(format!("{id} is given up, and somebody was there for only {listened} s of {of}"));
        }
        let stretches = window.split(|look| !(look.takes_in && look.is_up)).map(<[_]>::len);
        let longest = stretches.max().unwrap_or(0);
        // Who has recorded nothing has nothing to come back with.
        if !truth.recorded_of(id).is_empty() && longest * 2 > window.len() {
            truth.violated(format!("{id} is given up, and could have come back for {longest} s"));
        }
    }
}

/// Also before anything came: who has recorded nothing does not say where it ends.
fn is_given_up(entry: &LogEntry) -> bool {
    let Event::Ended { last } = &entry.event else { return false };
    last.iter().all(|last| last.missing == Missing::Abandoned)
}

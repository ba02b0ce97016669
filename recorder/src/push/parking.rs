//! What waits to be told its number, and who waits for it: one [`Pusher`] for each broadcast that is pushed to.
//!
//! Everything that waits is durable; this is only the memory of it, and the start-up scan makes it anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, CapturedAt, Digest, RenditionName, Segment, Seq};
use bytes::Bytes;
use media::Container;
use metadata::Followed;
use service::Problem;
use storage::Parked;
use tokio::sync::{Mutex, Notify, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

use super::closed::{Closed, latest_base};
use super::numbering::{Arrival, Named, Numbered, Numbering, is_open, split_digits, stored_at};
use super::{Known, rendition_name};
use crate::capture::CaptureClock;
use crate::commit::{Durable, latest_init};
use crate::problems;
use crate::recorder::Recorder;

/// How long the memory of a pusher that has gone is kept.
const PUSHER_IDLE: Duration = Duration::from_secs(3_600);
/// Of more, those of whom nothing waits are forgotten sooner, the one that has been idle longest first.
const PUSHERS_MAX: usize = 10_000;
/// How many segments of one broadcast wait; more, and the oldest waits no longer.
pub(super) const WAITING_MAX: usize = 256;
/// How many may be parked while nothing can be committed; more are refused.
const PARKED_MAX: usize = 10_000;
/// How far apart a segment and the init section of its run may have arrived.
const INIT_NEAR_MS: i64 = 60_000;
/// How many init sections of one broadcast are held.
const HELD_INITS_MAX: usize = 64;

/// The pushers of a recorder, each with when it was last asked for. One that is in use, or of whom something waits, is not
/// forgotten.
#[derive(Debug, Default)]
pub(crate) struct Pushers(StdMutex<HashMap<BroadcastId, (Arc<Pusher>, Instant)>>);

impl Pushers {
    fn of(&self, id: BroadcastId, now: Instant) -> Arc<Pusher> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pusher, used)) = all.get_mut(&id) {
            *used = now;
            return pusher.clone();
        }
        all.retain(|_, (pusher, used)| now - *used < PUSHER_IDLE || !pusher.is_forgettable());
        if all.len() >= PUSHERS_MAX {
            let forgettable = all.iter().filter(|(_, (pusher, _))| pusher.is_forgettable());
            let oldest = forgettable.min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            oldest.and_then(|id| all.remove(&id));
        }
        let pusher = Arc::<Pusher>::default();
        all.insert(id, (pusher.clone(), now));
        pusher
    }
}

/// What is remembered of whoever pushes to one broadcast.
#[derive(Debug, Default)]
pub(crate) struct Pusher {
    pub(super) state: Mutex<PusherState>,
    /// Held by whoever goes through what waits, so that nothing is at hand for one and out of sight of another.
    pub(super) settling: Mutex<()>,
    /// Shared by those who park something; held alone by whoever ends the broadcast, so that nothing is acknowledged
    /// that the end then leaves out.
    open: RwLock<()>,
    /// Whether somebody will try again what could not be committed.
    pub(super) retrying: AtomicBool,
    /// Whether somebody puts back what the log may have lost.
    pub(super) making_whole: AtomicBool,
    /// Whose bodies are on their way, by path, and since when: an init section may be replaced by the one that is
    /// coming.
    arriving: StdMutex<BTreeMap<String, Vec<i64>>>,
    /// Told whenever one of them has arrived, or never will.
    has_arrived: Notify,
}

/// An upload on its way, until dropped.
#[derive(Debug)]
pub(super) struct Arriving {
    pusher: Arc<Pusher>,
    path: String,
    since_ms: i64,
}

impl Pusher {
    pub(super) fn arriving(self: &Arc<Self>, path: &str, since_ms: i64) -> Arriving {
        self.lock_arriving().entry(path.to_owned()).or_default().push(since_ms);
        Arriving { pusher: self.clone(), path: path.to_owned(), since_ms }
    }

    pub(super) fn is_arriving(&self, path: &str) -> bool {
        self.lock_arriving().contains_key(path)
    }

    /// The paths of what is on its way.
    pub(super) fn arriving_paths(&self) -> Vec<String> {
        self.lock_arriving().keys().cloned().collect()
    }

    /// Whether a body is on its way that began before `ms`.
    pub(super) fn is_arriving_since(&self, ms: i64) -> bool {
        self.lock_arriving().values().flatten().any(|since_ms| *since_ms < ms)
    }

    /// Ends when no body is on its way any more that began until `ms`.
    pub(crate) async fn until_arrived(&self, ms: i64) {
        loop {
            let arrived = self.has_arrived.notified();
            if !self.is_arriving_since(ms.saturating_add(1)) {
                return;
            }
            arrived.await;
        }
    }

    /// To be held while something is parked. Refused once the broadcast has ended.
    pub(super) async fn accepting(&self, followed: &Followed) -> Result<RwLockReadGuard<'_, ()>, Problem> {
        let accepting = self.open.read().await;
        if followed.read().is_over() {
            return Err(problems::ENDED.detail("the broadcast has ended; create another one for what follows"));
        }
        Ok(accepting)
    }

    /// Whether nobody has it at hand, and nothing waits here.
    fn is_forgettable(self: &Arc<Self>) -> bool {
        let is_idle = |state: tokio::sync::MutexGuard<'_, PusherState>| {
            state.waiting.is_empty() && state.uncommitted.is_none() && !state.owes_end
        };
        Arc::strong_count(self) == 1 && self.state.try_lock().is_ok_and(is_idle)
    }

    /// Whether one more may be parked.
    pub(super) async fn has_room(&self) -> bool {
        self.state.lock().await.waiting.len() < PARKED_MAX
    }

    /// To be held while the broadcast is ended.
    pub(crate) async fn nothing_parked(&self) -> RwLockWriteGuard<'_, ()> {
        self.open.write().await
    }

    fn lock_arriving(&self) -> MutexGuard<'_, BTreeMap<String, Vec<i64>>> {
        self.arriving.lock().expect("nobody panics while holding it")
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut arriving = self.pusher.lock_arriving();
        let Some(others) = arriving.get_mut(&self.path) else { return };
        if let Some(this) = others.iter().position(|since_ms| *since_ms == self.since_ms) {
            others.swap_remove(this);
        }
        if others.is_empty() {
            arriving.remove(&self.path);
        }
        drop(arriving);
        self.pusher.has_arrived.notify_waiters();
    }
}

#[derive(Debug, Default)]
pub(crate) struct PusherState {
    pub(super) numbering: Numbering,
    pub(super) closed: Closed,
    pub(super) clocks: BTreeMap<RenditionName, CaptureClock>,
    latest: BTreeMap<RenditionName, Latest>,
    /// Init sections by path, until a playlist says whose they are, in the order of their arrival: a pusher that starts
    /// again replaces one while segments may still wait that need it.
    inits: BTreeMap<String, Vec<HeldInit>>,
    /// In the order of their arrival.
    pub(super) waiting: Vec<Waiting>,
    /// What is durable and has its number, but could not be committed: nothing else is numbered before it.
    pub(super) uncommitted: Option<Durable>,
    /// Whether its pusher has closed its playlist, and the log could not be told.
    pub(super) owes_end: bool,
    /// Since when an end waits for what cannot be read.
    pub(super) end_waits_since: Option<Instant>,
}

/// The segments of a rendition that were given their numbers.
#[derive(Clone, Copy, Debug)]
struct Latest {
    /// When the last to come arrived.
    arrived_ms: i64,
    /// When the init section of the last one arrived, if that is held.
    init_ms: Option<i64>,
}

impl Latest {
    /// When the last that is known of its run arrived.
    fn last_ms(self) -> i64 {
        self.init_ms.map_or(self.arrived_ms, |init_ms| init_ms.max(self.arrived_ms))
    }
}

#[derive(Clone, Debug)]
pub(super) struct HeldInit {
    pub(super) bytes: Bytes,
    pub(super) digest: Digest,
    pub(super) parked: Parked,
}

impl HeldInit {
    pub(super) fn arrived_ms(&self) -> i64 {
        self.parked.name().arrived_ms()
    }
}

/// Where the init section of a segment is.
#[derive(Clone, Debug)]
pub(super) enum InitOf {
    Held(HeldInit),
    Stored(Digest),
    /// It is still to come, or the segment needs none.
    Unknown,
}

/// A parked upload that cannot be committed yet: its number or init section is not known, or it could not be read.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) parked: Parked,
    /// Nothing before it was looked at: an earlier run has parked it.
    pub(super) seen: Option<Seen>,
    /// It was parked before this recorder knew of the broadcast: what came later may have its number already.
    pub(super) was_found: bool,
    /// Since when it cannot be read, or its init section.
    pub(super) unreadable_since: Option<Instant>,
    /// Its turn has come, and it could not be stored: it holds up nobody any longer.
    pub(super) had_its_turn: bool,
    /// What it was given then: others go behind it. Nothing, if it may have been sent twice.
    pub(super) place: Option<GivenPlace>,
}

/// What a waiting segment is, with its number and init section.
#[derive(Clone, Debug)]
pub(super) struct GivenPlace {
    pub(super) named: Named,
    pub(super) seq: Seq,
    /// Our numbers minus the pusher's in its run.
    pub(super) base: i128,
    /// Whether its pusher went on, and had not started again.
    goes_on: bool,
    /// What had come before it.
    former: Option<Latest>,
    /// No playlist has named it yet.
    is_guess: bool,
    pub(super) init: InitOf,
}

/// What a parked segment is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) digest: Digest,
    pub(super) container: Container,
}

impl Waiting {
    pub(super) fn new(parked: Parked, digest: Digest, container: Container) -> Self {
        Self {
            parked,
            seen: Some(Seen { digest, container }),
            was_found: false,
            unreadable_since: None,
            had_its_turn: false,
            place: None,
        }
    }

    pub(super) fn unseen(parked: Parked) -> Self {
        Self { parked, seen: None, was_found: true, unreadable_since: None, had_its_turn: false, place: None }
    }

    pub(super) fn path(&self) -> &str {
        self.parked.name().path()
    }

    pub(super) fn arrived_ms(&self) -> i64 {
        self.parked.name().arrived_ms()
    }

    pub(super) fn arrival(&self) -> Arrival {
        Arrival { at: CapturedAt(self.arrived_ms()), may_be_overtaken: self.was_found || self.had_its_turn }
    }
}

/// The init section of the segment before this place, or else of the one after it; without a place, the latest.
fn init_at(broadcast: &Broadcast, name: &RenditionName, place: Option<Seq>) -> Option<Digest> {
    let rendition = broadcast.rendition(name)?;
    let nearest = place.and_then(|place| rendition.segment_before(place).or_else(|| rendition.segment_from(place)));
    let init = |nearest: &Arc<Segment>| Some(rendition.format(nearest.format)?.init.as_ref()?.digest);
    nearest.and_then(init).or_else(|| latest_init(broadcast, name))
}

/// A waiting segment that can be named.
pub(super) struct Ready {
    pub(super) waiting: Waiting,
    pub(super) named: Named,
    /// No playlist has named it.
    is_guess: bool,
    /// So many of those that wait came before it, and may hold it up.
    pub(super) behind: usize,
    /// Whether it has waited long enough.
    pub(super) overdue: bool,
}

impl PusherState {
    /// Tells which ones are of no use any more.
    pub(super) fn hold_init(&mut self, held: HeldInit, was_found: bool) -> Vec<HeldInit> {
        let path = held.parked.name().path().to_owned();
        let held_there = self.inits.entry(path.clone()).or_default();
        // One that was found comes late, if it could not be read for a while. No clock says which of the others is the latest.
        let before = held_there.iter().position(|other| was_found && other.arrived_ms() > held.arrived_ms());
        held_there.insert(before.unwrap_or(held_there.len()), held);
        let mut useless = self.superseded();
        if self.inits.values().map(Vec::len).sum::<usize>() > HELD_INITS_MAX {
            let others = self.inits.iter().filter(|(other, held)| **other != path || held.len() > 1);
            let oldest = others.min_by_key(|(_, held)| held.first().map(HeldInit::arrived_ms));
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                let held = self.inits.get_mut(&oldest).expect("it was found there");
                useless.push(held.remove(0));
                self.inits.retain(|_, held| !held.is_empty());
            }
        }
        useless
    }

    /// Takes those away that were replaced, unless something waits that may need them.
    pub(super) fn superseded(&mut self) -> Vec<HeldInit> {
        if !self.waiting.is_empty() {
            return Vec::new();
        }
        self.inits.values_mut().flat_map(|held| held.drain(..held.len() - 1)).collect()
    }

    /// The init section of a segment. A pusher that starts again sends another one to the same path, which its segments may
    /// overtake: they wait, and with them what comes after, until they are overdue.
    pub(super) fn init_of(
        &self,
        broadcast: &Broadcast,
        named: &Named,
        (arrival, overdue): (Arrival, bool),
        given: Option<&GivenPlace>,
        before: &[Waiting],
    ) -> InitOf {
        let place = match given {
            Some(given) => given.goes_on.then_some(given.seq),
            None => self.numbering.place_in_run(broadcast, named, arrival),
        };
        let of_log = || {
            let is_known = !place.is_some_and(|place| self.goes_behind_unknown(broadcast, &named.rendition, place));
            let stored = is_known.then(|| init_at(broadcast, &named.rendition, place)).flatten();
            stored.map_or(InitOf::Unknown, InitOf::Stored)
        };
        let Some(path) = named.map.as_deref() else { return of_log() };
        let arrived_ms = arrival.at.0;
        let held = self.inits.get(path).map(Vec::as_slice).unwrap_or_default();
        let latest_before = |held: &[HeldInit]| held.iter().rfind(|held| held.arrived_ms() <= arrived_ms).cloned();
        // What an earlier run of ours has parked there may be it, if nothing has replaced it. Who knows when it can be read; but
        // what came about when the segment did cannot be done without.
        let replaced_ms = latest_before(held).map(|held| held.arrived_ms());
        let may_be_it = |init: &Waiting| {
            let is_near = (arrived_ms - init.arrived_ms()).abs() <= INIT_NEAR_MS;
            (is_near || !overdue) && Some(init.arrived_ms()) > replaced_ms
        };
        let is_unseen = |waiting: &Waiting| waiting.seen.is_none() && waiting.path() == path;
        if self.waiting.iter().any(|waiting| is_unseen(waiting) && may_be_it(waiting))
            || self.is_held_up(before, &named.rendition, overdue)
        {
            return InitOf::Unknown;
        }
        // What has come after it says nothing of it.
        let is_before = |latest: &Latest| !arrival.may_be_overtaken || latest.arrived_ms <= arrived_ms;
        let latest = match given {
            Some(given) => given.former,
            None => self.latest.get(&named.rendition).copied().filter(is_before),
        };
        let chosen = if place.is_none() {
            // Something that came after the former run.
            let is_of_it = |held: &HeldInit| latest.is_none_or(|latest| held.arrived_ms() > latest.last_ms());
            let of_it = &held[held.iter().position(is_of_it).unwrap_or(held.len())..];
            match latest_before(of_it).or_else(|| of_it.first().cloned()) {
                None if !overdue => return InitOf::Unknown,
                None => latest_before(held),
                of_it => of_it,
            }
        } else {
            // Not one that came before that of the segment before.
            let is_old = |held: &HeldInit| latest.is_some_and(|latest| Some(held.arrived_ms()) < latest.init_ms);
            let held = &held[held.iter().position(|held| !is_old(held)).unwrap_or(held.len())..];
            let is_first = latest_init(broadcast, &named.rendition).is_none();
            latest_before(held).or_else(|| held.first().filter(|_| is_first).cloned())
        };
        chosen.map_or_else(of_log, InitOf::Held)
    }

    /// Whether the init section of the segment before this place is not known either.
    fn goes_behind_unknown(&self, broadcast: &Broadcast, rendition: &RenditionName, seq: Seq) -> bool {
        let places = self.waiting.iter().filter_map(|waiting| waiting.place.as_ref());
        let before = places.filter(|place| place.named.rendition == *rendition && place.seq < seq);
        let Some(nearest) = before.max_by_key(|place| place.seq) else { return false };
        let stored = broadcast.rendition(rendition).and_then(|rendition| rendition.segment_before(seq));
        matches!(nearest.init, InitOf::Unknown) && stored.is_none_or(|stored| stored.seq < nearest.seq)
    }

    /// Our number minus the pusher's, as far as it is known, in the run that it is in: unknown while something of it waits for its
    /// turn.
    pub(super) fn base(&self, broadcast: &Broadcast, rendition: &RenditionName) -> Option<i128> {
        if self.is_held_up(&self.waiting, rendition, false) {
            return None;
        }
        self.numbering.base(rendition).or_else(|| latest_base(broadcast, rendition))
    }

    /// Whether one of these keeps what arrived later in the same rendition from being numbered before it: its turn comes when
    /// it is overdue, if not before.
    pub(super) fn is_held_up(&self, before: &[Waiting], rendition: &RenditionName, overdue: bool) -> bool {
        let holds_up = |waiting: &Waiting| {
            let named = || self.name(waiting, None).is_some_and(|named| named.rendition == *rendition);
            !waiting.had_its_turn && waiting.seen.is_some() && named()
        };
        !overdue && before.iter().any(holds_up)
    }

    /// What was parked waits no longer.
    pub(super) fn no_longer_waits(&mut self, parked: Option<&Parked>) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| Some(&waiting.parked) == parked)?;
        let waiting = self.waiting.remove(at);
        if let Some(place) = &waiting.place {
            self.numbering.no_longer_expect(&place.named.rendition, place.seq);
        }
        Some(waiting)
    }

    /// The turn of a waiting segment has come, and it cannot be read or kept, or its init section is to come: it is given its
    /// number and init section, which would be others later.
    pub(super) fn give_place(&mut self, broadcast: &Broadcast, ready: &Ready, init: &InitOf) {
        let Ready { waiting: Waiting { parked, seen, .. }, named, is_guess, .. } = ready;
        let arrival = ready.waiting.arrival();
        let Some(at) = self.waiting.iter().position(|waiting| waiting.parked == *parked) else { return };
        self.waiting[at].had_its_turn = true;
        let goes_on = self.numbering.place_in_run(broadcast, named, arrival).is_some();
        // Whether it was sent twice, or begins a run, is known once it can be read.
        let is_behind_unplaced = || {
            let may_be_before = |other: &Waiting| other.seen.is_none() && other.place.is_none();
            let folder = folder_of(parked.name().path());
            self.waiting[..at].iter().any(|other| may_be_before(other) && folder_of(other.path()) == folder)
        };
        if seen.is_none() && (!goes_on || is_behind_unplaced()) {
            return;
        }
        let digest = seen.map(|seen| seen.digest);
        let (Numbered::New(seq), base) = self.numbering.number(broadcast, named, digest, arrival) else { return };
        let init_ms = if let InitOf::Held(held) = init { Some(held.arrived_ms()) } else { None };
        let former = self.latest.get(&named.rendition).copied();
        self.note_latest(named, init_ms, (base, arrival));
        self.numbering.expect(&named.rendition, seq, digest, arrival.at);
        let (named, init, is_guess) = (named.clone(), init.clone(), *is_guess);
        self.waiting[at].place = Some(GivenPlace { named, seq, base, goes_on, former, is_guess, init });
    }

    /// The paths of what nobody could look at yet.
    pub(super) fn unseen_paths(&self) -> Vec<String> {
        let unseen = self.waiting.iter().filter(|waiting| waiting.seen.is_none());
        unseen.map(|waiting| waiting.path().to_owned()).collect()
    }

    /// Where a playlist has come to name what was given its place by a guess: if that was wrong, its turn comes again.
    pub(super) fn correct_guesses(&mut self) {
        for waiting in &mut self.waiting {
            let Some(place) = waiting.place.as_mut().filter(|place| place.is_guess) else { continue };
            let path = waiting.parked.name().path();
            let named = self.numbering.named(path).cloned().or_else(|| self.numbering.by_digits(path));
            let Some(named) = named else { continue };
            if (&named.rendition, named.number) == (&place.named.rendition, place.named.number) {
                (place.named, place.is_guess) = (named, false);
            } else {
                self.numbering.no_longer_expect(&place.named.rendition, place.seq);
                (waiting.place, waiting.had_its_turn) = (None, false);
            }
        }
    }

    /// Our number for a segment, and with it that minus the pusher's: what it was given before, if nobody else has that.
    pub(super) fn number(
        &self,
        broadcast: &Broadcast,
        known: &Known,
        digest: Digest,
        arrival: Arrival,
    ) -> (Numbered, i128) {
        match known.place {
            Some((seq, base)) if is_open(broadcast, &known.named.rendition, seq) => (Numbered::New(seq), base),
            // Somebody else had it too.
            Some((seq, base)) if stored_at(broadcast, &known.named.rendition, seq) == Some(digest) => {
                (Numbered::Already(seq), base)
            }
            _ => self.numbering.number(broadcast, &known.named, Some(digest), arrival),
        }
    }

    /// A segment that arrived at that moment has its number.
    pub(super) fn note_latest(&mut self, named: &Named, init_ms: Option<i64>, (base, arrival): (i128, Arrival)) {
        if !self.numbering.note(named, base, arrival) {
            return;
        }
        let (rendition, arrived_ms) = (&named.rendition, arrival.at.0);
        let before = self.latest.get(rendition);
        let init_ms = init_ms.or_else(|| before?.init_ms);
        let arrived_ms = before.map_or(arrived_ms, |before| before.arrived_ms.max(arrived_ms));
        self.latest.insert(rendition.clone(), Latest { arrived_ms, init_ms });
    }

    /// The next waiting segment that can be named, from there on. `coming` are the paths at which init
    /// sections may be that cannot be used yet.
    pub(super) fn next_ready(&self, at: &mut usize, due_ms: i64, coming: &[String]) -> Option<Ready> {
        while let Some(waiting) = self.waiting.get(*at) {
            let overdue = waiting.arrived_ms() <= due_ms || self.waiting.len() > WAITING_MAX;
            let (is_looked_at, path) = (waiting.seen.is_some() || waiting.unreadable_since.is_some(), waiting.path());
            // One that cannot be read may be no segment, by its name.
            let is_one = || waiting.seen.is_some() || !may_be_init(path);
            let guess_by = (overdue && is_one()).then_some(coming);
            if let Some(named) = self.name(waiting, guess_by).filter(|_| is_looked_at) {
                // An end waits for none of them.
                let behind = if due_ms == i64::MAX { 0 } else { *at };
                let is_guess = self.numbering.named(path).is_none() && self.numbering.by_digits(path).is_none();
                return Some(Ready { waiting: waiting.clone(), named, is_guess, behind, overdue });
            }
            *at += 1;
        }
        None
    }

    /// What a waiting segment is: by a playlist, by its digits or, when it has waited long enough, by a guess.
    fn name(&self, waiting: &Waiting, overdue: Option<&[String]>) -> Option<Named> {
        let path = waiting.path();
        if let Some(place) = &waiting.place {
            let map = || self.guess(path, overdue.unwrap_or_default()).map;
            let is_open = place.is_guess && matches!(place.init, InitOf::Unknown);
            let map = if is_open { map() } else { place.named.map.clone() };
            return Some(Named { map, ..place.named.clone() });
        }
        let named = self.numbering.named(path).cloned().or_else(|| self.numbering.by_digits(path));
        named.or_else(|| Some(self.guess(path, overdue?)))
    }

    fn guess(&self, path: &str, coming: &[String]) -> Named {
        let folder = folder_of(path);
        let rendition = folder.map_or_else(RenditionName::main, rendition_name);
        let number = self.numbering.guess(&rendition, path);
        let held = self.inits.keys().rfind(|held| folder_of(held) == folder).map(String::as_str);
        let may_be_its = |other: &&str| {
            let is_alike = split_digits(other).is_some() && extension_of(other) == extension_of(path);
            folder_of(other) == folder && !is_alike
        };
        let map = held.or_else(|| coming.iter().map(String::as_str).find(may_be_its)).map(str::to_owned);
        Named { rendition, number, map }
    }
}

fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

fn extension_of(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, extension)| extension)
}

/// Whether what nobody could look at yet may be an init section, by its name.
pub(super) fn may_be_init(path: &str) -> bool {
    split_digits(path).is_none() || extension_of(path) == Some("mp4")
}

impl Recorder {
    /// Whoever pushes to this broadcast.
    pub(crate) fn pusher_of(&self, id: BroadcastId) -> Arc<Pusher> {
        self.pushers.of(id, self.clock.instant())
    }
}

#[cfg(test)]
mod tests {
    use service::Clock;

    use super::*;

    #[test]
    fn a_pusher_is_forgotten_when_it_has_gone_and_nothing_waits() {
        let (pushers, began) = (Pushers::default(), Clock::from_tokio(0).instant());
        let id = |n| BroadcastId::new(1, n);
        let _held = pushers.of(id(1), began);
        pushers.of(id(2), began).state.try_lock().expect("nobody else has it").owes_end = true;
        pushers.of(id(3), began);
        pushers.of(id(4), began + PUSHER_IDLE / 2);
        pushers.of(id(5), began + PUSHER_IDLE);
        let known = |n| pushers.0.lock().expect("nobody panics").contains_key(&id(n));
        assert_eq!([1, 2, 3, 4, 5].map(known), [true, true, false, true, true]);
    }
}

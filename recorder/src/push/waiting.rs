//! What waits to be told its number, or to be read, and its turn.
//!
//! Everything that waits is durable; this is only the memory of it, and the start-up scan makes it anew.

use std::collections::BTreeMap;

use broadcast::{Broadcast, CapturedAt, Digest, RenditionName, Seq};
use media::Container;
use storage::Parked;
use tokio::time::Instant;

use super::closed::{Closed, latest_base};
use super::hint::MediaHint;
use super::inits::{HeldInit, InitOf, may_be_init};
use super::numbering::{
    Arrival, Named, Numbered, Numbering, guess_number, is_open, latest_before_hole, latest_of_log, split_digits,
    stored_at,
};
use super::{Known, extension_of, rendition_name};
use crate::capture::CaptureClock;
use crate::commit::Durable;

/// How many segments of one broadcast wait; more, and the oldest waits no longer.
pub(super) const WAITING_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct PusherState {
    pub(super) numbering: Numbering,
    pub(super) closed: Closed,
    pub(super) clocks: BTreeMap<RenditionName, CaptureClock>,
    pub(super) latest: BTreeMap<RenditionName, Latest>,
    /// Init sections by path, until a playlist says whose they are, in the order of their arrival.
    pub(super) inits: BTreeMap<String, Vec<HeldInit>>,
    /// In the order of their arrival.
    pub(super) waiting: Vec<Waiting>,
    /// What is durable and has its number, but could not be committed: nothing else is numbered before it.
    pub(super) uncommitted: Option<Durable>,
    /// Whether something was guessed at, or a playlist has come, since guesses were looked at.
    may_have_guessed_wrongly: bool,
    /// Whether its pusher has closed its playlist, and the log could not be told.
    pub(super) owes_end: bool,
    /// Since when an end waits for what cannot be read.
    pub(super) end_waits_since: Option<Instant>,
}

/// The segments of a rendition that were given their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latest {
    /// When the last to come arrived.
    pub(super) arrived_ms: i64,
    /// When the init section of the last one arrived, if that is held.
    pub(super) init_ms: Option<i64>,
}

impl Latest {
    /// When the last that is known of its run arrived.
    pub(super) fn last_ms(self) -> i64 {
        self.init_ms.map_or(self.arrived_ms, |init_ms| init_ms.max(self.arrived_ms))
    }
}

/// A parked upload that cannot be committed yet: its number or init section is not known, or it could not be read.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) parked: Parked,
    /// Since when it waits. A pusher that sends what it encodes begins a segment long before it can name it.
    since_ms: i64,
    /// Nothing before it was looked at: an earlier run has parked it.
    pub(super) seen: Option<Seen>,
    /// It was parked before this recorder knew of the broadcast: what came later may have its number already.
    pub(super) was_found: bool,
    /// What the first playlist since it was parked says of it: that may be forgotten before its turn comes.
    listed: Option<Named>,
    /// Since when it cannot be read, or its init section.
    pub(super) unreadable_since: Option<Instant>,
    pub(super) turn: Turn,
}

/// Whether the turn of what waits has come. Then it holds up nobody any longer.
#[derive(Clone, Debug)]
pub(super) enum Turn {
    ToCome,
    /// It could not be stored, and nobody can say yet whether it was sent twice, or begins a run.
    Passed,
    /// It could not be stored, and others go behind it.
    Given(Box<GivenPlace>),
}

/// What a waiting segment is, with its number and init section.
#[derive(Clone, Debug)]
pub(super) struct GivenPlace {
    pub(super) named: Named,
    pub(super) seq: Seq,
    /// Our numbers minus the pusher's in its run.
    pub(super) base: i128,
    /// Whether its pusher went on, and had not started again.
    pub(super) goes_on: bool,
    /// What had come before it.
    pub(super) former: Option<Latest>,
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
    pub(super) fn new(parked: Parked, now_ms: i64, (digest, container): (Digest, Container)) -> Self {
        Self {
            parked,
            since_ms: now_ms,
            seen: Some(Seen { digest, container }),
            was_found: false,
            listed: None,
            unreadable_since: None,
            turn: Turn::ToCome,
        }
    }

    pub(super) fn unseen(parked: Parked) -> Self {
        let since_ms = parked.name().arrived_ms();
        Self { parked, since_ms, seen: None, was_found: true, listed: None, unreadable_since: None, turn: Turn::ToCome }
    }

    /// What playlists have said of it.
    fn told(&self, numbering: &Numbering) -> Option<Named> {
        self.listed.clone().or_else(|| numbering.told(self.path()))
    }

    pub(super) fn had_its_turn(&self) -> bool {
        !matches!(self.turn, Turn::ToCome)
    }

    pub(super) fn place(&self) -> Option<&GivenPlace> {
        if let Turn::Given(place) = &self.turn { Some(place) } else { None }
    }

    pub(super) fn path(&self) -> &str {
        self.parked.name().path()
    }

    pub(super) fn arrived_ms(&self) -> i64 {
        self.parked.name().arrived_ms()
    }

    pub(super) fn arrival(&self) -> Arrival {
        Arrival { at: CapturedAt(self.arrived_ms()), may_be_overtaken: self.was_found || self.had_its_turn() }
    }
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
    /// Learns what the playlist of `rendition` says.
    pub(super) fn learn(&mut self, rendition: &RenditionName, hint: &MediaHint) {
        let before: Vec<_> = self.waiting.iter().map(|waiting| self.numbering.named(waiting.path()).cloned()).collect();
        self.numbering.learn(rendition, hint);
        self.may_have_guessed_wrongly = true;
        for (waiting, before) in self.waiting.iter_mut().zip(before) {
            if waiting.listed.is_none() {
                waiting.listed = self.numbering.named(waiting.path()).cloned().or(before);
            }
        }
    }

    /// Our number minus the pusher's, as far as it is known, in the run that it is in: unknown while something of it waits for
    /// its turn.
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
            !waiting.had_its_turn() && waiting.seen.is_some() && named()
        };
        !overdue && before.iter().any(holds_up)
    }

    /// What was parked waits no longer.
    pub(super) fn no_longer_waits(&mut self, parked: Option<&Parked>) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| Some(&waiting.parked) == parked)?;
        let waiting = self.waiting.remove(at);
        if let Turn::Given(place) = &waiting.turn {
            self.numbering.no_longer_expect(&place.named.rendition, place.seq);
        }
        Some(waiting)
    }

    /// Goes past a segment whose turn has come, and which cannot be read or kept, or whose init section is to come: it is given
    /// its number and init section, which would be others later.
    pub(super) fn pass_over(&mut self, broadcast: &Broadcast, ready: &Ready, init: &InitOf) {
        let Ready { waiting: Waiting { parked, seen, .. }, named, is_guess, .. } = ready;
        let arrival = ready.waiting.arrival();
        let Some(at) = self.waiting.iter().position(|waiting| waiting.parked == *parked) else { return };
        self.waiting[at].turn = Turn::Passed;
        let goes_on = self.numbering.place_in_run(broadcast, named, arrival).is_some();
        // Whether it was sent twice, or begins a run, is known once it can be read.
        let is_behind_unplaced = || {
            let may_be_before = |other: &Waiting| other.seen.is_none() && other.place().is_none();
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
        self.may_have_guessed_wrongly |= is_guess;
        self.waiting[at].turn = Turn::Given(Box::new(GivenPlace { named, seq, base, goes_on, former, is_guess, init }));
    }

    /// The paths of what nobody could look at yet.
    pub(super) fn unseen_paths(&self) -> Vec<String> {
        let unseen = self.waiting.iter().filter(|waiting| waiting.seen.is_none());
        unseen.map(|waiting| waiting.path().to_owned()).collect()
    }

    /// Where a playlist has come to name what was given its place by a guess: if that was wrong, its turn comes again. Tells
    /// which of those that wait is the first of these.
    fn correct_guesses(&mut self) -> Option<usize> {
        let mut first = None;
        if !std::mem::take(&mut self.may_have_guessed_wrongly) {
            return first;
        }
        for (at, waiting) in self.waiting.iter_mut().enumerate() {
            let told =
                if waiting.place().is_some_and(|place| place.is_guess) { waiting.told(&self.numbering) } else { None };
            let (Some(named), Turn::Given(place)) = (told, &mut waiting.turn) else { continue };
            if (&named.rendition, named.number) == (&place.named.rendition, place.named.number) {
                (place.named, place.is_guess) = (named, false);
            } else {
                self.numbering.no_longer_expect(&place.named.rendition, place.seq);
                waiting.turn = Turn::ToCome;
                first = first.or(Some(at));
            }
        }
        first
    }

    /// Our number for a segment, and with it that minus the pusher's: what it was given before, if nobody else has that.
    pub(super) fn number_of(
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

    /// The next waiting segment that can be named, from there on; what was guessed at wrongly goes before what follows it.
    /// `coming` are the paths at which init sections may be that cannot be used yet.
    pub(super) fn next_turn(
        &mut self,
        broadcast: &Broadcast,
        at: &mut usize,
        due_ms: i64,
        coming: &[String],
    ) -> Option<Ready> {
        if let Some(first) = self.correct_guesses() {
            *at = first.min(*at);
        }
        self.next_ready(broadcast, at, due_ms, coming)
    }

    fn next_ready(&self, broadcast: &Broadcast, at: &mut usize, due_ms: i64, coming: &[String]) -> Option<Ready> {
        while let Some(waiting) = self.waiting.get(*at) {
            let overdue = waiting.since_ms <= due_ms || self.waiting.len() > WAITING_MAX;
            let (is_looked_at, path) = (waiting.seen.is_some() || waiting.unreadable_since.is_some(), waiting.path());
            // One that cannot be read may be no segment, by its name.
            let is_one = || waiting.seen.is_some() || !may_be_init(path);
            let guess_by = (overdue && is_one()).then_some(GuessBy { broadcast, coming });
            if let Some(named) = self.name(waiting, guess_by).filter(|_| is_looked_at) {
                // An end waits for none of them.
                let behind = if due_ms == i64::MAX { 0 } else { *at };
                let is_guess = waiting.told(&self.numbering).is_none();
                return Some(Ready { waiting: waiting.clone(), named, is_guess, behind, overdue });
            }
            *at += 1;
        }
        None
    }

    /// What a waiting segment is: by a playlist, by its digits or, when it has waited long enough, by a guess.
    fn name(&self, waiting: &Waiting, guess_by: Option<GuessBy<'_>>) -> Option<Named> {
        let path = waiting.path();
        let Some(place) = waiting.place() else {
            return waiting.told(&self.numbering).or_else(|| Some(self.guess(waiting, guess_by?)));
        };
        let mut named = place.named.clone();
        if place.is_guess && matches!(place.init, InitOf::Unknown) {
            named.map = self.guess_map(path, guess_by.map(|by| by.coming).unwrap_or_default());
        }
        Some(named)
    }

    fn guess(&self, waiting: &Waiting, GuessBy { broadcast, coming }: GuessBy<'_>) -> Named {
        let path = waiting.path();
        let rendition = folder_of(path).map_or_else(RenditionName::main, rendition_name);
        let number = guess_number(self.latest_before(broadcast, &rendition, waiting.arrival()), path);
        Named { rendition, number, map: self.guess_map(path, coming) }
    }

    /// The pusher's number of the last segment that came before it, as far as that is known.
    fn latest_before(&self, broadcast: &Broadcast, rendition: &RenditionName, arrival: Arrival) -> Option<u64> {
        let latest = self.numbering.latest(rendition);
        if !arrival.may_be_overtaken {
            return latest.map(|(_, number)| number).or_else(|| latest_of_log(broadcast, rendition));
        }
        let places = self.waiting.iter().filter_map(|other| Some((CapturedAt(other.arrived_ms()), other.place()?)));
        let placed = places.filter(|(_, place)| place.named.rendition == *rendition);
        let known = placed.map(|(at, place)| (at, place.named.number));
        let known = known.chain(latest).chain(self.numbering.overtaken(rendition));
        let known = known.chain(latest_before_hole(broadcast, rendition, arrival.at));
        let before = known.filter(|(at, _)| *at <= arrival.at).max_by_key(|(at, _)| *at);
        before
            .map(|(_, number)| number)
            .or_else(|| latest_of_log(broadcast, rendition))
            .or(latest.map(|(_, number)| number))
    }

    fn guess_map(&self, path: &str, coming: &[String]) -> Option<String> {
        let folder = folder_of(path);
        let held = self.inits.keys().rfind(|held| folder_of(held) == folder).map(String::as_str);
        let may_be_its = |other: &&str| {
            let is_alike = split_digits(other).is_some() && extension_of(other) == extension_of(path);
            folder_of(other) == folder && !is_alike
        };
        held.or_else(|| coming.iter().map(String::as_str).find(may_be_its)).map(str::to_owned)
    }
}

/// What a segment that no playlist names is guessed by.
#[derive(Clone, Copy)]
struct GuessBy<'a> {
    broadcast: &'a Broadcast,
    /// The paths at which init sections may be that cannot be used yet.
    coming: &'a [String],
}

fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

//! Which init section belongs to which segment: a pusher that starts again replaces one at the same path, while segments may
//! still wait that need it.

use std::sync::Arc;

use broadcast::{Broadcast, Digest, RenditionName, Segment, Seq};
use bytes::Bytes;
use storage::Parked;

use super::extension_of;
use super::numbering::{Arrival, Named, split_digits};
use super::waiting::{GivenPlace, Latest, PusherState, Waiting};
use crate::commit::latest_init;

/// How far apart a segment and the init section of its run may have arrived.
const NEAR_MS: i64 = 60_000;
/// How many init sections of one broadcast are held.
const HELD_MAX: usize = 64;

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

/// A segment whose init section is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) named: &'a Named,
    pub(super) arrival: Arrival,
    /// Whether it has waited long enough.
    pub(super) overdue: bool,
    pub(super) given: Option<&'a GivenPlace>,
    /// What waits, came before it, and may hold it up.
    pub(super) before: &'a [Waiting],
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
        if self.inits.values().map(Vec::len).sum::<usize>() > HELD_MAX {
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
    pub(super) fn init_of(&self, broadcast: &Broadcast, wanted: Wanted<'_>) -> InitOf {
        let Wanted { named, arrival, overdue, given, before } = wanted;
        let place = match given {
            Some(given) => given.goes_on.then_some(given.seq),
            None => self.numbering.place_in_run(broadcast, named, arrival),
        };
        let of_log = || self.init_of_log(broadcast, &named.rendition, place);
        let Some(path) = named.map.as_deref() else { return of_log() };
        let (held, arrived_ms) = (self.inits.get(path).map(Vec::as_slice).unwrap_or_default(), arrival.at.0);
        if self.may_be_unseen(path, latest_until(held, arrived_ms), (arrived_ms, overdue))
            || self.is_held_up(before, &named.rendition, overdue)
        {
            return InitOf::Unknown;
        }
        // What has come after it says nothing of it.
        let is_before = |latest: &Latest| !arrival.may_be_overtaken || latest.arrived_ms <= arrived_ms;
        let former = match given {
            Some(given) => given.former,
            None => self.latest.get(&named.rendition).copied().filter(is_before),
        };
        let chosen = if place.is_none() {
            // Something that came after the former run.
            let of_it = from_first(held, |held| former.is_none_or(|former| held.arrived_ms() > former.last_ms()));
            match latest_until(of_it, arrived_ms).or_else(|| of_it.first()) {
                None if !overdue => return InitOf::Unknown,
                None => latest_until(held, arrived_ms),
                of_it => of_it,
            }
        } else {
            // Not one that came before that of the segment before.
            let held = from_first(held, |held| former.is_none_or(|former| Some(held.arrived_ms()) >= former.init_ms));
            let is_first = latest_init(broadcast, &named.rendition).is_none();
            latest_until(held, arrived_ms).or_else(|| held.first().filter(|_| is_first))
        };
        chosen.map_or_else(of_log, |held| InitOf::Held(held.clone()))
    }

    /// Whether what an earlier run of ours has parked at this path may be it, if nothing has replaced it. Who knows when that
    /// can be read; but what came about when the segment did cannot be done without.
    fn may_be_unseen(&self, path: &str, latest: Option<&HeldInit>, (arrived_ms, overdue): (i64, bool)) -> bool {
        let may_be_it = |init: &Waiting| {
            let is_near = (arrived_ms - init.arrived_ms()).abs() <= NEAR_MS;
            (is_near || !overdue) && latest.is_none_or(|latest| init.arrived_ms() > latest.arrived_ms())
        };
        let is_unseen = |waiting: &Waiting| waiting.seen.is_none() && waiting.path() == path;
        self.waiting.iter().any(|waiting| is_unseen(waiting) && may_be_it(waiting))
    }

    fn init_of_log(&self, broadcast: &Broadcast, rendition: &RenditionName, place: Option<Seq>) -> InitOf {
        if place.is_some_and(|place| self.goes_behind_unknown(broadcast, rendition, place)) {
            return InitOf::Unknown;
        }
        init_at(broadcast, rendition, place).map_or(InitOf::Unknown, InitOf::Stored)
    }

    /// Whether the init section of the segment before this place is not known either.
    fn goes_behind_unknown(&self, broadcast: &Broadcast, rendition: &RenditionName, seq: Seq) -> bool {
        let places = self.waiting.iter().filter_map(Waiting::place);
        let before = places.filter(|place| place.named.rendition == *rendition && place.seq < seq);
        let Some(nearest) = before.max_by_key(|place| place.seq) else { return false };
        let stored = broadcast.rendition(rendition).and_then(|rendition| rendition.segment_before(seq));
        matches!(nearest.init, InitOf::Unknown) && stored.is_none_or(|stored| stored.seq < nearest.seq)
    }
}

/// The last of these that had arrived by then.
fn latest_until(held: &[HeldInit], ms: i64) -> Option<&HeldInit> {
    held.iter().rfind(|held| held.arrived_ms() <= ms)
}

fn from_first(held: &[HeldInit], is_it: impl FnMut(&HeldInit) -> bool) -> &[HeldInit] {
    &held[held.iter().position(is_it).unwrap_or(held.len())..]
}

/// The init section of the segment before this place, or else of the one after it; without a place, the latest.
fn init_at(broadcast: &Broadcast, name: &RenditionName, place: Option<Seq>) -> Option<Digest> {
    let rendition = broadcast.rendition(name)?;
    let nearest = place.and_then(|place| rendition.segment_before(place).or_else(|| rendition.segment_from(place)));
    let init = |nearest: &Arc<Segment>| Some(rendition.format(nearest.format)?.init.as_ref()?.digest);
    nearest.and_then(init).or_else(|| latest_init(broadcast, name))
}

/// Whether what nobody could look at yet may be an init section, by its name.
pub(super) fn may_be_init(path: &str) -> bool {
    split_digits(path).is_none() || extension_of(path) == Some("mp4")
}

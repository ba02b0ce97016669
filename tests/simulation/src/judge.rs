//! The seven rules of the views (docs/design/views.md), held against what one who watches all the time and forgets nothing
//! is shown of a broadcast. Pure: it is given the log, and the time.
//!
//! | rule | what is judged | when |
//! |---|---|---|
//! | 1 | `testkit::hls::transition` of live, dvr, catch-up and vod | live at each look, the longer ones now and then |
//! | 2 | not here: whatever is listed is fetched, see `viewer` | at each look |
//! | 3 | [`silence`] | at each moment at which live can change |
//! | 4 | [`sums`] | with rule 1 |
//! | 5 | [`breaks`] | with rule 1, but live, of which dvr has all |
//! | 6 | [`recording`] | with rule 1 |
//! | 7 | [`places`] | when it is over, as nothing that was listed ever changes |

mod breaks;
mod facts;
mod listed;
mod places;
mod recording;
mod silence;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use broadcast::{Broadcast, Digest, Entry, Extent, Item, LogEntry, RenditionName, Seq, StoreTime, View};
use testkit::hls::{self, Playlist};

use crate::truth::Place;
use facts::Facts;
use silence::Silence;

/// What one who watches a broadcast has seen of it.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    facts: Facts,
    silence: Silence,
    broadcast: Option<Broadcast>,
    /// Until when everything was seen.
    seen_until: Option<StoreTime>,
    /// The texts that were shown last, at each address.
    shown: BTreeMap<(RenditionName, String), String>,
    /// The log may lack what was shown of it in capture order, its end too: whoever has it is about to put it back.
    has_lost: bool,
    violations: Vec<String>,
}

impl Judge {
    pub(crate) fn broadcast(&self) -> Option<&Broadcast> {
        self.broadcast.as_ref()
    }

    /// What is wrong with what was seen, since this was asked last.
    pub(crate) fn violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    /// Until when everything was seen.
    pub(crate) fn seen_until(&self) -> Option<StoreTime> {
        self.seen_until
    }

    /// The metadata store has forgotten something, and this is another log by now. What was shown stays shown, and what it
    /// had forgotten before may still be to come.
    pub(crate) fn begin_again(&mut self) {
        if let Some(until) = self.seen_until {
            self.look_at_what_was_shown(until);
        }
        let (shown, violations) = (std::mem::take(&mut self.shown), std::mem::take(&mut self.violations));
        *self = Self { shown, violations, has_lost: true, ..Self::default() };
    }

    /// Whether an entry is dated before a moment at which it should have been seen, had there been one like it.
    pub(crate) fn comes_late(&self, entry: &LogEntry) -> bool {
        self.seen_until.is_some_and(|until| entry.at < until)
    }

    /// The next entry of the log.
    pub(crate) fn take(&mut self, entry: &LogEntry, place: impl Fn(Digest) -> Option<Place>) -> Result<(), String> {
        self.wait_until(entry.at);
        match &mut self.broadcast {
            Some(broadcast) => broadcast.apply(entry).map_err(|error| error.to_string())?,
            none => *none = Some(Broadcast::open(entry).map_err(|error| error.to_string())?),
        }
        let taken = self.facts.take(entry, place);
        self.violations.extend(taken.err());
        self.watch_live(entry.at);
        Ok(())
    }

    /// Lets time pass, and looks whenever time alone changes something.
    pub(crate) fn wait_until(&mut self, until: StoreTime) {
        while let Some(next) = self.next_change().filter(|next| *next <= until) {
            self.watch_live(next);
            self.seen_until = Some(next);
        }
        self.seen_until = self.seen_until.max(Some(until));
        self.watch_live(until);
    }

    fn next_change(&self) -> Option<StoreTime> {
        self.broadcast.as_ref()?.next_change(self.seen_until?)
    }

    /// Rule 3.
    fn watch_live(&mut self, at: StoreTime) {
        let Some(broadcast) = &self.broadcast else { return };
        for rendition in broadcast.renditions() {
            let name = rendition.name();
            let Ok(live) = broadcast.view(name, View::Live, Extent::Whole, at) else { continue };
            self.violations.extend(self.silence.look(name, &live.text, at, &self.facts));
        }
    }

    /// The live playlists.
    pub(crate) fn look_at_live(&mut self, now: StoreTime) {
        for name in self.renditions() {
            let live = self.look(&name, "live", View::Live, now);
            if let Some(Ok(live)) = live {
                self.note(sums::tiles(&live, &self.facts));
            }
        }
    }

    /// All that there is.
    pub(crate) fn look_at_all(&mut self, now: StoreTime) {
        let mut dvrs = BTreeMap::new();
        for name in self.renditions() {
            if let Some(Ok(dvr)) = self.look(&name, "dvr", View::Dvr, now) {
                self.note(sums::tiles(&dvr, &self.facts));
                dvrs.insert(name.clone(), dvr);
            }
            if let Some(Ok(catch_up)) = self.look(&name, "catch-up", View::CatchUp { from: Seq(0) }, now) {
                self.note(recording::catch_up(&catch_up, &name, &self.facts));
                self.note(sums::whole(&catch_up, &name, &self.facts));
                self.note(breaks::alone(&catch_up, &name, &self.facts));
            }
            if let Some(Ok(vod)) = self.look(&name, "vod", View::Vod, now) {
                self.note(recording::vod(&vod, &name, &self.facts));
                self.note(sums::whole(&vod, &name, &self.facts));
                self.note(breaks::alone(&vod, &name, &self.facts));
            }
        }
        if let (1, Some((name, dvr))) = (self.facts.renditions.len(), dvrs.first_key_value()) {
            self.note(breaks::alone(dvr, name, &self.facts));
        }
        self.note(breaks::together(&dvrs, &self.facts));
    }

    /// It is over: whatever was lost is back.
    pub(crate) fn look_back(&mut self, now: StoreTime) {
        self.has_lost = false;
        self.look_at_what_was_shown(now);
    }

    /// What is shown will never be added to.
    fn look_at_what_was_shown(&mut self, now: StoreTime) {
        self.look_at_all(now);
        let Some(broadcast) = &self.broadcast else { return };
        let entries = |name: RenditionName| {
            let items = broadcast.live_items(&name, now).into_iter();
            let entries = items.filter_map(|item| match item {
                Item::Entry(entry) => Some(entry),
                Item::Range(_) | Item::End => None,
            });
            (name, entries.collect::<Vec<Entry>>())
        };
        let listed = self.renditions().into_iter().map(entries).collect();
        self.note(places::places(&listed, &self.facts, now));
    }

    /// Rule 1, and the form. An error of the form is noted.
    fn look(
        &mut self,
        name: &RenditionName,
        view: &'static str,
        of: View,
        now: StoreTime,
    ) -> Option<Result<Playlist, ()>> {
        let broadcast = self.broadcast.as_ref()?;
        let shown = broadcast.view(name, of, Extent::Whole, now);
        let address = match of {
            View::Live | View::Dvr => format!("{view}{}", broadcast.generation()),
            View::CatchUp { .. } | View::Vod => view.to_owned(),
        };
        let key = (name.clone(), address);
        let before = self.shown.get(&key);
        let is_to_come = self.has_lost && matches!(of, View::CatchUp { .. } | View::Vod);
        let Ok(shown) = shown else {
            if before.is_some() && !is_to_come {
                self.violations.push(format!("rule 1: the {view} playlist of {name} is gone"));
            }
            return None;
        };
        if is_to_come && before.is_some_and(|before| extent_of(&shown.text) < extent_of(before)) {
            return None;
        }
        // The longer ones are held against what has come meanwhile, too.
        if of == View::Live && before == Some(&shown.text) {
            return None;
        }
        if let Some(before) = before {
            let judged = hls::transition(before, &shown.text).err().unwrap_or_default();
            let judged =
                judged.into_iter().map(|violation| format!("rule 1: the {view} playlist of {name}: {violation}"));
            self.violations.extend(judged.take(1));
        }
        let read = hls::well_formed(&shown.text).map_err(|found| {
            let found = found.into_iter().map(|violation| format!("the {view} playlist of {name}: {violation}"));
            self.violations.extend(found.take(1));
        });
        self.shown.insert(key, shown.text);
        Some(read)
    }

    fn note(&mut self, judged: Result<(), String>) {
        self.violations.extend(judged.err());
    }

    fn renditions(&self) -> Vec<RenditionName> {
        let renditions = self.broadcast.iter().flat_map(Broadcast::renditions);
        renditions.map(|rendition| rendition.name().clone()).collect()
    }
}

/// How much is listed, and whether that is all there will be.
fn extent_of(text: &str) -> (usize, bool) {
    let entries = text.lines().filter(|line| line.starts_with("#EXTINF")).count();
    (entries, text.lines().any(|line| line == "#EXT-X-ENDLIST"))
}

//! A log as far as it has to be known to see that nothing of it was lost, and what the stores have beside it.

use std::collections::{BTreeMap, BTreeSet};

use broadcast::{
    BroadcastId, CapturedAt, Digest, Document, DocumentFold, Event, Key, LogEntry, Object, RenditionName, Seq, SeqSet,
    StoreTime,
};
use futures_util::StreamExt;
use metadata::{MetadataError, READ_MAX};
use storage::{Listed, Named, Store, StoreError};

use super::marks::Mark;
use crate::recorder::Recorder;
use crate::renumbering::is_resent;
use crate::scan::Place;

/// The most segments that are put back at a time; then it is looked again.
pub(super) const FOUND_MAX: usize = 10_000;
/// The most copies of one segment, here and in the hot store, of which a good one is looked for.
const COPIES_MAX: usize = 8;

/// What a log says. Less than a broadcast that is followed: it is read for each, at each start.
#[derive(Debug)]
pub(super) struct Glance {
    pub(super) log: DocumentFold,
    /// What is stored of renditions whose numbers are given here, and not by who sends them.
    stored: BTreeMap<RenditionName, BTreeMap<Seq, (Digest, CapturedAt)>>,
    numbered_here: BTreeSet<RenditionName>,
    safe: BTreeMap<RenditionName, SeqSet>,
    last_at: StoreTime,
    /// Whether it may end by itself, some time after what was said of its end.
    pub(super) is_ending: bool,
}

impl Default for Glance {
    fn default() -> Self {
        let (stored, numbered_here, safe) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { log: DocumentFold::default(), stored, numbered_here, safe, last_at: StoreTime(0), is_ending: false }
    }
}

impl Glance {
    /// What a document tells of that, and the log may have lost.
    pub(super) fn heed(&mut self, told: &Document) {
        let mapped = |entry: &LogEntry| match &entry.event {
            Event::Mapped { rendition, .. } => Some(rendition.clone()),
            _ => None,
        };
        self.numbered_here.extend(told.entries.iter().filter_map(mapped));
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { len: self.log.covers(), last_at: self.last_at }
    }

    fn is_stored(&self, rendition: &RenditionName, seq: Seq) -> bool {
        self.log.stored(rendition).is_some_and(|stored| stored.contains(seq))
    }

    /// Whether something else has its number, and it has no other.
    fn has_lost_its_number(&self, rendition: &RenditionName, seq: Seq, (digest, at): (Digest, CapturedAt)) -> bool {
        let Some(stored) = self.stored.get(rendition) else { return false };
        let is_other = stored.get(&seq).is_some_and(|(other, _)| *other != digest);
        is_other && !stored.values().any(|(other, other_at)| *other == digest && is_resent(at, *other_at))
    }

    fn is_safe(&self, rendition: &RenditionName, seq: Seq) -> bool {
        self.safe.get(rendition).is_some_and(|safe| safe.contains(seq))
    }

    /// How many segments are stored and not safe.
    pub(super) fn not_safe(&self) -> u64 {
        let names = self.log.renditions();
        let count = |set: Option<&SeqSet>| set.map_or(0, SeqSet::count);
        names.map(|name| count(self.log.stored(name)).saturating_sub(count(self.safe.get(name)))).sum()
    }
}

/// What was found in the stores.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Segments that the log does not list: all copies of each, the one that counts most first. It may be damaged.
    pub(super) unlisted: BTreeMap<(RenditionName, Seq), Vec<(Listed, Place)>>,
    /// There were more.
    pub(super) has_more: bool,
    /// Segments that the hot store has, and the log does not say to be safe.
    pub(super) hot: Vec<Listed>,
    /// Segments here that the log lists, and does not say to be safe.
    pub(super) not_safe_here: u64,
    pub(super) inits: Vec<(RenditionName, Digest)>,
    /// The hot store could not be listed: there may be more.
    pub(super) failed: Option<StoreError>,
}

impl Recorder {
    pub(super) async fn glance(&self, id: BroadcastId) -> Result<Glance, MetadataError> {
        let mut glance = Glance::default();
        loop {
            let entries = self.broadcasts.store().read(id, glance.log.covers(), READ_MAX).await?;
            for entry in &entries {
                glance.log.take(entry);
                glance.last_at = entry.at;
                match &entry.event {
                    Event::Stored(segment) => {
                        let stored = glance.stored.entry(segment.rendition.clone()).or_default();
                        stored.insert(segment.seq, (segment.digest, segment.captured_at));
                    }
                    Event::Mapped { rendition, .. } => drop(glance.numbered_here.insert(rendition.clone())),
                    Event::Safe { rendition, seqs } => {
                        glance.safe.entry(rendition.clone()).or_default().insert(*seqs);
                    }
                    Event::EndHinted | Event::Closing { .. } => glance.is_ending = true,
                    Event::Ended { .. } => glance.is_ending = false,
                    _ => {}
                }
            }
            if entries.is_empty() {
                let Glance { stored, numbered_here, .. } = &mut glance;
                stored.retain(|rendition, _| numbered_here.contains(rendition));
                return Ok(glance);
            }
        }
    }

    /// Adds what a store has.
    pub(super) async fn find_in(
        &self,
        store: &dyn Store,
        place: Place,
        (id, glance): (BroadcastId, &Glance),
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let mut listing = store.list(id);
        while let Some(named) = listing.next().await {
            let Named::Ours(listed) = named? else { continue };
            match &listed.key.object {
                Object::Document => {}
                Object::Init { rendition, digest } => found.inits.push((rendition.clone(), *digest)),
                Object::Segment { .. } if self.in_flight.contains(&listed.key) => {}
                Object::Segment { rendition, seq, captured_at, digest, .. } => {
                    let (rendition, seq) = (rendition.clone(), *seq);
                    let is_stored = glance.is_stored(&rendition, seq)
                        && !glance.has_lost_its_number(&rendition, seq, (*digest, *captured_at));
                    let is_safe = glance.is_safe(&rendition, seq);
                    found.add(listed, place, (rendition, seq), (is_stored, is_safe));
                }
            }
        }
        Ok(())
    }
}

impl Found {
    /// What was given another number leaves its first one to what has that now.
    pub(super) fn leave_first_numbers(&mut self, glance: &Glance) {
        if self.unlisted.is_empty() || glance.numbered_here.is_empty() {
            return;
        }
        let mut numbers: BTreeMap<(RenditionName, CapturedAt, Digest), Seq> = BTreeMap::new();
        let unlisted = self.unlisted.values().flatten().filter_map(|(listed, _)| named(&listed.key));
        let unlisted = unlisted.filter(|((rendition, _, _), _)| glance.numbered_here.contains(rendition));
        let listed = glance.stored.iter().flat_map(|(rendition, stored)| {
            stored.iter().map(|(seq, (digest, at))| ((rendition.clone(), *at, *digest), *seq))
        });
        for (name, seq) in unlisted.chain(listed) {
            let number = numbers.entry(name).or_insert(seq);
            *number = (*number).max(seq);
        }
        let is_last = |(listed, _): &(Listed, Place)| {
            named(&listed.key).is_none_or(|(name, seq)| numbers.get(&name).is_none_or(|number| *number <= seq))
        };
        self.unlisted.retain(|_, copies| {
            copies.retain(is_last);
            !copies.is_empty()
        });
    }

    fn add(&mut self, listed: Listed, place: Place, name: (RenditionName, Seq), (is_stored, is_safe): (bool, bool)) {
        if is_stored && !is_safe && place == Place::Here {
            self.not_safe_here += 1;
        }
        if place == Place::Hot && !is_safe {
            if self.hot.len() < FOUND_MAX {
                self.hot.push(listed.clone());
            } else {
                self.has_more = true;
            }
        }
        if is_stored {
            return;
        }
        if self.unlisted.len() >= FOUND_MAX && !self.unlisted.contains_key(&name) {
            self.has_more = true;
            return;
        }
        let copies = self.unlisted.entry(name).or_default();
        // What is here under the same key is nearer; under another, what is in the hot store counts.
        let is_here = copies.iter().any(|(known, _)| known.key == listed.key);
        let at = if is_here || place == Place::Here { copies.len() } else { 0 };
        if copies.len() < COPIES_MAX {
            copies.insert(at, (listed, place));
        }
    }
}

/// What a segment is, whatever number it has, and its number.
fn named(key: &Key) -> Option<((RenditionName, CapturedAt, Digest), Seq)> {
    let Object::Segment { rendition, seq, captured_at, digest, .. } = &key.object else { return None };
    Some(((rendition.clone(), *captured_at, *digest), *seq))
}

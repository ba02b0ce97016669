//! One log in the making.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broadcast::{
    Broadcast, BroadcastId, CapturedAt, Digest, Document, Event, EventIndex, FormatId, Key, LogEntry, Object, Opened,
    RenditionName, Seq, SeqRange, SeqSet, State, StoreTime, ViewPolicy,
};
use futures_util::stream::{self, StreamExt};
use inspection::{Found, KnownInit, describe, stored_events};
use storage::StoreError;

use super::Report;
use super::copies::{Damaged, Good, Inspected, Looked, look_at_init, look_at_segment};
use crate::finding::{Finding, Kind};
use crate::found::{Documents, Objects, SyncError, Tier, opened_only};

/// How many segments are read at a time.
const READS_MAX: usize = 8;

pub(super) type Inits = BTreeMap<(RenditionName, FormatId), Arc<KnownInit>>;

/// A log as the stores tell it.
pub(super) struct Made {
    pub(super) entries: Vec<LogEntry>,
    pub(super) is_complete: bool,
    pub(super) document: Document,
    /// Good copies in the hot store.
    pub(super) hot: BTreeSet<Key>,
}

pub(super) struct Making<'a, 'r> {
    tiers: &'a [Tier],
    objects: &'a Objects,
    id: BroadcastId,
    /// By the metadata store's time.
    now: StoreTime,
    report: &'a mut Report<'r>,
    /// Copies that are damaged, with the places of their tiers.
    damaged: BTreeSet<(Key, usize)>,
}

/// Where a log stands.
struct Log {
    entries: Vec<LogEntry>,
    broadcast: Broadcast,
}

impl Log {
    fn push(&mut self, id: BroadcastId, at: StoreTime, event: Event) -> Result<(), SyncError> {
        let at = at.max(self.broadcast.last_at());
        let entry = LogEntry { index: EventIndex(self.entries.len() as u64), at, event };
        self.broadcast.apply(&entry).map_err(|source| SyncError::Log { id, source })?;
        self.entries.push(entry);
        Ok(())
    }
}

impl<'a, 'r> Making<'a, 'r> {
    pub(super) fn new(
        tiers: &'a [Tier],
        objects: &'a Objects,
        id: BroadcastId,
        now: StoreTime,
        report: &'a mut Report<'r>,
    ) -> Self {
        Self { tiers, objects, id, now, report, damaged: BTreeSet::new() }
    }

    pub(super) async fn made(mut self) -> Result<Made, SyncError> {
        let id = self.id;
        let document = self.document().await?;
        let mut entries = document.entries.iter();
        let opened = entries.next().expect("a document begins with what opened it");
        let opened = LogEntry { index: EventIndex(0), ..opened.clone() };
        let broadcast = Broadcast::open(&opened).map_err(|source| SyncError::Log { id, source })?;
        let mut log = Log { entries: vec![opened], broadcast };
        // Formats and playlists say nothing of time; what will never come, and the end, come after all that came.
        let mut timed = Vec::new();
        for entry in entries {
            match &entry.event {
                Event::Format(_) | Event::Mapped { .. } => {
                    let at = log.broadcast.last_at();
                    log.push(id, at, entry.event.clone())?;
                }
                Event::Abandoned { .. } | Event::Ended { .. } | Event::Closing { .. } => {}
                _ => timed.push(entry),
            }
        }
        self.segments(&mut log, &document, &timed).await?;
        for (at, event) in document.last_words() {
            log.push(id, at, event)?;
        }
        let hot = self.hot();
        for event in safe_events(&log.broadcast, id, &hot) {
            let at = log.broadcast.last_at();
            log.push(id, at, event)?;
        }
        let is_complete = is_complete(&log.broadcast);
        Ok(Made { entries: log.entries, is_complete, document, hot })
    }

    async fn document(&mut self) -> Result<Document, SyncError> {
        let documents = Documents::read(self.tiers, self.objects, self.id).await?;
        for at in &documents.damaged {
            self.say(Kind::Damaged, &Key::of_document(self.id), self.tiers[*at].name);
        }
        if let Some(best) = documents.best() {
            return Ok(best.clone());
        }
        let detail = "its title and its end are not known";
        self.report.say(Finding::new(Kind::NoDocument, self.id, None, detail));
        let stored_is_safe = !self.tiers.iter().any(|tier| tier.is_hot);
        let policy = ViewPolicy::default();
        let opened = Opened { title: String::new(), target_duration: None, policy, stored_is_safe };
        Ok(opened_only(self.id, opened))
    }

    /// The segments in the order of their capture, and between them what happened between them.
    async fn segments(&mut self, log: &mut Log, document: &Document, timed: &[&LogEntry]) -> Result<(), SyncError> {
        let (id, mut timed) = (self.id, timed.iter().peekable());
        let (places, inits) = (self.in_order(document), self.inits().await?);
        let (tiers, objects, inits) = (self.tiers, self.objects, &inits);
        let mut looked = stream::iter(places)
            .map(|keys| async move { first_good(tiers, objects, keys, inits).await })
            .buffered(READS_MAX);
        while let Some(place) = looked.next().await {
            let Place { passed, found } = place?;
            for (key, damaged, why) in passed {
                self.damaged(&key, &damaged);
                self.say(Kind::Unreadable, &key, &why);
            }
            let Some(Chosen { key, damaged, good }) = found else { continue };
            self.damaged(&key, &damaged);
            let Object::Segment { captured_at, duration, .. } = &key.object else { continue };
            let at = StoreTime(captured_at.0 + duration.0).min(self.now);
            while let Some(entry) = timed.next_if(|entry| entry.at < at) {
                log.push(id, entry.at, entry.event.clone())?;
            }
            for event in events_of(&log.broadcast, &key, &good) {
                log.push(id, at, event)?;
            }
            self.report.rebuilt.segments += 1;
        }
        timed.try_for_each(|entry| log.push(id, entry.at, entry.event.clone()))
    }

    /// The keys of each segment, that of the store that counts most first: it may be there under several times.
    fn in_order(&self, document: &Document) -> Vec<Vec<Key>> {
        let mut places: BTreeMap<(&RenditionName, Seq), Vec<(usize, &Key)>> = BTreeMap::new();
        let mapped = |entry: &LogEntry| match &entry.event {
            Event::Mapped { rendition, .. } => Some(rendition.clone()),
            _ => None,
        };
        let numbered_by_us: BTreeSet<RenditionName> = document.entries.iter().filter_map(mapped).collect();
        let mut numbers: BTreeMap<(&RenditionName, CapturedAt, Digest), Seq> = BTreeMap::new();
        for key in self.objects.keys.keys() {
            let Object::Segment { rendition, seq, captured_at, digest, .. } = &key.object else { continue };
            let number = numbers.entry((rendition, *captured_at, *digest)).or_insert(*seq);
            *number = (*number).max(*seq);
        }
        for (key, there) in &self.objects.keys {
            let Object::Segment { rendition, seq, captured_at, digest, .. } = &key.object else { continue };
            // One that was given another number leaves its first one to what has that now.
            if numbered_by_us.contains(rendition)
                && numbers.get(&(rendition, *captured_at, *digest)).is_some_and(|number| number > seq)
            {
                continue;
            }
            places.entry((rendition, *seq)).or_default().push((there[0].0, key));
        }
        let mut keys: Vec<Vec<Key>> = places
            .into_values()
            .map(|mut keys| {
                keys.sort();
                keys.into_iter().map(|(_, key)| key.clone()).collect()
            })
            .collect();
        keys.sort_by_key(|keys| order(&keys[0], document));
        keys
    }

    async fn inits(&mut self) -> Result<Inits, SyncError> {
        let mut inits = Inits::new();
        for key in self.objects.keys.keys() {
            let Object::Init { rendition, digest } = &key.object else { continue };
            let looked = look_at_init(self.tiers, self.objects, key, *digest).await?;
            self.damaged(key, &looked.damaged);
            match looked.good {
                Ok(Good { found, .. }) => {
                    inits.insert((rendition.clone(), FormatId::of_init(digest)), Arc::new(found));
                }
                Err(why) => self.say(Kind::Unreadable, key, &why),
            }
        }
        Ok(inits)
    }

    /// What the hot store has, as far as nothing is known to be wrong with it.
    fn hot(&self) -> BTreeSet<Key> {
        let is_hot = |key: &Key, at: usize| self.tiers[at].is_hot && !self.damaged.contains(&(key.clone(), at));
        let hot = self.objects.keys.iter().filter(|(key, there)| there.iter().any(|(at, _)| is_hot(key, *at)));
        hot.map(|(key, _)| key.clone()).collect()
    }

    fn damaged(&mut self, key: &Key, damaged: &[(usize, String)]) {
        for (at, why) in damaged {
            let name = self.tiers[*at].name;
            self.say(Kind::Damaged, key, &format!("{name}: {why}"));
            self.damaged.insert((key.clone(), *at));
        }
    }

    fn say(&mut self, kind: Kind, key: &Key, detail: &str) {
        self.report.say(Finding::new(kind, self.id, Some(key), detail));
    }
}

/// By capture, but the segment that was stored first before all.
fn order(key: &Key, document: &Document) -> (bool, CapturedAt, RenditionName, Seq) {
    let Object::Segment { rendition, seq, captured_at, .. } = &key.object else { unreachable!("segments only") };
    let is_first = document.first_stored.as_ref().is_some_and(|(of, first)| of == rendition && first == seq);
    (!is_first, *captured_at, rendition.clone(), *seq)
}

/// What was found of one segment.
struct Place {
    /// Keys of which there is no good copy, and why.
    passed: Vec<(Key, Damaged, String)>,
    found: Option<Chosen>,
}

/// The key that it has.
struct Chosen {
    key: Key,
    damaged: Damaged,
    good: Good<Inspected>,
}

async fn first_good(tiers: &[Tier], objects: &Objects, keys: Vec<Key>, inits: &Inits) -> Result<Place, StoreError> {
    let mut passed = Vec::new();
    for key in keys {
        let Looked { good, damaged } = look_at_segment(tiers, objects, &key, inits).await?;
        match good {
            Ok(good) => return Ok(Place { passed, found: Some(Chosen { key, damaged, good }) }),
            Err(why) => passed.push((key, damaged, why)),
        }
    }
    Ok(Place { passed, found: None })
}

fn events_of(broadcast: &Broadcast, key: &Key, good: &Good<Inspected>) -> Vec<Event> {
    let Object::Segment { rendition, seq, captured_at, digest, .. } = &key.object else { return Vec::new() };
    let (inspection, init) = &good.found;
    let found = Found {
        rendition,
        seq: *seq,
        captured_at: *captured_at,
        pushed: None,
        digest: *digest,
        len: good.len,
        inspection,
        init: init.as_deref(),
    };
    stored_events(broadcast, describe(broadcast, &found))
}

pub(super) fn is_complete(broadcast: &Broadcast) -> bool {
    broadcast.state(broadcast.last_at()) == State::Complete
}

/// What is to be said to be safe: what is listed under a key that the hot store has, and not said to be safe.
pub(super) fn safe_events(broadcast: &Broadcast, id: BroadcastId, hot: &BTreeSet<Key>) -> Vec<Event> {
    if broadcast.opened().stored_is_safe {
        return Vec::new();
    }
    let mut events = Vec::new();
    for rendition in broadcast.renditions() {
        let name = rendition.name();
        let (mut safe, known) = (SeqSet::default(), broadcast.safe(name));
        for segment in rendition.segments() {
            let is_known = known.is_some_and(|known| known.contains(segment.seq));
            if !is_known && hot.contains(&Key::of_segment(id, segment)) {
                safe.insert(SeqRange::one(segment.seq));
            }
        }
        events.extend(safe.ranges().map(|seqs| Event::Safe { rendition: name.clone(), seqs }));
    }
    events
}

//! Logs made anew from documents and keys, and from what is under the keys.
//!
//! A log comes out the same each time that it is made from the same stores, so that one that was begun is gone on with.
//! When segments were committed is told by nobody any more: they are dated by their capture, in whose order they come.

use std::collections::BTreeMap;
use std::sync::Arc;

use broadcast::{
    Broadcast, BroadcastId, Digest, Document, Event, EventIndex, FormatId, Key, LogEntry, Object, Opened,
    RenditionName, Seq, SeqRange, SeqSet, StoreTime, ViewPolicy,
};
use futures_util::stream::{self, StreamExt};
use inspection::{Found, KnownInit, ReadError, describe, inspect, stored_events};
use media::{Inspection, Inspector};
use metadata::{COMMIT_EVENTS_MAX, Expect, Metadata, MetadataError};
use serde::Serialize;
use storage::verified;

use crate::found::{Objects, SyncError, Tier, broadcasts_in, document, log_of, objects, opened_only, read};

/// How many segments are read at a time.
const READS_MAX: usize = 8;

/// How it is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct RebuildOptions {
    /// The metadata store may have logs already: what they lack is added, what they have stays.
    pub fill_in: bool,
}

/// What was done, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    pub broadcasts: u64,
    pub segments: u64,
    /// Entries that the metadata store did not have.
    pub entries: u64,
    /// Objects that are no segments, or not those that their keys name. They are left alone.
    pub unreadable: u64,
    /// Broadcasts without a document: their titles and ends are lost.
    pub without_document: u64,
}

/// Makes the logs of all broadcasts of which the stores have something; tells after each what was done, of how many.
pub async fn rebuild(
    metadata: &dyn Metadata,
    tiers: &[Tier],
    options: RebuildOptions,
    mut progress: impl FnMut(BroadcastId, &Rebuilt, usize),
) -> Result<Rebuilt, SyncError> {
    if !options.fill_in
        && let Some(id) = metadata.list(None, 1).await?.first()
    {
        return Err(SyncError::NotEmpty { id: *id });
    }
    let (mut rebuilt, ids) = (Rebuilt::default(), broadcasts_in(tiers).await?);
    let all = ids.len();
    for id in ids {
        let objects = objects(tiers, id).await?;
        if objects.keys.is_empty() {
            continue;
        }
        let log = Making { tiers, objects: &objects, id, rebuilt: &mut rebuilt }.log().await?;
        rebuilt.entries += put(metadata, id, &log).await?;
        rebuilt.broadcasts += 1;
        progress(id, &rebuilt, all);
    }
    Ok(rebuilt)
}

/// Gives the metadata store what it lacks of a log; how many entries that were.
async fn put(metadata: &dyn Metadata, id: BroadcastId, log: &[LogEntry]) -> Result<u64, MetadataError> {
    let there = log_of(metadata, id).await?;
    if there.len() <= log.len() && log[..there.len()] == there[..] {
        for entries in log[there.len()..].chunks(COMMIT_EVENTS_MAX) {
            metadata.put_back(id, entries).await?;
        }
        return Ok((log.len() - there.len()) as u64);
    }
    // It went on by itself: what it lacks goes to its end.
    let is_lacking =
        |entry: &&LogEntry| matches!(entry.event, Event::Format(_) | Event::Stored(_) | Event::Ended { .. });
    let events: Vec<Event> = log.iter().filter(is_lacking).map(|entry| entry.event.clone()).collect();
    let mut appended = 0;
    for events in events.chunks(COMMIT_EVENTS_MAX) {
        let outcomes = metadata.commit(id, events, Expect::Any).await?;
        appended += outcomes.iter().filter(|outcome| matches!(outcome, metadata::Outcome::Appended { .. })).count();
    }
    Ok(appended as u64)
}

/// One log in the making.
struct Making<'a> {
    tiers: &'a [Tier],
    objects: &'a Objects,
    id: BroadcastId,
    rebuilt: &'a mut Rebuilt,
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

impl Making<'_> {
    async fn log(&mut self) -> Result<Vec<LogEntry>, SyncError> {
        let id = self.id;
        let document = match document(self.tiers, self.objects, id).await? {
            Some(document) => document,
            None => {
                self.rebuilt.without_document += 1;
                tracing::warn!(%id, "no document: its title and its end are not known");
                opened_only(id, self.without_document())
            }
        };
        let mut entries = document.entries.iter();
        let opened = entries.next().expect("a document begins with what opened it");
        let opened = LogEntry { index: EventIndex(0), ..opened.clone() };
        let broadcast = Broadcast::open(&opened).map_err(|source| SyncError::Log { id, source })?;
        let mut log = Log { entries: vec![opened], broadcast };
        // Formats and playlists say nothing of time; what will never come, and the end, come after all that came.
        let (mut timed, mut last) = (Vec::new(), Vec::new());
        for entry in entries {
            match &entry.event {
                Event::Format(_) | Event::Mapped { .. } => {
                    let at = log.broadcast.last_at();
                    log.push(id, at, entry.event.clone())?;
                }
                Event::Abandoned { .. } | Event::Ended { .. } => last.push(entry),
                _ => timed.push(entry),
            }
        }
        self.segments(&mut log, &document, &timed).await?;
        for entry in last {
            log.push(id, entry.at, entry.event.clone())?;
        }
        self.safe(&mut log)?;
        Ok(log.entries)
    }

    fn without_document(&self) -> Opened {
        let stored_is_safe = !self.tiers.iter().any(|tier| tier.is_hot);
        Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe }
    }

    /// The segments in the order of their capture, and between them what happened between them.
    async fn segments(&mut self, log: &mut Log, document: &Document, timed: &[&LogEntry]) -> Result<(), SyncError> {
        let (id, mut timed) = (self.id, timed.iter().peekable());
        let (keys, inits) = (self.in_order(document), self.inits().await?);
        let inits = &inits;
        let (tiers, objects) = (self.tiers, self.objects);
        let mut inspected = stream::iter(keys)
            .map(|key| async move {
                let inspected = inspect_at(tiers, objects, &key, inits).await;
                (key, inspected)
            })
            .buffered(READS_MAX);
        while let Some((key, inspected)) = inspected.next().await {
            let (inspection, init) = match inspected {
                Ok(inspected) => inspected,
                Err(ReadError::Store(error)) if error.is_retryable() => return Err(error.into()),
                Err(error) => {
                    self.rebuilt.unreadable += 1;
                    tracing::warn!(%key, error = &error as &dyn std::error::Error, "left out");
                    continue;
                }
            };
            let Object::Segment { rendition, seq, captured_at, duration, digest, .. } = &key.object else { continue };
            let len = objects.keys[&key][0].1;
            let found = Found {
                rendition,
                seq: *seq,
                captured_at: *captured_at,
                pushed: None,
                digest: *digest,
                len,
                inspection: &inspection,
                init: init.as_deref(),
            };
            let at = StoreTime(captured_at.0 + duration.0);
            while let Some(entry) = timed.next_if(|entry| entry.at < at) {
                log.push(id, entry.at, entry.event.clone())?;
            }
            let (segment, format) = describe(&log.broadcast, &found);
            for event in stored_events(&log.broadcast, format, segment) {
                log.push(id, at, event)?;
            }
            self.rebuilt.segments += 1;
        }
        timed.try_for_each(|entry| log.push(id, entry.at, entry.event.clone()))
    }

    /// One key for each segment: that of the store that counts most.
    fn in_order(&self, document: &Document) -> Vec<Key> {
        let mut chosen: BTreeMap<(&RenditionName, Seq), (usize, &Key)> = BTreeMap::new();
        for (key, there) in &self.objects.keys {
            let Object::Segment { rendition, seq, .. } = &key.object else { continue };
            let tier = there[0].0;
            let best = chosen.entry((rendition, *seq)).or_insert((tier, key));
            if tier < best.0 {
                *best = (tier, key);
            }
        }
        let mut keys: Vec<Key> = chosen.into_values().map(|(_, key)| key.clone()).collect();
        keys.sort_by_key(|key| match &key.object {
            Object::Segment { rendition, seq, captured_at, .. } => {
                let is_first =
                    document.first_stored.as_ref().is_some_and(|(of, first)| of == rendition && first == seq);
                (!is_first, *captured_at, rendition.clone(), *seq)
            }
            _ => unreachable!("segments only"),
        });
        keys
    }

    async fn inits(&mut self) -> Result<Inits, SyncError> {
        let mut inits = Inits::new();
        for key in self.objects.keys.keys() {
            let Object::Init { rendition, digest } = &key.object else { continue };
            match init_at(self.tiers, self.objects, key, *digest).await? {
                Some(known) => drop(inits.insert((rendition.clone(), FormatId::of_init(digest)), Arc::new(known))),
                None => self.rebuilt.unreadable += 1,
            }
        }
        Ok(inits)
    }

    /// What the hot store has is safe.
    fn safe(&self, log: &mut Log) -> Result<(), SyncError> {
        if log.broadcast.opened().stored_is_safe {
            return Ok(());
        }
        let mut safe: BTreeMap<RenditionName, SeqSet> = BTreeMap::new();
        for rendition in log.broadcast.renditions() {
            for segment in rendition.segments() {
                let there = self.objects.keys.get(&Key::of_segment(self.id, segment));
                if there.is_some_and(|there| there.iter().any(|(at, _)| self.tiers[*at].is_hot)) {
                    safe.entry(rendition.name().clone()).or_default().insert(SeqRange::one(segment.seq));
                }
            }
        }
        let at = log.broadcast.last_at();
        for (rendition, seqs) in safe {
            for seqs in seqs.ranges().collect::<Vec<_>>() {
                log.push(self.id, at, Event::Safe { rendition: rendition.clone(), seqs })?;
            }
        }
        Ok(())
    }
}

type Inits = BTreeMap<(RenditionName, FormatId), Arc<KnownInit>>;

/// `None` if it is none.
async fn init_at(tiers: &[Tier], objects: &Objects, key: &Key, digest: Digest) -> Result<Option<KnownInit>, SyncError> {
    let bytes = match verified(key, read(tiers, objects, key).await?).collect().await {
        Ok(bytes) => bytes,
        Err(error) if error.is_retryable() => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    Ok(KnownInit::parse(&bytes, digest).ok())
}

async fn inspect_at(
    tiers: &[Tier],
    objects: &Objects,
    key: &Key,
    inits: &Inits,
) -> Result<(Inspection, Option<Arc<KnownInit>>), ReadError> {
    let Object::Segment { rendition, format, .. } = &key.object else { unreachable!("segments only") };
    let init = match format {
        None => None,
        Some(format) => {
            let known = inits.get(&(rendition.clone(), *format));
            Some(known.ok_or(storage::StoreError::NotFound)?.clone())
        }
    };
    let inspector = init.as_ref().map_or_else(Inspector::mpeg_ts, |known| Inspector::fmp4(&known.section));
    let blob = verified(key, read(tiers, objects, key).await?);
    Ok((inspect(blob, inspector).await?, init))
}

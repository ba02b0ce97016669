//! What the stores have of a broadcast, and what the log says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broadcast::{BroadcastId, Document, Event, EventIndex, Key, LogEntry, LogError, Opened, StoreTime};
use futures_util::StreamExt;
use metadata::{LIST_MAX, Metadata, MetadataError, READ_MAX};
use storage::{Named, Store, StoreError};

/// A store that is looked at, the one that counts more before the others.
#[derive(Clone, Debug)]
pub struct Tier {
    /// For people: `hot`, `local`.
    pub name: &'static str,
    pub store: Arc<dyn Store>,
    /// Whether what is in it is safe.
    pub is_hot: bool,
}

/// Why the work could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("cannot read a store")]
    Store(#[from] StoreError),
    #[error("cannot use the metadata store")]
    Metadata(#[from] MetadataError),
    #[error("the log of {id} cannot be read")]
    Log { id: BroadcastId, source: LogError },
    #[error("the metadata store is not empty: it has {id}. Give an empty one, or --fill-in to add what it lacks")]
    NotEmpty { id: BroadcastId },
}

/// What the stores have of one broadcast.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    /// Each with the tiers that have it, by their places in the list, and its length there.
    pub(crate) keys: BTreeMap<Key, Vec<(usize, u64)>>,
    /// Names that are none of ours, with their tier.
    pub(crate) foreign: Vec<(usize, String)>,
}

pub(crate) async fn objects(tiers: &[Tier], id: BroadcastId) -> Result<Objects, StoreError> {
    let mut objects = Objects::default();
    for (at, tier) in tiers.iter().enumerate() {
        let mut listing = tier.store.list(id);
        while let Some(found) = listing.next().await {
            match found? {
                Named::Ours(listed) => objects.keys.entry(listed.key).or_default().push((at, listed.len)),
                Named::Foreign(name) => objects.foreign.push((at, name)),
            }
        }
    }
    Ok(objects)
}

pub(crate) async fn broadcasts_in(tiers: &[Tier]) -> Result<BTreeSet<BroadcastId>, StoreError> {
    let mut ids = BTreeSet::new();
    for tier in tiers {
        let mut listing = tier.store.broadcasts();
        while let Some(found) = listing.next().await {
            match found {
                Ok(Named::Ours(id)) => drop(ids.insert(id)),
                Ok(Named::Foreign(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(ids)
}

pub(crate) async fn broadcasts_logged(metadata: &dyn Metadata) -> Result<BTreeSet<BroadcastId>, MetadataError> {
    let (mut ids, mut after) = (BTreeSet::new(), None);
    loop {
        let page = metadata.list(after, LIST_MAX).await?;
        after = page.last().copied();
        let is_last = page.len() < LIST_MAX;
        ids.extend(page);
        if is_last {
            return Ok(ids);
        }
    }
}

/// The whole log; empty if there is none.
pub(crate) async fn log_of(metadata: &dyn Metadata, id: BroadcastId) -> Result<Vec<LogEntry>, MetadataError> {
    let mut log = Vec::new();
    loop {
        match metadata.read(id, EventIndex(log.len() as u64), READ_MAX).await {
            Ok(entries) if entries.is_empty() => return Ok(log),
            Ok(entries) => log.extend(entries),
            Err(MetadataError::NotFound { .. }) => return Ok(log),
            Err(error) => return Err(error),
        }
    }
}

/// What the tiers have of the document of a broadcast.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    /// By the places of the tiers in their list.
    pub(crate) found: Vec<(usize, Document)>,
    /// Tiers whose document cannot be read.
    pub(crate) damaged: Vec<usize>,
}

impl Documents {
    pub(crate) async fn read(tiers: &[Tier], objects: &Objects, id: BroadcastId) -> Result<Self, StoreError> {
        let (key, mut documents) = (Key::of_document(id), Self::default());
        for (at, _) in objects.keys.get(&key).into_iter().flatten() {
            let bytes = match tiers[*at].store.read(&key, None).await {
                Err(StoreError::NotFound) => continue,
                blob => blob?.collect().await?,
            };
            match parse(id, &bytes) {
                Some(document) => documents.found.push((*at, document)),
                None => documents.damaged.push(*at),
            }
        }
        Ok(documents)
    }

    /// The one that tells most.
    pub(crate) fn best(&self) -> Option<&Document> {
        // Of equal ones, that of the store that counts more.
        self.found.iter().rev().map(|(_, document)| document).max_by_key(|document| document.covers)
    }
}

/// Before there were such documents, one had only what opened the broadcast.
fn parse(id: BroadcastId, bytes: &[u8]) -> Option<Document> {
    let document = serde_json::from_slice::<Document>(bytes).ok();
    let document =
        document.or_else(|| serde_json::from_slice::<Opened>(bytes).ok().map(|opened| opened_only(id, opened)));
    document.filter(|document| document.opened().is_some())
}

/// A document of a broadcast of which nothing else is known.
pub(crate) fn opened_only(id: BroadcastId, opened: Opened) -> Document {
    let at = StoreTime(i64::try_from(id.created_ms()).unwrap_or(0));
    let entry = LogEntry { index: EventIndex(0), at, event: Event::Opened(opened) };
    Document { entries: vec![entry], ..Document::default() }
}

/// An error and its causes, on one line.
pub(crate) fn error_line(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

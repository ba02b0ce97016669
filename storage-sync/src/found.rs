//! What the stores have of a broadcast, and what the log says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broadcast::{BroadcastId, Document, Event, EventIndex, Key, LogEntry, LogError, Opened, StoreTime};
use futures_util::StreamExt;
use metadata::{LIST_MAX, Metadata, MetadataError, READ_MAX};
use storage::{Blob, Named, Store, StoreError};

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

/// An object, from the first of the tiers that have it.
pub(crate) async fn read(tiers: &[Tier], objects: &Objects, key: &Key) -> Result<Blob, StoreError> {
    let (at, _) = objects.keys.get(key).and_then(|there| there.first()).ok_or(StoreError::NotFound)?;
    tiers[*at].store.read(key, None).await
}

/// The document that tells most, of all that the tiers have. Before there were such, one had only what opened it.
pub(crate) async fn document(
    tiers: &[Tier],
    objects: &Objects,
    id: BroadcastId,
) -> Result<Option<Document>, StoreError> {
    let key = Key::of_document(id);
    let mut best: Option<Document> = None;
    for (at, _) in objects.keys.get(&key).into_iter().flatten() {
        let bytes = tiers[*at].store.read(&key, None).await?.collect().await?;
        let found = serde_json::from_slice::<Document>(&bytes).ok();
        let found =
            found.or_else(|| serde_json::from_slice::<Opened>(&bytes).ok().map(|opened| opened_only(id, opened)));
        let tells_more = |found: &Document| best.as_ref().is_none_or(|best| found.covers > best.covers);
        if let Some(found) = found.filter(tells_more) {
            best = Some(found);
        }
    }
    Ok(best.filter(|document| document.opened().is_some()))
}

/// A document of a broadcast of which nothing else is known.
pub(crate) fn opened_only(id: BroadcastId, opened: Opened) -> Document {
    let at = StoreTime(i64::try_from(id.created_ms()).unwrap_or(0));
    let entry = LogEntry { index: EventIndex(0), at, event: Event::Opened(opened) };
    Document { entries: vec![entry], ..Document::default() }
}

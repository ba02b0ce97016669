//! The documents of broadcasts: with them, the stores say without the log what the log says.
//!
//! A document is written when its broadcast is opened, and again after each event that no key tells: to this disk, and
//! to the hot store if there is one. Several recorders may write one: who writes has read what is there, tells the log
//! again what that knows more, writes only if it is still there, and looks again whether the log has more to tell.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use broadcast::{
    Broadcast, BroadcastId, Document, DocumentFold, Event, EventIndex, Key, Lack, LogEntry, Opened, SeqSet, StoreTime,
};
use bytes::Bytes;
use futures_util::StreamExt;
use metadata::{Followed, MetadataError, READ_MAX};
use service::Problem;
use storage::{Named, Store, StoreError};
use tokio::sync::Notify;

use crate::hot::pause_after;
use crate::lost::LostError;
use crate::problems;
use crate::recorder::Recorder;
use crate::scan::Restart;

/// How often a document is read again because another recorder has written it meanwhile.
const ATTEMPTS_MAX: usize = 16;

/// Broadcasts whose log says what their document does not. Each is there once.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    due: Mutex<BTreeSet<BroadcastId>>,
    changed: Notify,
}

/// Why a document could not be written.
#[derive(Debug, thiserror::Error)]
enum DocumentError {
    #[error("cannot write the document of a broadcast")]
    Store(#[from] StoreError),
    #[error("cannot read the log for its document")]
    Metadata(#[from] MetadataError),
    #[error("cannot put back what the log has lost before what comes after it")]
    Lost(#[from] LostError),
}

impl Documents {
    fn is_due(&self, id: BroadcastId) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        self.changed.notify_one();
    }

    fn take(&self) -> BTreeSet<BroadcastId> {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recorder {
    /// Writes the document of a broadcast that is about to be opened, so that it is never without.
    pub(crate) async fn write_first_document(&self, id: BroadcastId, opened: &Opened) -> Result<(), Problem> {
        let at = StoreTime(self.now_ms());
        let entry = LogEntry { index: EventIndex(0), at, event: Event::Opened(opened.clone()) };
        // Its time is ours as yet, and not the log's: nothing is covered.
        let document = Document { entries: vec![entry], ..Document::default() };
        self.store.put(&Key::of_document(id), json(&document).into()).await.map_err(problems::of_store)
    }

    pub(crate) fn document_is_due(&self, id: BroadcastId) {
        self.documents.is_due(id);
    }

    /// These events have been committed: does the document have to tell more?
    pub(crate) fn document_after(&self, followed: &Followed, events: &[Event]) {
        let is_first = || {
            let broadcast = followed.read();
            broadcast.renditions().iter().map(|rendition| rendition.segments().take(2).count()).sum::<usize>() == 1
        };
        if events.iter().any(Document::tells) || is_first() {
            self.documents.is_due(followed.id());
        }
    }

    pub(crate) async fn write_documents(self: Arc<Self>) {
        self.find_documents_due().await;
        let mut failures = 0;
        loop {
            let mut failed = BTreeSet::new();
            for id in self.documents.take() {
                if let Err(error) = self.write_document(id).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(%id, error, "a document waits to be written");
                    failed.insert(id);
                }
            }
            if failed.is_empty() {
                failures = 0;
                self.documents.changed.notified().await;
                continue;
            }
            failures += 1;
            if failures == 3 {
                tracing::warn!(broadcasts = failed.len(), "documents of broadcasts wait for their stores");
            }
            self.clock.sleep(pause_after(failures, &self.random)).await;
            failed.into_iter().for_each(|id| self.documents.is_due(id));
        }
    }

    /// What a crash left to be written: of what is here, whatever is not finished.
    async fn find_documents_due(&self) {
        let mut broadcasts = self.store.broadcasts();
        while let Some(Ok(found)) = broadcasts.next().await {
            let Named::Ours(id) = found else { continue };
            let Ok(followed) = self.broadcasts.get(id).await else { continue };
            let known = read_document(&*self.store_for_documents(), id).await.ok().flatten();
            let is_whole = known.is_some_and(|document| {
                let ended = document.entries.iter().any(|entry| matches!(entry.event, Event::Ended { .. }));
                ended && document.covers > EventIndex(0) && tells_the_end(&document, &followed.read())
            });
            if !is_whole {
                self.documents.is_due(id);
            }
        }
    }

    fn store_for_documents(&self) -> Arc<dyn Store> {
        match &self.hot {
            Some(hot) => hot.store.clone(),
            None => Arc::new(self.store.clone()),
        }
    }

    async fn write_document(self: &Arc<Self>, id: BroadcastId) -> Result<(), DocumentError> {
        let mut log = DocumentFold::default();
        self.read_on(id, &mut log).await?;
        if let Some(told) = read_document(&self.store, id).await? {
            // It may be all that is left of what the log has lost.
            self.tell_what_was_lost(id, &told, &mut log).await?;
        }
        self.read_on(id, &mut log).await?;
        loop {
            self.store.put(&Key::of_document(id), json(&log.document()).into()).await?;
            let wants_copy = log.opened().is_some_and(|opened| !opened.stored_is_safe);
            if let Some(hot) = self.hot.as_ref().filter(|_| wants_copy) {
                self.write_copy(id, &*hot.store, &mut log).await?;
            }
            if !self.read_on(id, &mut log).await? {
                return Ok(());
            }
        }
    }

    /// Writes the document to the hot store, where others write it too. What is there may tell more: of a longer log, or
    /// of what the log has lost. The one here never tells less than the one that is written there: it is asked first.
    async fn write_copy(
        self: &Arc<Self>,
        id: BroadcastId,
        hot: &dyn Store,
        log: &mut DocumentFold,
    ) -> Result<(), DocumentError> {
        let key = Key::of_document(id);
        for _ in 0..ATTEMPTS_MAX {
            let (told, version) = match hot.read_version(&key).await {
                Err(StoreError::NotFound) => (None, None),
                found => found.map(|(bytes, version)| (parse(&bytes), Some(version)))?,
            };
            // It was written by what its writer had read of the log: we have to know as much.
            let mut has_news = self.read_on(id, log).await?;
            if let Some(told) = told {
                has_news |= self.tell_what_was_lost(id, &told, log).await?;
            }
            if has_news {
                self.store.put(&key, json(&log.document()).into()).await?;
            }
            match hot.replace(&key, version.as_ref(), json(&log.document())).await {
                Err(StoreError::Changed) => {}
                done => return Ok(done?),
            }
        }
        Err(StoreError::Changed.into())
    }

    /// Tells the log what it has lost of what a document tells; true if that was something. What comes after the segments is
    /// told after those that the log has lost as well: told before them, it would be over before they came.
    async fn tell_what_was_lost(
        self: &Arc<Self>,
        id: BroadcastId,
        told: &Document,
        log: &mut DocumentFold,
    ) -> Result<bool, DocumentError> {
        let mut lacks = log.lacks(told);
        if lacks.is_empty() {
            return Ok(false);
        }
        if lacks.iter().any(|lack| matches!(lack, Lack::After(_))) {
            self.marks.forget(id);
            self.put_back(id).await?;
            self.read_on(id, log).await?;
            lacks = log.lacks(told);
        }
        self.tell_again(id, &lacks, &mut Restart::Due).await?;
        self.read_on(id, log).await?;
        Ok(true)
    }

    /// Tells the log what it has lost of what a document tells.
    pub(crate) async fn tell_again(
        self: &Arc<Self>,
        id: BroadcastId,
        lacks: &[Lack],
        restart: &mut Restart,
    ) -> Result<(), MetadataError> {
        for lack in lacks {
            match lack {
                Lack::Before(event) | Lack::After(event) => {
                    let mut events = vec![event.clone()];
                    if let Some(restarted) = restart.with(&events) {
                        events.insert(0, restarted);
                        *restart = Restart::Done;
                    }
                    let followed = self.broadcasts.get(id).await?;
                    let outcome = followed.commit(&events).await?;
                    self.wait_if_closing(&followed);
                    tracing::warn!(%id, ?event, ?outcome, "told the log again what it had lost");
                }
                Lack::Unplaced { event, why } => {
                    tracing::warn!(%id, ?event, %why, "the log has lost this, and has no place for it any more");
                }
            }
        }
        Ok(())
    }

    /// What the stores that this recorder reaches say of a broadcast beside its keys: the one that tells most.
    pub(crate) async fn told(&self, id: BroadcastId) -> Result<Option<Document>, StoreError> {
        let here = read_document(&self.store, id).await?;
        if here.as_ref().is_some_and(|document| document.covers > EventIndex(0)) {
            return Ok(here);
        }
        let Some(hot) = &self.hot else { return Ok(here) };
        Ok(read_document(&*hot.store, id).await?.or(here))
    }

    /// Whether the log had more to tell.
    async fn read_on(&self, id: BroadcastId, log: &mut DocumentFold) -> Result<bool, MetadataError> {
        let mut has_news = false;
        loop {
            let entries = self.broadcasts.store().read(id, log.covers(), READ_MAX).await?;
            if entries.is_empty() {
                return Ok(has_news);
            }
            for entry in &entries {
                has_news |= log.take(entry);
            }
        }
    }
}

/// Whether nothing was given up, or ended, since.
fn tells_the_end(document: &Document, broadcast: &Broadcast) -> bool {
    let told = document.abandoned.values().flatten().map(|range| range.count()).sum::<u64>();
    let abandoned = broadcast.renditions().iter().filter_map(|rendition| broadcast.abandoned(rendition.name()));
    broadcast.ended().is_some() && told == abandoned.map(SeqSet::count).sum::<u64>()
}

/// The document that a store has of a broadcast; `None` if it has none that can be read.
async fn read_document(store: &dyn Store, id: BroadcastId) -> Result<Option<Document>, StoreError> {
    match store.read(&Key::of_document(id), None).await {
        Ok(blob) => Ok(parse(&blob.collect().await?)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> Option<Document> {
    let document = serde_json::from_slice::<Document>(bytes).ok();
    document.filter(|document| document.opened().is_some())
}

fn json(document: &Document) -> Bytes {
    serde_json::to_vec_pretty(document).expect("every document has a JSON form").into()
}

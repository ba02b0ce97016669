//! What the metadata store has lost of the broadcasts that this recorder has something of, put back from the stores.
//!
//! Whoever follows a log puts back what it knows, with its index and time, and that is better. But only what somebody
//! asked for lately is followed. So all that is on this disk is gone through at the start, and again whenever the store
//! was away; and what a pusher went on with while the hot store could not be asked, when it can be. One broadcast after
//! another, the newest first, with a pause between them. How long each log was when it was last seen is remembered, with
//! the time of its last entry: if that entry is still there, nothing was lost, and that costs one small question.

mod glance;
mod marks;
mod putting_back;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use broadcast::BroadcastId;
use futures_util::StreamExt;
use metadata::MetadataError;
use storage::{Named, Store, StoreError};

use crate::hot::pause_after;
use crate::recorder::Recorder;
pub(crate) use marks::Marks;

/// Between two broadcasts: at most fifty in a second.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is looked whether the store was away.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Why what was lost cannot be put back just now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LostError {
    #[error("cannot use the metadata store")]
    Metadata(#[from] MetadataError),
    #[error("cannot read a store")]
    Store(#[from] StoreError),
    #[error("cannot commit a segment that was found: {0}")]
    Segment(String),
}

impl Recorder {
    pub(crate) async fn put_back_what_was_lost(self: Arc<Self>) {
        let (mut seen, mut left, mut failures, mut is_told) = (None, BTreeSet::new(), 0, true);
        loop {
            let breaks = self.broadcasts.breaks();
            if seen != Some(breaks) {
                left.append(&mut self.all_here().await);
                (seen, failures, is_told) = (Some(breaks), 0, false);
            }
            let before = left.len();
            self.look_through(&mut left).await;
            if left.is_empty() {
                if !std::mem::replace(&mut is_told, true) {
                    self.metrics.looked_through.inc();
                }
                self.clock.sleep(LOOK_AGAIN).await;
                (left, failures) = (self.marks.trusted(), 0);
                continue;
            }
            // One that cannot be put back, because of its disk perhaps, is tried again, and keeps nothing else waiting.
            failures = if left.len() < before { 1 } else { failures + 1 };
            if failures == 3 {
                tracing::warn!(broadcasts = left.len(), "what the metadata store may have lost waits to be looked for");
            }
            self.clock.sleep(pause_after(failures, &self.random)).await;
        }
    }

    /// Whether the log of a broadcast is known to be whole, as far as this recorder can see. If not, a number that is given
    /// now may be that of a segment that was acknowledged, and is still to be put back.
    pub(crate) fn is_whole(&self, id: BroadcastId) -> bool {
        self.marks.is_whole(id, self.broadcasts.breaks_of(id))
    }

    /// The same, as far as the hot store can see.
    pub(crate) fn is_seen_whole(&self, id: BroadcastId) -> bool {
        self.marks.is_seen_whole(id, self.broadcasts.breaks_of(id))
    }

    /// Leaves those that have to be looked at again.
    async fn look_through(self: &Arc<Self>, left: &mut BTreeSet<BroadcastId>) {
        let mut put_back = 0;
        for id in left.iter().rev().copied().collect::<Vec<_>>() {
            match self.put_back(id).await {
                Ok(count) => {
                    put_back += count;
                    left.remove(&id);
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(%id, error, "cannot look yet for what was lost");
                    // Of a cluster, only a part may be away.
                    if self.broadcasts.store().health().is_err() {
                        break;
                    }
                }
            }
            self.clock.sleep(PAUSE).await;
        }
        if put_back > 0 {
            tracing::warn!(segments = put_back, "put back what the metadata store had lost");
        }
    }

    /// A name on the disk that cannot be read now is there at the next look.
    async fn all_here(&self) -> BTreeSet<BroadcastId> {
        let (mut ids, mut listing) = (BTreeSet::new(), self.store.broadcasts());
        while let Some(found) = listing.next().await {
            match found {
                Ok(Named::Ours(id)) => drop(ids.insert(id)),
                Ok(Named::Foreign(_)) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot list this disk, to look for what the metadata store has lost");
                }
            }
        }
        ids
    }
}

//! The hot store that all recorders copy to: a directory, and the way to it, which fails.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use storage::{Blob, Listed, Listing, LocalStore, Store, StoreError};
use tokio::time::Instant;

use crate::dice::Dice;
use crate::signal::Away;

/// How long a call may take when all is well, in milliseconds.
const QUICK_MS: u64 = 200;

/// The hot store as a recorder sees it.
#[derive(Debug)]
pub(crate) struct HotStore {
    pub(crate) store: LocalStore,
    pub(crate) away: Away,
    pub(crate) dice: Dice,
}

impl HotStore {
    /// Since when it can be reached.
    pub(crate) fn back_since(&self) -> Option<Instant> {
        self.away.back_since()
    }

    async fn reached(&self) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_millis(self.dice.between(0, QUICK_MS))).await;
        if self.away.is() { Err(away()) } else { Ok(()) }
    }
}

fn away() -> StoreError {
    StoreError::Away { store: "the hot store".to_owned(), operation: "reach it", source: "it is away".into() }
}

#[async_trait]
impl Store for HotStore {
    async fn put(&self, key: &Key, blob: Blob) -> Result<(), StoreError> {
        self.reached().await?;
        let done = self.store.put(key, blob).await;
        // It may have been done, and nobody hears of it.
        self.reached().await?;
        done
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        self.reached().await?;
        self.store.read(key, range).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.reached().await?;
        self.store.len(key).await
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.reached().await?;
        self.store.remove(key).await
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        self.store.broadcasts()
    }

    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        self.store.list(broadcast)
    }
}

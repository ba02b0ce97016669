//! Several stores read as one: the nearest that has an object gives it.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use futures_util::stream::{self, StreamExt};

use crate::blob::Blob;
use crate::error::StoreError;
use crate::store::{Listed, Listing, Store};

/// Stores in the order in which they are asked, the nearest first. It is only read.
#[derive(Clone, Debug)]
pub struct Tiers(Vec<Arc<dyn Store>>);

impl Tiers {
    pub fn new(stores: Vec<Arc<dyn Store>>) -> Self {
        Self(stores)
    }
}

#[async_trait]
impl Store for Tiers {
    async fn put(&self, _: &Key, _: Blob) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    /// From the first that has it. A store that fails is passed over; that it failed is told if no other has it.
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        let mut failed = None;
        for store in &self.0 {
            match store.read(key, range.clone()).await {
                Err(StoreError::NotFound) => {}
                Err(error) => failed = failed.or(Some(error)),
                found => return found,
            }
        }
        Err(failed.unwrap_or(StoreError::NotFound))
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        let mut failed = None;
        for store in &self.0 {
            match store.len(key).await {
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(error)),
                found => return found,
            }
        }
        failed.map_or(Ok(None), Err)
    }

    async fn remove(&self, _: &Key) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    /// What several stores have is listed several times.
    fn broadcasts(&self) -> Listing<BroadcastId> {
        stream::iter(self.0.clone()).flat_map(|store| store.broadcasts()).boxed()
    }

    /// What several stores have is listed several times.
    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        stream::iter(self.0.clone()).flat_map(move |store| store.list(broadcast)).boxed()
    }
}

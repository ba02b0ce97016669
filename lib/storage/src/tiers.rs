//! Several stores read as one: the nearest that has an object gives it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use tokio::time::timeout;

use crate::blob::Blob;
use crate::error::StoreError;
use crate::store::{Listed, Listing, Store};

/// How long a store may take before the next one is asked as well: one that is away takes long to say so.
const PATIENCE: Duration = Duration::from_millis(500);

/// Stores in the order in which they are asked, the nearest first. It is only read.
#[derive(Clone, Debug)]
pub struct Tiers(Vec<Arc<dyn Store>>);

type Asked<'a, T> = BoxFuture<'a, Result<Option<T>, StoreError>>;

impl Tiers {
    pub fn new(stores: Vec<Arc<dyn Store>>) -> Self {
        Self(stores)
    }

    /// What the first gives that has it. A store that fails is passed over; that it failed is told if no other has it.
    async fn first<'a, T>(&'a self, ask: impl Fn(&'a Arc<dyn Store>) -> Asked<'a, T>) -> Result<Option<T>, StoreError> {
        let (mut stores, mut asked, mut failed) = (self.0.iter().peekable(), FuturesUnordered::new(), None);
        loop {
            asked.extend(stores.next().map(&ask));
            let answer = match stores.peek() {
                Some(_) => timeout(PATIENCE, asked.next()).await,
                None => Ok(asked.next().await),
            };
            match answer {
                Ok(Some(Ok(Some(found)))) => return Ok(Some(found)),
                Ok(Some(Err(error))) => failed = failed.or(Some(error)),
                Ok(None) if stores.peek().is_none() => return failed.map_or(Ok(None), Err),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

#[async_trait]
impl Store for Tiers {
    async fn put(&self, _: &Key, _: Blob) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        let found = self.first(|store| {
            let range = range.clone();
            Box::pin(async move {
                match store.read(key, range).await {
                    Err(StoreError::NotFound) => Ok(None),
                    found => found.map(Some),
                }
            })
        });
        found.await?.ok_or(StoreError::NotFound)
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.first(|store| Box::pin(store.len(key))).await
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

#[cfg(test)]
mod tests {
    use broadcast::{Digest, RenditionName};
    use bytes::Bytes;
    use futures_util::FutureExt;

    use super::*;

    /// A store that has it, has it not, fails, or never answers.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum One {
        Has(&'static [u8]),
        HasNot,
        Fails,
        Hangs,
    }

    #[async_trait]
    impl Store for One {
        async fn put(&self, _: &Key, _: Blob) -> Result<(), StoreError> {
            Err(StoreError::ReadOnly)
        }

        async fn read(&self, _: &Key, _: Option<Range<u64>>) -> Result<Blob, StoreError> {
            match self {
                Self::Has(bytes) => Ok(Bytes::from_static(bytes).into()),
                Self::HasNot => Err(StoreError::NotFound),
                Self::Fails => Err(StoreError::Busy { uploads_max: 1 }),
                Self::Hangs => std::future::pending().await,
            }
        }

        async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
            match self.read(key, None).await {
                Err(StoreError::NotFound) => Ok(None),
                blob => Ok(Some(blob?.len())),
            }
        }

        async fn remove(&self, _: &Key) -> Result<(), StoreError> {
            Err(StoreError::ReadOnly)
        }

        fn broadcasts(&self) -> Listing<BroadcastId> {
            stream::empty().boxed()
        }

        fn list(&self, _: BroadcastId) -> Listing<Listed> {
            stream::empty().boxed()
        }
    }

    fn of(stores: &[One]) -> (Tiers, Key) {
        let stores = stores.iter().map(|one| Arc::new(*one) as Arc<dyn Store>).collect();
        (Tiers::new(stores), Key::of_init(BroadcastId::new(1, 2), RenditionName::main(), Digest([7; 16])))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_has_it_gives_it_and_none_is_waited_for_in_vain() {
        use One::{Fails, Hangs, Has, HasNot};
        for stores in [
            &[Has(b"x"), Has(b"other")][..],
            &[HasNot, Has(b"x"), Has(b"other")],
            &[Fails, HasNot, Has(b"x")],
            &[Hangs, Has(b"x"), Has(b"other")],
            &[Hangs, Fails, Hangs, HasNot, Has(b"x")],
        ] {
            let (tiers, key) = of(stores);
            assert_eq!(tiers.read(&key, None).await.unwrap().collect().await.unwrap(), "x", "{stores:?}");
            assert_eq!(tiers.len(&key).await.unwrap(), Some(1), "{stores:?}");
        }
        for stores in [&[][..], &[HasNot], &[HasNot, HasNot]] {
            let (tiers, key) = of(stores);
            assert!(matches!(tiers.read(&key, None).await, Err(StoreError::NotFound)), "{stores:?}");
            assert_eq!(tiers.len(&key).await.unwrap(), None, "{stores:?}");
        }
        for stores in [&[Fails][..], &[Fails, HasNot], &[HasNot, Fails]] {
            let (tiers, key) = of(stores);
            assert!(matches!(tiers.read(&key, None).await, Err(StoreError::Busy { .. })), "{stores:?}");
            assert!(tiers.len(&key).await.is_err(), "{stores:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_slow_is_still_waited_for() {
        let (tiers, key) = of(&[One::Hangs, One::HasNot]);
        let read = tiers.read(&key, None);
        tokio::pin!(read);
        assert!(timeout(10 * PATIENCE, &mut read).await.is_err(), "it may have it yet");
        assert!(read.now_or_never().is_none());
    }
}

//! The interface that every tier has: the local directory, and stores far away.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::blob::Blob;
use crate::error::StoreError;

/// Objects under keys. What is under a segment's or an init section's key never changes; a broadcast's document may
/// be replaced. All calls may be made by many at a time.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Keeps `blob` under `key`. When this answers, it is durable and whole; before, nobody sees a part of it.
    async fn put(&self, key: &Key, blob: Blob) -> Result<(), StoreError>;

    /// The object, or its bytes `range` as far as it has them.
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError>;

    /// The whole object, and what tells it from all that may be put in its place.
    async fn read_version(&self, key: &Key) -> Result<(Bytes, Version), StoreError> {
        let bytes = self.read(key, None).await?.collect().await?;
        let version = Version::of_content(&bytes);
        Ok((bytes, version))
    }

    /// Puts `bytes` under `key` if what is there is still `known`, or nothing if that is `None`; otherwise fails with
    /// [`Changed`](StoreError::Changed). Where the store cannot do both in one step, somebody else's write may still come
    /// in between: whoever wrote looks again.
    async fn replace(&self, key: &Key, known: Option<&Version>, bytes: Bytes) -> Result<(), StoreError> {
        self.replace_in_two_steps(key, known, bytes).await
    }

    /// [`replace`](Self::replace) as a store does it that has no conditions.
    async fn replace_in_two_steps(&self, key: &Key, known: Option<&Version>, bytes: Bytes) -> Result<(), StoreError> {
        let there = match self.read_version(key).await {
            Err(StoreError::NotFound) => None,
            there => Some(there?.1),
        };
        if there.as_ref() != known {
            return Err(StoreError::Changed);
        }
        self.put(key, bytes.into()).await
    }

    /// The object's length in bytes, if it is there.
    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError>;

    /// Removes the object; it need not be there.
    async fn remove(&self, key: &Key) -> Result<(), StoreError>;

    /// All broadcasts of which there is anything, in no order. One of which nothing is left may be among them.
    fn broadcasts(&self) -> Listing<BroadcastId>;

    /// All objects of one broadcast, in no order. What is put or removed meanwhile may be listed or not.
    fn list(&self, broadcast: BroadcastId) -> Listing<Listed>;
}

/// One state of an object that may be replaced, as its store tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub(crate) String);

impl Version {
    pub(crate) fn of_content(bytes: &[u8]) -> Self {
        Self(blake3::hash(bytes).to_hex().to_string())
    }
}

/// A listing in the making: holds a bounded piece of it in memory.
pub type Listing<T> = BoxStream<'static, Result<Named<T>, StoreError>>;

/// One name found in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named<T> {
    Ours(T),
    /// Somebody else put it there. It is left alone.
    Foreign(String),
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub key: Key,
    /// In bytes.
    pub len: u64,
}

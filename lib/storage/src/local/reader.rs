//! Reading a directory of objects that another process writes: a playlist server beside a recorder, or on a file
//! system that both have mounted. Needs no lock, as objects are whole from the moment they have their names.

use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};

use super::{listing, reading};
use crate::blob::Blob;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::hop::Hop;
use crate::store::{Listed, Listing, Store};

/// The objects of a [`LocalStore`](crate::LocalStore), to be read only.
#[derive(Clone, Debug)]
pub struct LocalReader {
    segments: PathBuf,
    hop: Hop,
    disk: Disk,
}

impl LocalReader {
    /// Reads what the store in `dir` has. Nothing need be there yet.
    pub fn new(dir: &Path) -> Self {
        Self::of_segments(dir.join("segments"), Hop::default(), Disk::default())
    }

    pub(super) fn of_segments(segments: PathBuf, hop: Hop, disk: Disk) -> Self {
        Self { segments, hop, disk }
    }

    pub(super) fn path_of(&self, key: &Key) -> PathBuf {
        self.segments.join(key.to_string())
    }
}

#[async_trait]
impl Store for LocalReader {
    async fn put(&self, _: &Key, _: Blob) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        reading::read((&self.hop, &self.disk), self.path_of(key), range).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        let (disk, path) = (self.disk.clone(), self.path_of(key));
        self.hop.run("look at an object", move || disk.len(&path)).await
    }

    async fn remove(&self, _: &Key) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        listing::directories(self.segments.clone())
    }

    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        let dir = self.segments.join(broadcast.to_string());
        listing::files(dir, move |name, len| {
            let key = format!("{broadcast}/{name}").parse().ok()?;
            Some(Listed { key, len })
        })
    }
}

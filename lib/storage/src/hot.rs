//! The hot store: what several machines share, so that the loss of any one of them loses nothing that is in it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use bytes::Bytes;
use service::Random;

use crate::blob::Blob;
use crate::error::StoreError;
use crate::local::SharedDirectory;
use crate::store::{Listed, Listing, Store, Version};

use bucket::Bucket;

mod bucket;

/// Where a hot store is: `s3://BUCKET` or `s3://BUCKET/PREFIX`, `file:///DIR`, or a directory as a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HotUrl {
    /// `prefix` is empty, or has no `/` at its ends.
    Bucket {
        bucket: String,
        prefix: String,
    },
    Directory(PathBuf),
}

/// A text that is no address of a hot store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no hot store: give s3://BUCKET/PREFIX, file:///DIRECTORY or a directory that several machines mount"
)]
pub struct HotUrlError {
    text: String,
}

impl FromStr for HotUrl {
    type Err = HotUrlError;

    fn from_str(text: &str) -> Result<Self, HotUrlError> {
        let wrong = || HotUrlError { text: text.to_owned() };
        match text.split_once("://") {
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.trim_matches('/');
                let named = !bucket.is_empty() && !bucket.contains(['@', ':', '?']) && !prefix.contains("//");
                named.then(|| Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() }).ok_or_else(wrong)
            }
            Some(("file", path)) if path.starts_with('/') => Ok(Self::Directory(path.into())),
            None if !text.is_empty() => Ok(Self::Directory(text.into())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for HotUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Directory(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A hot store. Clones share it.
#[derive(Clone, Debug)]
pub struct HotStore(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Bucket(Bucket),
    Directory(SharedDirectory),
}

impl HotStore {
    /// `variables` are those of the environment: of a bucket, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
    /// `AWS_ENDPOINT_URL` (a server other than Amazon's) and the others that Amazon's own programs know. Nobody is asked
    /// yet: the store may be away.
    pub fn open(
        url: &HotUrl,
        variables: impl IntoIterator<Item = (String, String)>,
        random: &Random,
    ) -> Result<Self, StoreError> {
        Ok(Self(match url {
            HotUrl::Bucket { bucket, prefix } => Kind::Bucket(Bucket::open(url, bucket, prefix, variables)?),
            HotUrl::Directory(path) => Kind::Directory(SharedDirectory::new(path, random.next_u128())),
        }))
    }

    /// Whether it can be used, as far as asking once tells; the error says what to do.
    pub async fn probe(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Bucket(bucket) => bucket.probe().await,
            Kind::Directory(directory) => directory.prepare().await,
        }
    }

    fn store(&self) -> &dyn Store {
        match &self.0 {
            Kind::Bucket(bucket) => bucket,
            Kind::Directory(directory) => directory,
        }
    }
}

#[async_trait]
impl Store for HotStore {
    async fn put(&self, key: &Key, blob: Blob) -> Result<(), StoreError> {
        self.store().put(key, blob).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        self.store().read(key, range).await
    }

    async fn read_version(&self, key: &Key) -> Result<(Bytes, Version), StoreError> {
        self.store().read_version(key).await
    }

    async fn replace(&self, key: &Key, known: Option<&Version>, bytes: Bytes) -> Result<(), StoreError> {
        self.store().replace(key, known, bytes).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.store().len(key).await
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.store().remove(key).await
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        self.store().broadcasts()
    }

    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        self.store().list(broadcast)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let table = [
            ("s3://media", "s3://media"),
            ("s3://media/", "s3://media"),
            ("s3://media/live/hot/", "s3://media/live/hot"),
            ("file:///mnt/hot", "/mnt/hot"),
            ("/mnt/hot", "/mnt/hot"),
            ("hot", "hot"),
        ];
        for (text, shown) in table {
            assert_eq!(text.parse::<HotUrl>().unwrap().to_string(), shown);
        }
        for wrong in ["", "s3://", "s3:///x", "http://media", "file://host/x", "s3://key:secret@media", "s3://a//b//c"]
        {
            assert!(wrong.parse::<HotUrl>().is_err(), "{wrong}");
        }
    }
}

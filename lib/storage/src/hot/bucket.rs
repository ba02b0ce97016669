//! A bucket behind the S3 protocol.
//!
//! Every request has a limit of time and of retries, and holds a bounded piece in memory: what is longer than a part is
//! written in parts and read in ranges.

use std::collections::VecDeque;
use std::error::Error;
use std::ops::Range;
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutPayload, RetryConfig, UpdateVersion,
};

use super::HotUrl;
use crate::blob::Blob;
use crate::error::StoreError;
use crate::store::{Listed, Listing, Named, Store, Version};

/// How long it may take to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long one request may take in all: a part of [`PART_LEN`] at 2 Mbit/s takes half of it.
const REQUEST_MAX: Duration = Duration::from_secs(60);
/// How often a request is made again, and for how long. Who copies tries again on its own, later.
const RETRIES_MAX: usize = 2;
const RETRIES_FOR: Duration = Duration::from_secs(10);
/// What is longer is written in parts of this length, in bytes. S3 wants at least 5 MiB.
const PART_LEN: usize = 8 << 20;
/// How much is read with one request, in bytes: what one reader holds in memory.
const READ_LEN: u64 = 1 << 20;

/// A bucket, or what is under a prefix of it.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    s3: Arc<AmazonS3>,
    /// Its address, for people.
    url: Arc<str>,
    /// Empty, or ends with `/`.
    prefix: Arc<str>,
}

impl Bucket {
    pub(super) fn open(
        url: &HotUrl,
        bucket: &str,
        prefix: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StoreError> {
        choose_cryptography();
        let mut builder = AmazonS3Builder::new();
        for (name, value) in variables.into_iter().filter(|(name, _)| name.starts_with("AWS_")) {
            let name = name.to_ascii_lowercase();
            if name.starts_with("aws_endpoint") {
                // Who names a server without TLS means it.
                builder = builder.with_allow_http(value.starts_with("http://"));
            }
            if let Ok(key) = name.parse() {
                builder = builder.with_config(key, value);
            }
        }
        let backoff = BackoffConfig { init_backoff: Duration::from_millis(200), ..BackoffConfig::default() };
        let retry = RetryConfig { backoff, max_retries: RETRIES_MAX, retry_timeout: RETRIES_FOR };
        let client = ClientOptions::new().with_connect_timeout(CONNECT_MAX).with_timeout(REQUEST_MAX);
        let allow_http = builder
            .get_config_value(&object_store::aws::AmazonS3ConfigKey::Client(object_store::ClientConfigKey::AllowHttp));
        let client = client.with_allow_http(allow_http.as_deref() == Some("true"));
        let built = builder.with_client_options(client).with_retry(retry).with_bucket_name(bucket).build();
        let url: Arc<str> = url.to_string().into();
        let s3 = built.map_err(|error| StoreError::Refused {
            store: url.to_string(),
            operation: "be opened",
            advice: "look at the AWS_... variables",
            source: error.into(),
        })?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { s3: Arc::new(s3), url, prefix: prefix.into() })
    }

    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let options = PaginatedListOptions { max_keys: Some(1), ..PaginatedListOptions::default() };
        let listed = self.s3.list_paginated(self.list_prefix("").as_deref(), options).await;
        listed.map(drop).map_err(|error| self.failed_in_bucket("be listed", error))
    }

    fn path_of(&self, key: &Key) -> Path {
        Path::from(format!("{}{key}", self.prefix))
    }

    fn list_prefix(&self, below: &str) -> Option<String> {
        Some(format!("{}{below}", self.prefix)).filter(|prefix| !prefix.is_empty())
    }

    async fn put_parts(&self, key: &Key, blob: Blob) -> Result<(), StoreError> {
        let failed = |error| self.failed_in_bucket("take an object", error);
        let mut upload = self.s3.put_multipart(&self.path_of(key)).await.map_err(failed)?;
        let done = match self.send_parts(&mut *upload, blob).await {
            Ok(()) => upload.complete().await.map(drop).map_err(failed),
            Err(error) => Err(error),
        };
        if done.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(store = %self.url, %error, "parts of an object that was not finished stay in the hot store");
        }
        done
    }

    async fn send_parts(&self, upload: &mut dyn MultipartUpload, blob: Blob) -> Result<(), StoreError> {
        let (mut left, mut bytes) = (blob.len(), blob.into_stream());
        let mut rest = None;
        while left > 0 {
            let wanted = usize::try_from(left).unwrap_or(PART_LEN).min(PART_LEN);
            let part = take_exactly(&mut bytes, &mut rest, wanted).await?;
            left -= wanted as u64;
            if left == 0 {
                nothing_more(&mut bytes, &rest).await?;
            }
            let sent = upload.put_part(part.into_iter().collect()).await;
            sent.map_err(|error| self.failed_in_bucket("take a part of an object", error))?;
        }
        Ok(())
    }

    /// The bytes `range`, which is not empty, with the object's length. `None` if the object ends before it.
    async fn get(&self, key: &Key, range: Range<u64>) -> Result<Option<(u64, Bytes)>, StoreError> {
        let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
        let path = self.path_of(key);
        match self.s3.get_opts(&path, options).await {
            Ok(found) => {
                let object_len = found.meta.size;
                let bytes = found.bytes().await.map_err(|error| self.failed("give an object", error))?;
                Ok(Some((object_len, bytes)))
            }
            Err(error) => match self.failed("give an object", error) {
                // A range beyond the end is refused with an error like any other.
                StoreError::Away { .. } if self.len(key).await?.is_some_and(|len| range.start >= len) => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn read_rest(&self, key: &Key, range: Range<u64>) -> Result<Bytes, StoreError> {
        let wanted = range.end - range.start;
        let bytes = self.get(key, range).await?.map(|(_, bytes)| bytes).unwrap_or_default();
        if bytes.len() as u64 == wanted { Ok(bytes) } else { Err(self.away("give all of an object", "it was shorter")) }
    }

    fn pages(&self, below: &str, delimiter: Option<&'static str>) -> Pages {
        let first = Some(None);
        let (bucket, prefix) = (self.clone(), self.list_prefix(below));
        let pages = stream::try_unfold((bucket, prefix, first), move |(bucket, prefix, next)| async move {
            let Some(page_token) = next else { return Ok(None) };
            let delimiter = delimiter.map(Into::into);
            let options = PaginatedListOptions { delimiter, page_token, ..PaginatedListOptions::default() };
            let page = bucket.s3.list_paginated(prefix.as_deref(), options).await;
            let PaginatedListResult { result, page_token } =
                page.map_err(|error| bucket.failed_in_bucket("be listed", error))?;
            let next = page_token.map(Some);
            Ok(Some(((result.common_prefixes, result.objects), (bucket, prefix, next))))
        });
        pages.boxed()
    }

    /// What goes wrong with the bucket rather than with one object of it: nothing was asked for that need be there.
    fn failed_in_bucket(&self, operation: &'static str, error: object_store::Error) -> StoreError {
        match error {
            object_store::Error::NotFound { source, .. } => self.refused(operation, NO_BUCKET, source),
            error => self.failed(operation, error),
        }
    }

    fn failed(&self, operation: &'static str, error: object_store::Error) -> StoreError {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        let text = error.to_string();
        match error {
            error if text.contains("NoSuchBucket") => self.refused(operation, NO_BUCKET, error),
            NotFound { .. } => StoreError::NotFound,
            error @ (PermissionDenied { .. } | Unauthenticated { .. }) => self.refused(operation, NOT_ALLOWED, error),
            // What a listing is answered has no kind of its own.
            error if ["status code: 401", "status code: 403"].iter().any(|status| text.contains(status)) => {
                self.refused(operation, NOT_ALLOWED, error)
            }
            error if text.contains("without LOCATION") => self.refused(operation, WRONG_REGION, error),
            // Where a machine at Amazon's is told credentials, asked because none were given.
            error if text.contains("169.254.169.254") => self.refused(operation, NO_CREDENTIALS, error),
            error => self.away(operation, error),
        }
    }

    fn refused(
        &self,
        operation: &'static str,
        advice: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Refused { store: self.url.to_string(), operation, advice, source: source.into() }
    }

    fn away(&self, operation: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Away { store: self.url.to_string(), operation, source: source.into() }
    }
}

const NO_BUCKET: &str = "there is no such bucket: create it, or name another one; is AWS_ENDPOINT_URL right?";
const NOT_ALLOWED: &str =
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be allowed to list, read, write and delete in this bucket";
const NO_CREDENTIALS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
const WRONG_REGION: &str = "the bucket is in another region: set AWS_REGION";

/// Prefixes and objects, a page at a time.
type Pages = BoxStream<'static, Result<(Vec<Path>, Vec<ObjectMeta>), StoreError>>;

#[async_trait]
impl Store for Bucket {
    async fn put(&self, key: &Key, blob: Blob) -> Result<(), StoreError> {
        if blob.len() > PART_LEN as u64 {
            return self.put_parts(key, blob).await;
        }
        let len = usize::try_from(blob.len()).unwrap_or(PART_LEN);
        let (mut bytes, mut rest) = (blob.into_stream(), None);
        let pieces = take_exactly(&mut bytes, &mut rest, len).await?;
        nothing_more(&mut bytes, &rest).await?;
        let payload: PutPayload = pieces.into_iter().collect();
        let put = self.s3.put(&self.path_of(key), payload).await;
        put.map(drop).map_err(|error| self.failed_in_bucket("take an object", error))
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        let asked = range.unwrap_or(0..u64::MAX);
        let first = asked.start..asked.end.min(asked.start.saturating_add(READ_LEN));
        let found = if first.is_empty() { None } else { self.get(key, first).await? };
        let Some((object_len, bytes)) = found else {
            let len = self.len(key).await?.ok_or(StoreError::NotFound)?;
            let at = asked.start.min(len);
            return Ok(Blob::part(len, at..at, stream::empty()));
        };
        let range = asked.start..asked.end.min(object_len);
        let state = (self.clone(), key.clone(), asked.start + bytes.len() as u64..range.end);
        let rest = stream::try_unfold(state, |(bucket, key, left)| async move {
            if left.is_empty() {
                return Ok(None);
            }
            let next = left.start..left.end.min(left.start + READ_LEN);
            let bytes = bucket.read_rest(&key, next.clone()).await?;
            Ok(Some((bytes, (bucket, key, next.end..left.end))))
        });
        Ok(Blob::part(object_len, range, stream::iter([Ok(bytes)]).chain(rest)))
    }

    async fn read_version(&self, key: &Key) -> Result<(Bytes, Version), StoreError> {
        let found = self.s3.get(&self.path_of(key)).await.map_err(|error| self.failed("give an object", error))?;
        let tag = found.meta.e_tag.clone();
        let bytes = found.bytes().await.map_err(|error| self.failed("give an object", error))?;
        let tag = tag.ok_or_else(|| self.away("tell one version of an object from another", "it gives no ETag"))?;
        Ok((bytes, Version(tag)))
    }

    async fn replace(&self, key: &Key, known: Option<&Version>, bytes: Bytes) -> Result<(), StoreError> {
        let update = |Version(tag): &Version| UpdateVersion { e_tag: Some(tag.clone()), version: None };
        let mode = known.map_or(PutMode::Create, |known| PutMode::Update(update(known)));
        let put = self.s3.put_opts(&self.path_of(key), bytes.clone().into(), mode.into()).await;
        use object_store::Error::{AlreadyExists, NotFound, NotImplemented, Precondition};
        match put {
            Ok(_) => Ok(()),
            Err(AlreadyExists { .. } | Precondition { .. }) => Err(StoreError::Changed),
            // It was removed.
            Err(error @ NotFound { .. }) if known.is_some() && !error.to_string().contains("NoSuchBucket") => {
                Err(StoreError::Changed)
            }
            // Some servers know no conditions.
            Err(error) if matches!(error, NotImplemented { .. }) || error.to_string().contains("NotImplemented") => {
                self.replace_in_two_steps(key, known, bytes).await
            }
            Err(error) => Err(self.failed_in_bucket("take an object", error)),
        }
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        match self.s3.head(&self.path_of(key)).await {
            Ok(found) => Ok(Some(found.size)),
            Err(error) => match self.failed("look at an object", error) {
                StoreError::NotFound => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        match self.s3.delete(&self.path_of(key)).await {
            Ok(()) => Ok(()),
            Err(error) => match self.failed("remove an object", error) {
                StoreError::NotFound => Ok(()),
                error => Err(error),
            },
        }
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        let prefix = self.prefix.clone();
        let pages = self.pages("", Some("/")).map_ok(move |(prefixes, objects)| {
            let names = prefixes.into_iter().chain(objects.into_iter().map(|object| object.location));
            let prefix = prefix.clone();
            stream::iter(names.map(move |name| Ok(named(&prefix, &name, |name| name.parse().ok()))))
        });
        pages.try_flatten().boxed()
    }

    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        let prefix = self.prefix.clone();
        let pages = self.pages(&format!("{broadcast}/"), None).map_ok(move |(_, objects)| {
            let prefix = prefix.clone();
            let listed = objects.into_iter().map(move |object| {
                let len = object.size;
                Ok(named(&prefix, &object.location, |name| Some(Listed { key: name.parse().ok()?, len })))
            });
            stream::iter(listed)
        });
        pages.try_flatten().boxed()
    }
}

fn named<T>(prefix: &str, path: &Path, parse: impl FnOnce(&str) -> Option<T>) -> Named<T> {
    let name = path.as_ref().strip_prefix(prefix).unwrap_or(path.as_ref());
    parse(name).map_or_else(|| Named::Foreign(name.to_owned()), Named::Ours)
}

type Pieces = BoxStream<'static, Result<Bytes, StoreError>>;

/// The next `len` bytes. What a piece has more is left in `rest`.
async fn take_exactly(bytes: &mut Pieces, rest: &mut Option<Bytes>, len: usize) -> Result<VecDeque<Bytes>, StoreError> {
    let (mut taken, mut missing) = (VecDeque::new(), len);
    while missing > 0 {
        let mut piece = match rest.take() {
            Some(piece) => piece,
            None => bytes.next().await.unwrap_or_else(|| Err(cut_short()))?,
        };
        let now = piece.split_to(piece.len().min(missing));
        missing -= now.len();
        taken.push_back(now);
        *rest = Some(piece).filter(|piece| !piece.is_empty());
    }
    Ok(taken)
}

/// A stream says at its end whether what came was right.
async fn nothing_more(bytes: &mut Pieces, rest: &Option<Bytes>) -> Result<(), StoreError> {
    match bytes.next().await {
        None if rest.is_none() => Ok(()),
        Some(Err(error)) => Err(error),
        _ => Err(cut_short()),
    }
}

fn cut_short() -> StoreError {
    StoreError::io("take all of", "an object".as_ref(), std::io::ErrorKind::UnexpectedEof.into())
}

/// What TLS is done with, unless somebody has chosen before. Two of its libraries in one process must not have to guess.
fn choose_cryptography() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

//! Several copies of the same object, of which the first good one is taken.

use std::sync::Arc;

use broadcast::{Digest, Key, Object};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use inspection::{KnownInit, ReadError, inspect};
use media::{Inspection, Inspector};
use storage::{Blob, StoreError, verified};

use super::making::Inits;
use crate::found::{Objects, Tier, error_line};

/// Copies that are not good, each with the place of its tier and what is wrong with it.
pub(super) type Damaged = Vec<(usize, String)>;

/// What was found under a key.
#[derive(Debug)]
pub(super) struct Looked<T> {
    /// The first good copy; or why there is none.
    pub(super) good: Result<Good<T>, String>,
    pub(super) damaged: Damaged,
}

#[derive(Debug)]
pub(super) struct Good<T> {
    pub(super) found: T,
    /// In bytes.
    pub(super) len: u64,
}

/// A segment, and the init section that it needs.
pub(super) type Inspected = (Inspection, Option<Arc<KnownInit>>);

/// Looks at the copies of one object, one after another, until one is good. A store that is away is an error: by what
/// another store has, it would look as if its copy were damaged.
async fn look<'a, T>(
    tiers: &[Tier],
    objects: &Objects,
    key: &Key,
    read: impl Fn(Blob) -> BoxFuture<'a, Result<T, ReadError>>,
) -> Result<Looked<T>, StoreError> {
    let mut damaged = Vec::new();
    for (at, len) in objects.keys.get(key).into_iter().flatten() {
        let store = &tiers[*at].store;
        let found = match store.read(key, None).await {
            Ok(blob) => read(verified(key, blob)).await,
            // Deleted meanwhile.
            Err(StoreError::NotFound) => continue,
            Err(error) => Err(error.into()),
        };
        match found {
            Ok(found) => return Ok(Looked { good: Ok(Good { found, len: *len }), damaged }),
            Err(ReadError::Store(error)) if is_away(&error) => return Err(error),
            Err(error @ ReadError::Media(_)) => match drain(verified(key, store.read(key, None).await?)).await {
                // Others would be the same.
                Ok(()) => return Ok(Looked { good: Err(error_line(&error)), damaged }),
                Err(error) if is_away(&error) => return Err(error),
                Err(error) => damaged.push((*at, error_line(&error))),
            },
            Err(error) => damaged.push((*at, error_line(&error))),
        }
    }
    Ok(Looked { good: Err("no store has a good copy".to_owned()), damaged })
}

/// Whether the store failed, and not what it holds: a disk that cannot read a file any more has lost it.
fn is_away(error: &StoreError) -> bool {
    error.is_retryable() && !matches!(error, StoreError::Io { .. })
}

async fn drain(blob: Blob) -> Result<(), StoreError> {
    blob.into_stream().try_for_each(|_| std::future::ready(Ok(()))).await
}

pub(super) async fn look_at_init(
    tiers: &[Tier],
    objects: &Objects,
    key: &Key,
    digest: Digest,
) -> Result<Looked<KnownInit>, StoreError> {
    let looked = look(tiers, objects, key, |blob| async { Ok(blob.collect().await?) }.boxed()).await?;
    let parse = |Good { found, len }: Good<Bytes>| {
        let known = KnownInit::parse(&found, digest);
        known.map(|found| Good { found, len }).map_err(|error| error_line(&error))
    };
    Ok(Looked { good: looked.good.and_then(parse), damaged: looked.damaged })
}

pub(super) async fn look_at_segment(
    tiers: &[Tier],
    objects: &Objects,
    key: &Key,
    inits: &Inits,
) -> Result<Looked<Inspected>, StoreError> {
    let Object::Segment { rendition, format, .. } = &key.object else { unreachable!("asked of segments only") };
    let init = match format {
        None => None,
        Some(format) => match inits.get(&(rendition.clone(), *format)) {
            Some(init) => Some(init.clone()),
            None => {
                let why = "no store has a good copy of its init section".to_owned();
                return Ok(Looked { good: Err(why), damaged: Vec::new() });
            }
        },
    };
    let read = |blob| {
        let init = init.clone();
        let read = async move {
            let inspector = init.as_ref().map_or_else(Inspector::mpeg_ts, |known| Inspector::fmp4(&known.section));
            Ok((inspect(blob, inspector).await?, init))
        };
        read.boxed()
    };
    look(tiers, objects, key, read).await
}

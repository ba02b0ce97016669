//! What is owed, found by listing this disk against the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broadcast::{BroadcastId, Key, Object};
use futures_util::stream::{self, StreamExt};
use metadata::{Followed, MetadataError};
use storage::{Named, Store};

use super::Hot;
use crate::recorder::Recorder;
use crate::scan::ScanError;

/// So many logs that cannot be read are asked for at a time.
const UNREAD_MAX: usize = 4;
/// How many broadcasts are looked at at a time.
const LOOKS_MAX: usize = 4;

/// Where a segment on this disk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Owed,
    Safe,
    /// The log does not list it, or asks for no copy of it.
    Nothing,
}

pub(super) fn standing(followed: &Followed, key: &Key) -> Standing {
    let Object::Segment { rendition, seq, .. } = &key.object else { return Standing::Nothing };
    let broadcast = followed.read();
    if broadcast.opened().stored_is_safe {
        return Standing::Nothing;
    }
    let stored = broadcast.rendition(rendition).and_then(|rendition| rendition.segment(*seq));
    match stored {
        Some(segment) if Key::of_segment(key.broadcast, segment) == *key => {}
        _ => return Standing::Nothing,
    }
    let is_safe = broadcast.safe(rendition).is_some_and(|safe| safe.contains(*seq));
    if is_safe { Standing::Safe } else { Standing::Owed }
}

impl Recorder {
    /// Remembers all that is here and owed, or safe. What was remembered before stays. Tells of which broadcasts the log
    /// could not be read.
    pub(super) async fn find_owed(self: &Arc<Self>, hot: &Hot) -> Result<BTreeSet<BroadcastId>, ScanError> {
        let (mut here, mut broadcasts) = (Vec::new(), self.store.broadcasts());
        while let Some(found) = broadcasts.next().await {
            if let Named::Ours(id) = found? {
                here.push(id);
            }
        }
        self.find_owed_among(hot, &here).await
    }

    /// The same of these alone, some at a time. After a few whose logs could not be read the others are left for another
    /// time, too: each takes a while to fail.
    pub(super) async fn find_owed_among(
        self: &Arc<Self>,
        hot: &Hot,
        ids: &[BroadcastId],
    ) -> Result<BTreeSet<BroadcastId>, ScanError> {
        let mut unread = BTreeSet::new();
        let failed = AtomicUsize::new(0);
        let look = |id: BroadcastId| {
            let failed = &failed;
            async move {
                let is_found = failed.load(Ordering::Relaxed) < UNREAD_MAX && self.is_found_of(hot, id).await?;
                failed.fetch_add(usize::from(!is_found), Ordering::Relaxed);
                Ok::<_, ScanError>((id, is_found))
            }
        };
        let mut looks = stream::iter(ids.iter().copied()).map(look).buffer_unordered(LOOKS_MAX);
        while let Some(looked) = looks.next().await {
            let (id, is_found) = looked?;
            if !is_found {
                unread.insert(id);
            }
        }
        Ok(unread)
    }

    /// False if its log cannot be read now.
    async fn is_found_of(self: &Arc<Self>, hot: &Hot, id: BroadcastId) -> Result<bool, ScanError> {
        match self.find_owed_of(hot, id).await {
            Err(ScanError::Metadata(error)) if error.is_retryable() => Ok(false),
            found => found.map(|()| true),
        }
    }

    async fn find_owed_of(self: &Arc<Self>, hot: &Hot, id: BroadcastId) -> Result<(), ScanError> {
        let followed = match self.broadcasts.get(id).await {
            Ok(followed) => followed,
            // The start-up scan has told of it.
            Err(MetadataError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if followed.read().opened().stored_is_safe {
            return Ok(());
        }
        let mut objects = self.store.list(id);
        while let Some(found) = objects.next().await {
            let Named::Ours(listed) = found? else { continue };
            match standing(&followed, &listed.key) {
                Standing::Owed => drop(hot.work().owe(listed.key, listed.len)),
                Standing::Safe => drop(hot.work().deletable.insert(listed.key, listed.len)),
                Standing::Nothing => {}
            }
        }
        Ok(())
    }
}

//! The start-up scan: commits what was made durable but, because of a crash, never committed, and takes up again
//! what stock pushers left behind.

use std::sync::Arc;

use broadcast::{BroadcastId, Digest, Key, Object, State, StoreTime};
use futures_util::StreamExt;
use media::Inspector;
use metadata::{Followed, MetadataError};
use service::Problem;
use storage::{Blob, Listed, Named, Parked, Store, StoreError};

use crate::commit::{Candidate, Kept, latest_init, no_init};
use crate::problems;
use crate::recorder::Recorder;

/// What the scan found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    pub broadcasts: u64,
    /// Segments that were durable and are now committed.
    pub committed: u64,
    /// Stock pushers' uploads that wait for their number again.
    pub parked: u64,
    /// Broadcasts of which there are files but no metadata. Nothing of them is touched.
    pub unknown: u64,
    /// Files that could not be taken in. They are left alone.
    pub unreadable: u64,
}

/// Why the scan could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("cannot read the local store")]
    Store(#[from] StoreError),
    #[error("cannot read the metadata store")]
    Metadata(#[from] MetadataError),
}

impl Recorder {
    /// To be run before the first request is served.
    pub async fn scan(self: &Arc<Self>) -> Result<ScanReport, ScanError> {
        let mut report = ScanReport::default();
        let mut broadcasts = self.store.broadcasts();
        while let Some(found) = broadcasts.next().await {
            match found? {
                Named::Ours(id) => self.scan_broadcast(id, &mut report).await?,
                Named::Foreign(name) => tracing::warn!(name, "somebody else's file in the segment store"),
            }
        }
        for parked in self.parked_in_order().await? {
            report.parked += 1;
            self.take_up_parked(parked).await;
        }
        Ok(report)
    }

    /// What stock pushers left behind, in the order of its arrival, by which it is numbered.
    async fn parked_in_order(&self) -> Result<Vec<Parked>, ScanError> {
        let (mut found, mut listing) = (Vec::new(), self.store.parked());
        while let Some(named) = listing.next().await {
            match named? {
                Named::Ours(parked) => found.push(parked),
                Named::Foreign(name) => tracing::warn!(name, "somebody else's file among the parked uploads"),
            }
        }
        // Within one millisecond, `out9` came before `out10`.
        found.sort_by_key(|parked: &Parked| {
            let name = parked.name();
            (name.arrived_ms(), name.path().len(), name.path().to_owned())
        });
        Ok(found)
    }

    async fn scan_broadcast(self: &Arc<Self>, id: BroadcastId, report: &mut ScanReport) -> Result<(), ScanError> {
        report.broadcasts += 1;
        let followed = match self.broadcasts.get(id).await {
            Ok(followed) => followed,
            Err(MetadataError::NotFound { .. }) => {
                report.unknown += 1;
                tracing::warn!(%id, "segments of a broadcast that the metadata store does not know");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let now = StoreTime(self.clock.now_ms());
        if followed.read().state(now) == State::Complete {
            return Ok(());
        }
        if followed.read().end_hinted_at().is_some() {
            self.end_after_grace(id);
        }
        let mut objects = self.store.list(id);
        while let Some(found) = objects.next().await {
            match found? {
                Named::Ours(listed) => self.scan_object(&followed, listed, report).await,
                Named::Foreign(name) => tracing::warn!(%id, name, "somebody else's file in the segment store"),
            }
        }
        Ok(())
    }

    async fn scan_object(&self, followed: &Followed, listed: Listed, report: &mut ScanReport) {
        let Object::Segment { rendition, seq, digest, .. } = &listed.key.object else { return };
        let known = {
            let broadcast = followed.read();
            let stored = broadcast.rendition(rendition).and_then(|rendition| rendition.segment(*seq));
            stored.is_some_and(|stored| stored.digest == *digest)
        };
        if known {
            return;
        }
        match self.commit_found(followed, &listed).await {
            Ok(Kept::Stored) => {
                report.committed += 1;
                tracing::info!(key = %listed.key, "committed a segment found at start");
            }
            Ok(Kept::Already) => {}
            Err(problem) => {
                report.unreadable += 1;
                tracing::warn!(key = %listed.key, problem = %problem.to_json(), "cannot commit a segment found at start");
            }
        }
    }

    async fn commit_found(&self, followed: &Followed, listed: &Listed) -> Result<Kept, Problem> {
        let Object::Segment { rendition, seq, captured_at, digest, container, .. } = &listed.key.object else {
            unreachable!("asked of segments only")
        };
        let init = match container {
            broadcast::Container::Ts => None,
            broadcast::Container::M4s => {
                let digest = latest_init(&followed.read(), rendition).ok_or_else(|| no_init(rendition))?;
                Some(self.known_init(followed.id(), rendition, digest).await?)
            }
        };
        let inspector = init.as_ref().map_or_else(Inspector::mpeg_ts, |known| Inspector::fmp4(&known.section));
        let blob = self.store.read(&listed.key, None).await.map_err(problems::of_store)?;
        let inspection = inspect(blob, inspector).await?;
        let candidate = Candidate {
            rendition: rendition.clone(),
            seq: *seq,
            captured_at: Some(*captured_at),
            pushed: None,
            arrived_ms: self.clock.now_ms(),
            digest: *digest,
            len: listed.len,
            inspection,
            init,
        };
        self.commit_durable(followed, &candidate, &listed.key).await
    }

    /// Commits a candidate whose bytes are under `key` already.
    async fn commit_durable(&self, followed: &Followed, candidate: &Candidate, key: &Key) -> Result<Kept, Problem> {
        let (segment, format) = crate::commit::describe(&followed.read(), candidate, &mut Default::default());
        let events = crate::commit::stored_events(&followed.read(), format, segment);
        self.commit_stored(followed, &events, candidate.seq, key).await
    }
}

/// Reads what is stored through an inspector.
pub(crate) async fn inspect(blob: Blob, mut inspector: Inspector) -> Result<media::Inspection, Problem> {
    let mut bytes = blob.into_stream();
    while let Some(piece) = bytes.next().await {
        let piece = piece.map_err(problems::of_store)?;
        inspector.push(&piece).map_err(|error| problems::NOT_MEDIA.detail(error))?;
    }
    inspector.finish().map_err(|error| problems::NOT_MEDIA.detail(error))
}

/// Reads what is stored for its digest.
pub(crate) async fn digest_of(blob: Blob) -> Result<Digest, Problem> {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = blob.into_stream();
    while let Some(piece) = bytes.next().await {
        hasher.update(&piece.map_err(problems::of_store)?);
    }
    Ok(Digest::of_blake3(hasher.finalize().as_bytes()))
}

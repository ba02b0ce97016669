//! The start-up scan: commits what was made durable but, because of a crash, never committed, and takes up again
//! what stock pushers left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broadcast::{Broadcast, BroadcastId, Digest, Event, FormatId, Object, RenditionName, State};
use futures_util::StreamExt;
use inspection::stored_events;
use media::Inspector;
use metadata::{Followed, MetadataError};
use service::Problem;
use storage::{Blob, Listed, Named, Parked, Store, StoreError};

use crate::capture::CaptureClock;
use crate::commit::{Candidate, Durable, Kept, describe, no_init};
use crate::lost::LostError;
use crate::problems;
use crate::push::is_open;
use crate::recorder::Recorder;

/// Where a segment was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    Hot,
}

/// A pusher that has sent something in the last hour may go on at once.
const LATELY_MS: i64 = 3_600_000;

/// Whether live has to be started anew with what is put back now: it may have been shown where it was before the metadata
/// store lost it. Nobody knows whether it was; what was never committed looks the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    Due,
    /// It has just been.
    Done,
}

impl Restart {
    /// What is to be committed together with these events, before them.
    pub(crate) fn with(self, events: &[Event]) -> Option<Event> {
        (self == Self::Due && events.iter().any(Event::shapes_live)).then_some(Event::Restarted)
    }
}

/// What the scan found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    pub broadcasts: u64,
    /// Segments that were durable and are now committed.
    pub committed: u64,
    /// Stock pushers' uploads that wait for their number again.
    pub parked: u64,
    /// Broadcasts of which there are files but no metadata. They are looked after later.
    pub unknown: u64,
    /// Files that could not be taken in. They are left alone, but for those that are damaged, which are in `damaged/`.
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
        let (mut report, mut ending, mut pushed) = (ScanReport::default(), Vec::new(), BTreeSet::new());
        let mut broadcasts = self.store.broadcasts();
        while let Some(found) = broadcasts.next().await {
            match found? {
                Named::Ours(id) => {
                    self.scan_broadcast(id, &mut report, &mut ending).await?;
                    if self.is_pushed_lately(id).await {
                        pushed.insert(id);
                    }
                }
                Named::Foreign(name) => tracing::warn!(name, "somebody else's file in the segment store"),
            }
        }
        let parked = self.parked_in_order().await?;
        self.make_pushed_whole(
            pushed.into_iter().chain(parked.iter().map(|parked| parked.name().broadcast())),
            &mut report,
        )
        .await;
        report.parked += parked.len() as u64;
        let mut of_broadcasts: BTreeMap<BroadcastId, Vec<Parked>> = BTreeMap::new();
        for parked in parked {
            of_broadcasts.entry(parked.name().broadcast()).or_default().push(parked);
        }
        for (id, parked) in of_broadcasts {
            self.take_up_parked(id, parked).await;
        }
        // What was acknowledged before the crash belongs to what ends now.
        ending.into_iter().for_each(|id| self.end_after_grace(id));
        Ok(report)
    }

    async fn is_pushed_lately(&self, id: BroadcastId) -> bool {
        let Ok(followed) = self.broadcasts.get(id).await else { return false };
        let broadcast = followed.read();
        let is_lately = (followed.now() - broadcast.last_at()).0 < LATELY_MS && broadcast.ended().is_none();
        let mut latest = broadcast.renditions().iter().filter_map(|rendition| rendition.segments().next_back());
        is_lately && latest.any(|segment| segment.pushed.is_some())
    }

    /// The log may have lost a part that only the hot store knows. What is pushed next would be given a number that is taken;
    /// until that is known, it waits. If the hot store is away, that is known later, and no start takes longer for it.
    async fn make_pushed_whole(self: &Arc<Self>, ids: impl Iterator<Item = BroadcastId>, report: &mut ScanReport) {
        for id in ids.collect::<BTreeSet<_>>() {
            match self.put_back(id).await {
                Ok(put_back) => report.committed += put_back,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%id, error, "cannot see yet whether the log of a broadcast is whole");
                    return;
                }
            }
        }
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

    async fn scan_broadcast(
        self: &Arc<Self>,
        id: BroadcastId,
        report: &mut ScanReport,
        ending: &mut Vec<BroadcastId>,
    ) -> Result<(), ScanError> {
        report.broadcasts += 1;
        let followed = match self.broadcasts.get(id).await {
            Ok(followed) => followed,
            Err(MetadataError::NotFound { .. }) => return self.scan_unknown(id, report).await,
            Err(error) => return Err(error.into()),
        };
        if followed.read().state(followed.now()) == State::Complete {
            return Ok(());
        }
        if followed.read().end_hinted_at().is_some() {
            ending.push(id);
        }
        self.wait_if_closing(&followed);
        let mut unlisted = Unlisted::default();
        let mut objects = self.store.list(id);
        while let Some(found) = objects.next().await {
            match found? {
                Named::Ours(listed) => self.look_at(&followed, listed, &mut unlisted).await,
                Named::Foreign(name) => tracing::warn!(%id, name, "somebody else's file in the segment store"),
            }
        }
        let mut restart = Restart::Due;
        for listed in std::mem::take(&mut unlisted.segments) {
            match self.commit_found(&followed, &listed, &unlisted.inits, Place::Here, &mut restart).await {
                Ok(Kept::Stored) => {
                    report.committed += 1;
                    tracing::info!(key = %listed.key, "committed a segment found at start");
                }
                Ok(Kept::Already) => {}
                Err(problem) => {
                    report.unreadable += 1;
                    let problem = problem.to_json();
                    tracing::warn!(key = %listed.key, %problem, "cannot commit a segment found at start");
                }
            }
        }
        Ok(())
    }

    /// The metadata store has lost all of it. What goes on has to be whole before anybody is given a number after it; what
    /// has ended has time.
    async fn scan_unknown(self: &Arc<Self>, id: BroadcastId, report: &mut ScanReport) -> Result<(), ScanError> {
        let goes_on = self.told(id).await.ok().flatten().is_some_and(|told| !told.has_ended());
        if !goes_on {
            report.unknown += 1;
            return Ok(());
        }
        match self.put_back(id).await {
            Ok(put_back) => report.committed += put_back,
            Err(LostError::Metadata(error)) => return Err(error.into()),
            Err(error) => {
                report.unknown += 1;
                let error = &error as &dyn std::error::Error;
                tracing::error!(%id, error, "cannot put back a broadcast that the metadata store has lost; it is tried again");
            }
        }
        Ok(())
    }

    async fn look_at(&self, followed: &Followed, listed: Listed, unlisted: &mut Unlisted) {
        match &listed.key.object {
            Object::Document => {}
            Object::Init { rendition, digest } => unlisted.inits.push((rendition.clone(), *digest)),
            Object::Segment { rendition, seq, digest, .. } => {
                let stored = {
                    let broadcast = followed.read();
                    let stored = broadcast.rendition(rendition).and_then(|rendition| rendition.segment(*seq));
                    stored.map(|stored| stored.digest)
                };
                match stored {
                    // It was sent again before its first commit was known of, and is listed with another time.
                    Some(stored) if stored == *digest => self.remove_unlisted(followed, &listed.key).await,
                    _ => unlisted.segments.push(listed),
                }
            }
        }
    }

    /// Commits a segment that was found in a store. What is damaged here is taken out of the way.
    pub(crate) async fn commit_found(
        &self,
        followed: &Followed,
        listed: &Listed,
        inits: &[(RenditionName, Digest)],
        place: Place,
        restart: &mut Restart,
    ) -> Result<Kept, Problem> {
        let Object::Segment { rendition, seq, captured_at, digest, format, .. } = &listed.key.object else {
            unreachable!("asked of segments only")
        };
        let init = match format {
            None => None,
            Some(format) => {
                let digest = init_of(&followed.read(), inits, rendition, *format);
                let digest = digest.ok_or_else(|| no_init(rendition))?;
                Some(self.known_init(followed.id(), rendition, digest).await?)
            }
        };
        let inspector = init.as_ref().map_or_else(Inspector::mpeg_ts, |known| Inspector::fmp4(&known.section));
        let store: &dyn Store = match (&self.hot, place) {
            (Some(hot), Place::Hot) => &*hot.store,
            _ => &self.store,
        };
        let read = || async { store.read(&listed.key, None).await.map_err(problems::of_store) };
        if digest_of(read().await?).await? != *digest {
            if place == Place::Here {
                self.set_damaged_aside(&listed.key).await.map_err(problems::of_store)?;
            }
            return Err(problems::DIGEST_MISMATCH.detail("the file is not what its name says"));
        }
        if place == Place::Here {
            // Its init section is in the same directory.
            self.store.make_durable(&listed.key).await.map_err(problems::of_store)?;
        }
        let candidate = Candidate {
            rendition: rendition.clone(),
            seq: *seq,
            captured_at: Some(*captured_at),
            pushed: None,
            arrived_ms: self.now_ms(),
            digest: *digest,
            len: listed.len,
            inspection: inspect(read().await?, inspector).await?,
            init,
        };
        let described = describe(&followed.read(), &candidate, &mut CaptureClock::default());
        let mut events = stored_events(&followed.read(), described);
        // What gets another number comes late, and live goes on without it.
        if is_open(&followed.read(), rendition, *seq) {
            events.splice(0..0, restart.with(&events));
        }
        let key = listed.key.clone();
        // What is refused is set aside here; in the hot store it stays.
        let was_acknowledged = place == Place::Here;
        let durable = Durable { events, seq: *seq, len: listed.len, key, was_acknowledged, flying: None };
        let kept = self.commit_durable(followed, &durable).await?;
        *restart = Restart::Done;
        Ok(kept)
    }
}

/// The init section that makes this format: one on this disk or, if it is elsewhere, one that the log lists.
fn init_of(
    broadcast: &Broadcast,
    inits: &[(RenditionName, Digest)],
    rendition: &RenditionName,
    format: FormatId,
) -> Option<Digest> {
    let here = inits.iter().filter(|(of, _)| of == rendition).map(|(_, digest)| *digest);
    let listed = broadcast.rendition(rendition).into_iter().flat_map(|rendition| rendition.formats());
    let listed = listed.filter_map(|format| format.init).map(|init| init.digest);
    here.chain(listed).find(|digest| FormatId::of_init(digest) == format)
}

/// What the store has of a broadcast and its log has not.
#[derive(Default)]
struct Unlisted {
    segments: Vec<Listed>,
    /// All init sections: a segment's key says which one it needs.
    inits: Vec<(RenditionName, Digest)>,
}

/// Reads what is stored through an inspector.
pub(crate) async fn inspect(blob: Blob, inspector: Inspector) -> Result<media::Inspection, Problem> {
    inspection::inspect(blob, inspector).await.map_err(|error| match error {
        inspection::ReadError::Store(error) => problems::of_store(error),
        inspection::ReadError::Media(error) => problems::NOT_MEDIA.detail(error),
    })
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

//! From a whole body to an acknowledgement: name it, make it durable, commit it. In this order, so that a crash
//! leaves either nothing or a file that the start-up scan commits.

use std::sync::Arc;

use broadcast::{
    Broadcast, BroadcastId, CapturedAt, Closing, Container, Digest, Event, Key, LastSeq, MediaDuration, MediaTime,
    RecordedBy, Rendition, RenditionName, Segment, Seq,
};
use bytes::Bytes;
use inspection::{Described, Found, KnownInit, stored_events};
use media::Inspection;
use metadata::{Followed, Outcome};
use service::{Problem, ProblemKind};
use storage::{Parked, Store, StoreError, Upload, verified};

use crate::capture::{CaptureClock, Unplaced};
use crate::in_flight::Flying;
use crate::problems;
use crate::recorder::Recorder;

/// How long a broadcast is said to be with one recorder, at least: a publisher that sends to several in turn is no news.
const TAKEN_OVER_MS_MIN: i64 = 10_000;

/// A segment about to be committed: everything but its place in the store.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) rendition: RenditionName,
    pub(crate) seq: Seq,
    /// As the publisher said; otherwise it is found out.
    pub(crate) captured_at: Option<CapturedAt>,
    pub(crate) pushed: Option<u64>,
    pub(crate) arrived_ms: i64,
    pub(crate) digest: Digest,
    pub(crate) len: u64,
    pub(crate) inspection: Inspection,
    pub(crate) init: Option<Arc<KnownInit>>,
}

/// Where a candidate's bytes are.
#[derive(Debug)]
pub(crate) enum Source {
    Upload(Upload),
    Parked(Parked),
}

/// What became of a segment that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Stored,
    Already,
}

/// A segment whose bytes are durable under their key, and what there is to commit of it.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) events: Vec<Event>,
    pub(crate) seq: Seq,
    pub(crate) len: u64,
    pub(crate) key: Key,
    /// Its sender may have forgotten it already: it is never removed.
    pub(crate) was_acknowledged: bool,
    /// None, if nobody had it at hand, and it was found.
    pub(crate) flying: Option<Flying>,
}

impl Recorder {
    /// Makes a segment durable and commits it. When this answers, it can be acknowledged.
    pub(crate) async fn keep(
        &self,
        followed: &Followed,
        candidate: Candidate,
        source: Source,
        clock: &mut CaptureClock,
    ) -> Result<Kept, Problem> {
        if let Some(kept) = self.kept_already(followed, &candidate) {
            return kept;
        }
        let timer = self.metrics.commit_seconds.start_timer();
        let durable = self.make_durable(followed, &candidate, source, clock).await?;
        let kept = self.commit_durable(followed, &durable).await;
        timer.observe_duration();
        kept
    }

    /// What is known without asking the store: the answer, if the segment is there already.
    pub(crate) fn kept_already(&self, followed: &Followed, candidate: &Candidate) -> Option<Result<Kept, Problem>> {
        let kept = kept_already(&followed.read(), candidate)?;
        self.count(&kept);
        Some(kept)
    }

    /// Gives a segment its place in the store. It has none in the log yet.
    pub(crate) async fn make_durable(
        &self,
        followed: &Followed,
        candidate: &Candidate,
        source: Source,
        clock: &mut CaptureClock,
    ) -> Result<Durable, Problem> {
        self.room_for(&followed.read(), [&candidate.rendition])?;
        let described = describe(&followed.read(), candidate, clock);
        let segment = &described.segment;
        let was_acknowledged = matches!(source, Source::Parked(_));
        let is_late = |closing: &Closing| !was_acknowledged && !closing.takes(segment.captured_at);
        if let Some(closing) = followed.read().closing().filter(is_late) {
            return Err(too_late(segment, closing));
        }
        let key = Key::of_segment(followed.id(), segment);
        let flying = Some(self.in_flight.enter(&key));
        match source {
            Source::Upload(upload) => upload.commit(&key).await,
            Source::Parked(parked) => self.store.adopt(&parked, &key).await,
        }
        .map_err(problems::of_store)?;
        let (seq, len) = (segment.seq, segment.len);
        let mut events = stored_events(&followed.read(), described);
        events.splice(0..0, self.taking_over(&followed.read()));
        Ok(Durable { events, seq, len, key, was_acknowledged, flying })
    }

    /// Says that this recorder takes the broadcast in from here on, if another one did. Not by a recorder without a name.
    fn taking_over(&self, broadcast: &Broadcast) -> Option<Event> {
        let node = self.config.node.as_ref()?;
        let is_news = |by: &RecordedBy| by.node != *node && self.now_ms() - by.since.0 >= TAKEN_OVER_MS_MIN;
        broadcast.recorded_by().is_none_or(is_news).then(|| Event::RecordedBy { node: node.clone() })
    }

    /// Commits a segment that is durable, under another number if its own has gone to something else. It is removed again if the
    /// log has no place for it.
    pub(crate) async fn commit_durable(&self, followed: &Followed, durable: &Durable) -> Result<Kept, Problem> {
        let (kept, key) = match self.commit_or_remove(followed, durable).await {
            Ok((kept, key)) => (Ok(kept), Some(key)),
            Err(problem) => (Err(problem), None),
        };
        self.count(&kept);
        if let Some(key) = key {
            self.marks.note(followed, self.broadcasts.breaks_of(followed.id()));
            self.document_after(followed, &durable.events);
            if !followed.read().opened().stored_is_safe && is_listed(&followed.read(), &key) {
                self.owe(&key, durable.len);
            }
        }
        if kept.as_ref().is_ok_and(|kept| *kept == Kept::Stored) {
            self.metrics.bytes.inc_by(durable.len);
        }
        kept
    }

    /// This segment is stored here, and not safe.
    pub(crate) fn owe(&self, key: &Key, len: u64) {
        if let Some(hot) = &self.hot {
            hot.owe(key, len);
        }
    }

    /// What became of it, and under which key it is.
    async fn commit_or_remove(&self, followed: &Followed, durable: &Durable) -> Result<(Kept, Key), Problem> {
        let Durable { events, seq, key, .. } = durable;
        // A file whose commit failed stays: it may have been committed all the same, and the next start looks.
        let outcomes = followed.commit(events).await.map_err(problems::of_metadata)?;
        let outcome = outcomes.last().expect("a commit has an outcome for each event");
        let refused = match outcome {
            Outcome::Appended { .. } => return Ok((Kept::Stored, key.clone())),
            Outcome::Duplicate => {
                self.remove_unlisted(followed, key).await;
                return Ok((Kept::Already, key.clone()));
            }
            Outcome::Conflict { existing } => other_bytes(*seq, &existing.to_string()),
            Outcome::Ended => ended(*seq),
            Outcome::Abandoned => abandoned(*seq),
        };
        if !matches!(outcome, Outcome::Ended)
            && let Some(renumbered) = self.commit_renumbered(followed, durable).await?
        {
            return Ok(renumbered);
        }
        if durable.was_acknowledged {
            self.set_aside(key).await;
        } else {
            self.remove_unlisted(followed, key).await;
        }
        Err(refused)
    }

    /// The log has no place for what was acknowledged: it is kept where people find it.
    async fn set_aside(&self, key: &Key) {
        tracing::error!(%key, "an acknowledged segment has no place in its broadcast; it is in refused/");
        if let Err(error) = self.store.set_aside(key).await {
            tracing::warn!(%key, error = &error as &dyn std::error::Error, "cannot set it aside");
        }
    }

    /// What is under this key here is not what it says: it counts as not stored here from then on.
    pub(crate) async fn set_damaged_aside(&self, key: &Key) -> Result<(), StoreError> {
        self.metrics.damaged.inc();
        tracing::error!(
            %key,
            "a stored object is not what its name says: the disk has changed it. It is in damaged/, and its publisher \
            is asked for it again as long as it has it; look after this disk"
        );
        if let broadcast::Object::Init { rendition, digest } = &key.object {
            self.inits.invalidate(&(key.broadcast, rendition.clone(), *digest)).await;
        }
        self.store.set_damaged_aside(key).await
    }

    /// An end without the renditions that are more than a broadcast may have: what is recorded of them is refused, and is not
    /// waited for.
    pub(crate) fn without_refused(&self, broadcast: &Broadcast, mut said: Vec<LastSeq>) -> Vec<LastSeq> {
        let mut room = self.config.renditions_max.saturating_sub(broadcast.renditions().len());
        said.retain(|last| {
            let is_known = broadcast.rendition(&last.rendition).is_some();
            let has_room = is_known || room > 0;
            room -= usize::from(has_room && !is_known);
            has_room
        });
        said
    }

    /// Refuses more renditions than a broadcast may have.
    pub(crate) fn room_for<'a>(
        &self,
        broadcast: &Broadcast,
        renditions: impl IntoIterator<Item = &'a RenditionName>,
    ) -> Result<(), Problem> {
        let max = self.config.renditions_max;
        let mut new = renditions.into_iter().filter(|rendition| broadcast.rendition(rendition).is_none());
        let Some(one_more) = new.nth(max.saturating_sub(broadcast.renditions().len())) else { return Ok(()) };
        let detail = format!("a broadcast has at most {max} renditions, and {one_more} would be one more");
        Err(problems::TOO_MANY_RENDITIONS.detail(detail).with("max", max))
    }

    /// Removes a file of ours that the log does not list. The same segment may be listed with another capture time.
    pub(crate) async fn remove_unlisted(&self, followed: &Followed, key: &Key) {
        let listed = listed_at_its_number(&followed.read(), key);
        self.remove_unless_listed(followed, key, listed).await;
    }

    /// The same, where the same bytes are listed as this segment.
    pub(crate) async fn remove_unless_listed(&self, followed: &Followed, key: &Key, same: Option<Segment>) {
        if is_listed(&followed.read(), key) {
            return;
        }
        if let Some(same) = same
            && let Err(error) = self.keep_as_listed(followed, key, &same).await
        {
            tracing::warn!(%key, error = &error as &dyn std::error::Error, "cannot keep a file under the name that is listed");
            return;
        }
        if let Err(error) = self.store.remove(key).await {
            tracing::warn!(%key, error = &error as &dyn std::error::Error, "cannot remove an unlisted file");
        }
    }

    /// The same bytes may be listed under another name, and whoever has them under that may be gone for good: they are kept
    /// under it here too, unless they are safe.
    async fn keep_as_listed(&self, followed: &Followed, key: &Key, listed: &Segment) -> Result<(), StoreError> {
        let is_safe = followed.read().safe(&listed.rendition).is_some_and(|safe| safe.contains(listed.seq));
        if is_safe && self.hot.is_some() {
            return Ok(());
        }
        let name = Key::of_segment(followed.id(), listed);
        if self.store.len(&name).await? != Some(listed.len) {
            let blob = match self.store.read(key, None).await {
                Err(StoreError::NotFound) => return Ok(()),
                blob => blob?,
            };
            match self.store.put(&name, verified(key, blob)).await {
                Err(StoreError::Damaged { .. }) => return self.set_damaged_aside(key).await,
                put => put?,
            }
        }
        self.owe(&name, listed.len);
        Ok(())
    }

    /// Stores an init section and returns it ready for use.
    pub(crate) async fn keep_init(
        &self,
        id: BroadcastId,
        rendition: &RenditionName,
        bytes: Bytes,
        digest: Digest,
    ) -> Result<Arc<KnownInit>, Problem> {
        let name = (id, rendition.clone(), digest);
        // Only what is stored is remembered.
        if let Some(known) = self.inits.get(&name).await {
            return Ok(known);
        }
        let known = parse_init(&bytes, digest)?;
        let key = Key::of_init(id, rendition.clone(), digest);
        if self.store.len(&key).await.map_err(problems::of_store)?.is_none() {
            self.store.put(&key, bytes.into()).await.map_err(problems::of_store)?;
        }
        self.inits.insert(name, known.clone()).await;
        Ok(known)
    }

    /// The init section of this digest, from memory, this disk, the hot store or another recorder. It is on this disk
    /// from then on, as are the segments that need it: what a disk holds must be of use without any other.
    pub(crate) async fn known_init(
        &self,
        id: BroadcastId,
        rendition: &RenditionName,
        digest: Digest,
    ) -> Result<Arc<KnownInit>, Problem> {
        let name = (id, rendition.clone(), digest);
        if let Some(known) = self.inits.get(&name).await {
            return Ok(known);
        }
        let key = Key::of_init(id, rendition.clone(), digest);
        let bytes = match self.init_bytes(&key).await {
            Err(StoreError::Damaged { .. }) => {
                // It may have come from here. If so, the next is asked.
                self.set_aside_if_damaged(&key).await.map_err(problems::of_store)?;
                self.init_bytes(&key).await
            }
            bytes => bytes,
        };
        let bytes = bytes.map_err(problems::of_store)?;
        let known = parse_init(&bytes, digest)?;
        if self.store.len(&key).await.map_err(problems::of_store)?.is_none() {
            self.store.put(&key, bytes.into()).await.map_err(problems::of_store)?;
        }
        self.inits.insert(name, known.clone()).await;
        Ok(known)
    }

    async fn init_bytes(&self, key: &Key) -> Result<Bytes, StoreError> {
        verified(key, self.tiers.read(key, None).await?).collect().await
    }

    /// Looks at what is here under this key, if anything is.
    pub(crate) async fn set_aside_if_damaged(&self, key: &Key) -> Result<(), StoreError> {
        let read = async { verified(key, self.store.read(key, None).await?).collect().await };
        match read.await {
            Err(StoreError::Damaged { .. }) => self.set_damaged_aside(key).await,
            Ok(_) | Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn count(&self, kept: &Result<Kept, Problem>) {
        let outcome = match kept {
            Ok(Kept::Stored) => "stored",
            Ok(Kept::Already) => "duplicate",
            Err(problem) if problem.kind() == problems::OTHER_BYTES => "conflict",
            Err(_) => "refused",
        };
        self.metrics.segments.with_label_values(&[outcome]).inc();
    }
}

fn parse_init(bytes: &[u8], digest: Digest) -> Result<Arc<KnownInit>, Problem> {
    KnownInit::parse(bytes, digest).map(Arc::new).map_err(|error| problems::NOT_MEDIA.detail(error))
}

fn kept_already(broadcast: &Broadcast, new: &Candidate) -> Option<Result<Kept, Problem>> {
    let rendition = broadcast.rendition(&new.rendition)?;
    let stored = rendition.segment(new.seq)?;
    if stored.digest == new.digest {
        return Some(Ok(Kept::Already));
    }
    Some(Err(other_bytes(new.seq, &stored.digest.to_string())))
}

/// Whether the log lists a segment under this key.
pub(crate) fn is_listed(broadcast: &Broadcast, key: &Key) -> bool {
    let broadcast::Object::Segment { rendition, seq, .. } = &key.object else { return false };
    let stored = broadcast.rendition(rendition).and_then(|rendition| rendition.segment(*seq));
    stored.is_some_and(|segment| Key::of_segment(key.broadcast, segment) == *key)
}

/// What the log lists under the number of this key, if those are the same bytes.
fn listed_at_its_number(broadcast: &Broadcast, key: &Key) -> Option<Segment> {
    let broadcast::Object::Segment { rendition, seq, digest, .. } = &key.object else { return None };
    let listed = broadcast.rendition(rendition)?.segment(*seq)?;
    (listed.digest == *digest).then(|| listed.as_ref().clone())
}

/// A candidate as the log will know it, and what it has to know before.
pub(crate) fn describe(broadcast: &Broadcast, new: &Candidate, clock: &mut CaptureClock) -> Described {
    let captured_at = new.captured_at.unwrap_or_else(|| captured_at(broadcast, new, clock));
    let found = Found {
        rendition: &new.rendition,
        seq: new.seq,
        captured_at,
        pushed: new.pushed,
        digest: new.digest,
        len: new.len,
        inspection: &new.inspection,
        init: new.init.as_deref(),
    };
    inspection::describe(broadcast, &found)
}

/// When a segment was captured whose sender did not say.
fn captured_at(broadcast: &Broadcast, new: &Candidate, clock: &mut CaptureClock) -> CapturedAt {
    let inspection = &new.inspection;
    let duration = MediaDuration(u32::try_from(inspection.duration.ticks()).unwrap_or(u32::MAX));
    let media_start = MediaTime(inspection.first.ticks());
    let container = if new.init.is_some() { Container::M4s } else { Container::Ts };
    let unplaced = Unplaced { container, media_start, duration, arrived_ms: new.arrived_ms };
    let rendition = broadcast.rendition(&new.rendition);
    let before = rendition.and_then(|rendition| recorded_before(rendition, new.seq));
    let others = broadcast.renditions().iter().filter(|other| *other.name() != new.rendition);
    let sibling = others.filter_map(|other| other.segments().next_back()).max_by_key(|other| other.captured_at);
    clock.place(&unplaced, before.map(AsRef::as_ref), sibling.map(AsRef::as_ref))
}

/// The segment before this number. What was found again and given another number was recorded before what is around it.
fn recorded_before(rendition: &Rendition, seq: Seq) -> Option<&Arc<Segment>> {
    let mut before = rendition.segment_before(seq)?;
    while before.pushed.is_none()
        && let Some(earlier) = rendition.segment_before(before.seq)
        && earlier.captured_at > before.captured_at
    {
        before = earlier;
    }
    Some(before)
}

pub(crate) fn other_bytes(seq: Seq, existing: &str) -> Problem {
    let detail = format!("segment {seq} is stored with other bytes; a number is never used twice");
    problems::OTHER_BYTES.detail(detail).with("stored_digest", existing)
}

fn ended(seq: Seq) -> Problem {
    problems::ENDED.detail(format!("the broadcast ended before segment {seq}; create another one for what follows"))
}

fn too_late(segment: &Segment, closing: Closing) -> Problem {
    let until = closing.takes_until();
    let detail = format!(
        "the owner has ended the broadcast, and segment {} was captured longer after that than its publisher is waited for: \
         at {} ms, and until {} ms is taken; create another broadcast for what follows",
        segment.seq, segment.captured_at.0, until.0
    );
    problems::ENDED.detail(detail).with("captured_until_ms", until.0)
}

fn abandoned(seq: Seq) -> Problem {
    problems::ABANDONED.detail(format!("segment {seq} was declared abandoned by its publisher"))
}

/// The init section that segments of a rendition have unless they say otherwise: the one announced last.
pub(crate) fn latest_init(broadcast: &Broadcast, rendition: &RenditionName) -> Option<Digest> {
    Some(broadcast.rendition(rendition)?.latest_format()?.init?.digest)
}

/// The answer to a fragmented-MP4 segment whose init section is not known.
pub(crate) fn no_init(rendition: &RenditionName) -> Problem {
    problems::NO_INIT.detail(format!("PUT the init section of rendition {rendition} (EXT-X-MAP) before its segments"))
}

/// The answer to a path that is none of ours.
pub(crate) fn not_a_name(error: impl std::fmt::Display) -> Problem {
    ProblemKind::BAD_REQUEST.detail(error)
}

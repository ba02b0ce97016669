//! One broadcast: whether something of it was lost, and what is done about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use broadcast::{
    BroadcastId, Digest, Document, Event, EventIndex, Key, Lack, LogEntry, Object, RenditionName, StoreTime,
};
use metadata::{Followed, MetadataError};
use storage::Listed;

use super::LostError;
use super::glance::{Found, Glance};
use super::marks::Mark;
use crate::commit::{Kept, is_listed};
use crate::problems;
use crate::recorder::Recorder;
use crate::scan::{Place, Restart};

impl Recorder {
    /// Puts back what the log of a broadcast has lost, as far as this disk and the hot store know. How many segments that
    /// were.
    pub(crate) async fn put_back(self: &Arc<Self>, id: BroadcastId) -> Result<u64, LostError> {
        let (known, breaks) = (self.marks.get(id), self.broadcasts.breaks_of(id));
        if let Some(mark) = known
            && self.still_has(id, mark).await?
        {
            self.marks.set(id, mark, breaks);
            return Ok(0);
        }
        // What is committed meanwhile is no sign that all is there.
        self.marks.forget(id);
        let (mut put_back, mut has_lost, mut restart) = (0, known.is_some(), Restart::Due);
        loop {
            let told = match self.told(id).await {
                Ok(told) => told,
                Err(error) => {
                    if !has_lost && self.lists_all_here(id).await? {
                        self.marks.trust(id, breaks);
                    }
                    return Err(error.into());
                }
            };
            let Some(mut glance) = self.glance_or_reopen(id, told.as_ref(), (&mut has_lost, &mut restart)).await?
            else {
                self.marks.set(id, Mark::NOTHING, breaks);
                return Ok(0);
            };
            told.iter().for_each(|told| glance.heed(told));
            if glance.is_ending {
                // It may have been said, or put back by somebody who is gone since, after the log was scanned here.
                self.end_after_grace(id);
            }
            let lacks = told.as_ref().map(|told| glance.log.lacks(told)).unwrap_or_default();
            has_lost |= !lacks.is_empty() || told.is_some_and(|told| told.covers > glance.log.covers());
            let mut found = self.find(id, &glance, &mut has_lost).await?;
            let (has_more, failed, mut goes_on) = (found.has_more, found.failed.take(), false);
            let mut mark = glance.mark();
            if !lacks.is_empty() || !found.unlisted.is_empty() || !found.hot.is_empty() {
                let lacks = if failed.is_none() { lacks } else { before_segments(lacks) };
                let done = self.put_back_found(id, &lacks, found, &mut restart).await?;
                put_back += done.put_back;
                (mark, goes_on) = (done.mark, has_more && done.put_back + done.safe > 0);
            }
            if let Some(failed) = failed {
                if !has_lost {
                    self.marks.trust(id, breaks);
                }
                return Err(failed.into());
            }
            if has_lost {
                // The one in the hot store may tell more than the one here.
                self.document_is_due(id);
            }
            if !goes_on {
                self.marks.set(id, mark, breaks);
                return Ok(put_back);
            }
        }
    }

    /// Whether the log is there, and lists all that is on this disk.
    async fn lists_all_here(&self, id: BroadcastId) -> Result<bool, LostError> {
        let (glance, mut found) = (self.glance(id).await?, Found::default());
        self.find_in(&self.store, Place::Here, (id, &glance), &mut found).await?;
        Ok(found.unlisted.is_empty())
    }

    /// Whether the log still has what was known of it.
    async fn still_has(&self, id: BroadcastId, mark: Mark) -> Result<bool, MetadataError> {
        let last = EventIndex(mark.len.0.saturating_sub(1));
        match self.broadcasts.store().read(id, last, 1).await {
            Ok(entries) => Ok(entries.first().is_some_and(|entry| entry.at == mark.last_at)),
            Err(MetadataError::NotFound { .. } | MetadataError::Lost { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The log; one that is gone altogether is opened again as its document says. `None` if nothing says how.
    async fn glance_or_reopen(
        &self,
        id: BroadcastId,
        told: Option<&Document>,
        (has_lost, restart): (&mut bool, &mut Restart),
    ) -> Result<Option<Glance>, LostError> {
        match self.glance(id).await {
            Err(MetadataError::NotFound { .. }) => {}
            glance => return Ok(Some(glance?)),
        }
        // Whoever follows it knows it with its times, if it is not too long.
        if let Ok(followed) = self.broadcasts.get(id).await
            && followed.refresh().await.is_ok()
        {
            *has_lost = true;
            return Ok(Some(self.glance(id).await?));
        }
        let opened = told.and_then(|told| told.entries.first().map(|entry| (told, entry)));
        let Some((told, opened)) = opened else {
            tracing::error!(%id, "the metadata store does not know this broadcast, and no document says what it was");
            return Ok(None);
        };
        // One that could not be opened in the first place has nothing but its first document.
        if told.covers == EventIndex(0) && !self.has_any_segment(id).await? {
            return Ok(None);
        }
        let opened = LogEntry { index: EventIndex(0), ..opened.clone() };
        match self.broadcasts.store().put_back(id, &[opened], StoreTime(i64::MIN)).await {
            Ok(()) => {
                tracing::warn!(%id, "the metadata store has lost a broadcast; it is opened again");
                *restart = Restart::Done;
            }
            // Somebody else did.
            Err(MetadataError::Stale { .. } | MetadataError::AlreadyOpened { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        *has_lost = true;
        Ok(Some(self.glance(id).await?))
    }

    async fn has_any_segment(&self, id: BroadcastId) -> Result<bool, LostError> {
        let mut found = Found::default();
        self.find_in(&self.store, Place::Here, (id, &Glance::default()), &mut found).await?;
        Ok(!found.unlisted.is_empty())
    }

    /// Listing the hot store costs more than listing this disk: it is done only if something seems to be missing, or is
    /// still to come.
    async fn find(&self, id: BroadcastId, glance: &Glance, has_lost: &mut bool) -> Result<Found, LostError> {
        let mut found = Found::default();
        self.find_in(&self.store, Place::Here, (id, glance), &mut found).await?;
        *has_lost |= !found.unlisted.is_empty();
        let asks_for_copies = glance.log.opened().is_some_and(|opened| !opened.stored_is_safe);
        let Some(hot) = self.hot.as_ref().filter(|_| asks_for_copies) else {
            found.leave_first_numbers(glance);
            return Ok(found);
        };
        let not_safe_elsewhere = glance.not_safe() > found.not_safe_here;
        if *has_lost || not_safe_elsewhere || !glance.log.is_complete() {
            // What is here is put back without it.
            found.failed = self.find_in(&*hot.store, Place::Hot, (id, glance), &mut found).await.err();
        }
        found.leave_first_numbers(glance);
        Ok(found)
    }

    async fn put_back_found(
        self: &Arc<Self>,
        id: BroadcastId,
        lacks: &[Lack],
        found: Found,
        restart: &mut Restart,
    ) -> Result<Done, LostError> {
        // A stock pusher's next number is the one after all that are stored, and what it seems to have left out is given up.
        let pusher = self.pusher_of(id);
        let _nothing_parked = pusher.nothing_parked().await;
        let followed = self.broadcasts.get(id).await?;
        // Whoever has followed it knows it with its indexes and times.
        followed.refresh().await?;
        let is_hint = |lack: &Lack| matches!(lack, Lack::After(Event::EndHinted));
        let was_hinted = followed.read().end_hinted_at().is_some() || lacks.iter().any(is_hint);
        let (before, after): (Vec<Lack>, Vec<Lack>) =
            lacks.iter().cloned().partition(|lack| matches!(lack, Lack::Before(_)));
        self.tell_again(id, &before, restart).await?;
        let Committed { put_back, damaged, failed } = self.commit_all_found(&followed, &found, restart).await;
        let has_more = found.has_more;
        let hot = found.hot.into_iter().map(|listed| (listed.key, listed.len));
        let hot: Vec<(Key, u64)> = hot.filter(|(key, _)| !damaged.contains(key)).collect();
        let safe: Vec<(Key, u64)> = hot.into_iter().filter(|(key, len)| is_to_be_safe(&followed, key, *len)).collect();
        if let Some((_, error)) = self.commit_safe(&safe).await.unreached.pop_first() {
            return Err(error.into());
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        let safe = safe.len() as u64;
        // What comes after the segments is told after the last of them.
        if !has_more || put_back + safe == 0 {
            let told = async {
                self.tell_again(id, &after, restart).await?;
                self.hint_again(&followed, was_hinted).await
            };
            let told = told.await;
            // If it ends now: also what seems to have failed may be told.
            self.end_after_grace(id);
            told?;
        }
        self.document_is_due(id);
        let mark = Mark::of(&followed.read());
        Ok(Done { put_back, safe, mark })
    }

    /// What was found had come before its pusher closed the playlist; so its end is due some time after that.
    async fn hint_again(&self, followed: &Followed, was_hinted: bool) -> Result<(), MetadataError> {
        let (is_hinted, is_ended) = {
            let broadcast = followed.read();
            (broadcast.end_hinted_at().is_some(), broadcast.ended().is_some())
        };
        if was_hinted && !is_hinted && !is_ended {
            followed.commit(&[Event::EndHinted]).await?;
        }
        Ok(())
    }

    /// In the order of their capture. One that fails keeps no other from being put back, unless nothing can be committed.
    async fn commit_all_found(&self, followed: &Followed, found: &Found, restart: &mut Restart) -> Committed {
        let mut unlisted: Vec<&Vec<(Listed, Place)>> = found.unlisted.values().collect();
        unlisted.sort_by_key(|copies| copies.first().map(|(listed, _)| captured(&listed.key)));
        let mut done = Committed::default();
        for copies in unlisted {
            let failed = self.commit_first_good(followed, copies, &found.inits, (&mut done, restart)).await;
            if failed.is_some() {
                done.failed = done.failed.or(failed);
                if self.broadcasts.store().health().is_err() {
                    break;
                }
            }
        }
        done
    }

    /// Commits one segment, from the first copy of it that is good. A failure is told if it may be another time.
    async fn commit_first_good(
        &self,
        followed: &Followed,
        copies: &[(Listed, Place)],
        inits: &[(RenditionName, Digest)],
        (done, restart): (&mut Committed, &mut Restart),
    ) -> Option<LostError> {
        // It was on its way when the log was read. Whoever has it at hand commits it before letting go of it.
        let is_known = |(listed, _): &(Listed, _)| {
            self.in_flight.contains(&listed.key) || is_listed(&followed.read(), &listed.key)
        };
        if copies.iter().any(is_known) {
            return None;
        }
        let mut failed = None;
        for (at, (listed, place)) in copies.iter().enumerate() {
            match self.commit_found(followed, listed, inits, *place, restart).await {
                Ok(Kept::Stored) => {
                    done.put_back += 1;
                    self.metrics.put_back.inc();
                    self.look_at_others_here(&copies[at + 1..]).await;
                    return None;
                }
                Ok(Kept::Already) => return None,
                Err(problem) if problem.status().is_server_error() => {
                    failed = failed.or(Some(LostError::Segment(format!("{}: {}", listed.key, problem.to_json()))));
                }
                Err(problem) => {
                    if problem.kind() == problems::DIGEST_MISMATCH && *place == Place::Hot {
                        done.damaged.insert(listed.key.clone());
                    }
                    let problem = problem.to_json();
                    tracing::error!(key = %listed.key, ?place, %problem, "the log has lost a segment that a store has, and it cannot be put back from there");
                }
            }
        }
        failed
    }

    /// Copies that were not needed: one that is damaged is not left for somebody else to take for good.
    async fn look_at_others_here(&self, copies: &[(Listed, Place)]) {
        for (listed, _) in copies.iter().filter(|(_, place)| *place == Place::Here) {
            if let Err(error) = self.set_aside_if_damaged(&listed.key).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(key = %listed.key, error, "cannot look at another copy of what was put back");
            }
        }
    }
}

/// What comes after the segments is told once all of them could be looked for: it would be over before they came.
fn before_segments(lacks: Vec<Lack>) -> Vec<Lack> {
    lacks.into_iter().filter(|lack| matches!(lack, Lack::Before(_))).collect()
}

/// What was committed of what was found.
#[derive(Default)]
struct Committed {
    put_back: u64,
    /// What the hot store has of these is not what their keys say.
    damaged: BTreeSet<Key>,
    /// The first failure of those that may be tried again.
    failed: Option<LostError>,
}

/// What was put back of one broadcast at a time.
struct Done {
    /// Segments, and how many are said to be safe again.
    put_back: u64,
    safe: u64,
    /// How far the log is known now.
    mark: Mark,
}

fn captured(key: &Key) -> i64 {
    match &key.object {
        Object::Segment { captured_at, .. } => captured_at.0,
        Object::Init { .. } | Object::Document => 0,
    }
}

/// Whether the log lists it under this key, and does not say that it is safe.
fn is_to_be_safe(followed: &Followed, key: &Key, len: u64) -> bool {
    let Object::Segment { rendition, seq, .. } = &key.object else { return false };
    let broadcast = followed.read();
    let listed = broadcast.rendition(rendition).and_then(|rendition| rendition.segment(*seq));
    let is_safe = broadcast.safe(rendition).is_some_and(|safe| safe.contains(*seq));
    !is_safe && is_listed(&broadcast, key) && listed.is_some_and(|segment| segment.len == len)
}

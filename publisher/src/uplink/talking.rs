//! What is asked of a recorder and said to it, one thing at a time: how things are there, and what the local log says beside
//! its segments.

use std::time::Duration;

use broadcast::{Seq, SeqRange, SeqSet};
use futures_util::future::BoxFuture;

use super::flight::Flight;
use super::{Uplink, UplinkError, within};
use crate::remote::{Over, RemoteError, RemoteStatus, Said};
use crate::route::RecorderUrl;

/// The most holes that are said to be abandoned in one go.
const ABANDONED_MAX: u64 = 10_000;

/// Something that was asked or said, and what came of it.
pub(super) type Talk = BoxFuture<'static, (RecorderUrl, Talked)>;

pub(super) enum Talked {
    Asked { sent_ms: i64, answer: Result<RemoteStatus, RemoteError> },
    Said(Said, Result<(), RemoteError>),
}

impl Uplink {
    /// What to ask or say next, if anything.
    pub(super) fn next_talk(&mut self) -> Option<Talk> {
        let now_ms = self.now_ms();
        if self.there.status.is_some()
            && let Some(recorder) = self.route.pick(now_ms).cloned()
            && let Some(said) = self.to_say()
        {
            let (remote, limit) = (self.deps.remote.clone(), self.answer_max(0));
            let clock = self.deps.clock.clone();
            return Some(Box::pin(async move {
                let done = within(&clock, limit, remote.say(&recorder, &said)).await;
                (recorder, Talked::Said(said, done))
            }));
        }
        let every_ms = if self.wants_news(now_ms) { self.config.probe_max_ms } else { self.config.ask_every_ms };
        if self.asked_ms.is_some_and(|asked_ms| now_ms - asked_ms < i64::from(every_ms)) {
            return None;
        }
        // A better one is used again as soon as it answers this.
        let recorder = self.route.probe(now_ms).or_else(|| self.route.pick(now_ms))?.clone();
        self.asked_ms = Some(now_ms);
        let (remote, clock) = (self.deps.remote.clone(), self.deps.clock.clone());
        let (limit, sent_ms) = (Duration::from_millis(self.config.probe_max_ms.into()), self.running().0);
        Some(Box::pin(async move {
            let answer = within(&clock, limit, remote.status(&recorder)).await;
            (recorder, Talked::Asked { sent_ms, answer })
        }))
    }

    /// Whether it matters to know soon how things are there.
    fn wants_news(&self, now_ms: i64) -> bool {
        let unsafe_yet = self.ledger.is_sent() && !self.ledger.is_settled();
        let may_be_back = self.route.probe(now_ms).is_some();
        self.there.status.is_none()
            || unsafe_yet
            || may_be_back
            || self.flights.iter().any(|flight| flight.is_stuck(now_ms))
    }

    pub(super) fn take_talk(&mut self, recorder: RecorderUrl, talked: Talked) -> Result<(), UplinkError> {
        match talked {
            Talked::Asked { sent_ms, answer: Ok(status) } => {
                self.offset.learn(sent_ms, self.running().0, status.server_time_ms);
                if let Some(offset) = self.offset.get() {
                    self.times.learned(offset, self.clocks());
                }
                self.unsure.clear();
                self.compare(&status);
                self.there.status = Some(status);
                self.reached(&recorder);
                self.give_up_what_is_stuck();
                Ok(())
            }
            Talked::Said(said, Ok(())) => {
                self.has_said(said);
                self.reached(&recorder);
                Ok(())
            }
            // It cannot be said any more, because of how things are there.
            Talked::Said(said, Err(RemoteError::Refused { detail })) => {
                tracing::warn!(?said, detail, "refused");
                self.has_said(said);
                Ok(())
            }
            Talked::Asked { answer: Err(error), .. } => {
                // The next one is asked at once; this one is left alone for a while.
                self.asked_ms = None;
                self.fail(&recorder, error)
            }
            Talked::Said(_, Err(error)) => self.fail(&recorder, error),
        }
    }

    /// The recorder answers: a connection on which nothing moves waits for its own back-off, and another is quicker.
    fn give_up_what_is_stuck(&self) {
        let now_ms = self.now_ms();
        self.flights.iter().filter(|flight| flight.is_stuck(now_ms)).for_each(Flight::give_up);
    }

    /// What the local log says and the other side has not been told, in order.
    fn to_say(&self) -> Option<Said> {
        let there = self.there.status.as_ref()?;
        if there.over == Over::Ended || self.leaves_the_end_to_another() {
            return None;
        }
        let goes_on = there.over == Over::No && self.broadcast.ended().is_none();
        if goes_on && self.broadcast.is_paused() != there.paused {
            return Some(if self.broadcast.is_paused() { Said::Pause } else { Said::Resume });
        }
        for rendition in self.broadcast.renditions() {
            let name = rendition.name();
            let told = self.there.abandoned.get(name);
            let untold = |seqs: &SeqRange| told.is_none_or(|told| told.count_in(*seqs) < seqs.count());
            let abandoned = self.broadcast.abandoned(name).into_iter().flat_map(SeqSet::ranges);
            if let Some(mut seqs) = abandoned.into_iter().find(untold) {
                if let Some(told) = told
                    && let Some(known) = told.range_at(seqs.first)
                {
                    seqs.first = known.last.next();
                }
                seqs.last = seqs.last.min(Seq(seqs.first.0 + ABANDONED_MAX - 1));
                return Some(Said::Abandon { rendition: name.clone(), seqs });
            }
        }
        let last = self.broadcast.ended()?.iter();
        let last = last.filter_map(|last| Some((last.rendition.clone(), last.seq?))).collect();
        Some(Said::End { last })
    }

    fn has_said(&mut self, said: Said) {
        let Some(there) = &mut self.there.status else { return };
        match said {
            Said::Pause => there.paused = true,
            Said::Resume => there.paused = false,
            Said::Abandon { rendition, seqs } => self.there.abandoned.entry(rendition).or_default().insert(seqs),
            Said::End { .. } => there.over = Over::Ended,
        }
    }
}

/// What comes of the talk, or nothing while there is none.
pub(super) async fn at_work(talk: &mut Option<Talk>) -> (RecorderUrl, Talked) {
    match talk {
        Some(talk) => talk.await,
        None => std::future::pending().await,
    }
}

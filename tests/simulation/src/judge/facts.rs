//! What is certain of a broadcast: what its log says of it, and what only whoever made it knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use broadcast::{
    Digest, Event, LastSeq, LogEntry, Millis, Missing, RenditionName, Segment, Seq, SeqRange, SeqSet, StoreTime,
    TargetDuration, ViewPolicy,
};

use crate::truth::Place;

/// A segment that was stored.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) segment: Arc<Segment>,
    pub(crate) stored_at: StoreTime,
    pub(crate) place: Place,
}

/// All of it, as far as it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) policy: ViewPolicy,
    pub(crate) target: Option<TargetDuration>,
    pub(crate) renditions: BTreeMap<RenditionName, BTreeMap<Seq, Known>>,
    pub(crate) abandoned: BTreeMap<RenditionName, SeqSet>,
    /// When live was over.
    pub(crate) ended_at: Option<StoreTime>,
}

impl Facts {
    /// Takes in an entry of the log; an error says what was stored and never made.
    pub(crate) fn take(&mut self, entry: &LogEntry, place: impl Fn(Digest) -> Option<Place>) -> Result<(), String> {
        match &entry.event {
            Event::Opened(opened) => {
                self.policy = opened.policy;
                self.target = opened.target_duration.map(TargetDuration::new);
            }
            Event::Stored(segment) => self.take_segment(segment, entry.at, place)?,
            Event::Abandoned { rendition, seqs } => self.take_abandoned(rendition, *seqs),
            Event::Ended { last } => {
                self.ended_at = self.ended_at.or(Some(entry.at));
                for LastSeq { rendition, seq, .. } in last.iter().filter(|last| last.missing == Missing::Abandoned) {
                    seq.iter().for_each(|last| self.take_abandoned(rendition, SeqRange { first: Seq(0), last: *last }));
                }
            }
            Event::Closing { .. } => self.ended_at = self.ended_at.or(Some(entry.at)),
            _ => {}
        }
        Ok(())
    }

    fn take_abandoned(&mut self, rendition: &RenditionName, seqs: SeqRange) {
        let is_stored = |seq: &Seq| self.of(rendition).any(|known| known.segment.seq == *seq);
        let gone: Vec<Seq> = seqs.iter().filter(|seq| !is_stored(seq)).collect();
        let abandoned = self.abandoned.entry(rendition.clone()).or_default();
        gone.into_iter().for_each(|seq| abandoned.insert(SeqRange::one(seq)));
    }

    fn take_segment(
        &mut self,
        segment: &Segment,
        stored_at: StoreTime,
        place: impl Fn(Digest) -> Option<Place>,
    ) -> Result<(), String> {
        let name = || format!("{} {}", segment.rendition, segment.seq);
        if self.is_abandoned(&segment.rendition, segment.seq) {
            return Ok(());
        }
        let place = place(segment.digest).ok_or_else(|| format!("{} is stored, and nobody made it", name()))?;
        self.target.get_or_insert(TargetDuration::measured(segment.duration));
        let known = Known { segment: Arc::new(segment.clone()), stored_at, place };
        self.renditions.entry(segment.rendition.clone()).or_default().entry(segment.seq).or_insert(known);
        Ok(())
    }

    /// Of a rendition, in order.
    pub(crate) fn of(&self, rendition: &RenditionName) -> impl DoubleEndedIterator<Item = &Known> {
        self.renditions.get(rendition).into_iter().flat_map(BTreeMap::values)
    }

    pub(crate) fn known(&self, rendition: &RenditionName, seq: Seq) -> Option<&Known> {
        self.renditions.get(rendition)?.get(&seq)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Known> {
        self.renditions.values().flat_map(BTreeMap::values)
    }

    pub(crate) fn is_abandoned(&self, rendition: &RenditionName, seq: Seq) -> bool {
        self.abandoned.get(rendition).is_some_and(|abandoned| abandoned.contains(seq))
    }

    pub(crate) fn target_ms(&self) -> i64 {
        self.target.map_or(0, |target| target.millis().0)
    }

    pub(crate) fn patience_ms(&self) -> i64 {
        self.policy.patience_ms.map_or(self.target_ms(), i64::from)
    }

    pub(crate) fn margin_ms(&self) -> i64 {
        self.policy.clock_margin().0
    }
}

/// `at`, moved by some milliseconds.
pub(crate) fn moved(at: StoreTime, ms: i64) -> StoreTime {
    at + Millis(ms)
}

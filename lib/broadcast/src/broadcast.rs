//! One broadcast, folded from its arrival log: what has arrived, how it stands, and the timeline behind its views.
//!
//! [`Broadcast::apply`] takes one event in at a cost that does not grow with the log. What viewers see of it is made
//! in [`views`](crate::views).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde::Serialize;

use crate::closing::Closing;
use crate::event::{Event, EventIndex, LastSeq, LogEntry, Missing, Opened, SeqRange};
use crate::generation::Generation;
use crate::ids::{Digest, FormatId, RenditionName, Seq};
use crate::live::{DateRange, Live, Look, RangeKind};
use crate::policy::TargetDuration;
use crate::segment::{Format, Segment};
use crate::seq_set::SeqSet;
use crate::time::{CapturedAt, MediaDuration, Millis, StoreTime};

/// A broadcast as its log up to some event tells it.
#[derive(Clone, Debug)]
pub struct Broadcast {
    opened: Opened,
    created_at: StoreTime,
    next: EventIndex,
    last_at: StoreTime,
    renditions: Vec<Rendition>,
    /// Of each rendition, in the same order.
    arrivals: Vec<Arrivals>,
    live: Live,
    paused: bool,
    end_hinted_at: Option<StoreTime>,
    closing: Option<Closing>,
    ended: Option<Vec<LastSeq>>,
    mapped: BTreeMap<String, RenditionName>,
    recorded_by: Option<RecordedBy>,
    generation: Generation,
}

/// Who takes a broadcast in, as far as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedBy {
    pub node: String,
    /// When that was said first.
    pub since: StoreTime,
}

/// What is known of one rendition.
#[derive(Clone, Debug)]
pub struct Rendition {
    name: RenditionName,
    formats: BTreeMap<FormatId, Format>,
    latest_format: Option<FormatId>,
    segments: BTreeMap<Seq, Arc<Segment>>,
    safe: SeqSet,
    bytes: u64,
    duration: Millis,
    peak_bits_per_s: u64,
    is_captioned: bool,
}

/// Which segments of a rendition have come, or never will.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals {
    pub(crate) stored: SeqSet,
    pub(crate) abandoned: SeqSet,
}

impl Arrivals {
    /// What of `seqs` has not come never will.
    fn abandon(&mut self, seqs: SeqRange) {
        self.stored.missing_in(seqs).for_each(|hole| self.abandoned.insert(hole));
    }

    /// What was recorded up to `last` and has not come.
    fn missing_up_to(&self, last: Seq) -> impl Iterator<Item = SeqRange> + '_ {
        let mut settled = self.stored.clone();
        self.abandoned.ranges().for_each(|range| settled.insert(range));
        settled.missing_in(SeqRange { first: Seq(0), last }).collect::<Vec<_>>().into_iter()
    }

    /// How many those are. `last` is not before the last that is stored.
    fn missing_count_up_to(&self, last: Seq) -> u64 {
        let beyond = self.abandoned.count_in(SeqRange { first: last.next(), last: Seq::MAX });
        (last.0 + 1).saturating_sub(self.stored.count() + self.abandoned.count() - beyond)
    }
}

/// How a broadcast stands. See DESIGN 1 for the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum State {
    /// Nothing has arrived yet.
    Created,
    Live,
    /// Nothing arrives, and the publisher did not say why. Since when, in capture time.
    Interrupted {
        since: CapturedAt,
    },
    /// The publisher said so.
    Paused {
        since: Option<CapturedAt>,
    },
    /// Nothing new will be captured; some of what was is still missing, or its publisher may still have some.
    Ended,
    /// Everything that was captured is here, or was abandoned.
    Complete,
}

impl State {
    /// The word for it, the same everywhere.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Live => "live",
            Self::Interrupted { .. } => "interrupted",
            Self::Paused { .. } => "paused",
            Self::Ended => "ended",
            Self::Complete => "complete",
        }
    }

    pub fn is_over(&self) -> bool {
        matches!(self, Self::Ended | Self::Complete)
    }
}

/// A log that cannot be one of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("the log does not begin with Opened")]
    NotOpened,
    #[error("the log is opened twice, at event {}", .0.0)]
    OpenedTwice(EventIndex),
    #[error("event {} was expected, and {} came", expected.0, found.0)]
    OutOfOrder { expected: EventIndex, found: EventIndex },
}

impl Broadcast {
    /// Begins with the first entry of a log.
    pub fn open(first: &LogEntry) -> Result<Self, LogError> {
        let Event::Opened(opened) = &first.event else { return Err(LogError::NotOpened) };
        check_index(EventIndex(0), first.index)?;
        let declared = opened.target_duration.map(TargetDuration::new);
        Ok(Self {
            opened: opened.clone(),
            created_at: first.at,
            next: first.index.next(),
            last_at: first.at,
            renditions: Vec::new(),
            arrivals: Vec::new(),
            live: Live::new(opened.policy, declared),
            paused: false,
            end_hinted_at: None,
            closing: None,
            ended: None,
            mapped: BTreeMap::new(),
            recorded_by: None,
            generation: Generation::default(),
        })
    }

    /// Folds a log from its beginning. `None` for an empty one.
    pub fn replay(log: &[LogEntry]) -> Result<Option<Self>, LogError> {
        let Some((first, rest)) = log.split_first() else { return Ok(None) };
        let mut broadcast = Self::open(first)?;
        rest.iter().try_for_each(|entry| broadcast.apply(entry))?;
        Ok(Some(broadcast))
    }

    /// Takes in the next entry.
    pub fn apply(&mut self, entry: &LogEntry) -> Result<(), LogError> {
        check_index(self.next, entry.index)?;
        if matches!(entry.event, Event::Opened(_)) {
            return Err(LogError::OpenedTwice(entry.index));
        }
        let at = entry.at.max(self.last_at);
        self.live.advance(at, &self.arrivals);
        self.take(&entry.event, at);
        self.next = entry.index.next();
        self.last_at = at;
        Ok(())
    }

    fn take(&mut self, event: &Event, at: StoreTime) {
        match event {
            Event::Opened(_) => {}
            Event::Format(format) => {
                let rendition = self.rendition_mut(&format.rendition);
                self.renditions[rendition].add_format(format);
            }
            Event::Stored(segment) => self.take_segment(segment, at),
            Event::Safe { rendition, seqs } => {
                let rendition = self.rendition_mut(rendition);
                self.renditions[rendition].safe.insert(*seqs);
            }
            Event::Paused => self.set_paused(true, at),
            Event::Resumed => self.set_paused(false, at),
            Event::Abandoned { rendition, seqs } => self.take_abandoned(rendition, *seqs, at),
            Event::EndHinted => self.end_hinted_at = Some(at),
            Event::Ended { last } if self.ended.is_none() => self.take_ended(last, at),
            Event::Ended { .. } => {}
            Event::Mapped { playlist, rendition } => {
                self.mapped.entry(playlist.clone()).or_insert_with(|| rendition.clone());
            }
            Event::RecordedBy { node } if self.recorded_by.as_ref().is_some_and(|by| by.node == *node) => {}
            Event::RecordedBy { node } => self.recorded_by = Some(RecordedBy { node: node.clone(), since: at }),
            Event::Restarted => self.generation = self.generation.next(at),
            Event::Closing { grace_ms } => self.take_closing(*grace_ms, at),
            Event::Captioned { rendition } => {
                let rendition = self.rendition_mut(rendition);
                self.renditions[rendition].is_captioned = true;
            }
        }
    }

    fn take_segment(&mut self, segment: &Segment, at: StoreTime) {
        let index = self.rendition_mut(&segment.rendition);
        if self.arrivals[index].abandoned.contains(segment.seq) {
            return;
        }
        let Some(segment) = self.renditions[index].add(segment) else { return };
        self.end_hinted_at = None;
        if let Some(closing) = &mut self.closing {
            closing.quiet_since = at;
        }
        self.arrivals[index].stored.insert(SeqRange::one(segment.seq));
        self.live.stored(index, &segment, at, &self.arrivals);
        self.end_if_all_arrived(at);
    }

    fn take_abandoned(&mut self, rendition: &RenditionName, seqs: SeqRange, at: StoreTime) {
        self.abandon(rendition, seqs);
        self.end_if_all_arrived(at);
    }

    fn abandon(&mut self, rendition: &RenditionName, seqs: SeqRange) {
        let index = self.rendition_mut(rendition);
        self.arrivals[index].abandon(seqs);
        self.live.abandoned(index, seqs, &self.arrivals);
    }

    fn take_ended(&mut self, last: &[LastSeq], at: StoreTime) {
        for LastSeq { rendition, seq, missing } in last {
            let Some(last) = *seq else { continue };
            // All of it is missing if nothing of it has come yet: its publisher may have been in a tunnel.
            self.rendition_mut(rendition);
            if *missing == Missing::Abandoned {
                self.abandon(rendition, SeqRange { first: Seq(0), last });
            }
        }
        self.ended = Some(last.to_vec());
        self.live.ended(at, self.missing_count() == 0, &self.arrivals);
    }

    /// What is on its way to live has the patience; everything else has until the end is said.
    fn take_closing(&mut self, grace_ms: u32, at: StoreTime) {
        if !self.is_over() {
            self.closing = Some(Closing::new(at, grace_ms));
            self.live.ended(at, false, &self.arrivals);
        }
    }

    fn end_if_all_arrived(&mut self, at: StoreTime) {
        if self.has_all() {
            self.live.ended(at, true, &self.arrivals);
        }
    }

    fn set_paused(&mut self, paused: bool, at: StoreTime) {
        self.paused = paused;
        self.live.set_paused(paused, at, &self.arrivals);
    }

    fn rendition_mut(&mut self, name: &RenditionName) -> usize {
        self.rendition_index(name).unwrap_or_else(|| {
            self.renditions.push(Rendition::new(name.clone()));
            self.arrivals.push(Arrivals::default());
            self.renditions.len() - 1
        })
    }

    pub(crate) fn rendition_index(&self, name: &RenditionName) -> Option<usize> {
        self.renditions.iter().position(|rendition| rendition.name == *name)
    }

    pub(crate) fn arrivals(&self, rendition: usize) -> &Arrivals {
        &self.arrivals[rendition]
    }

    pub(crate) fn look(&self, now: StoreTime) -> Look<'_> {
        self.live.look(self.last_at, now, &self.arrivals)
    }

    /// What its creator decided.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    pub fn created_at(&self) -> StoreTime {
        self.created_at
    }

    /// The index of the entry to apply next.
    pub fn next_index(&self) -> EventIndex {
        self.next
    }

    /// The time of the last entry.
    pub fn last_at(&self) -> StoreTime {
        self.last_at
    }

    /// Those that anything was said of: one may have no segments, or no format, yet.
    pub fn renditions(&self) -> &[Rendition] {
        &self.renditions
    }

    pub fn rendition(&self, name: &RenditionName) -> Option<&Rendition> {
        self.rendition_index(name).map(|index| &self.renditions[index])
    }

    /// Which segments of a rendition are stored.
    pub fn stored(&self, name: &RenditionName) -> Option<&SeqSet> {
        self.rendition_index(name).map(|index| &self.arrivals[index].stored)
    }

    /// Which segments of a rendition the publisher has said will never come.
    pub fn abandoned(&self, name: &RenditionName) -> Option<&SeqSet> {
        self.rendition_index(name).map(|index| &self.arrivals[index].abandoned)
    }

    /// Which segments of a rendition no loss of one node can lose.
    pub fn safe(&self, name: &RenditionName) -> Option<&SeqSet> {
        let index = self.rendition_index(name)?;
        let stored = || &self.arrivals[index].stored;
        Some(if self.opened.stored_is_safe { stored() } else { &self.renditions[index].safe })
    }

    /// EXT-X-TARGETDURATION, once it is known.
    pub fn target_duration(&self) -> Option<TargetDuration> {
        self.live.target()
    }

    /// The rendition that a stock pusher's playlist path stands for.
    pub fn mapped(&self) -> &BTreeMap<String, RenditionName> {
        &self.mapped
    }

    /// Which recorder takes it in. `None` if none that has a name has stored anything.
    pub fn recorded_by(&self) -> Option<&RecordedBy> {
        self.recorded_by.as_ref()
    }

    /// At which addresses live and dvr are shown.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Its owner has ended it, and where it ends is not known yet.
    pub fn closing(&self) -> Option<Closing> {
        self.closing.filter(|_| self.ended.is_none())
    }

    /// Whether anybody has ended it.
    pub fn is_over(&self) -> bool {
        self.ended.is_some() || self.closing.is_some()
    }

    /// Where it ended, once somebody has said so.
    pub fn ended(&self) -> Option<&[LastSeq]> {
        self.ended.as_deref()
    }

    /// When a stock pusher closed its playlist, if nothing has come since.
    pub fn end_hinted_at(&self) -> Option<StoreTime> {
        self.end_hinted_at.filter(|_| !self.is_over())
    }

    /// What was recorded, as far as anybody can know, and has neither come nor been abandoned.
    pub fn missing(&self, name: &RenditionName) -> Vec<SeqRange> {
        self.rendition_index(name).map(|index| self.missing_of(index)).unwrap_or_default()
    }

    /// How many segments are missing, in all renditions. Asked after every event, so it does not look at each.
    pub fn missing_count(&self) -> u64 {
        let missing = |index| self.last_of(index).map_or(0, |last| self.arrivals[index].missing_count_up_to(last));
        (0..self.renditions.len()).map(missing).sum()
    }

    /// Whether it has ended, and all of it has come or was abandoned.
    pub(crate) fn has_all(&self) -> bool {
        self.ended.is_some() && self.missing_count() == 0
    }

    fn missing_of(&self, index: usize) -> Vec<SeqRange> {
        self.last_of(index).map(|last| self.arrivals[index].missing_up_to(last).collect()).unwrap_or_default()
    }

    /// The last segment of a rendition, as far as anybody can know.
    fn last_of(&self, index: usize) -> Option<Seq> {
        let said = self.ended.iter().flatten().filter(|last| last.rendition == self.renditions[index].name);
        said.filter_map(|last| last.seq).max().max(self.arrivals[index].stored.last())
    }

    pub fn state(&self, now: StoreTime) -> State {
        if self.is_over() {
            return if self.has_all() { State::Complete } else { State::Ended };
        }
        self.state_in(self.look(now).outage())
    }

    /// How time alone changes the state after `after` and up to `until`, if no event comes: when, by the store's time, and
    /// to what. Readers see it when the clock margin has passed.
    pub fn changes(&self, after: StoreTime, until: StoreTime) -> impl Iterator<Item = (StoreTime, State)> {
        let after = after.max(self.last_at);
        let outages = (!self.is_over()).then(|| self.live.outages(after, until, &self.arrivals));
        outages.into_iter().flatten().map(|(at, outage)| (at, self.state_in(outage)))
    }

    fn state_in(&self, outage: Option<DateRange>) -> State {
        match outage {
            Some(outage) if outage.kind == RangeKind::Interrupted && !self.paused => {
                State::Interrupted { since: outage.start }
            }
            Some(outage) => State::Paused { since: Some(outage.start) },
            None if self.paused => State::Paused { since: None },
            None if self.renditions.iter().all(|rendition| rendition.segments.is_empty()) => State::Created,
            None => State::Live,
        }
    }

    /// The earliest moment, by a reader's clock, at which time alone changes a view or the state.
    pub fn next_change(&self, now: StoreTime) -> Option<StoreTime> {
        self.look(now).next_change()
    }

    /// How much has been recorded and stored: the longest of the renditions.
    pub fn duration(&self) -> Millis {
        self.renditions.iter().map(|rendition| rendition.duration).max().unwrap_or_default()
    }
}

fn check_index(expected: EventIndex, found: EventIndex) -> Result<(), LogError> {
    if expected == found { Ok(()) } else { Err(LogError::OutOfOrder { expected, found }) }
}

impl Rendition {
    fn new(name: RenditionName) -> Self {
        Self {
            name,
            formats: BTreeMap::new(),
            latest_format: None,
            segments: BTreeMap::new(),
            safe: SeqSet::default(),
            bytes: 0,
            duration: Millis::ZERO,
            peak_bits_per_s: 0,
            is_captioned: false,
        }
    }

    fn add_format(&mut self, format: &Format) {
        self.latest_format = Some(format.id);
        self.formats.entry(format.id).or_insert_with(|| format.clone());
    }

    /// `None` if it is there already.
    fn add(&mut self, segment: &Segment) -> Option<Arc<Segment>> {
        let Entry::Vacant(place) = self.segments.entry(segment.seq) else { return None };
        let segment = place.insert(Arc::new(segment.clone())).clone();
        self.bytes += segment.len;
        self.duration = self.duration + segment.duration.millis();
        self.peak_bits_per_s = self.peak_bits_per_s.max(bits_per_s(segment.len, segment.duration));
        Some(segment)
    }

    pub fn name(&self) -> &RenditionName {
        &self.name
    }

    pub fn segment(&self, seq: Seq) -> Option<&Arc<Segment>> {
        self.segments.get(&seq)
    }

    /// The last segment before `seq`.
    pub fn segment_before(&self, seq: Seq) -> Option<&Arc<Segment>> {
        self.segments.range(..seq).next_back().map(|(_, segment)| segment)
    }

    /// One digest for the segments of a range: the first half of BLAKE3 over theirs, in order. `None` if not all of them
    /// are stored.
    pub fn digest_of(&self, seqs: SeqRange) -> Option<Digest> {
        let (mut hasher, mut found) = (blake3::Hasher::new(), 0);
        for segment in self.segments_from(seqs.first).take_while(|segment| segment.seq <= seqs.last) {
            hasher.update(&segment.digest.0);
            found += 1;
        }
        (found == seqs.count()).then(|| Digest::of_blake3(hasher.finalize().as_bytes()))
    }

    /// The first segment at or after `seq`.
    pub fn segment_from(&self, seq: Seq) -> Option<&Arc<Segment>> {
        self.segments.range(seq..).next().map(|(_, segment)| segment)
    }

    /// In order.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> {
        self.segments.values()
    }

    pub(crate) fn segments_from(&self, seq: Seq) -> impl DoubleEndedIterator<Item = &Arc<Segment>> {
        self.segments.range(seq..).map(|(_, segment)| segment)
    }

    pub fn format(&self, id: FormatId) -> Option<&Format> {
        self.formats.get(&id)
    }

    pub fn formats(&self) -> impl Iterator<Item = &Format> {
        self.formats.values()
    }

    /// The format announced last.
    pub fn latest_format(&self) -> Option<&Format> {
        self.formats.get(&self.latest_format?)
    }

    /// In all, of what is stored.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// In all, of what is stored.
    pub fn duration(&self) -> Millis {
        self.duration
    }

    /// For BANDWIDTH (RFC 8216bis, 4.4.6.2): the largest of any segment.
    pub fn peak_bits_per_s(&self) -> u64 {
        self.peak_bits_per_s
    }

    /// For CLOSED-CAPTIONS: whether captions have been seen in its pictures.
    pub fn is_captioned(&self) -> bool {
        self.is_captioned
    }

    /// For AVERAGE-BANDWIDTH.
    pub fn average_bits_per_s(&self) -> u64 {
        let ms = u64::try_from(self.duration.0).unwrap_or(0).max(1);
        u64::try_from(u128::from(self.bytes) * 8_000 / u128::from(ms)).unwrap_or(u64::MAX)
    }
}

/// A shorter segment than this says nothing about a bit rate.
const PEAK_AT_LEAST: MediaDuration = MediaDuration(MediaDuration::TICKS_PER_SEC / 2);

fn bits_per_s(bytes: u64, duration: MediaDuration) -> u64 {
    bytes.saturating_mul(8).saturating_mul(u64::from(MediaDuration::TICKS_PER_SEC))
        / u64::from(duration.0.max(PEAK_AT_LEAST.0))
}

//! What of the local log is owed far away, what has arrived there, and what is safe. Pure.

use std::collections::{BTreeMap, BTreeSet};

use broadcast::{CapturedAt, Millis, Rendition, RenditionName, Segment, Seq, SeqRange, SeqSet};

use crate::remote::ArrivedRange;

/// The identity of a segment within its broadcast.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    pub rendition: RenditionName,
    pub seq: Seq,
}

impl SegmentName {
    pub fn of(segment: &Segment) -> Self {
        Self { rendition: segment.rendition.clone(), seq: segment.seq }
    }
}

/// What of one rendition is there, and is what was recorded here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    pub stored: SeqSet,
    pub safe: SeqSet,
}

impl Arrived {
    /// Of what a recorder tells, what is the same as here. Numbers alone say nothing: somebody else may have sent them.
    pub(crate) fn of(told: &[ArrivedRange], here: Option<&Rendition>) -> Self {
        let mut arrived = Self::default();
        for range in told {
            if here.and_then(|here| here.digest_of(range.seqs)) == Some(range.digest) {
                arrived.stored.insert(range.seqs);
                let within = |seqs: SeqRange| SeqRange {
                    first: seqs.first.max(range.seqs.first),
                    last: seqs.last.min(range.seqs.last),
                };
                range
                    .safe
                    .ranges()
                    .map(within)
                    .filter(|seqs| seqs.first <= seqs.last)
                    .for_each(|seqs| arrived.safe.insert(seqs));
            }
        }
        arrived
    }
}

/// How a recorded segment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Owed,
    /// It will never be taken there.
    Refused,
    /// There, but not so that it may be deleted here.
    Stored,
    Safe,
    /// Safe there, and deleted here.
    Deleted,
}

#[derive(Clone, Copy, Debug)]
struct Recorded {
    captured_at: CapturedAt,
    duration: Millis,
    len: u64,
    standing: Standing,
}

/// The books of one broadcast.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    recorded: BTreeMap<SegmentName, Recorded>,
    /// By capture time.
    owed: BTreeSet<(CapturedAt, SegmentName)>,
    /// Safe, and still here: by capture time.
    deletable: BTreeSet<(CapturedAt, SegmentName)>,
    owed_ms: Millis,
    owed_bytes: u64,
    largest_len: u64,
}

impl Ledger {
    /// A segment is durable here. When it was captured is by the clock that all others are told by.
    pub fn recorded(&mut self, segment: &Segment, captured_at: CapturedAt) {
        let name = SegmentName::of(segment);
        if self.recorded.contains_key(&name) {
            return;
        }
        let (duration, len) = (segment.duration.millis(), segment.len);
        self.largest_len = self.largest_len.max(len);
        self.recorded.insert(name.clone(), Recorded { captured_at, duration, len, standing: Standing::Stored });
        self.stand(&name, Standing::Owed);
        #[cfg(feature = "simulation")]
        if service::is_without(service::Safeguard::SafeRule) {
            self.deletable.insert((captured_at, name));
        }
    }

    /// A recorder has acknowledged a segment. A late word of a second one takes back nothing: what is deleted here was safe.
    pub fn acknowledged(&mut self, name: &SegmentName, safe: bool) {
        if self.recorded.get(name).is_some_and(|recorded| recorded.standing == Standing::Deleted) {
            return;
        }
        self.stand(name, if safe { Standing::Safe } else { Standing::Stored });
    }

    /// A recorder will never take this segment.
    pub fn refused(&mut self, name: &SegmentName) {
        self.stand(name, Standing::Refused);
    }

    /// A segment that was safe has been deleted here.
    pub fn deleted(&mut self, name: &SegmentName) {
        self.stand(name, Standing::Deleted);
    }

    /// What a recorder has told is all that is there. What was stored and is no longer is owed again: it was not safe,
    /// and the node that had it is gone.
    pub fn arrived(&mut self, there: &BTreeMap<RenditionName, Arrived>, told: &BTreeMap<RenditionName, SeqSet>) {
        let found = |name: &SegmentName, standing| {
            let arrived = there.get(&name.rendition);
            let has = |set: fn(&Arrived) -> &SeqSet| arrived.is_some_and(|arrived| set(arrived).contains(name.seq));
            let is_told = told.get(&name.rendition).is_some_and(|told| told.contains(name.seq));
            match standing {
                Standing::Deleted | Standing::Refused => standing,
                _ if has(|arrived| &arrived.safe) => Standing::Safe,
                _ if has(|arrived| &arrived.stored) => Standing::Stored,
                // It was acknowledged by its digest, and is in a range of which something else is not ours.
                Standing::Safe | Standing::Stored if is_told => standing,
                _ => Standing::Owed,
            }
        };
        let changed: Vec<_> = self
            .recorded
            .iter()
            .map(|(name, recorded)| (name, recorded.standing, found(name, recorded.standing)))
            .filter(|(_, before, after)| before != after)
            .map(|(name, _, after)| (name.clone(), after))
            .collect();
        changed.into_iter().for_each(|(name, standing)| self.stand(&name, standing));
    }

    /// What is there, and not safe.
    pub fn stored(&self) -> impl Iterator<Item = &SegmentName> {
        self.recorded.iter().filter(|(_, recorded)| recorded.standing == Standing::Stored).map(|(name, _)| name)
    }

    /// What is said to be there and not safe is sent again: whoever had it may be gone for good.
    pub fn send_again(&mut self, name: &SegmentName) {
        if self.recorded.get(name).is_some_and(|recorded| recorded.standing == Standing::Stored) {
            self.stand(name, Standing::Owed);
        }
    }

    fn stand(&mut self, name: &SegmentName, standing: Standing) {
        let Some(recorded) = self.recorded.get_mut(name) else { return };
        let before = std::mem::replace(&mut recorded.standing, standing);
        let (place, duration, len) = ((recorded.captured_at, name.clone()), recorded.duration, recorded.len);
        match before {
            Standing::Owed => {
                self.owed.remove(&place);
                self.owed_ms = self.owed_ms - duration;
                self.owed_bytes -= len;
            }
            Standing::Safe => drop(self.deletable.remove(&place)),
            _ => {}
        }
        match standing {
            Standing::Owed => {
                self.owed.insert(place);
                self.owed_ms = self.owed_ms + duration;
                self.owed_bytes += len;
            }
            Standing::Safe => drop(self.deletable.insert(place)),
            _ => {}
        }
    }

    /// When a segment was captured, by the clock that was told.
    pub fn captured_at(&self, name: &SegmentName) -> Option<CapturedAt> {
        self.recorded.get(name).map(|recorded| recorded.captured_at)
    }

    /// What is owed and was captured from `since` on, oldest first.
    pub fn owed_since(&self, since: CapturedAt) -> impl Iterator<Item = &SegmentName> {
        let first = self.owed.iter().rev().take_while(|(at, _)| *at >= since).count();
        self.owed.iter().skip(self.owed.len() - first).map(|(_, name)| name)
    }

    /// What is owed and was captured before `until`, oldest first.
    pub fn owed_before(&self, until: CapturedAt) -> impl Iterator<Item = &SegmentName> {
        self.owed.iter().take_while(move |(at, _)| *at < until).map(|(_, name)| name)
    }

    /// What is owed, oldest first.
    pub fn owed(&self) -> impl Iterator<Item = &SegmentName> {
        self.owed.iter().map(|(_, name)| name)
    }

    pub fn is_owed(&self, name: &SegmentName) -> bool {
        self.recorded.get(name).is_some_and(|recorded| recorded.standing == Standing::Owed)
    }

    /// How much is owed, as captured time.
    pub fn owed_duration(&self) -> Millis {
        self.owed_ms
    }

    pub fn owed_bytes(&self) -> u64 {
        self.owed_bytes
    }

    pub fn owed_count(&self) -> usize {
        self.owed.len()
    }

    /// The bytes of the largest segment so far.
    pub fn largest_len(&self) -> u64 {
        self.largest_len
    }

    /// The oldest segment that is safe and still here.
    pub fn deletable(&self) -> Option<&SegmentName> {
        self.deletable.first().map(|(_, name)| name)
    }

    /// Whether nothing was recorded here.
    pub fn is_empty(&self) -> bool {
        self.recorded.is_empty()
    }

    /// Whether there is nothing left to do: all that was recorded is safe, or refused for good.
    pub fn is_settled(&self) -> bool {
        self.recorded.values().all(|recorded| !matches!(recorded.standing, Standing::Owed | Standing::Stored))
    }

    /// Whether nothing is owed, though not all may be safe.
    pub fn is_sent(&self) -> bool {
        self.owed.is_empty()
    }

    /// How many a recorder has refused for good.
    pub fn refused_count(&self) -> usize {
        self.recorded.values().filter(|recorded| recorded.standing == Standing::Refused).count()
    }

    /// What is owed of each rendition, as ranges.
    pub fn owed_ranges(&self) -> BTreeMap<RenditionName, Vec<SeqRange>> {
        ranges(self.owed.iter().map(|(_, name)| name))
    }

    /// What is there, and is not safe there.
    pub fn not_safe_ranges(&self) -> BTreeMap<RenditionName, Vec<SeqRange>> {
        ranges(self.standing(Standing::Stored))
    }

    /// What a recorder has refused for good.
    pub fn refused_ranges(&self) -> BTreeMap<RenditionName, Vec<SeqRange>> {
        ranges(self.standing(Standing::Refused))
    }

    fn standing(&self, standing: Standing) -> impl Iterator<Item = &SegmentName> {
        self.recorded.iter().filter(move |(_, recorded)| recorded.standing == standing).map(|(name, _)| name)
    }

    /// How long the longest of these is.
    pub fn longest(&self, names: &[SegmentName]) -> Millis {
        names.iter().filter_map(|name| self.size(name)).map(|(_, duration)| duration).max().unwrap_or_default()
    }

    /// The bytes and duration of a segment.
    pub fn size(&self, name: &SegmentName) -> Option<(u64, Millis)> {
        self.recorded.get(name).map(|recorded| (recorded.len, recorded.duration))
    }
}

pub(crate) fn ranges<'a>(names: impl Iterator<Item = &'a SegmentName>) -> BTreeMap<RenditionName, Vec<SeqRange>> {
    let mut sets: BTreeMap<RenditionName, SeqSet> = BTreeMap::new();
    for name in names {
        sets.entry(name.rendition.clone()).or_default().insert(SeqRange::one(name.seq));
    }
    sets.into_iter().map(|(rendition, set)| (rendition, set.ranges().collect())).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use broadcast::{Container, Digest, FormatId, MediaDuration, MediaTime};
    use proptest::prelude::*;

    use super::*;

    /// Segment `seq` of `main`, two seconds long, captured two seconds after the one before.
    pub(crate) fn segment(seq: u64) -> Segment {
        Segment {
            rendition: RenditionName::main(),
            seq: Seq(seq),
            captured_at: CapturedAt(i64::try_from(seq).expect("small") * 2_000),
            duration: MediaDuration::from_millis(2_000),
            digest: Digest([1; 16]),
            len: 1_000,
            container: Container::Ts,
            format: FormatId([0; 8]),
            media_start: MediaTime(0),
            keyframe_start: true,
            cuts: vec![],
            pushed: None,
        }
    }

    pub(crate) fn name(seq: u64) -> SegmentName {
        SegmentName::of(&segment(seq))
    }

    pub(crate) fn ledger(count: u64) -> Ledger {
        ledger_of(count, 2_000)
    }

    /// So many segments, each as long as that.
    pub(crate) fn ledger_of(count: u64, duration_ms: u32) -> Ledger {
        let mut ledger = Ledger::default();
        for seq in 0..count {
            let segment = Segment { duration: MediaDuration::from_millis(duration_ms), ..segment(seq) };
            let captured_at = CapturedAt(i64::try_from(seq).expect("small") * i64::from(duration_ms));
            ledger.recorded(&segment, captured_at);
        }
        ledger
    }

    fn arrived(stored: &[u64], safe: &[u64]) -> BTreeMap<RenditionName, Arrived> {
        let set = |seqs: &[u64]| {
            seqs.iter().fold(SeqSet::default(), |mut set, seq| {
                set.insert(SeqRange::one(Seq(*seq)));
                set
            })
        };
        [(RenditionName::main(), Arrived { stored: set(stored), safe: set(safe) })].into()
    }

    fn owed(ledger: &Ledger) -> Vec<u64> {
        ledger.owed_before(CapturedAt(i64::MAX)).map(|name| name.seq.0).collect()
    }

    #[test]
    fn what_is_recorded_is_owed_until_it_is_acknowledged() {
        let mut ledger = ledger(3);
        assert_eq!(owed(&ledger), [0, 1, 2]);
        assert_eq!((ledger.owed_duration(), ledger.owed_bytes()), (Millis(6_000), 3_000));
        ledger.acknowledged(&name(1), false);
        ledger.acknowledged(&name(0), true);
        assert_eq!(owed(&ledger), [2]);
        assert_eq!(ledger.deletable(), Some(&name(0)));
        assert!(!ledger.is_sent() && !ledger.is_settled());
        assert_eq!(ledger.not_safe_ranges(), ranges([&name(1)].into_iter()));
        ledger.refused(&name(2));
        assert_eq!(ledger.refused_ranges(), ranges([&name(2)].into_iter()));
        assert!(ledger.is_sent() && !ledger.is_settled());
        ledger.acknowledged(&name(1), true);
        assert!(ledger.is_settled());
    }

    #[test]
    fn what_was_stored_and_is_lost_there_is_owed_again() {
        let mut ledger = ledger(3);
        ledger.arrived(&arrived(&[0, 1, 2], &[0]), &BTreeMap::new());
        assert_eq!(owed(&ledger), [0; 0]);
        ledger.deleted(&name(0));
        ledger.arrived(&arrived(&[2], &[2]), &BTreeMap::new());
        assert_eq!(owed(&ledger), [1]);
        assert_eq!(ledger.deletable(), Some(&name(2)));
    }

    #[test]
    fn a_late_acknowledgement_takes_back_nothing() {
        let mut ledger = ledger(2);
        ledger.acknowledged(&name(0), true);
        ledger.deleted(&name(0));
        ledger.acknowledged(&name(0), false);
        ledger.acknowledged(&name(0), true);
        ledger.acknowledged(&name(1), true);
        assert_eq!(ledger.deletable(), Some(&name(1)));
        assert!(ledger.is_settled());
    }

    #[test]
    fn only_what_is_there_and_not_safe_is_sent_again() {
        let mut ledger = ledger(4);
        ledger.arrived(&arrived(&[0, 1], &[0]), &BTreeMap::new());
        ledger.refused(&name(3));
        (0..5).for_each(|seq| ledger.send_again(&name(seq)));
        assert_eq!(owed(&ledger), [1, 2]);
    }

    #[test]
    fn live_and_missing_are_told_apart_by_capture_time() {
        let ledger = ledger(10);
        let seqs = |names: Vec<&SegmentName>| names.iter().map(|name| name.seq.0).collect::<Vec<_>>();
        assert_eq!(seqs(ledger.owed_since(CapturedAt(14_000)).collect()), [7, 8, 9]);
        assert_eq!(seqs(ledger.owed_before(CapturedAt(4_000)).collect()), [0, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(0x5eed), ..Default::default() })]
        /// Whatever happens in whatever order: nothing may be deleted that was not called safe by the last word on it.
        #[test]
        fn only_what_is_safe_is_deletable(steps in prop::collection::vec((0u64..8, 0u8..5), 0..60)) {
            let mut ledger = ledger(8);
            let mut safe: BTreeMap<u64, bool> = BTreeMap::new();
            for (seq, step) in steps {
                match step {
                    0 => { ledger.acknowledged(&name(seq), true); safe.insert(seq, true); }
                    1 => { ledger.acknowledged(&name(seq), false); safe.insert(seq, false); }
                    2 => { ledger.refused(&name(seq)); safe.insert(seq, false); }
                    3 => {
                        ledger.arrived(&arrived(&[seq], &[seq]), &BTreeMap::new());
                        let refused = ledger.recorded[&name(seq)].standing == Standing::Refused;
                        safe = [(seq, !refused)].into();
                    }
                    _ => {
                        if let Some(name) = ledger.deletable().cloned() {
                            prop_assert_eq!(safe.get(&name.seq.0), Some(&true));
                        }
                    }
                }
                let sum: Millis = ledger.owed.iter().fold(Millis::ZERO, |sum, _| sum + Millis(2_000));
                prop_assert_eq!(ledger.owed_duration(), sum);
            }
        }
    }
}

//! A set of segment numbers, kept as ranges: cheap when nearly everything is there.

use std::collections::BTreeMap;

use crate::event::SeqRange;
use crate::ids::Seq;

/// Segment numbers as disjoint, non-adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeqSet {
    /// First to last, both included.
    ranges: BTreeMap<u64, u64>,
    /// How many numbers that is.
    count: u64,
}

impl SeqSet {
    pub fn contains(&self, seq: Seq) -> bool {
        self.range_at(seq).is_some()
    }

    /// The range around `seq`, if `seq` is in the set.
    pub fn range_at(&self, seq: Seq) -> Option<SeqRange> {
        let (&first, &last) = self.ranges.range(..=seq.0).next_back()?;
        (seq.0 <= last).then_some(SeqRange { first: Seq(first), last: Seq(last) })
    }

    /// The first range that begins after `seq`.
    pub fn range_after(&self, seq: Seq) -> Option<SeqRange> {
        let (&first, &last) = self.ranges.range(seq.0 + 1..).next()?;
        Some(SeqRange { first: Seq(first), last: Seq(last) })
    }

    pub fn insert(&mut self, range: SeqRange) {
        let (mut first, mut last) = (range.first.0, range.last.0);
        if first > last {
            return;
        }
        // Nearly always it goes on where the last range ends.
        if let Some(mut end) = self.ranges.last_entry().filter(|end| end.get().checked_add(1) == Some(first)) {
            self.count += last + 1 - first;
            *end.get_mut() = last;
            return;
        }
        // Everything that overlaps or touches the new range is swallowed by it.
        while let Some((&f, &l)) = self.ranges.range(..=last.saturating_add(1)).next_back() {
            if l.saturating_add(1) < first {
                break;
            }
            self.ranges.remove(&f);
            self.count -= l + 1 - f;
            (first, last) = (first.min(f), last.max(l));
        }
        self.ranges.insert(first, last);
        self.count += last + 1 - first;
    }

    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers the set holds.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many numbers of `within` the set holds.
    pub fn count_in(&self, within: SeqRange) -> u64 {
        let start = self.range_at(within.first).map_or(within.first.0, |range| range.first.0);
        let overlap = |(&f, &l): (&u64, &u64)| (l.min(within.last.0) + 1).saturating_sub(f.max(within.first.0));
        self.ranges.range(start..=within.last.0.max(start)).map(overlap).sum()
    }

    pub fn last(&self) -> Option<Seq> {
        self.ranges.last_key_value().map(|(_, &last)| Seq(last))
    }

    /// The lowest number that is not in the set.
    pub fn first_missing(&self) -> Seq {
        self.range_at(Seq(0)).map_or(Seq(0), |range| range.last.next())
    }

    pub fn ranges(&self) -> impl Iterator<Item = SeqRange> {
        self.ranges.iter().map(|(&first, &last)| SeqRange { first: Seq(first), last: Seq(last) })
    }

    /// The holes of `within`.
    pub fn missing_in(&self, within: SeqRange) -> impl Iterator<Item = SeqRange> {
        let mut next = Some(self.range_at(within.first).map_or(within.first, |range| range.last.next()));
        std::iter::from_fn(move || {
            let first = next.filter(|first| *first <= within.last)?;
            let following = self.range_after(first);
            next = following.map(|range| range.last.next());
            let last = following.map_or(within.last, |range| Seq(range.first.0 - 1).min(within.last));
            Some(SeqRange { first, last })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_set_of_numbers(inserts in prop::collection::vec((0u64..60, 0u64..6), 0..40), from in 0u64..60, len in 0u64..30) {
            let (mut set, mut model) = (SeqSet::default(), BTreeSet::new());
            for (first, more) in inserts {
                set.insert(SeqRange { first: Seq(first), last: Seq(first + more) });
                model.extend(first..=first + more);
            }
            let within = SeqRange { first: Seq(from), last: Seq(from + len) };
            prop_assert_eq!(set.count(), model.len() as u64);
            prop_assert_eq!(set.last().map(|seq| seq.0), model.last().copied());
            prop_assert_eq!(set.count_in(within), model.range(from..=from + len).count() as u64);
            prop_assert_eq!(set.first_missing().0, (0..).find(|n| !model.contains(n)).expect("finite"));
            prop_assert!((0..70).all(|n| set.contains(Seq(n)) == model.contains(&n)));
            let missing: Vec<u64> = set.missing_in(within).flat_map(SeqRange::iter).map(|seq| seq.0).collect();
            prop_assert_eq!(missing, (from..=from + len).filter(|n| !model.contains(n)).collect::<Vec<_>>());
            let ranges: Vec<_> = set.ranges().collect();
            prop_assert!(ranges.windows(2).all(|pair| pair[0].last.0 + 1 < pair[1].first.0));
        }
    }
}

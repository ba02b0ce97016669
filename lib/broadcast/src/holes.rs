//! How the time of a hole is covered by gaps, and which holes are jumped over instead: the same in every view.
//!
//! A publisher's capture times cost nothing to make up, so what they can make a playlist hold is limited. When a hole
//! is settled, and what is left to be placed, is not decided here.

use crate::policy::{TargetDuration, ViewPolicy};
use crate::time::{CapturedAt, Millis};

/// What may still be done to cover holes.
#[derive(Clone, Debug)]
pub(crate) struct Holes {
    target: Millis,
    hole_max: Millis,
    gaps_left: u32,
}

impl Holes {
    pub(crate) fn new(policy: &ViewPolicy, target: TargetDuration) -> Self {
        let hole_max = Millis(policy.hole_max_ms.into());
        Self { target: target.millis(), hole_max, gaps_left: policy.gaps_max }
    }

    /// The ends of the gaps that cover the time between these two: as few of equal length as the target duration
    /// allows, the last of them ending at `to`. None if the hole is jumped over, because it is too long or because
    /// there are not as many left; PROGRAM-DATE-TIME says so, and if the timestamps go on, EXT-X-DISCONTINUITY.
    pub(crate) fn cover(&mut self, from: CapturedAt, to: CapturedAt) -> impl Iterator<Item = CapturedAt> + use<> {
        let length = (to - from).0.max(0);
        let gaps = if length > self.hole_max.0 { 0 } else { (length + self.target.0 - 1) / self.target.0 };
        let left = self.gaps_left.checked_sub(u32::try_from(gaps).unwrap_or(u32::MAX));
        self.gaps_left = left.unwrap_or(self.gaps_left);
        let gaps = if left.is_some() { gaps } else { 0 };
        (1..=gaps).map(move |gap| from + Millis(length * gap / gaps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of the gaps for each of some holes, one after the other.
    fn check(holes: &[(i64, i64)], expected: &[&[i64]]) {
        let policy = ViewPolicy { hole_max_ms: 20_000, gaps_max: 12, ..ViewPolicy::default() };
        let mut left = Holes::new(&policy, TargetDuration::new(2));
        let mut cover = |(from, to): &(i64, i64)| -> Vec<i64> {
            left.cover(CapturedAt(*from), CapturedAt(*to)).map(|end| end.0).collect()
        };
        assert_eq!(holes.iter().map(&mut cover).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_hole_is_covered_by_as_few_equal_gaps_as_possible() {
        check(&[(0, 2_000), (0, 1)], &[&[2_000], &[1]]);
        check(&[(-500, 2_500), (0, 5_000)], &[&[1_000, 2_500], &[1_666, 3_333, 5_000]]);
        check(&[(0, 0), (5, 4), (i64::MAX / 2, 0)], &[&[], &[], &[]]);
    }

    #[test]
    fn what_is_too_long_or_too_much_is_jumped_over() {
        let ten: Vec<i64> = (1..=10).map(|gap| gap * 2_000).collect();
        check(&[(0, 20_001), (0, 20_000), (0, 5_000), (0, 4_000), (0, 1)], &[&[], &ten, &[], &[2_000, 4_000], &[]]);
        check(&[(0, i64::MAX / 2)], &[&[]]);
    }
}

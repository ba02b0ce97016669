//! How far the recorders' clock is from ours, which is one that nobody sets: the time since we began. Pure.

use broadcast::Millis;

/// From how many answers the best is taken.
const SAMPLES: usize = 8;
/// An offset in use is kept until it is proved wrong by more than this.
const TOLERATED: Millis = Millis(1_000);

/// One question and its answer.
#[derive(Clone, Copy, Debug)]
struct Sample {
    offset: Millis,
    /// At most so wrong: half of the round trip.
    error: Millis,
}

/// What is added to our time to get theirs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offset {
    samples: std::collections::VecDeque<Sample>,
    used: Option<Millis>,
}

impl Offset {
    /// A question was sent and answered at these moments by our clock; the answer told `theirs_ms`.
    pub(crate) fn learn(&mut self, sent_ms: i64, answered_ms: i64, theirs_ms: i64) {
        if answered_ms < sent_ms {
            // Our clock was set meanwhile.
            return;
        }
        let error = Millis((answered_ms - sent_ms + 1) / 2);
        let sample = Sample { offset: Millis(theirs_ms - (sent_ms + error.0)), error };
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        let Some(best) = self.samples.iter().min_by_key(|sample| sample.error) else { return };
        // A clock that was set leaves no earlier sample true.
        let best = if (best.offset - sample.offset).abs() > best.error + sample.error { sample } else { *best };
        let is_wrong = |used: Millis| (best.offset - used).abs() > TOLERATED + best.error;
        if self.used.is_none_or(is_wrong) {
            self.used = Some(best.offset);
            self.samples.retain(|other| (other.offset - best.offset).abs() <= other.error + best.error);
        }
    }

    /// `None` before the first answer.
    pub(crate) fn get(&self) -> Option<Millis> {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After these (sent, answered, theirs): the offset in use.
    fn check(answers: &[(i64, i64, i64)], expected: Option<i64>) {
        let mut offset = Offset::default();
        answers.iter().for_each(|(sent, answered, theirs)| offset.learn(*sent, *answered, *theirs));
        assert_eq!(offset.get().map(|offset| offset.0), expected, "{answers:?}");
    }

    #[test]
    fn the_offset_is_half_a_round_trip_from_the_answer() {
        check(&[], None);
        check(&[(1_000, 1_200, 5_100)], Some(4_000));
    }

    #[test]
    fn it_stays_until_it_is_proved_wrong() {
        // A slow answer that says little, then a quick one that says nearly the same.
        check(&[(0, 3_000, 6_000), (10_000, 10_020, 15_010)], Some(4_500));
        check(&[(0, 20, 5_010), (10_000, 14_000, 17_500)], Some(5_000));
        check(&[(0, 20, 5_010), (10_000, 10_020, 20_010)], Some(10_000));
    }

    #[test]
    fn an_answer_before_its_question_says_nothing() {
        check(&[(2_000, 1_000, 5_000)], None);
    }
}

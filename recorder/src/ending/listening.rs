//! For how long a publisher could have come back here. The store's time passes also while nobody could take anything in:
//! that is no silence of the publisher. So a grace is over only once somebody has listened for a while, by a clock that
//! nobody sets.

use std::time::Duration;

use broadcast::{Millis, StoreTime};
use tokio::time::Instant;

/// For how long somebody must have listened before a grace is over; a shorter grace for as long as it is.
pub(super) const LISTENED_MIN: Duration = Duration::from_secs(3_600);
/// How much further than ours the store's time may have come between two looks, before it was set, or we have slept.
const JUMP_MIN: Millis = Millis(60_000);

/// What is seen at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) store_time: StoreTime,
    /// How often the store had been away.
    pub(super) breaks: u64,
}

/// Since when somebody has listened.
#[derive(Debug)]
pub(super) struct Listening {
    since: Instant,
    last: Look,
}

impl Listening {
    pub(super) fn new(now: Look) -> Self {
        Self { since: now.at, last: now }
    }

    /// Nobody could take anything in until now.
    pub(super) fn begin_again(&mut self, now: Look) {
        *self = Self::new(now);
    }

    /// For how much longer somebody has to listen. Nothing, if that was long enough.
    pub(super) fn left(&mut self, now: Look, grace: Millis) -> Duration {
        let ours = i64::try_from((now.at - self.last.at).as_millis()).unwrap_or(i64::MAX);
        let ahead = (now.store_time - self.last.store_time).0.saturating_sub(ours);
        if now.breaks != self.last.breaks || ahead > JUMP_MIN.0 {
            self.begin_again(now);
        }
        self.last = now;
        let wanted = LISTENED_MIN.min(Duration::from_millis(u64::try_from(grace.0).unwrap_or(0)));
        wanted.saturating_sub(now.at - self.since)
    }
}

#[cfg(test)]
mod tests {
    use service::Clock;

    use super::*;

    const HOUR: i64 = 3_600;

    /// How many seconds are left at each of these looks, as seconds of ours, seconds of the store's, and breaks.
    #[track_caller]
    fn check(grace_s: i64, looks: &[(i64, i64, u64)], expected: &[u64]) {
        let began = Clock::from_tokio(0).instant();
        let look = |(ours, stores, breaks): (i64, i64, u64)| Look {
            at: began + Duration::from_secs(ours.unsigned_abs()),
            store_time: StoreTime(stores * 1_000),
            breaks,
        };
        let mut listening = Listening::new(look((0, 0, 0)));
        let left = looks.iter().map(|at| listening.left(look(*at), Millis(grace_s * 1_000)).as_secs());
        assert_eq!(left.collect::<Vec<_>>(), expected, "{looks:?}");
    }

    #[test]
    fn an_hour_or_a_shorter_grace_is_listened_for() {
        check(24 * HOUR, &[(0, 0, 0), (600, 600, 0), (HOUR, HOUR, 0)], &[3_600, 3_000, 0]);
        check(24 * HOUR, &[(24 * HOUR, 24 * HOUR, 0)], &[0]);
        check(60, &[(0, 0, 0), (50, 50, 0), (60, 60, 0)], &[60, 10, 0]);
        check(0, &[(0, 0, 0)], &[0]);
    }

    #[test]
    fn it_counts_anew_when_the_store_was_away_or_its_time_has_jumped() {
        check(24 * HOUR, &[(HOUR, HOUR, 1), (2 * HOUR, 2 * HOUR, 1)], &[3_600, 0]);
        check(24 * HOUR, &[(HOUR, 60 * HOUR, 0), (2 * HOUR, 61 * HOUR, 0)], &[3_600, 0]);
        // It may stand still for a while, or go back.
        check(24 * HOUR, &[(HOUR, HOUR + 60, 0)], &[0]);
        check(24 * HOUR, &[(HOUR, -HOUR, 0)], &[0]);
    }
}

//! Waiting in tests: for a fact, with a deadline, and for the next beat of something that goes by real time. Nothing
//! else in a test may pause.

use std::fmt::Display;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// How soon a fact is looked for again.
const AGAIN: Duration = Duration::from_millis(20);

/// Looks until `look` finds what is waited for, and returns it; `Err` is what it saw instead.
///
/// # Panics
/// After `within`, with `what` was waited for and what was seen last.
#[track_caller]
pub fn eventually<T, E: Display>(what: &str, within: Duration, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = now() + within;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if now() > deadline => panic!("waited {within:?} for {what}; seen last: {seen}"),
            Err(_) => pause(AGAIN),
        }
    }
}

/// Does `work` every `period` until it breaks, by a clock that does not drift; the first time at once. Beats that
/// `work` was too slow for are left out.
pub fn every<T>(period: Duration, mut work: impl FnMut() -> ControlFlow<T>) -> T {
    let mut next = now();
    loop {
        if let ControlFlow::Break(found) = work() {
            return found;
        }
        let before = now();
        while next <= before {
            next += period;
        }
        pause(next - before);
    }
}

#[expect(clippy::disallowed_methods, reason = "real programs run by real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tests pause, between two looks, and where what they are to see takes its time"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_returns_what_was_found() {
        let mut looks = 0;
        let found = eventually("the third look", Duration::from_secs(60), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("not yet") }
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "waited 1ms for a miracle; seen last: nothing of the kind")]
    fn it_says_what_was_seen_last() {
        eventually("a miracle", Duration::from_millis(1), || Err::<(), _>("nothing of the kind"));
    }

    #[test]
    fn beats_do_not_drift() {
        let (period, started) = (Duration::from_millis(5), now());
        let mut beats = 0;
        every(period, || {
            beats += 1;
            if beats == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert!(now() - started >= 3 * period);
    }
}

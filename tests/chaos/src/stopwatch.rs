//! Real time: how long something took, what time it is for the programs under test, and the passing of time.

use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use testkit::every;

/// Since when it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "real programs run by real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "real programs run by real time")]
    pub(crate) fn time(self) -> Duration {
        Instant::now() - self.0
    }
}

/// Milliseconds since the Unix epoch, as the publisher dates its segments.
#[expect(clippy::disallowed_methods, reason = "real programs run by real time")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    i64::try_from(since.as_millis()).expect("it is not that late")
}

/// Lets a fault last.
pub(crate) fn let_pass(time: Duration) {
    let mut beats = 0;
    every(time, || {
        beats += 1;
        if beats > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
}

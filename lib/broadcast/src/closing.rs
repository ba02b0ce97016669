//! An end that its owner has said, and its publisher has not heard of yet.
//!
//! Live ends there. Where the recording ends, only its publisher knows, and it may be in a tunnel: until
//! [`Ended`](crate::Event::Ended) says so, or the grace is over, what it has recorded is taken. See docs/design/publisher.md.

use crate::time::{CapturedAt, Millis, StoreTime};

/// A broadcast that its owner has ended, and of which its publisher may still have something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// When the owner said so.
    pub said_at: StoreTime,
    /// When the last of it came, if that was later.
    pub quiet_since: StoreTime,
    /// How long its publisher is waited for.
    pub grace: Millis,
}

impl Closing {
    pub(crate) fn new(said_at: StoreTime, grace_ms: u32) -> Self {
        Self { said_at, quiet_since: said_at, grace: Millis(grace_ms.into()) }
    }

    /// When its publisher is waited for no longer, if nothing comes until then. A publisher that is back is not cut off.
    pub fn over_at(&self) -> StoreTime {
        self.quiet_since + self.grace
    }

    /// Until when something has to be captured to be taken: by its publisher's clock, which is believed.
    pub fn takes_until(&self) -> CapturedAt {
        CapturedAt((self.said_at + self.grace).0)
    }

    /// Whether what was captured then may still be taken.
    pub fn takes(&self, captured_at: CapturedAt) -> bool {
        captured_at <= self.takes_until()
    }
}

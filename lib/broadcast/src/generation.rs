//! Generations of the live and dvr addresses.
//!
//! What was published at an address is never contradicted there (RFC 8216bis, 6.2.1). But a metadata store may forget, and
//! what it forgot is put back later, or elsewhere, than it was: what readers decided meanwhile no longer holds. Then
//! [`Restarted`](crate::Event::Restarted) comes into the log, in one step with what is put back. It changes nothing about
//! the timeline, only its name: from there on the fold of the whole log is shown at new addresses, where nobody has been
//! shown anything else. See docs/design/views.md.

use std::fmt;
use std::str::FromStr;

use crate::broadcast::{Broadcast, LogError};
use crate::event::{Event, LogEntry};
use crate::time::StoreTime;

/// What the live and dvr addresses of one generation have in their names: nothing in the first, and else when it began, by
/// the store's time in milliseconds. A number that is counted could come again, after a store has forgotten that it was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// The one that begins after this one.
    pub(crate) fn next(self, at: StoreTime) -> Self {
        Self(u64::try_from(at.0).unwrap_or(0).max(self.0 + 1))
    }

    pub fn is_first(self) -> bool {
        self == Self::default()
    }
}

/// As it stands in an address, after the name of the view: `live-1790000000000.m3u8`.
impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_first() { Ok(()) } else { write!(f, "-{}", self.0) }
    }
}

/// Not what stands in the address of any generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a generation is nothing, or a hyphen and the time at which it began")]
pub struct GenerationError;

impl FromStr for Generation {
    type Err = GenerationError;

    /// One spelling for each.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let digits = text.strip_prefix('-').filter(|digits| !digits.starts_with(['0', '+']));
        digits.and_then(|digits| digits.parse().ok()).map(Self).ok_or(GenerationError)
    }
}

impl Broadcast {
    /// Before when, by the store's time, entries that follow this log and were lost can be put back as they were, as if they
    /// had never been away: nobody who knows but a part of them can have decided anything that they decide.
    ///
    /// Without them only time decides, and what falls due at some moment is decided when that moment and the clock margin
    /// have passed. The margin is left to what it is for: another server's clock, by which this is judged.
    pub fn unseen_until(mut self, lost: &[LogEntry]) -> Result<StoreTime, LogError> {
        let margin = self.opened().policy.clock_margin();
        let mut until = StoreTime(i64::MAX);
        for entry in lost {
            match entry.event {
                // Older addresses are over.
                Event::Restarted => until = StoreTime(i64::MAX),
                _ if entry.event.shapes_live() => {
                    let decided = self.next_change(entry.at + margin).map(|seen| seen - margin);
                    until = until.min(decided.unwrap_or(until));
                }
                _ => {}
            }
            self.apply(entry)?;
        }
        Ok(until)
    }
}

//! What keeps stores and logs together: `check` tells whether they agree, `rebuild` makes the logs anew from the stores.
//!
//! Both look at one broadcast after another, and hold no more than one in memory. Nothing here takes segments in or
//! serves them, and `check` changes nothing.

mod check;
mod finding;
mod found;
mod rebuild;

pub use check::{CheckOptions, Checked, Others, check};
pub use finding::{Finding, Kind};
pub use found::{SyncError, Tier};
pub use rebuild::{RebuildOptions, Rebuilt, rebuild};

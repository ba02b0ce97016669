//! Real processes under real faults. A publisher in a network of its own sends over a bad link to a fleet of recorders
//! with a real Redis and a real S3 server; viewers watch; everything is broken in turn, and mended. Then nothing may be
//! missing, and nothing may be there twice: the recording is, byte for byte, what was recorded.
//!
//! `make chaos` runs it; `tests/short.rs` runs a short form of it with every test. In simulated time, with many more
//! faults, `tests/simulation` does the same.

mod catch_up;
mod faults;
mod fleet;
mod frames;
mod ride;
mod scenarios;
mod source;
mod status;
mod stopwatch;

pub use catch_up::{CaughtUp, SPEEDS, catch_up};
pub use ride::{Back, Summary};
pub use scenarios::{Form, Outcome, SCENARIOS, Scenario, run};

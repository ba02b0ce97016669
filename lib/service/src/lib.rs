//! What each service needs and none should write again: the clock, tasks, telemetry, HTTP plumbing.
//!
//! Nothing here knows of broadcasts or media.

mod clock;
mod tasks;

pub use clock::Clock;
pub use tasks::Tasks;

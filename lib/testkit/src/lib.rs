//! For tests only: real servers and programs, simulated clocks, media fixtures.

mod tools;

pub use tools::{RUN_SECONDS_MAX, Tool, workspace};

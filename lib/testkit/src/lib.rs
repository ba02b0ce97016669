//! For tests only: real servers and programs, simulated clocks, media fixtures.

pub mod hls;
mod redis;
mod tools;

pub use redis::RedisServer;
pub use tools::{RUN_SECONDS_MAX, Tool, workspace};

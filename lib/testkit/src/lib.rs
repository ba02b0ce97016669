//! For tests only: real servers and programs, simulated clocks, media fixtures.

mod headwater;
pub mod hls;
mod http;
mod redis;
mod road;
mod s3;
mod tools;
pub mod ts;
mod waiting;

pub use crate::http::{Answer, HttpClient};
pub use headwater::{Headwater, NewBroadcast};
pub use redis::RedisServer;
pub use road::Road;
pub use s3::S3Server;
pub use tools::{RUN_SECONDS_MAX, Tool, workspace};
pub use waiting::{eventually, every};

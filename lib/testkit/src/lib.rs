//! For tests only: real servers and programs, simulated clocks, media fixtures.

mod cluster;
mod dice;
pub mod fmp4;
mod headwater;
pub mod hls;
mod http;
mod link;
mod namespace;
mod redis;
mod road;
mod s3;
mod sentinel;
mod tools;
pub mod ts;
mod waiting;

pub use crate::http::{Answer, HttpClient};
pub use cluster::ClusterRedis;
pub use dice::Dice;
pub use headwater::{Headwater, Launch, NewBroadcast};
pub use link::{Link, Passed, Quality};
pub use namespace::Namespace;
pub use redis::RedisServer;
pub use road::Road;
pub use s3::S3Server;
pub use sentinel::SentinelRedis;
pub use tools::{RUN_SECONDS_MAX, Tool, workspace};
pub use waiting::{eventually, every};

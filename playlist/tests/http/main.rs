//! The playlist server over HTTP, with the real arrival log and the real store in a directory of their own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod absence;
mod cache;
mod conformance;
mod fixtures;
mod generations;
mod outage;
mod reload;
mod segments;
mod sockets;
mod stills;
mod success;
mod wrong_clock;

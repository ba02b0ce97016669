//! The recorder: takes segments in, verifies them, makes them durable, commits them, and only then acknowledges.
//!
//! Two ways in lead to the same commit: the publish protocol (`ingest`), whose senders number their segments and
//! resend what was not acknowledged, and what stock HLS pushers do (`push`), which never resend anything. Nothing
//! here makes playlists, and nothing is decided here about what viewers see.
//!
//! Any recorder takes any segment of any broadcast: all that two recorders must agree on is decided by the commit.

mod access;
mod api;
mod bundle;
mod capture;
mod commit;
mod config;
mod document;
mod ending;
mod hashing;
mod hot;
mod in_flight;
mod ingest;
mod intake;
mod lost;
mod metrics;
mod portal;
mod problems;
mod push;
mod recorder;
mod renumbering;
mod scan;
mod stored;
mod uploads;
mod viewers;

#[cfg(test)]
mod tests;

pub use api::openapi;
pub use config::{HotConfig, RecorderConfig};
pub use portal::{AuthorizeConfig, OnError};
pub use push::WrittenAt;
pub use recorder::{Deps, Recorder};
pub use scan::{ScanError, ScanReport};
pub use viewers::Viewers;

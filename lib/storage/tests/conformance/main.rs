//! What [`Store`] promises, asked of every store there is: a directory of one process, a directory that several share,
//! and a bucket of a real S3 server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod elsewhere;

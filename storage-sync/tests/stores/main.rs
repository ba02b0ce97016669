//! Stores and logs that do not agree.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod check;
mod documents;
mod fixtures;
mod rebuild;

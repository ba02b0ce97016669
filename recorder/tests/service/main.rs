//! The recorder over HTTP, with the real arrival log and the real store in a directory of their own, and segments made
//! by ffmpeg. What can only be shown with the real senders is shown by the end-to-end tests.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod away;
mod bundles;
mod closing;
mod crash;
mod ending;
mod fixtures;
mod hot;
mod limits;
mod lost;
mod renumbered;
mod restart;
mod stored;
mod taken_over;
mod unreadable;

//! What is noted of our clock is durable in the spool before anything goes out that depends on it.

use std::time::Duration;

use broadcast::CapturedAt;
use futures_util::future::BoxFuture;
use storage::{LocalStore, StoreError};

use super::{Uplink, millis};
use crate::times::{Clocks, Times};

/// Where the notes are in the spool.
const NAME: &str = "clock-notes";
/// How long to wait before it is tried again after an error.
const RETRY: Duration = Duration::from_secs(1);

/// How far what is noted is kept.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// How often the notes had changed by then.
    changes: u64,
    /// When it may be tried again, after an error.
    again_ms: i64,
    /// The disk is full, and only what is sent can be deleted from it: sooner without a note than never.
    goes_without: bool,
}

/// Something that is being kept: which changes, and what came of it.
pub(super) type Noting = BoxFuture<'static, (u64, Result<(), StoreError>)>;

/// What earlier runs have noted.
pub(super) async fn read(store: &LocalStore) -> Times {
    let text = match store.text(NAME).await {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot read what was noted of the clock");
            return Times::default();
        }
    };
    Times::read(&text).unwrap_or_else(|line| {
        tracing::error!(line, "what was noted of the clock cannot be understood");
        Times::default()
    })
}

impl Uplink {
    /// Whether what is recorded may go out.
    pub(super) fn is_noted(&self) -> bool {
        self.noted.changes == self.times.changes() || self.noted.goes_without
    }

    /// Keeps what has changed, if anything.
    pub(super) fn next_noting(&self) -> Option<Noting> {
        let changes = self.times.changes();
        if changes == self.noted.changes || self.now_ms() < self.noted.again_ms {
            return None;
        }
        let (store, text) = (self.deps.store.clone(), self.times.text());
        Some(Box::pin(async move { (changes, store.keep_text(NAME, text).await) }))
    }

    pub(super) fn take_noted(&mut self, changes: u64, kept: Result<(), StoreError>) {
        let Err(error) = kept else {
            self.noted = Noted { changes, ..Noted::default() };
            return;
        };
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot note in the spool how our clock was set");
        self.noted.again_ms = self.now_ms() + millis(RETRY);
        self.noted.goes_without = matches!(error, StoreError::Full { .. });
    }

    pub(super) fn clocks(&self) -> Clocks {
        Clocks { wall: CapturedAt(self.deps.clock.now_ms()), running: self.running() }
    }
}

/// What comes of it, or nothing while nothing is being kept.
pub(super) async fn at_work(noting: &mut Option<Noting>) -> (u64, Result<(), StoreError>) {
    match noting {
        Some(noting) => noting.await,
        None => std::future::pending().await,
    }
}

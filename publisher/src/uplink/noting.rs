//! What is noted of our clock is durable in the spool before anything goes out that depends on it; or it was tried.

use std::io;
use std::time::Duration;

use broadcast::CapturedAt;
use futures_util::future::BoxFuture;
use storage::{LocalStore, StoreError};

use super::{Uplink, millis};
use crate::times::{Clocks, Times};

/// Where the notes are in the spool.
pub(super) const NAME: &str = "clock-notes";
/// How long to wait before it is tried again after an error.
const RETRY: Duration = Duration::from_secs(1);

/// How far what is noted is kept.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// How often the notes had changed by then.
    changes: u64,
    /// When it may be tried again, after an error.
    again_ms: i64,
    /// It was tried in vain.
    is_failing: bool,
    /// More than once, or the disk is full, and only what is sent can be deleted from it: sooner without a note than never.
    goes_without: bool,
}

/// Something that is being kept: which changes, and what came of it.
pub(super) type Noting = BoxFuture<'static, (u64, Result<(), StoreError>)>;

/// What earlier runs have noted; nothing, if it is nonsense. What cannot be read just now may not be: the next note would
/// be in its place.
pub(super) async fn read(store: &LocalStore) -> Result<Times, StoreError> {
    let text = match store.text(NAME).await {
        Err(error) if is_nonsense(&error) => Err(error.to_string()),
        text => Ok(text?.unwrap_or_default()),
    };
    Ok(text.and_then(|text| Times::read(&text)).unwrap_or_else(|what| {
        tracing::error!(what, "what was noted of the clock cannot be understood");
        Times::default()
    }))
}

/// Whether it was read, and is not what is ever written.
fn is_nonsense(error: &StoreError) -> bool {
    let StoreError::Io { source, .. } = error else { return false };
    matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge)
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
            if self.noted.is_failing {
                tracing::info!("how our clock was set is noted in the spool again");
            }
            self.noted = Noted { changes, ..Noted::default() };
            return;
        };
        let was_failing = std::mem::replace(&mut self.noted.is_failing, true);
        if !was_failing {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "cannot note in the spool how our clock was set; if that stays so, segments go without"
            );
        }
        self.noted.again_ms = self.now_ms() + millis(RETRY);
        self.noted.goes_without |= was_failing || matches!(error, StoreError::Full { .. });
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

//! What is noted of our clock is durable in the spool before anything goes out that depends on it; or it was tried. And what
//! earlier runs have noted is read before that, however long it takes: meanwhile everything is recorded.

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
    /// Why what earlier runs have noted cannot be read.
    unread: Option<String>,
}

/// Something that is being read or kept, and what came of it.
pub(super) type Noting = BoxFuture<'static, Done>;

pub(super) enum Done {
    Read(Result<Times, StoreError>),
    /// With these changes.
    Kept(u64, Result<(), StoreError>),
}

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
        !self.times.is_unread() && (self.noted.changes == self.times.changes() || self.noted.goes_without)
    }

    /// Why nothing goes out for lack of notes.
    pub(super) fn trouble_with_notes(&self) -> Option<String> {
        let error = self.noted.unread.as_ref()?;
        Some(format!(
            "what was noted of the clock cannot be read; if that stays so, remove `{NAME}` from the spool: {error}"
        ))
    }

    /// Reads what was noted, if that could not be done yet; keeps what has changed, if anything.
    pub(super) fn next_noting(&self) -> Option<Noting> {
        if self.now_ms() < self.noted.again_ms {
            return None;
        }
        let store = self.deps.store.clone();
        if self.times.is_unread() {
            return Some(Box::pin(async move { Done::Read(read(&store).await) }));
        }
        let (changes, text) = (self.times.changes(), self.times.text());
        if changes == self.noted.changes {
            return None;
        }
        Some(Box::pin(async move { Done::Kept(changes, store.keep_text(NAME, text).await) }))
    }

    pub(super) fn take_noted(&mut self, done: Done) {
        match done {
            Done::Read(noted) => self.take_read(noted),
            Done::Kept(changes, kept) => self.take_kept(changes, kept),
        }
    }

    /// Sent without them, what was sent before would be sent again with other times.
    pub(super) fn take_read(&mut self, noted: Result<Times, StoreError>) {
        match noted {
            Ok(noted) => {
                if self.noted.unread.is_some() {
                    tracing::info!("what was noted of the clock can be read again");
                }
                self.noted = Noted::default();
                self.times.found(noted, self.clocks());
            }
            Err(error) => {
                self.noted.again_ms = self.now_ms() + millis(RETRY);
                if self.noted.unread.replace(error.to_string()).is_none() {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "cannot read what was noted of the clock; nothing is sent before that");
                }
            }
        }
    }

    fn take_kept(&mut self, changes: u64, kept: Result<(), StoreError>) {
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

/// What comes of it, or nothing while nothing is being read or kept.
pub(super) async fn at_work(noting: &mut Option<Noting>) -> Done {
    match noting {
        Some(noting) => noting.await,
        None => std::future::pending().await,
    }
}

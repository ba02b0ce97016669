//! What a connection is doing, noted by its stream and its handler, and judged by its watcher.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Version;
use tokio::time::Instant;

use super::ServeConfig;

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// Requests whose answer has not ended.
    requests: usize,
    /// When the last one ended, or the connection began.
    idle_since: Instant,
    /// When the first bytes came that are not of a request under way.
    head_since: Option<Instant>,
    /// The request under way has a body that was not read to its end.
    body_is_unread: bool,
    /// On an HTTP/2 connection bytes come between requests too, and say nothing.
    is_http2: bool,
    /// Since when the peer has taken none of what there is to write.
    write_blocked_since: Option<Instant>,
}

/// Why a connection must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    Head,
    Idle,
    Write,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            requests: 0,
            idle_since: now,
            head_since: None,
            body_is_unread: false,
            is_http2: false,
            write_blocked_since: None,
        }))
    }

    /// What came so far was not HTTP: only now does the connection begin to rest.
    pub(super) fn shook_hands(&self, now: Instant) {
        let mut state = self.state();
        (state.head_since, state.idle_since) = (None, now);
    }

    pub(super) fn received(&self, now: Instant) {
        let mut state = self.state();
        if state.requests == 0 && !state.is_http2 {
            state.head_since.get_or_insert(now);
        }
    }

    pub(super) fn request_began(&self, version: Version) {
        let mut state = self.state();
        state.is_http2 = version == Version::HTTP_2;
        state.requests += 1;
        state.head_since = None;
    }

    pub(super) fn request_ended(&self, now: Instant) {
        let mut state = self.state();
        state.requests -= 1;
        state.idle_since = now;
    }

    pub(super) fn body_is_unread(&self, is_unread: bool) {
        self.state().body_is_unread = is_unread;
    }

    /// Whether the connection can go on after the answer that is about to begin.
    pub(super) fn can_go_on(&self) -> bool {
        !self.state().body_is_unread
    }

    pub(super) fn wrote(&self) {
        self.state().write_blocked_since = None;
    }

    pub(super) fn write_blocked(&self, now: Instant) {
        self.state().write_blocked_since.get_or_insert(now);
    }

    /// Whether the connection has used up its patience.
    pub(super) fn overdue(&self, now: Instant, config: &ServeConfig) -> Option<Overdue> {
        let state = *self.state();
        let since = |since: Instant, secs: u64| now.duration_since(since) >= Duration::from_secs(secs);
        if state.write_blocked_since.is_some_and(|blocked| since(blocked, config.write_timeout_secs)) {
            return Some(Overdue::Write);
        }
        match (state.requests, state.head_since) {
            (0, Some(head)) => since(head, config.head_timeout_secs).then_some(Overdue::Head),
            (0, None) => since(state.idle_since, config.idle_timeout_secs).then_some(Overdue::Idle),
            _ => None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Whom to ask which recorders there are, and when: at the start, when an answer is too old, and when all recorders fail.
//! Pure.
//!
//! The address that we were given is asked first; who does not answer is passed over for the next one that is known, since
//! any recorder may be able to tell.

use crate::remote::Routed;
use crate::route::RecorderUrl;

/// How long after an answer that did not come, or that did not help, it is asked again: at first, and at most.
const AGAIN_MIN_MS: i64 = 500;
const AGAIN_MAX_MS: i64 = 4_000;
/// How often it is looked whether there is a balancer by now where there was none.
const NO_BALANCER_MS: i64 = 60_000;
/// For how long an answer holds, whatever it says.
const TTL_MS_MIN: i64 = 5_000;
const TTL_MS_MAX: i64 = 3_600_000;

/// What is known of routes.
#[derive(Clone, Debug)]
pub(crate) struct Guide {
    /// What we were given: where to ask, and where to send if nobody tells.
    given: Vec<RecorderUrl>,
    /// What the last answer named; empty without one.
    routed: Vec<RecorderUrl>,
    /// What was named in an earlier run: good to be asked, until somebody answers.
    remembered: Vec<RecorderUrl>,
    /// Of those that can be asked, who is next.
    turn: usize,
    failures: u32,
    /// When to ask again, by a clock that does not jump; and at the earliest, if all recorders fail.
    due_ms: i64,
    urgent_ms: i64,
}

impl Guide {
    pub(crate) fn new(given: Vec<RecorderUrl>, remembered: Vec<RecorderUrl>) -> Self {
        let (routed, turn, failures, due_ms, urgent_ms) = (Vec::new(), 0, 0, i64::MIN, i64::MIN);
        Self { given, routed, remembered, turn, failures, due_ms, urgent_ms }
    }

    /// Whom to ask now, if anybody.
    pub(crate) fn due(&self, now_ms: i64, is_cut_off: bool) -> Option<RecorderUrl> {
        let is_due = now_ms >= self.due_ms || (is_cut_off && now_ms >= self.urgent_ms);
        let known: Vec<_> = self.known().collect();
        (is_due && !known.is_empty()).then(|| known[self.turn % known.len()].clone())
    }

    /// What came of it: the recorders to use from here on. `jitter` from 0 to 1 spreads those who ask again.
    pub(crate) fn told(&mut self, routed: Option<Routed>, now_ms: i64, jitter: f64) -> Vec<RecorderUrl> {
        self.failures = 0;
        self.urgent_ms = now_ms + AGAIN_MAX_MS;
        let Some(Routed { recorders, ttl }) = routed else {
            self.due_ms = now_ms + NO_BALANCER_MS;
            // Somebody else may have told us before, and may again.
            self.turn += 1;
            return self.recorders();
        };
        self.routed = recorders;
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(TTL_MS_MAX).clamp(TTL_MS_MIN, TTL_MS_MAX);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most an hour")]
        let spread = (ttl_ms as f64 * (0.9 + jitter / 5.0)) as i64;
        self.due_ms = now_ms + spread;
        self.recorders()
    }

    /// Whoever was asked did not answer, or could not tell.
    pub(crate) fn failed(&mut self, now_ms: i64) {
        self.turn += 1;
        let again = (AGAIN_MIN_MS << self.failures.min(8)).min(AGAIN_MAX_MS);
        self.failures = self.failures.saturating_add(1);
        (self.due_ms, self.urgent_ms) = (now_ms + again, now_ms + again);
    }

    /// The recorders that a balancer has named; none without one.
    pub(crate) fn routed(&self) -> &[RecorderUrl] {
        &self.routed
    }

    /// The best first; what we were given comes last.
    fn recorders(&self) -> Vec<RecorderUrl> {
        let rest = self.given.iter().filter(|url| !self.routed.contains(url));
        self.routed.iter().chain(rest).cloned().collect()
    }

    fn known(&self) -> impl Iterator<Item = &RecorderUrl> {
        let named = if self.routed.is_empty() { &self.remembered } else { &self.routed };
        self.given.iter().chain(named.iter().filter(|url| !self.given.contains(url)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn url(name: &str) -> RecorderUrl {
        RecorderUrl(name.to_owned())
    }

    fn routed(names: &[&str]) -> Option<Routed> {
        Some(Routed { recorders: names.iter().map(|name| url(name)).collect(), ttl: Duration::from_secs(30) })
    }

    fn due(guide: &Guide, now_ms: i64, is_cut_off: bool) -> Option<String> {
        guide.due(now_ms, is_cut_off).map(|url| url.0)
    }

    #[test]
    fn it_asks_at_the_start_when_the_answer_is_old_and_when_all_fail() {
        let mut guide = Guide::new(vec![url("to")], Vec::new());
        assert_eq!(due(&guide, 0, true).as_deref(), Some("to"));
        assert_eq!(guide.told(routed(&["a", "b"]), 0, 0.5), ["a", "b", "to"].map(url));
        assert_eq!((due(&guide, 29_999, false), due(&guide, 30_000, false).as_deref()), (None, Some("to")));
        assert_eq!((due(&guide, 3_999, true), due(&guide, 4_000, true).as_deref()), (None, Some("to")));
        assert_eq!(guide.routed(), ["a", "b"].map(url));
        assert_eq!(guide.told(routed(&["to", "c"]), 30_000, 0.5), ["to", "c"].map(url));
    }

    #[test]
    fn without_a_balancer_the_address_given_is_used() {
        let mut guide = Guide::new(vec![url("to")], Vec::new());
        assert_eq!(guide.told(None, 0, 0.5), ["to"].map(url));
        assert!(guide.routed().is_empty());
        assert_eq!((due(&guide, 59_999, false), due(&guide, 60_000, false).as_deref()), (None, Some("to")));
    }

    #[test]
    fn when_one_does_not_answer_the_next_is_asked() {
        let mut guide = Guide::new(vec![url("to")], Vec::new());
        guide.told(routed(&["a", "to", "b"]), 0, 0.5);
        let mut now_ms = 40_000;
        let mut asked = Vec::new();
        for _ in 0..4 {
            asked.extend(due(&guide, now_ms, false));
            guide.failed(now_ms);
            assert_eq!(due(&guide, now_ms, true), None, "not at once");
            now_ms += AGAIN_MAX_MS;
        }
        assert_eq!(asked, ["to", "a", "b", "to"]);
        // Whoever answered is asked again.
        assert_eq!(due(&guide, now_ms, false).as_deref(), Some("a"));
        guide.told(routed(&["a", "b"]), now_ms, 0.5);
        assert_eq!(due(&guide, now_ms + 30_000, false).as_deref(), Some("a"));
    }
}

//! To which recorder: the best that is not known to fail, and when one that failed is tried again. Pure.
//!
//! Nothing waits for one that failed while another answers. A better one that failed is asked now and then whether it is
//! back; once it answers, it is used again.

use std::fmt;

/// The address of a recorder, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecorderUrl(pub String);

impl fmt::Display for RecorderUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a recorder that failed is left alone: the first time, and at most. Short, because a probe costs little and
/// the network comes back without a word.
const BACK_OFF_MIN_MS: i64 = 250;
const BACK_OFF_MAX_MS: i64 = 4_000;

#[derive(Clone, Debug)]
struct Candidate {
    url: RecorderUrl,
    failures: u32,
    /// By a clock that does not jump.
    not_before_ms: i64,
}

/// The recorders that may be used, best first.
#[derive(Clone, Debug, Default)]
pub struct Route(Vec<Candidate>);

impl Route {
    pub fn new(urls: Vec<RecorderUrl>) -> Self {
        Self(urls.into_iter().map(|url| Candidate { url, failures: 0, not_before_ms: i64::MIN }).collect())
    }

    /// Another order, or other recorders: what is known of those that stay is kept.
    pub fn replace(&mut self, urls: Vec<RecorderUrl>) {
        let known = std::mem::take(&mut self.0);
        let of = |url: RecorderUrl| {
            let known = known.iter().find(|candidate| candidate.url == url).cloned();
            known.unwrap_or(Candidate { url, failures: 0, not_before_ms: i64::MIN })
        };
        self.0 = urls.into_iter().map(of).collect();
    }

    /// Those that may be used now: who answers, best first; then who has failed and was left alone for long enough.
    pub fn usable(&self, now_ms: i64) -> impl Iterator<Item = &RecorderUrl> {
        let answers = self.0.iter().filter(|candidate| candidate.failures == 0);
        let failed = self.0.iter().filter(move |candidate| candidate.failures > 0 && candidate.not_before_ms <= now_ms);
        answers.chain(failed).map(|candidate| &candidate.url)
    }

    /// The best one that may be used now.
    pub fn pick(&self, now_ms: i64) -> Option<&RecorderUrl> {
        self.usable(now_ms).next()
    }

    /// The best one that has failed, if it would be better than who answers, and may be asked whether it is back.
    pub fn probe(&self, now_ms: i64) -> Option<&RecorderUrl> {
        let better = self.0.iter().take_while(|candidate| candidate.failures > 0);
        let mut may = better.filter(|candidate| candidate.not_before_ms <= now_ms);
        may.next().map(|candidate| &candidate.url)
    }

    /// Whether all have failed, or there is none.
    pub fn is_cut_off(&self) -> bool {
        self.0.iter().all(|candidate| candidate.failures > 0)
    }

    pub fn has(&self, url: &RecorderUrl) -> bool {
        self.0.iter().any(|candidate| candidate.url == *url)
    }

    /// It is none after all.
    pub fn remove(&mut self, url: &RecorderUrl) {
        self.0.retain(|candidate| candidate.url != *url);
    }

    /// Whether it has failed, and not answered since.
    pub fn is_doubtful(&self, url: &RecorderUrl) -> bool {
        self.0.iter().any(|candidate| candidate.url == *url && candidate.failures > 0)
    }

    /// It has answered: whatever it said, it is there.
    pub fn answered(&mut self, url: &RecorderUrl) {
        if let Some(candidate) = self.find(url) {
            (candidate.failures, candidate.not_before_ms) = (0, i64::MIN);
        }
    }

    /// It did not answer, or asked to be left alone for a while. `jitter` from 0 to 1 spreads those who try again.
    pub fn failed(&mut self, url: &RecorderUrl, now_ms: i64, asked_ms: Option<i64>, jitter: f64) {
        let Some(candidate) = self.find(url) else { return };
        let doubled = BACK_OFF_MIN_MS << candidate.failures.min(10);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few thousand")]
        let back_off = (doubled.min(BACK_OFF_MAX_MS) as f64 * (0.5 + jitter / 2.0)) as i64;
        candidate.failures = candidate.failures.saturating_add(1);
        candidate.not_before_ms = candidate.not_before_ms.max(now_ms + back_off.max(asked_ms.unwrap_or(0)));
    }

    fn find(&mut self, url: &RecorderUrl) -> Option<&mut Candidate> {
        self.0.iter_mut().find(|candidate| candidate.url == *url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(name: &str) -> RecorderUrl {
        RecorderUrl(name.to_owned())
    }

    fn route() -> Route {
        Route::new(vec![url("near"), url("far")])
    }

    fn text(url: Option<&RecorderUrl>) -> Option<&str> {
        url.map(|url| url.0.as_str())
    }

    fn picked(route: &Route, now_ms: i64) -> Option<&str> {
        text(route.pick(now_ms))
    }

    fn probed(route: &Route, now_ms: i64) -> Option<&str> {
        text(route.probe(now_ms))
    }

    #[test]
    fn the_next_takes_over_until_the_better_one_answers() {
        let mut route = route();
        assert_eq!((picked(&route, 0), probed(&route, 0)), (Some("near"), None));
        route.failed(&url("near"), 0, None, 1.0);
        assert_eq!((picked(&route, 0), picked(&route, 9_999)), (Some("far"), Some("far")));
        assert_eq!((probed(&route, 249), probed(&route, 250)), (None, Some("near")));
        route.failed(&url("near"), 250, None, 1.0);
        assert_eq!((probed(&route, 749), probed(&route, 750)), (None, Some("near")));
        route.answered(&url("near"));
        assert_eq!((picked(&route, 750), probed(&route, 750)), (Some("near"), None));
        route.failed(&url("near"), 1_000, None, 1.0);
        assert_eq!(probed(&route, 1_250), Some("near"), "what failed long ago does not count");
        route.answered(&url("near"));
        route.failed(&url("far"), 2_000, None, 1.0);
        assert_eq!(probed(&route, 9_999), None, "who would not be used need not be asked");
    }

    #[test]
    fn when_all_fail_somebody_is_tried_soon() {
        let mut route = route();
        for now_ms in 0..20 {
            assert_eq!(route.is_cut_off(), now_ms > 0);
            route.failed(&url("near"), now_ms, None, 0.0);
            route.failed(&url("far"), now_ms, None, 1.0);
        }
        assert_eq!(picked(&route, 19), None);
        let back = |name| (19..).find(|now_ms| route.usable(*now_ms).any(|usable| usable.0 == name));
        assert!(back("near") < back("far"), "jitter spreads them");
        assert!(back("far").is_some_and(|far| far <= 19 + BACK_OFF_MAX_MS));
    }

    #[test]
    fn who_asks_for_time_gets_it() {
        let mut route = Route::new(vec![url("near")]);
        route.failed(&url("near"), 0, Some(30_000), 0.5);
        assert_eq!((picked(&route, 29_999), picked(&route, 30_000)), (None, Some("near")));
    }

    #[test]
    fn another_order_keeps_what_is_known() {
        let mut route = route();
        route.failed(&url("far"), 0, Some(1_000), 0.0);
        route.replace(vec![url("far"), url("new")]);
        assert_eq!((picked(&route, 0), probed(&route, 0), probed(&route, 1_000)), (Some("new"), None, Some("far")));
        assert!(route.has(&url("new")) && !route.has(&url("near")));
        route.remove(&url("new"));
        assert!(route.is_cut_off() && Route::default().is_cut_off());
    }
}

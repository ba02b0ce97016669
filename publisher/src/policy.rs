//! What to send next: a pure function of the ledger, of what is on its way, of the route and of the time.
//!
//! Live first: what was captured within the live window, oldest first. Then what is missing, oldest first, several
//! segments in one bundle. One place is always kept free for live; that missing bodies pause while a live one is on
//! its way is not decided here but done by those bodies.

use std::collections::BTreeSet;

use broadcast::{CapturedAt, Millis};
use serde::Deserialize;

use crate::ledger::{Ledger, SegmentName};
use crate::route::{RecorderUrl, Route};

/// How eagerly to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// How many uploads may be on their way at a time.
    pub parallel_max: usize,
    /// How many of them may be live ones: more would share the link and all be late.
    pub live_parallel_max: usize,
    /// For how long after its capture a segment is live, in milliseconds.
    pub live_window_ms: u32,
    /// For how long nothing of a live segment may move before another recorder is given it too, in milliseconds.
    pub hedge_after_ms: u32,
    /// The most bytes of missing segments in one request.
    pub bundle_bytes_max: u64,
    /// The most missing segments in one request.
    pub bundle_segments_max: usize,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            parallel_max: 4,
            live_parallel_max: 2,
            live_window_ms: 10_000,
            hedge_after_ms: 2_500,
            bundle_bytes_max: 4 << 20,
            bundle_segments_max: 32,
        }
    }
}

/// Why a segment is sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Live,
    Missing,
}

/// An upload on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InFlight {
    pub names: Vec<SegmentName>,
    pub class: Class,
    pub recorder: RecorderUrl,
    /// When the last of its bytes moved, by a clock that does not jump.
    pub moved_ms: i64,
}

/// An upload to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// One, or several missing ones.
    pub names: Vec<SegmentName>,
    pub class: Class,
    pub recorder: RecorderUrl,
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// By the clock that dates segments.
    pub now: CapturedAt,
    /// By a clock that does not jump.
    pub now_ms: i64,
    pub ledger: &'a Ledger,
    pub in_flight: &'a [InFlight],
    /// What was on its way in a request that broke off: it is not sent again before it is known whether it arrived.
    pub unsure: &'a BTreeSet<SegmentName>,
    pub route: &'a Route,
    /// What the link has carried lately.
    pub bytes_per_s: Option<f64>,
}

/// How long a bundle may take, by what the link has carried lately. A broken one loses no more than that.
const BUNDLE_SECS_MAX: f64 = 5.0;

/// What to begin now, in this order.
pub fn plan(situation: &Situation<'_>, config: &PolicyConfig) -> Vec<Start> {
    let mut planned = Planned { situation, config, starts: Vec::new() };
    planned.live();
    planned.hedges();
    planned.missing();
    planned.starts
}

struct Planned<'a> {
    situation: &'a Situation<'a>,
    config: &'a PolicyConfig,
    starts: Vec<Start>,
}

impl Planned<'_> {
    fn live(&mut self) {
        let names: Vec<_> = self.situation.ledger.owed_since(self.live_since()).cloned().collect();
        for name in names {
            if self.is_on_its_way(&name) {
                continue;
            }
            if self.count(Some(Class::Live)) >= self.config.live_parallel_max {
                return;
            }
            let Some(recorder) = self.pick(None) else { return };
            self.starts.push(Start { names: vec![name], class: Class::Live, recorder });
        }
    }

    /// A live segment that is stuck is given to another recorder as well: both may take it.
    fn hedges(&mut self) {
        let Situation { in_flight, ledger, now_ms, .. } = *self.situation;
        let stuck = in_flight.iter().filter(|upload| {
            let once = in_flight.iter().filter(|other| other.names == upload.names).count() == 1;
            let waits = now_ms - upload.moved_ms >= i64::from(self.config.hedge_after_ms);
            upload.class == Class::Live && once && waits && upload.names.iter().all(|name| ledger.is_owed(name))
        });
        for upload in stuck {
            if self.count(None) >= self.config.parallel_max {
                return;
            }
            let Some(recorder) = self.pick(Some(&upload.recorder)) else { return };
            self.starts.push(Start { names: upload.names.clone(), class: Class::Live, recorder });
        }
    }

    fn missing(&mut self) {
        while self.count(Some(Class::Missing)) < self.config.parallel_max - 1
            && self.count(None) < self.config.parallel_max
        {
            let names = self.bundle();
            if names.is_empty() {
                return;
            }
            let Some(recorder) = self.pick(None) else { return };
            self.starts.push(Start { names, class: Class::Missing, recorder });
        }
    }

    /// The oldest missing segments that are not on their way, as many as one request should hold.
    fn bundle(&self) -> Vec<SegmentName> {
        let Situation { ledger, bytes_per_s, .. } = *self.situation;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
        let by_link = bytes_per_s.map_or(0, |rate| (rate * BUNDLE_SECS_MAX) as u64);
        let bytes_max = self.config.bundle_bytes_max.min(by_link);
        let (mut names, mut bytes) = (Vec::new(), 0);
        let waiting = ledger.owed_before(self.live_since()).filter(|name| !self.is_on_its_way(name));
        for name in waiting.take(self.config.bundle_segments_max) {
            let (len, _) = ledger.size(name).unwrap_or_default();
            bytes += len;
            if !names.is_empty() && bytes > bytes_max {
                break;
            }
            names.push(name.clone());
        }
        names
    }

    fn live_since(&self) -> CapturedAt {
        self.situation.now - Millis(self.config.live_window_ms.into())
    }

    /// The best recorder. One that has failed lately is tried with one upload at a time.
    fn pick(&self, not: Option<&RecorderUrl>) -> Option<RecorderUrl> {
        let Situation { route, now_ms, .. } = *self.situation;
        let is_busy = |recorder: &RecorderUrl| self.recorders().any(|other| other == recorder);
        let may =
            |recorder: &&RecorderUrl| Some(*recorder) != not && (!route.is_doubtful(recorder) || !is_busy(recorder));
        route.usable(now_ms).find(may).cloned()
    }

    fn recorders(&self) -> impl Iterator<Item = &RecorderUrl> {
        let on_their_way = self.situation.in_flight.iter().map(|upload| &upload.recorder);
        on_their_way.chain(self.starts.iter().map(|start| &start.recorder))
    }

    fn is_on_its_way(&self, name: &SegmentName) -> bool {
        if self.situation.unsure.contains(name) {
            return true;
        }
        let on_their_way = self.situation.in_flight.iter().map(|upload| &upload.names);
        on_their_way.chain(self.starts.iter().map(|start| &start.names)).any(|names| names.contains(name))
    }

    /// How many uploads of a class there are, with those to begin.
    fn count(&self, class: Option<Class>) -> usize {
        let on_their_way = self.situation.in_flight.iter().map(|upload| upload.class);
        let all = on_their_way.chain(self.starts.iter().map(|start| start.class));
        all.filter(|other| class.is_none_or(|class| class == *other)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{ledger, name};

    const NEAR: &str = "near";
    const FAR: &str = "far";

    fn url(name: &str) -> RecorderUrl {
        RecorderUrl(name.to_owned())
    }

    /// What is on its way, and on what the last byte moved this long ago.
    fn upload(seqs: &[u64], class: Class, recorder: &str, moved_ms: i64) -> InFlight {
        InFlight { names: seqs.iter().map(|seq| name(*seq)).collect(), class, recorder: url(recorder), moved_ms }
    }

    struct Case {
        ledger: Ledger,
        in_flight: Vec<InFlight>,
        unsure: BTreeSet<SegmentName>,
        route: Route,
        bytes_per_s: Option<f64>,
    }

    impl Case {
        /// This many segments of two seconds and 1,000 bytes are owed, the last captured just now.
        fn owed(count: u64) -> Self {
            let route = Route::new(vec![url(NEAR), url(FAR)]);
            Self { ledger: ledger(count), in_flight: Vec::new(), unsure: BTreeSet::new(), route, bytes_per_s: None }
        }

        fn check(&self, expected: &[(Class, &str, &[u64])]) {
            self.check_at(0, expected);
        }

        #[track_caller]
        fn check_at(&self, now_ms: i64, expected: &[(Class, &str, &[u64])]) {
            let last = self.ledger.owed_count() as i64 * 2_000;
            let Self { ledger, in_flight, route, bytes_per_s, .. } = self;
            let (now, bytes_per_s) = (CapturedAt(last), *bytes_per_s);
            let unsure = &self.unsure;
            let situation = Situation { now, now_ms, ledger, in_flight, unsure, route, bytes_per_s };
            let starts = plan(&situation, &PolicyConfig::default());
            let found: Vec<_> = starts
                .iter()
                .map(|start| (start.class, start.recorder.0.as_str(), start.names.iter().map(|n| n.seq.0).collect()))
                .collect();
            let expected: Vec<(Class, &str, Vec<u64>)> =
                expected.iter().map(|(class, recorder, seqs)| (*class, *recorder, seqs.to_vec())).collect();
            assert_eq!(found, expected);
        }
    }

    use Class::{Live, Missing};

    #[test]
    fn nothing_owed_nothing_sent() {
        Case::owed(0).check(&[]);
    }

    #[test]
    fn live_comes_first_then_the_oldest() {
        // Ten seconds are five segments: 15 to 19 are live.
        Case::owed(20).check(&[(Live, NEAR, &[15]), (Live, NEAR, &[16]), (Missing, NEAR, &[0]), (Missing, NEAR, &[1])]);
    }

    #[test]
    fn one_place_is_kept_for_live() {
        let mut case = Case::owed(20);
        for seq in 15..20 {
            case.ledger.acknowledged(&name(seq), false);
        }
        let last = CapturedAt(40_000);
        let situation = Situation {
            now: last,
            now_ms: 0,
            ledger: &case.ledger,
            in_flight: &[],
            unsure: &BTreeSet::new(),
            route: &case.route,
            bytes_per_s: None,
        };
        let starts = plan(&situation, &PolicyConfig::default());
        assert_eq!(starts.len(), 3);
        assert!(starts.iter().all(|start| start.class == Missing));
    }

    #[test]
    fn missing_segments_go_in_bundles_that_the_link_can_carry() {
        let mut case = Case::owed(20);
        case.bytes_per_s = Some(1_000.0);
        case.check(&[
            (Live, NEAR, &[15]),
            (Live, NEAR, &[16]),
            (Missing, NEAR, &[0, 1, 2, 3, 4]),
            (Missing, NEAR, &[5, 6, 7, 8, 9]),
        ]);
    }

    #[test]
    fn what_is_on_its_way_is_not_sent_again() {
        let mut case = Case::owed(20);
        case.in_flight = vec![upload(&[15], Live, NEAR, 0), upload(&[0], Missing, NEAR, 0)];
        case.check(&[(Live, NEAR, &[16]), (Missing, NEAR, &[1])]);
    }

    #[test]
    fn what_may_have_arrived_is_asked_for_first() {
        let mut case = Case::owed(20);
        case.unsure = [name(15), name(0), name(1)].into();
        case.check(&[(Live, NEAR, &[16]), (Live, NEAR, &[17]), (Missing, NEAR, &[2]), (Missing, NEAR, &[3])]);
    }

    #[test]
    fn a_stuck_live_segment_is_given_to_another_recorder_once() {
        let mut case = Case::owed(1);
        case.in_flight = vec![upload(&[0], Live, NEAR, 0)];
        case.check_at(2_499, &[]);
        case.check_at(2_500, &[(Live, FAR, &[0])]);
        case.in_flight.push(upload(&[0], Live, FAR, 2_500));
        case.check_at(9_000, &[]);
    }

    #[test]
    fn a_doubtful_recorder_is_tried_with_one_upload() {
        let mut case = Case::owed(20);
        case.route = Route::new(vec![url(NEAR)]);
        case.route.failed(&url(NEAR), 0, None, 1.0);
        case.check_at(100, &[]);
        case.check_at(1_000, &[(Live, NEAR, &[15])]);
        case.route.answered(&url(NEAR));
        case.check_at(1_000, &[(Live, NEAR, &[15]), (Live, NEAR, &[16]), (Missing, NEAR, &[0]), (Missing, NEAR, &[1])]);
    }

    #[test]
    fn nothing_waits_for_a_doubtful_recorder_while_another_answers() {
        let mut case = Case::owed(2);
        case.route.failed(&url(NEAR), 0, None, 1.0);
        case.check_at(0, &[(Live, FAR, &[0]), (Live, FAR, &[1])]);
        case.check_at(60_000, &[(Live, FAR, &[0]), (Live, FAR, &[1])]);
        // When both are doubtful, each is tried with one upload.
        case.route.failed(&url(FAR), 0, None, 1.0);
        case.check_at(1_000, &[(Live, NEAR, &[0]), (Live, FAR, &[1])]);
    }
}

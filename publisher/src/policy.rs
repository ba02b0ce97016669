//! What to send next: a pure function of the ledger, of what is on its way, of the route and of the time.
//!
//! Live first: what was captured within the live window, oldest first; how long that is goes by each segment's own duration, as
//! does how long it may stand still. Then what is missing, oldest first, several
//! segments in one bundle. One place is always kept free for live; that missing bodies pause while a live one is on
//! its way is not decided here but done by those bodies.
//!
//! The phone publisher in the browser decides the same, in TypeScript: one table of cases is run against both.

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
    /// For how many times its own duration after its capture began a segment is live; and for how long at least and at most, in
    /// milliseconds.
    pub live_durations: u32,
    pub live_ms_min: u32,
    pub live_ms_max: u32,
    /// For which part of its own duration nothing of a live segment may move before another recorder is given it too, in
    /// percent; and for how long at least and at most, in milliseconds.
    pub hedge_after_percent: u32,
    pub hedge_after_ms_min: u32,
    pub hedge_after_ms_max: u32,
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
            live_durations: 5,
            live_ms_min: 10_000,
            live_ms_max: 60_000,
            hedge_after_percent: 125,
            hedge_after_ms_min: 1_000,
            hedge_after_ms_max: 10_000,
            bundle_bytes_max: 4 << 20,
            bundle_segments_max: 32,
        }
    }
}

impl PolicyConfig {
    /// For how long nothing of a segment of this duration may move before another recorder is given it too.
    pub(crate) fn hedge_after(&self, duration: Millis) -> Millis {
        let after = duration.0.saturating_mul(self.hedge_after_percent.into()) / 100;
        Millis(after.min(self.hedge_after_ms_max.into()).max(self.hedge_after_ms_min.into()))
    }

    /// For how long after its capture began a segment of this duration is live.
    fn live_for(&self, duration: Millis) -> Millis {
        let durations = duration.0.saturating_mul(self.live_durations.into());
        Millis(durations.min(self.live_ms_max.into()).max(self.live_ms_min.into()))
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
    /// What was on its way in a request that broke off: it is not sent again before it is known whether it arrived. And what is
    /// held back for its own sake.
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
        let Situation { ledger, now, .. } = *self.situation;
        let since = now - Millis(self.config.live_ms_max.max(self.config.live_ms_min).into());
        let names: Vec<_> = ledger.owed_since(since).filter(|name| self.is_live(name)).cloned().collect();
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
        let Situation { in_flight, ledger, now_ms, unsure, .. } = *self.situation;
        let may_go = |name: &SegmentName| ledger.is_owed(name) && !unsure.contains(name);
        let stuck = in_flight.iter().filter(|upload| {
            let once = in_flight.iter().filter(|other| other.names == upload.names).count() == 1;
            let after = self.config.hedge_after(ledger.longest(&upload.names));
            let waits = now_ms - upload.moved_ms >= after.0;
            upload.class == Class::Live && once && waits && upload.names.iter().all(may_go)
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
        let before = self.situation.now - Millis(self.config.live_ms_min.into());
        let missing = ledger.owed_before(before).filter(|name| !self.is_live(name));
        let waiting = missing.filter(|name| !self.is_on_its_way(name));
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

    fn is_live(&self, name: &SegmentName) -> bool {
        let Situation { ledger, now, .. } = *self.situation;
        let (_, duration) = ledger.size(name).unwrap_or_default();
        ledger.captured_at(name).is_some_and(|captured_at| captured_at >= now - self.config.live_for(duration))
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
mod tests;

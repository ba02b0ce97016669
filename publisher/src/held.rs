//! What is held back for its own sake, whichever recorder it would go to, and until when: what cannot be read from the spool,
//! and what is dated ahead of the recorders' clock. The others go on without it. Pure.

use std::collections::BTreeMap;

use broadcast::Millis;

use crate::ledger::SegmentName;

/// How long after the first time something is tried again; doubled each time, up to the longest.
const AGAIN_MIN_MS: i64 = 1_000;
const AGAIN_MAX_MS: i64 = 60_000;
/// For how long something may be unreadable, and the end waits for it.
const END_WAITS_MS: i64 = 600_000;
/// Less than this, it does not lie ahead: the clock of whoever says so is behind.
const AHEAD_MIN: Millis = Millis(2_000);
/// How much nearer a segment has to come before it is tried again: at least, and as a part of how far ahead it was.
const NEARER_MIN: Millis = Millis(1_000);
const NEARER_PART: i64 = 8;

/// What is held back of one broadcast.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    unreadable: BTreeMap<SegmentName, Unreadable>,
    /// What lies further ahead than this was refused for it, or would be.
    ahead_max: Option<Millis>,
}

#[derive(Clone, Debug)]
struct Unreadable {
    times: u32,
    /// By a clock that does not jump.
    since_ms: i64,
    again_ms: i64,
    why: String,
}

impl Held {
    /// It could not be read. `jitter` from 0 to 1 spreads what is tried again. Whether that is news.
    pub(crate) fn unreadable(&mut self, name: &SegmentName, why: String, now_ms: i64, jitter: f64) -> bool {
        let new = Unreadable { times: 0, since_ms: now_ms, again_ms: now_ms, why: String::new() };
        let known = self.unreadable.entry(name.clone()).or_insert(new);
        // It may have been on its way twice.
        if now_ms >= known.again_ms {
            let doubled = (AGAIN_MIN_MS << known.times.min(16)).min(AGAIN_MAX_MS);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most a minute")]
            let back_off = (doubled as f64 * (0.5 + jitter / 2.0)) as i64;
            (known.times, known.again_ms) = (known.times.saturating_add(1), now_ms + back_off);
        }
        known.why = why;
        known.times == 1
    }

    /// What is not needed any more is forgotten. Whether it could not be read.
    pub(crate) fn forget(&mut self, name: &SegmentName) -> bool {
        self.unreadable.remove(name).is_some()
    }

    pub(crate) fn retain(&mut self, is_needed: impl Fn(&SegmentName) -> bool) {
        self.unreadable.retain(|name, _| is_needed(name));
    }

    /// Refused for being so far ahead of the recorders' clock. `false` if that is not so.
    pub(crate) fn refused_ahead(&mut self, ahead: Millis) -> bool {
        if ahead < AHEAD_MIN {
            return false;
        }
        let nearer = ahead - NEARER_MIN.max(Millis(ahead.0 / NEARER_PART));
        self.ahead_max = Some(self.ahead_max.map_or(nearer, |max| max.min(nearer)));
        true
    }

    /// Whether anything was refused for lying ahead.
    pub(crate) fn looks_ahead(&self) -> bool {
        self.ahead_max.is_some()
    }

    /// Whether what is so far ahead waits until it has come nearer.
    pub(crate) fn lies_ahead(&self, ahead: Millis) -> bool {
        self.ahead_max.is_some_and(|max| ahead > max)
    }

    /// What could not be read and is not tried again yet.
    pub(crate) fn resting(&self, now_ms: i64) -> impl Iterator<Item = &SegmentName> {
        self.unreadable.iter().filter(move |(_, known)| now_ms < known.again_ms).map(|(name, _)| name)
    }

    /// What could not be read, and why.
    pub(crate) fn not_read(&self) -> impl Iterator<Item = (&SegmentName, &str)> {
        self.unreadable.iter().map(|(name, known)| (name, known.why.as_str()))
    }

    /// Whether it could not be read for so long that the end does not wait for it.
    pub(crate) fn is_given_up(&self, name: &SegmentName, now_ms: i64) -> bool {
        self.unreadable.get(name).is_some_and(|known| now_ms - known.since_ms >= END_WAITS_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::name;

    #[test]
    fn what_cannot_be_read_is_tried_again_with_growing_pauses() {
        let (mut held, mut now_ms, mut tried) = (Held::default(), 0, Vec::new());
        while now_ms < 200_000 {
            tried.push(now_ms / 1_000);
            assert_eq!(held.unreadable(&name(0), "EIO".to_owned(), now_ms, 1.0), now_ms == 0);
            // Another attempt that was on its way as well.
            assert_eq!(held.unreadable(&name(0), "EIO".to_owned(), now_ms, 1.0), now_ms == 0);
            now_ms = (now_ms..).find(|now_ms| held.resting(*now_ms).count() == 0).expect("it is tried again");
        }
        assert_eq!(tried, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        let mut sooner = Held::default();
        sooner.unreadable(&name(0), String::new(), 0, 0.0);
        assert_eq!((sooner.resting(499).count(), sooner.resting(500).count()), (1, 0));
        assert!(held.forget(&name(0)) && !held.forget(&name(0)));
    }

    #[test]
    fn the_end_waits_for_it_for_ten_minutes() {
        let mut held = Held::default();
        held.unreadable(&name(0), "EIO".to_owned(), 5_000, 1.0);
        held.unreadable(&name(0), "EIO".to_owned(), 604_999, 1.0);
        assert_eq!((held.is_given_up(&name(0), 604_999), held.is_given_up(&name(0), 605_000)), (false, true));
        assert!(!held.is_given_up(&name(1), i64::MAX));
    }

    /// A recorder takes what is up to a minute ahead.
    #[test]
    fn what_lies_ahead_comes_nearer_before_it_is_tried_again() {
        for began_ms in [61_000, 90_000, 7_200_000] {
            let (mut held, mut tried) = (Held::default(), 0);
            let taken_ms = (0..).map(|ms| began_ms - ms).find(|ahead_ms| {
                let ahead = Millis(*ahead_ms);
                if held.lies_ahead(ahead) {
                    return false;
                }
                tried += 1;
                ahead_ms <= &60_000 || !held.refused_ahead(ahead)
            });
            let taken_ms = taken_ms.expect("it is taken");
            assert!((52_500..=60_000).contains(&taken_ms) && tried < 40, "{began_ms}: {taken_ms} after {tried}");
        }
        let mut held = Held::default();
        assert!(!held.refused_ahead(Millis(1_999)) && !held.looks_ahead() && !held.lies_ahead(Millis(i64::MAX)));
    }
}

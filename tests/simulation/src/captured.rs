//! When segments of phones were captured, by the log: not far from the truth, however wrong the clocks of phones and recorders
//! are. All recorders agree on the metadata store's time, which is never wrong here, and publishers measure theirs against it.

use std::sync::{Arc, Mutex};

use broadcast::{Broadcast, CapturedAt, Millis};
use service::Clock;
use tokio::time::Instant;

use crate::network::{lock, tokio_now};
use crate::phone::Phone;
use crate::truth::Truth;

/// How wrong the offset that a publisher uses may be. An answer is waited for 2.5 s (`probe_max_ms`), and is wrong by half of that
/// at most. What is in use is kept until it is proved wrong by more than a second and what the better answer may be wrong by
/// (`publisher/src/offset.rs`).
const MEASURED_WRONG_BY: Millis = Millis(1_000 + 2 * 1_250);
/// Clocks are read in whole milliseconds.
const ROUNDING: Millis = Millis(5);

/// The runs of a phone's app, and when somebody has set its clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// When each began, and whether it was cut short.
    lives: Vec<(Instant, bool)>,
    sets: Vec<Instant>,
}

impl Lives {
    pub(crate) fn begins(&self) {
        lock(&self.0).lives.push((tokio_now(), false));
    }

    pub(crate) fn is_cut_short(&self) {
        if let Some((_, is_cut_short)) = lock(&self.0).lives.last_mut() {
            *is_cut_short = true;
        }
    }

    pub(crate) fn clock_is_set(&self) {
        lock(&self.0).sets.push(tokio_now());
    }

    /// Whether the publisher can know when something was captured at this moment. How its clock was set between two runs is
    /// known to nobody, nor how it was in the last moments of one that was cut short (docs/design/publisher.md, *Not known*).
    fn knows(&self, captured: Instant) -> bool {
        let state = lock(&self.0);
        let Some((began, is_cut_short)) = state.lives.iter().rfind(|(began, _)| *began <= captured) else {
            return false;
        };
        !is_cut_short || state.sets.iter().all(|set| set < began)
    }
}

/// What the log says of all segments of a phone; `clock` is never wrong.
pub(crate) fn judge(phone: &Phone, broadcast: &Broadcast, clock: &Clock, truth: &Truth) {
    let (now, now_ms) = (clock.instant(), clock.now_ms());
    for (name, captured) in truth.captured_of(phone.id) {
        let found = broadcast.rendition(&name.rendition).and_then(|rendition| rendition.segment(name.seq));
        let Some(segment) = found.filter(|_| phone.lives.knows(captured)) else { continue };
        let ago_ms = i64::try_from(now.duration_since(captured).as_millis()).expect("a world is not that old");
        let off = segment.captured_at - CapturedAt(now_ms - ago_ms);
        if off.abs() > MEASURED_WRONG_BY + ROUNDING {
            truth.violated(format!(
                "{} {} {} is said to be captured {} ms after it was",
                phone.id, name.rendition, name.seq, off.0
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_nobody_can_know_is_not_asked_for() {
        let began = tokio_now();
        let at = |s| began + Duration::from_secs(s);
        // Set at 15 s; lives from 0, 10 and 20 s on, of which the last one ends well.
        let state = State { lives: vec![(at(0), true), (at(10), true), (at(20), false)], sets: vec![at(15)] };
        let lives = Lives(Arc::new(Mutex::new(state)));
        assert_eq!([5, 12, 17, 25].map(|s| lives.knows(at(s))), [false, false, false, true]);
        lock(&lives.0).sets.clear();
        assert_eq!([5, 12, 17, 25].map(|s| lives.knows(at(s))), [true; 4]);
        lock(&lives.0).sets.push(at(30));
        lock(&lives.0).lives[2].1 = true;
        assert!(!lives.knows(at(25)));
    }
}

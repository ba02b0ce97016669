//! When a segment was captured, for senders that do not say: arrival time for the first, media timestamps from there.
//!
//! Timestamps are believed as long as they go on. Where they break, and where the sender has lost time without
//! breaking them (a suspended machine), the time of arrival takes over.

use broadcast::{CapturedAt, Container, MediaDuration, MediaTime, Millis, Segment};

/// Timestamps that go back or ahead by more than this are not the same timeline.
const BACK_MAX: Millis = Millis(500);
const AHEAD_MAX: Millis = Millis(3_600_000);
/// How far two renditions' segments may be apart and still be on one timeline.
const SIBLING_MAX: Millis = Millis(20_000);
/// A sender that arrives this late...
const LAG_MAX: Millis = Millis(10_000);
/// ... for this many segments on end, without catching up, has lost time.
const LAGGING_SEGMENTS: usize = 5;
/// Catching up means gaining at least this between two segments.
const GAIN_MIN: Millis = Millis(200);

/// A segment whose capture time is to be found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unplaced {
    pub(crate) container: Container,
    pub(crate) media_start: MediaTime,
    pub(crate) duration: MediaDuration,
    /// By the recorder's clock, in milliseconds since the Unix epoch.
    pub(crate) arrived_ms: i64,
}

/// The capture clock of one rendition: remembers how late its latest segments were.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaptureClock {
    lags: Vec<Millis>,
}

impl CaptureClock {
    /// `before` is the rendition's nearest segment before this one, `sibling` the latest of another rendition.
    pub(crate) fn place(&mut self, new: &Unplaced, before: Option<&Segment>, sibling: Option<&Segment>) -> CapturedAt {
        if let Some(placed) = beside(new, before, sibling) {
            self.lags.clear();
            return placed;
        }
        let arrival = CapturedAt(new.arrived_ms) - new.duration.millis();
        let after = |start: CapturedAt| before.map_or(start, |before| start.max(before.captured_end()));
        let Some(placed) = by_timestamps(new, before, sibling) else {
            self.lags.clear();
            return after(arrival);
        };
        if self.has_lost_time(arrival - placed) { after(arrival) } else { placed }
    }

    fn has_lost_time(&mut self, lag: Millis) -> bool {
        let catches_up = self.lags.last().is_some_and(|last| *last - lag >= GAIN_MIN);
        if lag < LAG_MAX || catches_up {
            self.lags.clear();
        }
        self.lags.push(lag);
        let lost = lag >= LAG_MAX && self.lags.len() > LAGGING_SEGMENTS;
        if lost {
            self.lags.clear();
        }
        lost
    }
}

/// Where the same moment of another rendition has been placed already: they stay together, whatever this one would have
/// made of its arrival.
fn beside(new: &Unplaced, before: Option<&Segment>, sibling: Option<&Segment>) -> Option<CapturedAt> {
    let sibling = sibling?;
    let ahead = -since(new, sibling)?.0;
    let placed = sibling.captured_at - Millis(ahead);
    let follows = before.is_none_or(|before| placed >= before.captured_end() - BACK_MAX);
    ((0..=new.duration.millis().0).contains(&ahead) && follows).then_some(placed)
}

fn by_timestamps(new: &Unplaced, before: Option<&Segment>, sibling: Option<&Segment>) -> Option<CapturedAt> {
    let continued = before.and_then(|before| {
        let since = since(new, before)?;
        let gap = since - before.duration.millis();
        (-BACK_MAX.0..=AHEAD_MAX.0).contains(&gap.0).then(|| before.captured_at + since)
    });
    continued.or_else(|| {
        let sibling = sibling?;
        let since = since(new, sibling)?;
        let placed = sibling.captured_at + since;
        // One that belongs to an earlier run of the sender may place it among what that run has sent.
        let follows = before.is_none_or(|before| placed >= before.captured_end() - BACK_MAX);
        (follows && since.abs() <= SIBLING_MAX).then_some(placed)
    })
}

/// How much later by the media's timestamps `new` starts than `old`.
fn since(new: &Unplaced, old: &Segment) -> Option<Millis> {
    if new.container != old.container {
        return None;
    }
    let container = match new.container {
        Container::Ts => media::Container::MpegTs,
        Container::M4s => media::Container::Fmp4,
    };
    let at = |time: MediaTime| media::MediaTime::from_ticks(time.0);
    Some(Millis(at(new.media_start).since(at(old.media_start), container).div_euclid(90)))
}

#[cfg(test)]
mod tests {
    use broadcast::{Digest, FormatId, RenditionName, Seq};

    use super::*;

    const ARRIVED: i64 = 1_790_000_000_000;

    fn unplaced(media_s: i64, arrived_s: i64) -> Unplaced {
        Unplaced {
            container: Container::Ts,
            media_start: MediaTime(media_s * 90_000),
            duration: MediaDuration::from_millis(2_000),
            arrived_ms: ARRIVED + arrived_s * 1000,
        }
    }

    fn stored(new: &Unplaced, captured_at: CapturedAt) -> Segment {
        Segment {
            rendition: RenditionName::main(),
            seq: Seq(0),
            captured_at,
            duration: new.duration,
            digest: Digest([0; 16]),
            len: 1,
            container: new.container,
            format: FormatId([0; 8]),
            media_start: new.media_start,
            keyframe_start: true,
            cuts: vec![],
            pushed: None,
        }
    }

    /// Feeds (media second, arrival second) pairs; gives the capture second of each.
    fn check(segments: &[(i64, i64)], expected: &[i64]) {
        let (mut clock, mut before, mut found) = (CaptureClock::default(), None, Vec::new());
        for (media_s, arrived_s) in segments {
            let new = unplaced(*media_s, *arrived_s);
            let at = clock.place(&new, before.as_ref(), None);
            before = Some(stored(&new, at));
            found.push((at.0 - ARRIVED) / 1000);
        }
        assert_eq!(found, expected, "{segments:?}");
    }

    #[test]
    fn timestamps_count_from_the_first_arrival() {
        check(&[(100, 2), (102, 4), (104, 7), (106, 8)], &[0, 2, 4, 6]);
    }

    #[test]
    fn a_burst_after_a_stall_of_the_network_keeps_its_times() {
        check(&[(0, 2), (2, 40), (4, 40), (6, 41), (8, 41), (10, 41), (12, 42)], &[0, 2, 4, 6, 8, 10, 12]);
    }

    #[test]
    fn a_restart_goes_by_its_arrival_but_never_before_what_was() {
        check(&[(100, 2), (102, 4), (0, 30), (2, 32)], &[0, 2, 28, 30]);
        check(&[(100, 2), (0, 2)], &[0, 2]);
    }

    #[test]
    fn a_sender_that_lost_time_is_set_right() {
        let late = [(0, 2), (2, 64), (4, 66), (6, 68), (8, 70), (10, 72), (12, 74), (14, 76)];
        check(&late, &[0, 2, 4, 6, 8, 10, 72, 74]);
    }

    #[test]
    fn renditions_that_have_lost_time_are_set_right_together() {
        let (mut clocks, mut last) = ([CaptureClock::default(), CaptureClock::default()], [None, None]);
        // One of them was late before.
        let late = [(0, 2), (2, 64), (4, 66), (6, 68), (8, 70), (10, 72), (12, 74), (14, 76), (16, 78)];
        clocks[1].lags = vec![LAG_MAX; LAGGING_SEGMENTS - 2];
        for (media_s, arrived_s) in late {
            for of in 0..2 {
                let new = unplaced(media_s, arrived_s);
                let at = clocks[of].place(&new, last[of].as_ref(), last[1 - of].as_ref());
                last[of] = Some(stored(&new, at));
            }
            assert_eq!(last[0], last[1], "at {media_s} s");
        }
    }

    #[test]
    fn a_sibling_of_an_earlier_run_says_nothing() {
        // A run of ten seconds, and a minute later another whose timestamps begin where the first one's did.
        let first = unplaced(0, 2);
        let sibling = stored(&unplaced(8, 10), CapturedAt(ARRIVED + 8_000));
        let before = stored(&first, CapturedAt(ARRIVED + 8_000));
        let again = unplaced(0, 70);
        let at = CaptureClock::default().place(&again, Some(&before), Some(&sibling));
        assert_eq!(at, CapturedAt(ARRIVED + 68_000));
        // Its own sibling, once that is there, tells more exactly.
        let sibling = stored(&unplaced(0, 69), CapturedAt(ARRIVED + 67_000));
        let at = CaptureClock::default().place(&again, Some(&before), Some(&sibling));
        assert_eq!(at, CapturedAt(ARRIVED + 67_000));
    }

    #[test]
    fn renditions_share_a_timeline() {
        let video = unplaced(100, 2);
        let sibling = stored(&video, CaptureClock::default().place(&video, None, None));
        let audio = unplaced(100, 3);
        let at = CaptureClock::default().place(&audio, None, Some(&sibling));
        assert_eq!(at, sibling.captured_at);
    }
}

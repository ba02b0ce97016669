//! Each story is told by one run after the other, which know of each other only what was kept.

use super::*;

/// What our clock says when a story begins, and how far theirs is ahead of it.
const WALL: i64 = 1_790_000_000_000;
const AHEAD: i64 = 5_000;

/// One run, at some moment.
struct Run {
    times: Times,
    /// How long since the story began, what of that was before this run, and by how much our clock was set since it began.
    now_ms: i64,
    began_ms: i64,
    set_by_ms: i64,
    log: Vec<CapturedAt>,
}

impl Run {
    fn first() -> Self {
        Self { times: Times::default(), now_ms: 0, began_ms: 0, set_by_ms: 0, log: Vec::new() }
    }

    /// The next one, after so long.
    fn next(self, after_ms: i64) -> Self {
        let now_ms = self.now_ms + after_ms;
        let mut times = Times::read(&self.times.text()).expect("it was kept");
        (0..).zip(&self.log).for_each(|(at, ended)| times.earlier(EventIndex(at), *ended));
        Self { times, now_ms, began_ms: now_ms, ..self }
    }

    /// The same, and the disk does not let it read what was kept.
    fn next_in_the_dark(self, after_ms: i64) -> (Self, Times) {
        let mut run = self.next(after_ms);
        let kept = std::mem::replace(&mut run.times, Times::unread());
        (0..).zip(&run.log).for_each(|(at, ended)| run.times.earlier(EventIndex(at), *ended));
        (run, Times::read(&kept.text()).expect("it was kept"))
    }

    /// Now it does.
    fn find(mut self, kept: Times) -> Self {
        self.times.found(kept, self.clocks());
        self
    }

    fn clocks(&self) -> Clocks {
        let running = CapturedAt(self.now_ms - self.began_ms);
        Clocks { wall: CapturedAt(WALL + self.now_ms + self.set_by_ms), running }
    }

    fn dates(&mut self) -> CapturedAt {
        self.now_ms += 2_000;
        self.log.push(self.clocks().wall);
        self.clocks().wall
    }

    /// Records so many segments, of two seconds each.
    fn record(mut self, count: usize) -> Self {
        for _ in 0..count {
            let ended = self.dates();
            self.recorded(ended, DatedBy::Clock);
        }
        self
    }

    /// The same with an encoder whose timestamps go on, whatever is done to our clock, from where the last one ended.
    fn record_by_timestamps(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.now_ms += 2_000;
            let ended = *self.log.last().expect("the first one is dated by our clock") + Millis(2_000);
            self.log.push(ended);
            self.recorded(ended, self.goes_on());
        }
        self
    }

    /// With the timeline of the one before.
    fn goes_on(&self) -> DatedBy {
        DatedBy::Timestamps(EventIndex(self.log.len() as u64 - 2))
    }

    /// A segment of two seconds that goes on, by its timestamps, with the timeline of the one at this place, and ends now.
    fn record_by_timestamps_of(mut self, before: usize) -> Self {
        self.now_ms += 2_000;
        let later_ms = 2_000 * (self.log.len() - before) as i64;
        let ended = self.log[before] + Millis(later_ms);
        self.log.push(ended);
        self.recorded(ended, DatedBy::Timestamps(EventIndex(before as u64)));
        self
    }

    fn recorded(&mut self, ended: CapturedAt, dated_by: DatedBy) {
        self.times.recorded(EventIndex(self.log.len() as u64 - 1), ended, dated_by, self.clocks());
    }

    fn set(mut self, by_ms: i64) -> Self {
        self.set_by_ms += by_ms;
        self
    }

    /// A recorder answers, which is ahead of the others by so much.
    fn hear(mut self, ahead_ms: i64) -> Self {
        let theirs = WALL + self.now_ms + AHEAD + ahead_ms;
        self.times.learned(CapturedAt(theirs) - self.clocks().running, self.clocks());
        self
    }

    /// How long after the story began each segment ended, by what is told.
    fn told(&self) -> Vec<Option<i64>> {
        let told = |(at, ended): (u64, &CapturedAt)| Some((*ended + self.times.get(EventIndex(at))?).0 - WALL - AHEAD);
        (0..).zip(&self.log).map(told).collect()
    }

    fn notes(&self) -> usize {
        self.times.notes.len()
    }
}

#[track_caller]
fn check(run: &Run, told_s: &[i64]) {
    let told_s: Vec<_> = told_s.iter().map(|s| Some(s * 1_000)).collect();
    assert_eq!(run.told(), told_s, "{}", run.times.text());
}

#[test]
fn nothing_is_told_before_a_recorder_has_answered() {
    let run = Run::first().record(2);
    assert_eq!(run.told(), [None, None]);
    check(&run.hear(0).record(1), &[2, 4, 6]);
}

#[test]
fn a_clock_that_is_set_moves_nothing() {
    for by_ms in [-7_200_000, -5_000, 5_000, 7_200_000] {
        let run = Run::first().record(2).set(by_ms).record(1).hear(0).record(1).set(by_ms).record(1).hear(0);
        check(&run, &[2, 4, 6, 8, 10]);
        // Nor does what another run measures.
        check(&run.next(1_000).set(by_ms).hear(1_000).record(1), &[2, 4, 6, 8, 10, 14]);
    }
}

#[test]
fn an_offset_that_proved_wrong_counts_from_the_next_segment_on() {
    let run = Run::first().hear(0).record(2).hear(3_000).record(1);
    check(&run, &[2, 4, 9]);
    check(&run.next(10_000).hear(7_000), &[2, 4, 9]);
    // Also for what timestamps date, on each timeline once.
    let run = Run::first().hear(0).record(2).hear(3_000).record_by_timestamps_of(1).record_by_timestamps_of(0);
    check(&run.record_by_timestamps(2), &[2, 4, 9, 11, 13, 15]);
}

#[test]
fn what_no_run_has_learned_goes_with_the_next_ones() {
    let run = Run::first().hear(0).record(1).next(1_000).record(1).next(1_000).record(1).hear(2_000);
    check(&run, &[2, 7, 10]);
    check(&run.next(1_000).hear(9_000), &[2, 7, 10]);
    // Nothing was kept: as before there were notes.
    let mut run = Run::first().hear(0).record(2);
    run.times = Times::default();
    check(&run.next(1_000).hear(1_000), &[3, 5]);
}

#[test]
fn nothing_lies_ahead() {
    // By a run that has not learned it, and a clock that was set back after it.
    let run = Run::first().record(2).set(-7_200_000).next(1_000).hear(0);
    check(&run, &[3, 5]);
    check(&run.next(1_000).hear(0), &[3, 5]);
    // While it was recorded.
    let mut run = Run::first().hear(0).record(1);
    let ended = run.dates();
    run = run.set(-7_200_000);
    run.recorded(ended, DatedBy::Clock);
    check(&run.record(1), &[2, 4, 6]);
    // The power went before that was noted.
    for lost in [1, 2] {
        let mut run = Run::first().hear(0).record(2).set(7_200_000);
        for _ in 0..lost {
            run.dates();
        }
        run = run.next(1_000).hear(0).record(1);
        let expected: &[i64] = if lost == 1 { &[2, 4, 7, 9] } else { &[2, 4, 7, 9, 11] };
        check(&run, expected);
        assert!(run.notes() <= 4, "{}", run.times.text());
        check(&run.next(1_000).hear(0), expected);
    }
}

#[test]
fn a_clock_that_is_read_late_was_not_set() {
    let mut run = Run::first().hear(0);
    for late_ms in [0, 40, 0, 90] {
        let ended = run.dates();
        let clocks = Clocks { wall: run.clocks().wall + Millis(late_ms), ..run.clocks() };
        run.times.recorded(EventIndex(run.log.len() as u64 - 1), ended, DatedBy::Clock, clocks);
    }
    assert_eq!(run.notes(), 1);
    assert_eq!(run.next(1_000).hear(20).record(3).notes(), 1);
}

#[test]
fn a_clock_that_is_set_moves_nothing_that_timestamps_date() {
    for by_ms in [-7_200_000, -5_000, -500, 500, 5_000, 7_200_000] {
        for is_known in [true, false] {
            let mut run = Run::first();
            if is_known {
                run = run.hear(0);
            }
            let run = run.record(1).record_by_timestamps(1).set(by_ms).record_by_timestamps(3).hear(0);
            check(&run, &[2, 4, 6, 8, 10]);
            assert_eq!(run.notes(), 1, "{}", run.times.text());
            // Another one starts, and is dated by our clock as it is now. That is set again.
            let run = run.record(1).set(by_ms).record_by_timestamps(2);
            check(&run, &[2, 4, 6, 8, 10, 12, 14, 16]);
            assert_eq!(run.notes(), 2, "{}", run.times.text());
            // Nor does what another run measures.
            check(&run.next(1_000).hear(1_000), &[2, 4, 6, 8, 10, 12, 14, 16]);
        }
    }
}

/// Two encoders, each with timestamps of its own; the second one starts after our clock was set.
#[test]
fn timestamps_go_on_from_where_they_were_whatever_else_is_dated_meanwhile() {
    for by_ms in [-7_200_000, -5_000, 5_000, 7_200_000] {
        for is_known in [true, false] {
            let mut run = Run::first();
            if is_known {
                run = run.hear(0);
            }
            run = run.record(1).record_by_timestamps(1).set(by_ms).record_by_timestamps(1).record(1);
            // The first one goes on, then the second one, then a late one of the first.
            for before in [2, 3, 4] {
                run = run.record_by_timestamps_of(before);
            }
            let run = run.hear(0);
            check(&run, &[2, 4, 6, 8, 10, 12, 14]);
            check(&run.next(1_000).hear(1_000), &[2, 4, 6, 8, 10, 12, 14]);
        }
    }
}

/// The encoder does not know that we were killed.
#[test]
fn timestamps_go_on_from_where_they_were_in_the_run_before() {
    for by_ms in [-7_200_000, -5_000, 0, 5_000, 7_200_000] {
        let before = || Run::first().hear(0).record(1).set(by_ms).record_by_timestamps(1);
        // Whatever is measured now, and before or after that.
        check(&before().next(1_000).hear(900).record_by_timestamps(2), &[2, 4, 6, 8]);
        let run = before().next(1_000).record_by_timestamps(2).hear(900).record_by_timestamps(1);
        check(&run, &[2, 4, 6, 8, 10]);
        check(&run.next(0).set(by_ms).record_by_timestamps(1).hear(0), &[2, 4, 6, 8, 10, 12]);
    }
}

#[test]
fn notes_that_are_read_late_count_as_if_they_had_been_there() {
    for by_ms in [-7_200_000, -5_000, 5_000, 7_200_000] {
        let before = || Run::first().hear(0).record(1).set(by_ms).record_by_timestamps(1);
        for is_known in [true, false] {
            let (mut run, kept) = before().next_in_the_dark(0);
            if is_known {
                run = run.hear(900);
            }
            let run = run.record_by_timestamps(1).record(1).set(by_ms).find(kept).record_by_timestamps(1).hear(900);
            let told: Vec<_> = run.told().into_iter().flatten().collect();
            assert_eq!(told, [2_000, 4_000, 6_000, 8_900, 10_900], "{by_ms} {is_known} {}", run.times.text());
            assert!(!run.times.is_unread());
        }
    }
    // There were none after all.
    let (run, _) = Run::first().record(1).next_in_the_dark(0);
    check(&run.record(1).hear(0).find(Times::default()), &[2, 4]);
}

/// What comes late for lack of a network was not moved, whether or not our clock was set before.
#[test]
fn timestamps_that_come_late_move_nothing() {
    for by_ms in [-5_000, 0, 5_000] {
        let mut run = Run::first().hear(0).record(1).set(by_ms).record_by_timestamps(1);
        run.now_ms += 40_000;
        for _ in 0..20 {
            run = run.record_by_timestamps(1);
            run.now_ms -= 2_000;
        }
        run = run.record_by_timestamps(2);
        check(&run, &(1..=24).map(|nth| nth * 2).collect::<Vec<_>>());
        assert_eq!(run.notes(), 1, "{}", run.times.text());
    }
}

#[test]
fn timestamps_date_what_is_as_much_later_as_its_media() {
    let segment = |captured_ms, ticks| Segment {
        captured_at: CapturedAt(WALL + captured_ms),
        media_start: broadcast::MediaTime(ticks),
        ..crate::ledger::tests::segment(0)
    };
    let before = [segment(0, TICKS - 90_000), segment(700, 5)];
    let on_from = |place| DatedBy::Timestamps(EventIndex(place));
    let cases = [
        (2_000, 90_000, on_from(7)),
        (2_001, 90_089, on_from(7)),
        (2_700, 180_005, on_from(9)),
        // A lost one between them.
        (9_000, 720_000, on_from(7)),
        (-1_000, TICKS - 180_000, on_from(7)),
        (2_005, 90_000, DatedBy::Clock),
        (7_000, 90_000, DatedBy::Clock),
        (2_000, 7_000_000, DatedBy::Clock),
        (2_000, i64::MAX, DatedBy::Clock),
        (2_000, i64::MIN, DatedBy::Clock),
    ];
    for (captured_ms, ticks, expected) in cases {
        let before = [7, 9].map(EventIndex).into_iter().zip(&before);
        assert_eq!(DatedBy::of(&segment(captured_ms, ticks), before), expected, "{captured_ms} {ticks}");
    }
    // The latest of those that it may go on from.
    let both = [9, 7].map(EventIndex).into_iter().zip([&before[0]; 2]);
    assert_eq!(DatedBy::of(&segment(2_000, 90_000), both), on_from(9));
    assert_eq!(DatedBy::of(&before[0], [].into_iter()), DatedBy::Clock);
}

/// Timestamps go on, whatever is done to our clock: a segment is dated by those of the one before.
#[test]
fn an_encoder_whose_segments_come_unevenly_needs_no_note_of_each() {
    let mut run = Run::first().hear(0).record(1).set(-7_200_000);
    for early_ms in [0, 300, -200, 900, 100] {
        run.now_ms += 2_000;
        let ended = CapturedAt(WALL + run.now_ms + early_ms);
        run.log.push(ended);
        run.recorded(ended, run.goes_on());
    }
    assert_eq!(run.notes(), 1);
    assert_eq!(run.told(), [2_000, 4_000, 6_300, 7_800, 10_900, 12_100].map(Some));
}

/// What was lost of the log is recorded anew, at the same places.
#[test]
fn a_place_that_comes_again_has_a_note_of_its_own() {
    let mut run = Run::first().hear(0).record(2).set(60_000).record(2);
    assert_eq!(run.told()[2..], [Some(6_000), Some(8_000)]);
    run.log.truncate(1);
    let run = run.next(0).set(-60_000).hear(0).record(3);
    assert_eq!(run.notes(), 1, "{}", run.times.text());
    check(&run, &[2, 10, 12, 14]);
}

#[test]
fn a_run_that_records_nothing_leaves_no_note() {
    let run = Run::first().hear(0).next(1_000).hear(0).next(1_000);
    assert_eq!(run.times.text().lines().count(), 1);
}

#[test]
fn what_cannot_be_read_is_not_believed() {
    let good = Run::first().hear(0).record(1).set(5_000).record(1).next(0).record(1).times;
    let text = good.text();
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["0 5000", "1 0", "2 ?"]);
    assert_eq!(Times::read(&text).expect("notes").text(), text);
    for bad in ["x", "1", "1 ", "1 x", "-1 5", "1 5 6", "0 5000", "\0\0", "7 9000000000000000000"] {
        assert!(Times::read(&format!("{text}{bad}\n")).is_err(), "{bad:?}");
    }
}

#[test]
fn there_are_only_so_many() {
    let mut run = Run::first().hear(0);
    for _ in 0..NOTES_MAX + 10 {
        run = run.record(1).set(1_000);
    }
    assert_eq!(run.notes(), NOTES_MAX);
    let told = run.told();
    assert_eq!(told[10..], (11..).map(|nth| Some(nth * 2_000)).take(NOTES_MAX).collect::<Vec<_>>());
}

//! Pushers as they are: what their names and playlists become.

use broadcast::{Event, EventIndex, LogEntry, Segment, StoreTime};

use super::*;
use crate::tests::{opened, segment};

const START: CapturedAt = CapturedAt(1_790_000_000_000);

/// A broadcast and its pusher's numbering.
struct Push {
    broadcast: Broadcast,
    numbering: Numbering,
    now: CapturedAt,
}

impl Push {
    fn new() -> Self {
        let first = LogEntry { index: EventIndex(0), at: StoreTime(0), event: Event::Opened(opened()) };
        Self { broadcast: Broadcast::open(&first).expect("opened"), numbering: Numbering::default(), now: START }
    }

    /// Time goes by.
    fn after_secs(&mut self, secs: u32) {
        self.now = self.now + Millis::from_secs(secs);
    }

    fn playlist(&mut self, first: u64, names: &[&str]) {
        let numbers = names.iter().map(ToString::to_string).zip(first..).collect();
        let hint = MediaHint { numbers, map: None, first: Some(first), closed: false };
        self.numbering.learn(&RenditionName::main(), &hint);
    }

    fn apply(&mut self, event: Event) {
        let entry = LogEntry { index: self.broadcast.next_index(), at: StoreTime(1), event };
        self.broadcast.apply(&entry).expect("in order");
    }

    /// Pushes `name` with content `content`: the number it gets, if its name says enough.
    fn segment(&mut self, name: &str, content: u8) -> Option<Numbered> {
        let named = self.numbering.told(name)?;
        let digest = Digest([content; 16]);
        let arrival = Arrival { at: self.now, may_be_overtaken: false };
        let (numbered, base) = self.numbering.number(&self.broadcast, &named, Some(digest), arrival);
        self.numbering.note(&named, base, arrival);
        if let Numbered::New(seq) = numbered {
            let captured_at = self.now - Millis::from_secs(2);
            self.apply(Event::Stored(Segment { captured_at, ..pushed(seq, digest, named.number) }));
        }
        Some(numbered)
    }

    fn seqs(&mut self, segments: &[(&str, u8)]) -> Vec<u64> {
        let seq = |numbered| match numbered {
            Some(Numbered::New(seq)) => seq.0,
            other => panic!("{other:?}"),
        };
        segments.iter().map(|(name, content)| seq(self.segment(name, *content))).collect()
    }
}

fn pushed(seq: Seq, digest: Digest, number: u64) -> Segment {
    Segment { digest, pushed: Some(number), ..segment(seq.0) }
}

#[test]
fn nothing_is_known_of_a_name_before_a_playlist() {
    assert_eq!(Push::new().segment("out0.ts", 1), None);
}

#[test]
fn digits_run_ahead_of_the_playlist() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out2.ts", 3)]), [0, 1, 2]);
    assert_eq!(push.segment("other3.ts", 4), None, "another family");
}

#[test]
fn numbers_that_begin_at_one_in_names_begin_at_zero_in_playlists() {
    let mut push = Push::new();
    push.playlist(0, &["v-1.ts"]);
    assert_eq!(push.seqs(&[("v-1.ts", 1), ("v-2.ts", 2)]), [0, 1]);
}

#[test]
fn a_pusher_that_is_further_on_begins_here() {
    let mut push = Push::new();
    push.playlist(57, &["out57.ts", "out58.ts", "out59.ts"]);
    assert_eq!(push.seqs(&[("out58.ts", 1), ("out59.ts", 2), ("out60.ts", 3)]), [0, 1, 2]);
}

#[test]
fn segments_that_overtake_each_other_keep_their_numbers() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts", "out1.ts", "out2.ts"]);
    assert_eq!(push.seqs(&[("out1.ts", 2), ("out0.ts", 1), ("out2.ts", 3)]), [1, 0, 2]);
}

#[test]
fn dates_in_names_are_no_numbers() {
    let mut push = Push::new();
    let names = ["2026-11-21-10-00-58.ts", "2026-11-21-10-01-00.ts"];
    push.playlist(0, &names);
    assert_eq!(push.segment("2026-11-21-10-01-02.ts", 3), None);
    assert_eq!(push.seqs(&[(names[0], 1), (names[1], 2)]), [0, 1]);
    let mut push = Push::new();
    push.playlist(0, &["clip-100059.ts"]);
    assert_eq!(push.segment("clip-100101.ts", 2), None, "one name may agree by chance");
}

#[test]
fn sending_again_changes_nothing() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2)]), [0, 1]);
    assert_eq!(push.segment("out0.ts", 1), Some(Numbered::Already(Seq(0))));
}

#[test]
fn a_pusher_that_starts_again_goes_on_and_never_overwrites() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out2.ts", 3)]), [0, 1, 2]);
    assert_eq!(push.seqs(&[("out0.ts", 11), ("out1.ts", 12)]), [3, 4]);
    push.playlist(0, &["out0.ts", "out1.ts"]);
    assert_eq!(push.seqs(&[("out2.ts", 13)]), [5]);
    assert_eq!(push.seqs(&[("out0.ts", 21), ("out1.ts", 22)]), [6, 7]);
}

#[test]
fn a_closed_playlist_tells_a_restart_with_the_same_pictures() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2)]), [0, 1]);
    push.apply(Event::EndHinted);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out2.ts", 3)]), [2, 3, 4]);
    assert_eq!(push.segment("out2.ts", 3), Some(Numbered::Already(Seq(4))));
}

#[test]
fn a_killed_pusher_starts_again_with_the_same_pictures() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2)]), [0, 1]);
    push.after_secs(60);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out2.ts", 3)]), [2, 3, 4]);
    assert_eq!(push.segment("out2.ts", 3), Some(Numbered::Already(Seq(4))));
}

#[test]
fn a_hole_is_filled_by_what_is_late_and_not_by_another_run() {
    let holed = || {
        let mut push = Push::new();
        push.playlist(0, &["out0.ts"]);
        assert_eq!(push.seqs(&[("out1.ts", 2), ("out2.ts", 3), ("out4.ts", 5)]), [1, 2, 4]);
        push
    };
    let mut late = holed();
    late.after_secs(30);
    assert_eq!(late.seqs(&[("out0.ts", 1), ("out3.ts", 4), ("out5.ts", 6)]), [0, 3, 5]);
    let mut again = holed();
    again.after_secs(90);
    assert_eq!(again.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out2.ts", 3)]), [5, 6, 7]);
}

#[test]
fn what_was_abandoned_is_not_refused() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out2.ts", 3)]), [0, 2]);
    push.apply(Event::Abandoned { rendition: RenditionName::main(), seqs: SeqRange::one(Seq(1)) });
    assert_eq!(push.seqs(&[("out1.ts", 2), ("out2.ts", 4)]), [3, 4]);
}

#[test]
fn a_pusher_has_lost_what_it_left_out_long_ago() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out3.ts", 4)]), [0, 3]);
    push.after_secs(50);
    assert_eq!(push.seqs(&[("out5.ts", 6)]), [5]);
    let lost = |push: &Push| lost(&push.broadcast, &RenditionName::main(), push.now);
    assert_eq!(lost(&push), []);
    push.after_secs(11);
    assert_eq!(lost(&push), [SeqRange { first: Seq(1), last: Seq(2) }]);
    push.after_secs(50);
    assert_eq!(lost(&push).len(), 2);
    // Whoever numbers its segments itself sends what is missing.
    push.apply(Event::Stored(Segment { pushed: None, ..pushed(Seq(9), Digest([9; 16]), 0) }));
    push.after_secs(600);
    assert_eq!(lost(&push).len(), 2);
}

#[test]
fn another_recorder_goes_on_where_the_log_is() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out0.ts", 11)]), [0, 1, 2]);
    push.numbering = Numbering::default();
    push.playlist(0, &["out0.ts", "out1.ts"]);
    assert_eq!(push.seqs(&[("out1.ts", 12)]), [3]);
}

#[test]
fn what_was_found_at_start_keeps_the_count() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out0.ts", 11)]), [0, 1, 2]);
    // Durable before the crash, committed after it: nobody knows what its pusher called it.
    let found = Segment { pushed: None, ..pushed(Seq(3), Digest([12; 16]), 1) };
    push.apply(Event::Stored(found));
    push.numbering = Numbering::default();
    push.playlist(0, &["out0.ts", "out1.ts", "out2.ts"]);
    assert_eq!(push.segment("out1.ts", 12), Some(Numbered::Already(Seq(3))));
    assert_eq!(push.seqs(&[("out3.ts", 14)]), [5]);
}

#[test]
fn a_number_from_nowhere_is_another_run() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1790000000.ts", 2), ("out1790000001.ts", 3)]), [0, 1, 2]);
}

#[test]
fn digits_end_the_stem() {
    let cases = [
        ("v0/out12.ts", Some(("v0/out", 12))),
        ("out.ts", None),
        ("12.m4s", Some(("", 12))),
        ("a1b.ts", None),
        ("x99999999999999999999999.ts", None),
        ("noextension7", Some(("noextension", 7))),
    ];
    for (path, expected) in cases {
        assert_eq!(split_digits(path), expected, "{path}");
    }
}

#[test]
fn digits_that_are_a_time_are_not_taken_for_a_number() {
    let mut push = Push::new();
    let guessed =
        |push: &Push, path| guess_number(push.numbering.latest(&RenditionName::main()).map(|(_, number)| number), path);
    assert_eq!(guessed(&push, "1790000496087.ts"), 1_790_000_496_087);
    push.playlist(0, &["out0.ts", "out1.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2)]), [0, 1]);
    assert_eq!(["out3.ts", "out.ts", "1790000496087.ts"].map(|path| guessed(&push, path)), [3, 2, 2]);
}

#[test]
fn what_is_expected_has_its_number_and_is_known_again() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts", "out1.ts"]);
    let (main, digest) = (RenditionName::main(), Digest([7; 16]));
    push.numbering.expect(&main, Seq(0), Some(digest), push.now);
    assert_eq!(push.segment("out1.ts", 2), Some(Numbered::New(Seq(1))));
    let number = |push: &mut Push, content: u8| push.segment("out0.ts", content);
    assert_eq!(number(&mut push, 7), Some(Numbered::Already(Seq(0))));
    // Others are of another run.
    assert_eq!(number(&mut push, 8), Some(Numbered::New(Seq(2))));
    push.numbering.no_longer_expect(&main, Seq(0));
    push.after_secs(30);
    push.playlist(0, &["new0.ts"]);
    assert_eq!(push.segment("new0.ts", 9), Some(Numbered::New(Seq(2 + 1))));
}

/// Nobody could read the first two of a run when it went on, and the recorder was started again.
#[test]
fn what_was_overtaken_by_its_own_run_fills_the_hole_that_was_left() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts", "out1.ts", "out2.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out2.ts", 3)]), [0, 1, 2]);
    push.after_secs(30);
    let overtaken = Arrival { at: push.now, may_be_overtaken: true };
    push.after_secs(6);
    push.apply(Event::Stored(Segment { captured_at: push.now, ..pushed(Seq(5), Digest([6; 16]), 2) }));
    push.numbering = Numbering::default();
    push.playlist(0, &["out0.ts", "out1.ts", "out2.ts"]);
    let main = RenditionName::main();
    for (name, seq) in [("out0.ts", 3), ("out1.ts", 4)] {
        let named = push.numbering.told(name).expect("it is named");
        let late = push.numbering.number(&push.broadcast, &named, Some(Digest([9; 16])), overtaken);
        assert_eq!(late, (Numbered::New(Seq(seq)), 3), "{name}");
        push.numbering.expect(&main, Seq(seq), Some(Digest([9; 16])), overtaken.at);
        // Another one that has its number is of yet another run.
        let other = push.numbering.number(&push.broadcast, &named, Some(Digest([8; 16])), overtaken);
        assert_eq!(other.0, Numbered::New(Seq(6)), "{name}");
    }
}

/// It was the last of a run, and nobody could read it when the next one went on.
#[test]
fn a_hole_within_the_next_run_is_left_to_that() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts", "out1.ts", "out2.ts", "out3.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2), ("out2.ts", 3)]), [0, 1, 2]);
    let overtaken = Arrival { at: push.now, may_be_overtaken: true };
    for (seq, number) in [(3, 0), (7, 4)] {
        push.after_secs(30);
        push.apply(Event::Stored(Segment { captured_at: push.now, ..pushed(Seq(seq), Digest([6; 16]), number) }));
    }
    push.numbering = Numbering::default();
    push.playlist(0, &["out0.ts", "out1.ts", "out2.ts", "out3.ts"]);
    let named = push.numbering.told("out3.ts").expect("it is named");
    let late = push.numbering.number(&push.broadcast, &named, Some(Digest([9; 16])), overtaken);
    assert_eq!(late.0, Numbered::New(Seq(8)));
}

#[test]
fn what_was_overtaken_by_another_run_belongs_to_its_own() {
    let mut push = Push::new();
    push.playlist(0, &["out0.ts", "out1.ts", "out2.ts"]);
    assert_eq!(push.seqs(&[("out0.ts", 1), ("out1.ts", 2)]), [0, 1]);
    let overtaken = Arrival { at: push.now, may_be_overtaken: true };
    push.after_secs(30);
    // Run by run: 2 was left free for what waits.
    push.numbering.expect(&RenditionName::main(), Seq(2), None, overtaken.at);
    assert_eq!(push.seqs(&[("out0.ts", 3), ("out1.ts", 4)]), [3, 4]);
    push.numbering.no_longer_expect(&RenditionName::main(), Seq(2));
    let named = push.numbering.told("out2.ts").expect("it is named");
    let late = push.numbering.number(&push.broadcast, &named, Some(Digest([9; 16])), overtaken);
    assert_eq!(late, (Numbered::New(Seq(2)), 0));
    assert!(!push.numbering.note(&named, 0, overtaken), "it says nothing of the run that goes on");
    assert_eq!(push.numbering.base(&RenditionName::main()), Some(3));
}

//! What becomes of what is missing when a broadcast ends: it is awaited, or abandoned all at once.

use broadcast::{
    Broadcast, CapturedAt, Event, LastSeq, LogEntry, Millis, Missing, RenditionName, Segment, Seq, SeqRange, State,
    View,
};

use crate::by_hand::ByHand;
use crate::reader::{playlist, replay};
use crate::script::{Fate, Finish, Script};
use crate::simulation::{Recording, moved};

/// A broadcast of segment 0 and these.
fn stored(seqs: &[u64]) -> ByHand {
    let mut by_hand = ByHand::new(Script::calm(1));
    for seq in seqs {
        let segment = by_hand.segment(*seq, Millis(i64::try_from(*seq).expect("small") * 2_000));
        by_hand.apply(Event::Stored(segment));
    }
    by_hand
}

fn ranges(ranges: &[(u64, u64)]) -> Vec<SeqRange> {
    ranges.iter().map(|(first, last)| SeqRange { first: Seq(*first), last: Seq(*last) }).collect()
}

/// What is missing, and abandoned, once a broadcast of these segments has ended with `last`.
fn check(seqs: &[u64], last: u64, missing: Missing, still: &[(u64, u64)], abandoned: &[(u64, u64)]) {
    let mut by_hand = stored(seqs);
    by_hand.end(last, missing);
    let (main, broadcast) = (RenditionName::main(), by_hand.broadcast);
    assert_eq!(broadcast.missing(&main), ranges(still), "{seqs:?} to {last}");
    let found: Vec<SeqRange> = broadcast.abandoned(&main).expect("known").ranges().collect();
    assert_eq!(found, ranges(abandoned), "{seqs:?} to {last}");
    let word = if still.is_empty() { "complete" } else { "ended" };
    assert_eq!(broadcast.state(broadcast.last_at()).word(), word);
}

#[test]
fn what_is_missing_is_awaited_or_abandoned() {
    check(&[1, 4, 5], 5, Missing::Awaited, &[(2, 3)], &[]);
    check(&[1, 4, 5], 5, Missing::Abandoned, &[], &[(2, 3)]);
    check(&[1, 4, 5], 9, Missing::Abandoned, &[], &[(2, 3), (6, 9)]);
    check(&[], 0, Missing::Abandoned, &[], &[]);
    // What was stored beyond the end counts, and so does what is missing before it.
    check(&[1, 4, 8], 5, Missing::Abandoned, &[(6, 7)], &[(2, 3), (5, 5)]);
}

/// By ranges: nobody could count to the last of these.
#[test]
fn an_end_costs_no_more_for_what_is_missing() {
    check(&[1, 4], Seq::MAX.0, Missing::Abandoned, &[], &[(2, 3), (5, Seq::MAX.0)]);
}

#[test]
fn an_abandoned_segment_that_comes_all_the_same_is_not_taken() {
    let mut by_hand = stored(&[2]);
    by_hand.end(2, Missing::Abandoned);
    by_hand.apply(Event::Stored(by_hand.segment(1, Millis(2_000))));
    assert_eq!(by_hand.broadcast.stored(&RenditionName::main()).expect("known").count(), 2);
}

#[test]
fn the_first_end_counts() {
    let mut by_hand = stored(&[2]);
    by_hand.end(2, Missing::Awaited);
    by_hand.end(2, Missing::Abandoned);
    assert_eq!(by_hand.broadcast.missing(&RenditionName::main()), ranges(&[(1, 1)]));
}

const GRACE_MS: u32 = 3_600_000;

/// Segments 0 and 2 have come, and its owner has ended it.
fn closing() -> ByHand {
    let mut by_hand = stored(&[2]);
    by_hand.apply(Event::Closing { grace_ms: GRACE_MS });
    by_hand
}

#[test]
fn what_its_owner_has_ended_is_open_until_its_publisher_says_where_it_ends() {
    let (mut by_hand, main) = (closing(), RenditionName::main());
    for seq in [1, 3, 4] {
        assert_eq!(by_hand.broadcast.state(by_hand.broadcast.last_at()), State::Ended);
        assert!(by_hand.broadcast.closing().is_some() && by_hand.broadcast.ended().is_none());
        let late = by_hand.segment(seq, Millis(i64::try_from(seq).expect("small") * 2_000));
        by_hand.apply_after(60_000, Event::Stored(late));
    }
    assert_eq!(by_hand.broadcast.stored(&main).expect("known").count(), 5);
    by_hand.end(4, Missing::Awaited);
    assert_eq!(by_hand.broadcast.state(by_hand.broadcast.last_at()), State::Complete);
    assert!(by_hand.broadcast.closing().is_none() && by_hand.broadcast.is_over());
}

/// Nothing but the end that its publisher, or the grace, brings.
#[test]
fn nothing_else_is_said_of_what_its_owner_has_ended() {
    let mut by_hand = closing();
    let closing = by_hand.broadcast.closing();
    by_hand.apply_after(5_000, Event::Closing { grace_ms: 1 });
    by_hand.apply(Event::EndHinted);
    assert_eq!((by_hand.broadcast.closing(), by_hand.broadcast.end_hinted_at()), (closing, None));
    let now = by_hand.broadcast.last_at() + Millis(86_400_000);
    assert_eq!(by_hand.broadcast.changes(by_hand.broadcast.last_at(), now).next(), None);
    by_hand.end(2, Missing::Awaited);
    by_hand.apply(Event::Closing { grace_ms: 1 });
    assert_eq!((by_hand.broadcast.closing(), by_hand.broadcast.missing_count()), (None, 1));
}

#[test]
fn the_grace_counts_from_what_came_last() {
    let mut by_hand = closing();
    let (grace, said_at) = (Millis(GRACE_MS.into()), by_hand.broadcast.last_at());
    assert_eq!(by_hand.broadcast.closing().expect("closing").over_at(), said_at + grace);
    by_hand.apply_after(1_000, Event::Safe { rendition: RenditionName::main(), seqs: SeqRange::one(Seq(0)) });
    assert_eq!(by_hand.broadcast.closing().expect("closing").over_at(), said_at + grace);
    by_hand.apply_after(9_000, Event::Stored(by_hand.segment(3, Millis(6_000))));
    let closing = by_hand.broadcast.closing().expect("closing");
    assert_eq!(closing.over_at(), said_at + Millis(10_000) + grace);
    // But not what it captures for ever.
    let latest = CapturedAt((said_at + grace).0);
    assert!(closing.takes(latest) && !closing.takes(latest + Millis(1)));
}

/// One that never had anything is waited for all the same: its publisher may have begun in a tunnel.
#[test]
fn what_never_arrived_may_still_come() {
    let script = Script { slots: vec![], ..Script::calm(1) };
    let recording = Recording::new(&script);
    let mut broadcast = replay(&recording, 1);
    let mut entry = recording.log[0].clone();
    (entry.index, entry.event) = (broadcast.next_index(), Event::Closing { grace_ms: GRACE_MS });
    broadcast.apply(&entry).expect("the next");
    assert_eq!(broadcast.state(entry.at), State::Ended);
    (entry.index, entry.event) = (broadcast.next_index(), Event::Ended { last: vec![] });
    broadcast.apply(&entry).expect("the next");
    assert_eq!(broadcast.state(entry.at), State::Complete);
}

/// What was shown of it stays as it is, whatever comes later.
#[test]
fn live_and_dvr_end_when_its_owner_ends_it() {
    let (mut by_hand, main) = (closing(), RenditionName::main());
    let later = |by_hand: &ByHand| by_hand.broadcast.last_at() + Millis(60_000);
    let dvr = |by_hand: &ByHand| playlist(&by_hand.broadcast, &main, View::Dvr, later(by_hand)).expect("it has begun");
    let before = dvr(&by_hand);
    assert!(before.ended && before.segments.len() == 3);
    for seq in [1, 3] {
        let late = by_hand.segment(seq, Millis(i64::try_from(seq).expect("small") * 2_000));
        by_hand.apply_after(60_000, Event::Stored(late));
        assert_eq!(dvr(&by_hand).segments, before.segments);
    }
    by_hand.end(3, Missing::Awaited);
    assert_eq!(dvr(&by_hand).segments, before.segments);
    let vod = playlist(&by_hand.broadcast, &main, View::Vod, later(&by_hand)).expect("it is complete");
    assert_eq!(vod.segments.len(), 4);
}

/// A hole that live went past is announced when the end settles it, if anything of it has come.
#[test]
fn an_end_settles_the_holes_of_live() {
    let mut script = Script::calm(10);
    script.slots[3].fates[0] = Fate::Lost;
    script.slots[4].fates[0] = Fate::Late { ms: 8_000 };
    script.finish = Finish::Ended(Missing::Abandoned);
    let recording = Recording::new(&script);
    let (broadcast, now) = (replay(&recording, recording.log.len()), moved(recording.end_at(), 60_000));
    let dvr = playlist(&broadcast, &recording.names[0], View::Dvr, now).expect("it has begun");
    assert_eq!(dvr.date_ranges.iter().filter(|range| range.id.starts_with('r')).count(), 1);
    assert!(dvr.ended && playlist(&broadcast, &recording.names[0], View::Vod, now).is_some());
}

/// Its publisher was in a tunnel from the beginning, and says where it ends before it sends anything.
#[test]
fn what_has_not_begun_to_come_is_missing() {
    let last = |name: &str, seq| LastSeq {
        rendition: name.parse().expect("a name"),
        seq: Some(Seq(seq)),
        missing: Missing::Awaited,
    };
    let (main, low) = (RenditionName::main(), "low".parse().expect("a name"));
    let script = Script { slots: vec![], ..Script::calm(1) };
    let opened = Recording::new(&script).log[0].clone();
    let mut broadcast = Broadcast::open(&opened).expect("a log");
    let mut apply = |event| {
        let entry = LogEntry { index: broadcast.next_index(), at: broadcast.last_at() + Millis(100), event };
        broadcast.apply(&entry).expect("the next");
        let state = broadcast.state(entry.at);
        (state, broadcast.missing_count(), broadcast.missing(&main), broadcast.missing(&low))
    };
    let nothing = LastSeq { seq: None, ..last("audio", 0) };
    let ended = apply(Event::Ended { last: vec![last("main", 1), last("low", 0), nothing] });
    assert_eq!(ended, (State::Ended, 3, ranges(&[(0, 1)]), ranges(&[(0, 0)])));
    let by_hand = ByHand::new(Script::calm(1));
    let segment = |rendition: &RenditionName, seq: u64| {
        let later = Millis(i64::try_from(seq).expect("small") * 2_000);
        Event::Stored(Segment { rendition: rendition.clone(), ..by_hand.segment(seq, later) })
    };
    assert_eq!(apply(segment(&main, 0)), (State::Ended, 2, ranges(&[(1, 1)]), ranges(&[(0, 0)])));
    assert_eq!(apply(segment(&main, 1)), (State::Ended, 1, vec![], ranges(&[(0, 0)])));
    assert_eq!(apply(segment(&low, 0)), (State::Complete, 0, vec![], vec![]));
    assert!(broadcast.rendition(&"audio".parse().expect("a name")).is_none());
}

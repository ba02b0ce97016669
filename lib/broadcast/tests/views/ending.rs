//! What becomes of what is missing when a broadcast ends: it is awaited, or abandoned all at once.

use broadcast::{Event, Millis, Missing, RenditionName, Seq, SeqRange, View};

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

//! What somebody with a publish token can make the views hold: capture times cost nothing to make up.

use broadcast::{Event, Item, MediaDuration, Millis, Missing, RenditionName, Segment, Seq, SeqRange, StoreTime, View};
use testkit::hls::Playlist;

use crate::by_hand::ByHand;
use crate::reader::playlist;
use crate::script::Script;

const SEGMENTS: u64 = 40;
const GAPS_MAX: u32 = 2_000;
/// Of a quarter of them.
const HOLE: Millis = Millis(500_000);

/// The worst case: the shortest target duration.
fn seconds() -> ByHand {
    let mut script = Script::calm(1);
    (script.target, script.base_ms, script.policy.gaps_max) = (Some(1), 1_000, GAPS_MAX);
    script.slots[0].ticks = 90_000;
    ByHand::new(script)
}

/// Each captured that long after the one before.
fn leap(by_hand: &ByHand, seq: u64) -> Segment {
    by_hand.segment(seq, Millis(HOLE.0 * i64::try_from(seq).expect("small")))
}

fn seen(by_hand: &ByHand, view: View) -> Playlist {
    let (name, now) = (RenditionName::main(), by_hand.broadcast.last_at() + Millis(250));
    playlist(&by_hand.broadcast, &name, view, now).expect("it has begun")
}

fn gaps(playlist: &Playlist) -> usize {
    playlist.segments.iter().filter(|segment| segment.gap).count()
}

fn media(playlist: &Playlist) -> Vec<String> {
    playlist.segments.iter().filter(|segment| !segment.gap).map(|segment| segment.uri.clone()).collect()
}

/// Everything that was sent is listed, whatever was jumped over, and no more gaps than are allowed, but for those that
/// time makes as it passes: one a second, here.
fn check(name: &str, by_hand: &ByHand, views: &[View], seqs: &[u64], idle: usize) {
    let most = GAPS_MAX as usize;
    for view in views {
        let seen = seen(by_hand, *view);
        assert_eq!(media(&seen), seqs.iter().map(|seq| format!("{seq}.ts")).collect::<Vec<_>>(), "{name}: {view:?}");
        let gaps = gaps(&seen);
        assert!(gaps <= most + idle, "{name}: {gaps} gaps in {view:?}");
        assert!(gaps > most / 2, "{name}: only {gaps} gaps in {view:?}");
    }
}

#[test]
fn holes_are_covered_by_so_many_gaps_and_no_more() {
    let mut by_hand = seconds();
    for seq in 1..SEGMENTS {
        by_hand.apply_after(2_000, Event::Stored(leap(&by_hand, seq)));
        by_hand.apply_after(1_000, Event::Paused);
        let live = seen(&by_hand, View::Live);
        assert_eq!(media(&live).last(), Some(&format!("{seq}.ts")), "live goes on");
    }
    let all: Vec<u64> = (0..SEGMENTS).collect();
    check("holes", &by_hand, &[View::Dvr], &all, 3 * all.len());
}

/// More than may wait for those before them.
#[test]
fn those_that_wait_are_no_way_round_it() {
    let mut by_hand = seconds();
    (1..1_100).for_each(|seq| by_hand.apply(Event::Stored(leap(&by_hand, seq))));
    by_hand.apply_after(5_000, Event::Paused);
    check("waiting", &by_hand, &[View::Dvr], &(0..1_100).collect::<Vec<_>>(), 5);
}

#[test]
fn segments_too_long_for_live_are_no_way_round_it() {
    let mut by_hand = seconds();
    for seq in 1..SEGMENTS {
        let start = Millis(HOLE.0 * (i64::try_from(seq).expect("small") - 1) + 1_000);
        let duration = MediaDuration::from_millis(HOLE.0.try_into().expect("short"));
        by_hand.apply(Event::Stored(Segment { duration, ..by_hand.segment(seq, start) }));
    }
    let end = Millis(HOLE.0 * i64::try_from(SEGMENTS - 1).expect("small") + 1_000);
    by_hand.apply(Event::Stored(by_hand.segment(SEGMENTS, end)));
    by_hand.end(SEGMENTS, Missing::Abandoned);
    check("long", &by_hand, &[View::Dvr, View::CatchUp { from: Seq(0) }], &[0, SEGMENTS], 0);
}

#[test]
fn abandoned_segments_are_no_way_round_it() {
    let mut by_hand = seconds();
    let kept: Vec<u64> = (0..SEGMENTS).step_by(2).collect();
    for seq in &kept[1..] {
        let gone = Event::Abandoned { rendition: RenditionName::main(), seqs: SeqRange::one(Seq(seq - 1)) };
        by_hand.apply(gone);
        by_hand.apply(Event::Stored(leap(&by_hand, *seq)));
    }
    by_hand.end(SEGMENTS - 2, Missing::Abandoned);
    check("abandoned", &by_hand, &[View::Dvr, View::CatchUp { from: Seq(0) }, View::Vod], &kept, 0);
}

/// It is late, and nothing else: live is what it would be without it.
#[test]
fn a_segment_of_long_ago_costs_nothing() {
    let (mut with, mut without) = (ByHand::new(Script::calm(1)), ByHand::new(Script::calm(1)));
    let ago = Millis(-with.broadcast.created_at().0);
    with.apply_after(500, Event::Stored(with.segment(1, ago)));
    without.apply_after(500, Event::EndHinted);
    let now = with.broadcast.last_at() + Millis(60_000);
    assert_eq!(dvr(&with, now), dvr(&without, now));
    for by_hand in [&mut with, &mut without] {
        for seq in 2..9u32 {
            let later = Millis::from_secs(seq * 2 - 2);
            by_hand.apply_after(2_000, Event::Stored(by_hand.segment(seq.into(), later)));
        }
    }
    assert_eq!(dvr(&with, now), dvr(&without, now));
    with.end(8, Missing::Abandoned);
    let vod = seen(&with, View::Vod);
    assert_eq!((gaps(&vod), media(&vod).len()), (0, 9));
}

fn dvr(by_hand: &ByHand, now: StoreTime) -> Vec<Item> {
    let mut items = by_hand.broadcast.live_items(&RenditionName::main(), now);
    items.retain(|item| !matches!(item, Item::Range(_)));
    items
}

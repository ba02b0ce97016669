//! What one more event costs: the state that is looked through and copied must not grow with the broadcast.

use crate::broadcast::Broadcast;
use crate::event::{Event, EventIndex, LogEntry, Opened, SeqRange};
use crate::policy::ViewPolicy;
use crate::tests::segment;
use crate::{LastSeq, Millis, Missing, RenditionName, Segment, StoreTime};

const SEGMENTS: u64 = 20_000;

/// Two renditions over eleven hours: every 50th segment of `low` is late, every 70th abandoned, and every thousand
/// segments all of it fails for a minute, to be sent, newest first, when it is back.
fn log() -> Vec<LogEntry> {
    let mut events: Vec<(StoreTime, Event)> = Vec::new();
    let low: RenditionName = "low".parse().expect("a name");
    for seq in 0..SEGMENTS {
        let main = segment(seq);
        let sent = StoreTime(main.captured_end().0 + 300);
        let low = Segment { rendition: low.clone(), ..main.clone() };
        let failed = i64::try_from(seq % 1000).expect("small");
        let main_at = if failed < 30 { sent + Millis(62_000 + (30 - failed) * 20 - failed * 2_000) } else { sent };
        events.push((main_at, Event::Stored(main)));
        let low_at = if seq % 50 == 0 { main_at + Millis(30_000) } else { main_at };
        let gone = Event::Abandoned { rendition: low.rendition.clone(), seqs: SeqRange::one(low.seq) };
        events.push((low_at, if seq % 70 == 0 { gone } else { Event::Stored(low) }));
    }
    events.sort_by_key(|(at, _)| *at);
    let end = events.last().expect("many").0;
    let last = Some(segment(SEGMENTS - 1).seq);
    let last = ["main", "low"].map(|name| LastSeq {
        rendition: name.parse().expect("a name"),
        seq: last,
        missing: Missing::Awaited,
    });
    events.push((end, Event::Ended { last: last.into() }));
    let opened =
        Opened { title: String::new(), target_duration: Some(2), policy: ViewPolicy::default(), stored_is_safe: true };
    let opened = (StoreTime(0), Event::Opened(opened));
    let entry = |(index, (at, event))| LogEntry { index: EventIndex(index), at, event };
    (0..).zip(std::iter::once(opened).chain(events)).map(entry).collect()
}

#[test]
fn one_more_event_costs_no_more_after_twenty_thousand_segments() {
    let log = log();
    let mut broadcast = Broadcast::open(&log[0]).expect("opened");
    let mut weights = Vec::new();
    for entry in &log[1..] {
        broadcast.apply(entry).expect("in order");
        let look = broadcast.look(entry.at + Millis(60_000));
        let ahead: usize = look.ahead.iter().map(Vec::len).sum();
        weights.push(look.tail.as_ref().map_or(0, super::Tail::weight) + ahead);
    }
    let early = weights[..weights.len() / 10].iter().max().expect("many");
    let late = weights[weights.len() * 9 / 10..].iter().max().expect("many");
    assert!(*late <= early + early / 10, "{early} things at first, {late} at last");
    assert!(*late < 200, "{late} things");
    let published = broadcast.live_items(&RenditionName::main(), log.last().expect("many").at).len();
    assert!(published > 20_000, "{published} entries");
}

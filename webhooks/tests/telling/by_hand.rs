//! Small stories, in words.

use broadcast::{Event, EventIndex, LastSeq, LogEntry, Millis, Missing, RenditionName, Segment, Seq, SeqRange};
use headwater_webhooks::{Kind, Segments, Teller};

use crate::script::{Before, Delivery, Finish, Script};
use crate::simulation::Recording;
use crate::{seen, told_of};

/// The words of a story without its segments, in order.
fn words(log: &[LogEntry]) -> Vec<String> {
    told_of(log, Segments::Untold).iter().map(|message| message.kind.word().replace("broadcast.", "")).collect()
}

fn script(before_tenth: Before, finish: Finish) -> Recording {
    let mut script = Script { finish, ..Script::calm(20) };
    script.slots[10].before = before_tenth;
    Recording::new(&script)
}

#[test]
fn an_undisturbed_broadcast() {
    let recording = script(Before::Nothing, Finish::Ended(Missing::Awaited));
    assert_eq!(words(&recording.log), ["created", "live", "ended", "complete"]);
}

#[test]
fn one_that_nobody_ends_is_interrupted_and_stays_so() {
    let recording = script(Before::Nothing, Finish::Running);
    assert_eq!(words(&recording.log), ["created", "live", "interrupted"]);
}

#[test]
fn an_outage_whose_segments_come_after_it() {
    let outage = Before::Outage { ms: 10_000, delivery: Delivery::NewestFirst };
    let recording = script(outage, Finish::Ended(Missing::Awaited));
    assert_eq!(words(&recording.log), ["created", "live", "interrupted", "back", "caught_up", "ended", "complete"]);
}

#[test]
fn a_pause_is_no_interruption() {
    let pause = Before::Pause { ms: 20_000, timestamps_go_on: true };
    let recording = script(pause, Finish::Ended(Missing::Awaited));
    assert_eq!(words(&recording.log), ["created", "live", "paused", "resumed", "ended", "complete"]);
}

#[test]
fn what_is_missing_at_the_end_may_still_come() {
    let outage = Before::Outage { ms: 10_000, delivery: Delivery::Lost };
    let mut log = script(outage, Finish::Running).log;
    let (last, at) = (Seq(19), log.last().unwrap().at + Millis(1_000));
    let ended = LastSeq { rendition: RenditionName::main(), seq: Some(last), missing: Missing::Awaited };
    push(&mut log, at, Event::Ended { last: vec![ended] });
    assert_eq!(words(&log), ["created", "live", "interrupted", "back", "ended"]);
    let seqs = SeqRange { first: Seq(0), last };
    push(&mut log, at + Millis(60_000), Event::Abandoned { rendition: RenditionName::main(), seqs });
    assert_eq!(words(&log), ["created", "live", "interrupted", "back", "ended", "complete"]);
}

/// Its publisher was in a tunnel from the beginning: that it has ended is heard of before anything comes. All that comes is
/// told, and that it is complete at the end of it.
#[test]
fn what_has_ended_before_it_came() {
    let recording = script(Before::Nothing, Finish::EndedFirst);
    let messages = told_of(&recording.log, Segments::Told);
    let kinds: Vec<Kind> = messages.iter().map(|message| message.kind).collect();
    let segments = [Kind::SegmentStored; 20];
    assert_eq!(kinds, [&[Kind::Created, Kind::Ended], &segments[..], &[Kind::Complete]].concat());
    let missing: Vec<_> =
        messages[1..].iter().map(|message| seen(message)["data"]["missing"].as_u64().unwrap()).collect();
    assert_eq!(missing, [(0..=20).rev().collect(), vec![0]].concat());
    // Whoever tells it and stops in between goes on telling: it is not told to its end before.
    let (mut teller, _) = Teller::open(crate::id(), Segments::Told, &recording.log[0]).unwrap();
    for (entry, left) in recording.log[1..].iter().zip((0..recording.log.len() - 1).rev()) {
        teller.take(entry).unwrap();
        assert_eq!(teller.told().complete, left == 0, "{entry:?}");
    }
}

/// It is complete when its publisher has said where it ends, and not before.
#[test]
fn what_its_owner_has_ended_is_complete_later() {
    let mut log = script(Before::Nothing, Finish::Running).log;
    let at = log.last().unwrap().at + Millis(1);
    push(&mut log, at, Event::Closing { grace_ms: 86_400_000 });
    assert_eq!(words(&log), ["created", "live", "ended"]);
    let ended = LastSeq { rendition: RenditionName::main(), seq: Some(Seq(19)), missing: Missing::Awaited };
    push(&mut log, at + Millis(60_000), Event::Ended { last: vec![ended] });
    assert_eq!(words(&log), ["created", "live", "ended", "complete"]);
}

#[test]
fn another_recorder_takes_over() {
    let mut log = script(Before::Nothing, Finish::Running).log;
    let at = log.last().unwrap().at + Millis(1);
    for node in ["north", "north", "south"] {
        push(&mut log, at, Event::RecordedBy { node: node.to_owned() });
    }
    let messages = told_of(&log, Segments::Untold);
    let taken_over: Vec<_> = messages.iter().filter(|message| message.kind == Kind::TakenOver).map(seen).collect();
    assert_eq!(taken_over.len(), 1);
    let data = &taken_over[0]["data"];
    assert_eq!((&data["recorder"], &data["previous_recorder"]), (&"south".into(), &"north".into()));
}

#[test]
fn a_message_says_what_a_portal_needs() {
    let recording = script(Before::Nothing, Finish::Running);
    let messages = told_of(&recording.log, Segments::Told);
    let live = messages.iter().find(|message| message.kind == Kind::Live).unwrap();
    let live_at = live.position;
    assert_eq!(live.id, format!("msg_{}_{}_live", crate::id(), live_at.next.0 - 1));
    let body = seen(live);
    assert_eq!(body["type"], "broadcast.live");
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'), "{body}");
    for (name, value) in [("state", "live"), ("broadcast", &crate::id().to_string())] {
        assert_eq!(body["data"][name], value);
    }
    assert_eq!((&body["data"]["segments"], &body["data"]["missing"]), (&1.into(), &0.into()));
    let stored = messages.iter().find(|message| message.kind == Kind::SegmentStored).unwrap();
    let segment = &seen(stored)["data"]["segment"];
    assert_eq!((&segment["seq"], &segment["path"]), (&0.into(), &"main/0.ts".into()));
    let interrupted = messages.iter().find(|message| message.kind == Kind::Interrupted).unwrap();
    let last: &Segment =
        recording.truth.values().map(|truth| &truth.segment).max_by_key(|segment| segment.seq).unwrap();
    let since = seen(interrupted)["data"]["since"].as_i64().unwrap();
    assert!((since - last.captured_at.0 - last.duration.millis().0).abs() <= 100, "{since}");
    assert!(interrupted.id.ends_with("_interrupted") && interrupted.id.matches('_').count() == 4, "{}", interrupted.id);
}

fn push(log: &mut Vec<LogEntry>, at: broadcast::StoreTime, event: Event) {
    log.push(LogEntry { index: EventIndex(log.len() as u64), at, event });
}

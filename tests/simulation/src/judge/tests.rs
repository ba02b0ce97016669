//! A judge that is content with a good story, and with no bad one.

use broadcast::{
    CapturedAt, Container, Content, Event, EventIndex, Format, FormatId, LastSeq, MediaDuration, MediaTime, Missing,
    Opened, Segment, SeqRange, ViewPolicy,
};

use super::*;
use crate::judge::facts::moved;
use crate::judge::places::Listed;

const START_MS: i64 = 1_790_000_000_000;
const LENGTH_MS: i64 = 4_000;
const COUNT: u64 = 12;
/// From this one on, timestamps begin again.
const RESTARTED: u64 = 6;
/// This one is abandoned, and this one comes later than the one after it.
const ABANDONED: u64 = 9;
const REORDERED: u64 = 3;

fn place(seq: u64) -> Place {
    let (epoch, began) = if seq < RESTARTED { (0, 0) } else { (1, RESTARTED) };
    Place { epoch, media_ms: (seq - began).cast_signed() * LENGTH_MS, duration_ms: LENGTH_MS }
}

fn digest(rendition: u8, seq: u64) -> Digest {
    Digest([rendition, u8::try_from(seq).expect("few"), 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
}

fn segment(name: &RenditionName, rendition: u8, seq: u64) -> Segment {
    let Place { epoch, media_ms, duration_ms } = place(seq);
    let media_start = MediaTime((epoch.cast_signed() * 1_000_000 + media_ms) * 90);
    Segment {
        rendition: name.clone(),
        seq: Seq(seq),
        captured_at: CapturedAt(START_MS + seq.cast_signed() * LENGTH_MS),
        duration: MediaDuration::from_millis(u32::try_from(duration_ms).expect("short")),
        digest: digest(rendition, seq),
        len: 1_000,
        container: Container::Ts,
        format: FormatId([1, rendition, 0, 0, 0, 0, 0, 0]),
        media_start,
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    }
}

/// What happened, and how long after the start.
fn events(names: &[RenditionName]) -> Vec<(i64, Event)> {
    let policy = ViewPolicy::default();
    let opened = Opened { title: String::new(), target_duration: Some(8), policy, stored_is_safe: true };
    let mut events = vec![(0, Event::Opened(opened))];
    for (rendition, name) in (0..).zip(names) {
        let format = Format {
            rendition: name.clone(),
            id: FormatId([1, rendition, 0, 0, 0, 0, 0, 0]),
            container: Container::Ts,
            codecs: "avc1.42c00a".to_owned(),
            resolution: None,
            frame_rate_milli: None,
            init: None,
        };
        events.push((1, Event::Format(format)));
        for seq in (0..COUNT).filter(|seq| *seq != ABANDONED) {
            let late_ms = if seq == REORDERED { LENGTH_MS + 1_000 } else { 0 };
            let at = (seq + 1).cast_signed() * LENGTH_MS + 100 + late_ms;
            events.push((at, Event::Stored(segment(name, rendition, seq))));
        }
        let gone = SeqRange::one(Seq(ABANDONED));
        events.push(((COUNT + 1).cast_signed() * LENGTH_MS, Event::Abandoned { rendition: name.clone(), seqs: gone }));
    }
    let last = names.iter().map(|name| LastSeq {
        rendition: name.clone(),
        seq: Some(Seq(COUNT - 1)),
        missing: Missing::Awaited,
    });
    events.push(((COUNT + 1).cast_signed() * LENGTH_MS + 1, Event::Ended { last: last.collect() }));
    events.sort_by_key(|(at, _)| *at);
    events
}

/// A judge to whom all of it was shown.
fn shown(names: &[&str]) -> (Judge, StoreTime) {
    let names: Vec<RenditionName> = names.iter().map(|name| name.parse().expect("a name")).collect();
    let mut judge = Judge::default();
    let mut now = tell(&mut judge, &events(&names));
    now = moved(now, 30_000);
    judge.wait_until(now);
    judge.look_back(now);
    (judge, now)
}

/// The judge looks after each event.
fn tell(judge: &mut Judge, events: &[(i64, Event)]) -> StoreTime {
    let mut now = StoreTime(START_MS);
    for (index, (at, event)) in (0..).zip(events) {
        now = StoreTime(START_MS + at);
        let known = |wanted: Digest| {
            let all = (0..2).flat_map(|rendition| (0..COUNT).map(move |seq| (rendition, seq)));
            all.filter(|(rendition, seq)| digest(*rendition, *seq) == wanted).map(|(_, seq)| place(seq)).next()
        };
        let entry = LogEntry { index: EventIndex(index), at: now, event: event.clone() };
        judge.take(&entry, known).expect("a log");
        judge.look_at_live(now);
        judge.look_at_all(now);
    }
    now
}

/// A gap was shown; then what belongs there is put back with its time.
#[test]
fn what_is_put_back_is_judged_at_its_address() {
    let whole = events(&[main()]);
    let forgotten = |event: &Event| matches!(event, Event::Stored(segment) if segment.seq == Seq(5));
    let without: Vec<_> = whole.iter().filter(|(_, event)| !forgotten(event)).cloned().collect();
    for restarts in [false, true] {
        let mut judge = Judge::default();
        let now = tell(&mut judge, &without);
        assert_eq!(judge.violations(), Vec::<String>::new());
        judge.begin_again();
        let restarted = restarts.then(|| ((now - StoreTime(START_MS)).0, Event::Restarted));
        // It is shown once all of it is back.
        let mut told = Judge::default();
        tell(&mut told, &whole.iter().cloned().chain(restarted).collect::<Vec<_>>());
        (judge.broadcast, judge.facts, judge.seen_until) = (told.broadcast, told.facts, told.seen_until);
        judge.look_at_live(now);
        judge.look_at_all(now);
        let found = judge.violations();
        assert_eq!(found.iter().any(|found| found.starts_with("rule 1: the dvr")), !restarts, "{found:?}");
        assert_eq!(found.is_empty(), restarts, "{found:?}");
    }
}

/// The store forgets twice, and what it forgot first is not back yet: until it is over that is no fault, and then it is.
#[test]
fn what_was_lost_may_come_until_it_is_over() {
    let whole = events(&[main()]);
    let early = whole.iter().filter(|(at, _)| *at < 10 * LENGTH_MS).cloned().collect::<Vec<_>>();
    let shown = whole.iter().filter(|(_, event)| !matches!(event, Event::Ended { .. })).cloned().collect::<Vec<_>>();
    for is_back in [true, false] {
        let mut judge = Judge::default();
        let now = tell(&mut judge, &shown);
        for restarts in 1..=2 {
            judge.begin_again();
            is_now(&mut judge, &early, restarts);
            judge.look_at_live(now);
            judge.look_at_all(now);
        }
        judge.begin_again();
        assert_eq!(judge.violations(), Vec::<String>::new());
        is_now(&mut judge, if is_back { &shown } else { &early }, 3);
        judge.look_back(now);
        let found = judge.violations();
        assert_eq!(found.iter().any(|found| found.starts_with("rule 1: the catch-up")), !is_back, "{found:?}");
        assert_eq!(found.is_empty(), is_back, "{found:?}");
    }
}

/// One that is complete loses its end, or more: until it is complete again that is no fault, and then it is.
#[test]
fn what_was_complete_may_come_back() {
    let whole = events(&[main()]);
    let is_early = |(at, event): &&(i64, Event)| *at < 10 * LENGTH_MS && !matches!(event, Event::Ended { .. });
    let not_ended =
        whole.iter().filter(|(_, event)| !matches!(event, Event::Ended { .. })).cloned().collect::<Vec<_>>();
    let early = whole.iter().filter(is_early).cloned().collect::<Vec<_>>();
    for left in [not_ended, early] {
        for is_back in [true, false] {
            let mut judge = Judge::default();
            let now = tell(&mut judge, &whole);
            judge.look_back(now);
            judge.begin_again();
            is_now(&mut judge, &left, 1);
            judge.look_at_live(now);
            judge.look_at_all(now);
            assert_eq!(judge.violations(), Vec::<String>::new());
            is_now(&mut judge, if is_back { &whole } else { &left }, 2);
            judge.look_back(now);
            let found = judge.violations();
            let is_gone = |found: &String| found == "rule 1: the vod playlist of main is gone";
            assert_eq!(found.iter().any(is_gone), !is_back, "{found:?}");
            assert_eq!(found.iter().any(|found| found.starts_with("rule 1: the catch-up")), !is_back, "{found:?}");
            assert_eq!(found.is_empty(), is_back, "{found:?}");
        }
    }
}

/// It is another log by now, that was restarted so many times.
fn is_now(judge: &mut Judge, events: &[(i64, Event)], restarts: usize) {
    let mut told = Judge::default();
    let restarted = ((COUNT + 1).cast_signed() * LENGTH_MS + 1, Event::Restarted);
    let restarts = std::iter::repeat_n(restarted, restarts);
    tell(&mut told, &events.iter().cloned().chain(restarts).collect::<Vec<_>>());
    (judge.broadcast, judge.facts, judge.seen_until) = (told.broadcast, told.facts, told.seen_until);
}

fn main() -> RenditionName {
    RenditionName::main()
}

fn text(judge: &Judge, view: &'static str) -> String {
    judge.shown[&(main(), view.to_owned())].clone()
}

fn read(text: &str) -> Playlist {
    hls::read(text).expect("a playlist")
}

#[test]
fn a_good_story_is_a_good_one() {
    for names in [&["main"][..], &["main", "720p"]] {
        let (mut judge, now) = shown(names);
        assert_eq!(judge.violations(), Vec::<String>::new(), "{names:?}");
        assert!(judge.broadcast().is_some_and(|broadcast| broadcast.state(now) == broadcast::State::Complete));
        assert!(text(&judge, "dvr").contains("EXT-X-DISCONTINUITY\n"));
        assert!(text(&judge, "vod").contains("EXT-X-GAP\n"));
    }
}

#[test]
fn what_was_never_made_is_not_stored() {
    let mut judge = Judge::default();
    let mut all = (0..).zip(events(&[main()])).map(|(index, (at, event))| {
        let entry = LogEntry { index: EventIndex(index), at: StoreTime(START_MS + at), event };
        judge.take(&entry, |_| None)
    });
    assert!(all.all(|taken| taken.is_ok()));
    assert!(judge.violations()[0].contains("nobody made it"));
}

#[test]
fn rule_1_what_was_shown_is_not_taken_back() {
    for view in ["live", "dvr", "catch-up", "vod"] {
        let (mut judge, now) = shown(&["main"]);
        let other = text(&judge, view).replace("\n10.ts", "\n8.ts");
        judge.shown.insert((main(), view.to_owned()), other);
        judge.look_at_live(now);
        judge.look_at_all(now);
        let found = judge.violations();
        assert!(found.len() == 1 && found[0].starts_with("rule 1"), "{view}: {found:?}");
    }
    let (mut judge, now) = shown(&["main"]);
    judge.broadcast = Broadcast::replay(&[LogEntry {
        index: EventIndex(0),
        at: StoreTime(START_MS),
        event: events(&[]).remove(0).1,
    }])
    .expect("a log");
    judge.shown.insert((main(), "live".to_owned()), String::new());
    judge.look(&main(), "live", View::Live, now);
    assert!(judge.violations()[0].contains("is gone"));
}

#[test]
fn rule_3_live_is_not_silent_for_long() {
    let (judge, _) = shown(&["main"]);
    let live = text(&judge, "live").replace("#EXT-X-ENDLIST\n", "");
    let facts = Facts { ended_at: None, ..judge.facts };
    let check = |silent_ms: i64, facts: &Facts| {
        let (mut silence, at) = (Silence::default(), StoreTime(START_MS));
        assert_eq!(silence.look(&main(), &live, at, facts), None);
        silence.look(&main(), &live, moved(at, silent_ms), facts).is_some()
    };
    assert!(!check(12_001, &facts));
    assert!(check(12_002, &facts));
    // When it rests, or has ended, it may be.
    assert!(!check(31 * 60_000, &facts));
    assert!(!check(60_000, &Facts { ended_at: Some(moved(StoreTime(START_MS), 5_000)), ..facts.clone() }));
}

#[test]
fn rule_4_durations_add_up() {
    let (judge, _) = shown(&["main"]);
    let (dvr, vod) = (text(&judge, "dvr"), text(&judge, "vod"));
    let stretched = |text: &str| text.replacen("#EXTINF:4.0,\n1.ts", "#EXTINF:1.5,\n1.ts", 1);
    assert_ne!(stretched(&dvr), dvr);
    assert!(sums::tiles(&read(&stretched(&dvr)), &judge.facts).unwrap_err().contains("rule 4"));
    assert!(sums::whole(&read(&stretched(&vod)), &main(), &judge.facts).unwrap_err().contains("rule 4"));
    let mut late = read(&vod);
    late.segments[2].date_time_ms = late.segments[2].date_time_ms.map(|at| at + 1);
    assert!(sums::whole(&late, &main(), &judge.facts).unwrap_err().contains("rule 4"));
    // The gap for what was abandoned.
    let mut short = read(&vod);
    let gap = short.segments.iter_mut().find(|segment| segment.gap).expect("there is one");
    gap.duration_us -= 100_000;
    assert!(sums::whole(&short, &main(), &judge.facts).unwrap_err().contains("ms of gaps"));
    // A hole that nothing covers.
    let mut hole = read(&dvr);
    hole.segments.remove(5);
    assert!(sums::tiles(&hole, &judge.facts).unwrap_err().contains("rule 4"));
}

#[test]
fn rule_5_breaks_are_announced_where_they_are() {
    let (judge, _) = shown(&["main"]);
    for view in ["dvr", "catch-up", "vod"] {
        let good = text(&judge, view);
        let silent = good.replace("#EXT-X-DISCONTINUITY\n", "");
        let second = good.match_indices("#EXT-X-PROGRAM-DATE-TIME").nth(1).expect("some").0;
        let many = [&good[..second], "#EXT-X-DISCONTINUITY\n", &good[second..]].concat();
        for bad in [silent, many] {
            let (bad, facts) = (read(&bad), &judge.facts);
            assert!(breaks::alone(&bad, &main(), facts).unwrap_err().contains("rule 5"), "{view}");
            let all = BTreeMap::from([(main(), bad)]);
            assert!(breaks::together(&all, facts).unwrap_err().contains("rule 5"), "{view}");
        }
    }
    let (judge, _) = shown(&["main", "720p"]);
    let other: RenditionName = "720p".parse().expect("a name");
    let mut moved = read(&judge.shown[&(other.clone(), "dvr".to_owned())]);
    moved.segments.iter_mut().for_each(|segment| segment.discontinuities += 1);
    let all = BTreeMap::from([(main(), read(&text(&judge, "dvr"))), (other, moved)]);
    assert!(breaks::together(&all, &judge.facts).unwrap_err().contains("count breaks differently"));
}

#[test]
fn rule_6_the_vod_is_all_that_was_stored_in_order() {
    let (judge, _) = shown(&["main"]);
    let facts = &judge.facts;
    let (vod, catch_up) = (read(&text(&judge, "vod")), read(&text(&judge, "catch-up")));
    let changed = |change: fn(&mut Playlist)| {
        let mut vod = vod.clone();
        change(&mut vod);
        recording::vod(&vod, &main(), facts)
    };
    assert_eq!(changed(|_| {}), Ok(()));
    let bad: [fn(&mut Playlist); 6] = [
        |vod| vod.segments.swap(1, 2),
        |vod| drop(vod.segments.remove(3)),
        |vod| drop(vod.segments.pop()),
        |vod| vod.segments.insert(4, vod.segments[3].clone()),
        |vod| vod.segments[1].gap = true,
        |vod| vod.ended = false,
    ];
    for (number, change) in bad.into_iter().enumerate() {
        assert!(changed(change).is_err_and(|found| found.contains("rule 6")), "{number}");
    }
    let mut short = catch_up;
    assert_eq!(recording::catch_up(&short, &main(), facts), Ok(()));
    short.segments.pop();
    assert!(recording::catch_up(&short, &main(), facts).unwrap_err().contains("rule 6"));
}

#[test]
fn rule_7_what_comes_in_time_is_in_its_place() {
    let (judge, now) = shown(&["main"]);
    let broadcast = judge.broadcast().expect("it was shown");
    let items = broadcast.live_items(&main(), now).into_iter();
    let entries: Vec<Entry> =
        items.filter_map(|item| if let Item::Entry(entry) = item { Some(entry) } else { None }).collect();
    let check = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = entries.clone();
        change(&mut entries);
        places::places(&Listed::from([(main(), entries)]), &judge.facts, now)
    };
    let at = |seq: u64| {
        let is = |entry: &Entry| entry.part().is_some_and(|part| part.segment.seq == Seq(seq));
        entries.iter().position(is).expect("it is listed")
    };
    assert_eq!(check(&|_| {}), Ok(()));
    // Also what came before one that was captured earlier.
    for seq in [2, REORDERED, 7] {
        let gone = check(&|entries| entries[at(seq)].content = Content::Gap);
        assert!(gone.unwrap_err().contains("is not in live"), "{seq}");
    }
    let off = check(&|entries| entries[at(4)].from = CapturedAt(START_MS));
    assert!(off.unwrap_err().contains("out of its place"));
}

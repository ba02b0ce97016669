//! Small named cases: how a broadcast stands, and playlists that people can read.

use broadcast::{Extent, Missing, StoreTime, View};

use crate::reader::{playlist, replay, text};
use crate::script::{Before, Delivery, Fate, Finish, Script};
use crate::simulation::{Recording, START_MS, moved};

/// `secs` after the recording began.
fn at(secs: i64) -> StoreTime {
    StoreTime(START_MS + secs * 1000)
}

fn with(count: usize, change: impl FnOnce(&mut Script)) -> Recording {
    let mut script = Script::calm(count);
    change(&mut script);
    Recording::new(&script)
}

/// What a reader whose clock is right sees of a view of each rendition, and how the broadcast stands.
fn seen(recording: &Recording, view: View, now: StoreTime) -> String {
    let broadcast = replay(recording, recording.known_at(now));
    let mut seen = format!("{}, {:?}\n", secs(now), broadcast.state(now));
    for name in &recording.names {
        let text = text(&broadcast, name, view, now).unwrap_or_else(|| "there is none\n".into());
        seen += &format!("{name}\n{text}");
    }
    seen
}

fn secs(now: StoreTime) -> String {
    format!("{} s", (now - at(0)).as_secs_f64())
}

#[test]
fn an_outage_with_return_and_recovery() {
    let outage = Before::Outage { ms: 15_000, delivery: Delivery::NewestFirst };
    let recording = with(14, |script| script.slots[4].before = outage);
    let moments = [at(14), at(24), at(29)].map(|now| seen(&recording, View::Live, now));
    insta::assert_snapshot!(moments.join("\n"));
}

#[test]
fn a_pause() {
    let pause = Before::Pause { ms: 20_000, timestamps_go_on: false };
    let recording = with(8, |script| script.slots[4].before = pause);
    let moments = [at(20), at(37)].map(|now| seen(&recording, View::Dvr, now));
    insta::assert_snapshot!(moments.join("\n"));
}

#[test]
fn reordering() {
    let recording = with(6, |script| script.slots[2].fates[0] = Fate::Late { ms: 3_500 });
    let moments = [at(9), at(10), at(13)].map(|now| seen(&recording, View::Dvr, now));
    insta::assert_snapshot!(moments.join("\n"));
}

#[test]
fn a_long_segment() {
    let recording = with(5, |script| {
        (script.slots[1].ticks, script.slots[1].cut_every_ms) = (540_000, 1_000);
        script.slots[3].ticks = 540_000;
        script.finish = Finish::Ended(Missing::Awaited);
    });
    let views = [View::Dvr, View::Vod].map(|view| seen(&recording, view, at(20)));
    insta::assert_snapshot!(views.join("\n"));
}

#[test]
fn two_renditions_one_with_a_hole() {
    let recording = with(6, |script| {
        script.renditions.push(script.renditions[0].clone());
        script.slots[2].fates[1] = Fate::Late { ms: 20_000 };
        script.slots[4].before = Before::NewFormat;
        script.slots[4].fates[1] = Fate::Lost;
    });
    let moments = [at(9), at(13), at(27)].map(|now| seen(&recording, View::Dvr, now));
    insta::assert_snapshot!(moments.join("\n"));
}

#[test]
fn a_publisher_restarts() {
    let recording = with(6, |script| {
        script.slots[3].before = Before::Restart { away_ms: 7_000 };
        script.renditions[0].container = broadcast::Container::M4s;
        script.finish = Finish::Ended(Missing::Awaited);
    });
    let views = [View::Dvr, View::CatchUp { from: broadcast::Seq(2) }].map(|view| seen(&recording, view, at(30)));
    insta::assert_snapshot!(views.join("\n"));
}

/// The words for how a broadcast stands, at moments of one eventful recording.
#[test]
fn states() {
    let recording = with(20, |script| {
        script.slots[3].before = Before::Pause { ms: 20_000, timestamps_go_on: true };
        script.slots[8].before = Before::Outage { ms: 20_000, delivery: Delivery::InOrder };
        script.slots[19].fates[0] = Fate::Lost;
        script.finish = Finish::EndedThenRecovered;
    });
    let cases = [
        (-1, "created"),
        (1, "created"),
        (3, "live"),
        (7, "paused"),
        (15, "paused"),
        (27, "paused"),
        (29, "paused"),
        (31, "live"),
        (37, "live"),
        (45, "interrupted"),
        (55, "interrupted"),
        (57, "interrupted"),
        (58, "live"),
        (60, "ended"),
        (65, "ended"),
        (66, "complete"),
    ];
    for (secs, word) in cases {
        let broadcast = replay(&recording, recording.known_at(at(secs)));
        assert_eq!(broadcast.state(at(secs)).word(), word, "after {secs} s");
    }
}

#[test]
fn states_without_media() {
    let recording = with(1, |script| script.slots[0].before = Before::Pause { ms: 9_000, timestamps_go_on: true });
    for (secs, word) in [(1, "paused"), (10, "created"), (12, "live")] {
        let broadcast = replay(&recording, recording.known_at(at(secs)));
        assert_eq!(broadcast.state(at(secs)).word(), word, "after {secs} s");
    }
}

/// Whoever joins in the middle of an outage finds its date range, though the gap with which it began has left the
/// window, and the init section in force, though its media has.
#[test]
fn a_long_outage_is_told_to_those_who_join() {
    let recording = with(20, |script| {
        script.slots[4].before = Before::Outage { ms: 120_000, delivery: Delivery::Lost };
        script.policy.window_ms = 10_000;
        script.renditions[0].container = broadcast::Container::M4s;
    });
    let broadcast = replay(&recording, recording.known_at(at(100)));
    let (now, name) = (at(100), &recording.names[0]);
    let live = playlist(&broadcast, name, View::Live, now).expect("it has begun");
    assert!(
        live.date_ranges.iter().any(|range| range.date_ms("END-DATE").is_none()),
        "{}",
        seen(&recording, View::Live, now)
    );
    let whole = playlist(&broadcast, name, View::Dvr, now).expect("it has begun");
    let of_dvr = whole.segments.into_iter().filter(|segment| segment.msn >= live.media_sequence);
    let what = |segment: testkit::hls::Segment| (segment.uri, segment.map);
    assert_eq!(live.segments.into_iter().map(what).collect::<Vec<_>>(), of_dvr.map(what).collect::<Vec<_>>());
}

/// After a while nothing more is published; when the publisher is back, its segments are put in order as ever.
#[test]
fn live_rests_and_wakes() {
    let recording = with(30, |script| {
        script.slots[4].before = Before::Outage { ms: 50_000, delivery: Delivery::NewestFirst };
        script.policy.rest_after_ms = 20_000;
    });
    let name = &recording.names[0];
    let last_msn = |secs: i64| {
        let broadcast = replay(&recording, recording.known_at(at(secs)));
        assert_eq!(broadcast.state(at(secs)).word(), "interrupted", "after {secs} s");
        broadcast.view(name, View::Live, Extent::Whole, at(secs)).expect("it has begun").last_msn
    };
    assert!(last_msn(20) > last_msn(15));
    assert_eq!(last_msn(35), last_msn(57));
    let broadcast = replay(&recording, recording.log.len());
    let dvr = playlist(&broadcast, name, View::Dvr, moved(recording.end_at(), 1)).expect("it has begun");
    let media: Vec<&str> = dvr.segments.iter().filter(|segment| !segment.gap).map(|segment| &*segment.uri).collect();
    // Those of the outage that came in time after the first, and everything since.
    assert_eq!(media[..3], ["0.ts", "1.ts", "2.ts"]);
    assert!(media[3..].windows(2).all(|pair| pair[0].len() < pair[1].len() || pair[0] < pair[1]), "{media:?}");
    assert!(media.contains(&"20.ts") && media.contains(&"29.ts"), "{media:?}");
}

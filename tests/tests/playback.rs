//! What is pushed plays, while it is live and afterwards: in the watch page with hls.js in Chromium, in mpv and in
//! ffprobe.

use std::time::Duration;

use headwater_tests::{Encoder, at_once, frames, wait_until_complete};
use serde_json::Value;
use testkit::{Headwater, Tool, eventually};

const CONFIG: &str = "[recorder.views]\nend_grace_ms = 1000\n";
const RUN_MAX: Duration = Duration::from_secs(90);
/// How much is sent, in seconds: enough to watch some of it while the rest is still to come.
const SENT_S: u32 = 36;
/// How much is watched.
const WATCHED_S: f64 = 5.0;

#[test]
fn a_broadcast_plays_live_and_afterwards() {
    let headwater = Headwater::start_with(CONFIG);
    // Segments of two seconds: their target duration is also the patience with a machine that is busy with these tests.
    let encoder = Encoder { seconds: SENT_S, ..Encoder::default() }.with("-hls_time 2");
    let cases = [("ts", encoder.clone()), ("fmp4", encoder.with("-hls_segment_type fmp4"))];
    at_once(&cases, |name, encoder| {
        let broadcast = headwater.create_broadcast();
        let mut pusher = encoder.push(&broadcast.push_url);
        eventually("something to watch", RUN_MAX, || {
            let details = headwater.broadcast(&broadcast.id);
            if details["details"]["main"]["segments"].as_u64() >= Some(4) { Ok(()) } else { Err(details) }
        });
        let live = watch(&broadcast.page_url);
        assert_plays(name, &live);
        assert_eq!(live["live"], true, "{name}: {live}");

        pusher.end_well(RUN_MAX);
        wait_until_complete(&headwater, &broadcast.id);
        let after = watch(&broadcast.page_url);
        assert_plays(name, &after);
        let duration = after["duration_s"].as_f64().expect("a recording has an end");
        assert!((duration - f64::from(SENT_S)).abs() < 0.5, "{name}: {after}");

        assert_eq!(frames(&broadcast.multivariant_url), 15 * encoder.seconds, "{name}: pictures");
        let said = Tool::find("mpv").run(MPV.split(' ').chain([broadcast.multivariant_url.as_str()]));
        for wrong in ["rror", "Failed", "Packet corrupt"] {
            assert!(!said.contains(wrong), "{name}: mpv said {said}");
        }
        assert!(said.contains("End of file"), "{name}: mpv said {said}");
    });
}

const MPV: &str =
    "--no-config --vo=null --ao=null --ao-null-untimed --untimed --term-status-msg= --msg-level=all=warn,cplayer=info";

fn watch(page_url: &str) -> Value {
    let chromium = Tool::find("chromium");
    let seconds = WATCHED_S.to_string();
    let seen = Tool::node_script("watch.mjs").run([chromium.path().as_os_str(), page_url.as_ref(), seconds.as_ref()]);
    serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{error}: {seen}"))
}

/// Fails unless the picture moved as fast as time passed, with sound, and nobody complained.
#[track_caller]
fn assert_plays(name: &str, seen: &Value) {
    let number = |member: &str| seen[member].as_f64().unwrap_or_else(|| panic!("{name}: {seen}"));
    let speed = number("played_s") / number("took_s");
    assert!(number("played_s") >= WATCHED_S && (0.9..1.1).contains(&speed), "{name}: at {speed} of real time: {seen}");
    assert_eq!((number("width"), number("sound_bytes") > 0.0), (160.0, true), "{name}: {seen}");
    let list = |member: &str| seen[member].as_array().unwrap_or_else(|| panic!("{name}: {seen}"));
    // ffmpeg's sound begins some frames before its picture. A player that starts at the very beginning may step over
    // that, and on a busy machine it says so.
    let harmless = |error: &Value| error["details"] == "bufferSeekOverHole" && error["fatal"] == false;
    assert!(list("errors").iter().all(harmless) && list("errors").len() <= 1, "{name}: {seen}");
    assert!(list("complaints").is_empty(), "{name}: {seen}");
}

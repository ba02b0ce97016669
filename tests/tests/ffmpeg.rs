//! ffmpeg pushes: what it sends, in all the ways in which it can, is what the recording is, byte for byte.

use std::time::Duration;

use headwater_tests::{Encoder, Recording, Tap, wait_until_complete};
use testkit::{Headwater, Tool};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(60);
const CONFIG: &str = "[recorder.views]\nend_grace_ms = 1000\n";

#[test]
fn ts_is_recorded_byte_for_byte() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let tap = Tap::before(headwater.url());
    Encoder::default().push(&tap.by_way(&format!("{}out.m3u8", broadcast.push_url))).end_well(RUN_MAX);
    wait_until_complete(&headwater, &broadcast.id);
    let recording = Recording::of_main(&headwater, &broadcast.id);
    recording.assert_is("ts", &tap.segments());
    assert_eq!(frames(&format!("{}/hls/{}/index.m3u8", headwater.url(), broadcast.id)), 8 * 15);
}

/// How many pictures ffprobe decodes.
fn frames(url: &str) -> u32 {
    let said = Tool::find("ffprobe").run([
        "-v",
        "error",
        "-count_frames",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
        url,
    ]);
    // Once as a stream of its program, once as a stream.
    said.lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches(',')
        .parse()
        .unwrap_or_else(|_| panic!("ffprobe said {said:?}"))
}

//! ffmpeg pushes: what it sends, in all the ways in which it can, is what the recording is, byte for byte.

use std::time::Duration;

use headwater_tests::{Encoder, Recording, Sent, Tap, at_once, frames, wait_until_complete};
use testkit::{Headwater, NewBroadcast, Tool};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(90);
const CONFIG: &str = "[recorder.views]\nend_grace_ms = 1000\n";

/// How a case's address differs from the push address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    Push,
    /// `http://user:pass@host`: ffmpeg asks with Expect: 100-continue before it sends a body.
    WithUser,
    YouTube,
}

#[test]
fn what_it_sends_is_recorded_byte_for_byte() {
    let five = Encoder::default;
    let eight = || Encoder { ffmpeg: Tool::ffmpeg8(), ..Encoder::default() };
    let hevc = Encoder {
        codecs: "-c:v libx265 -preset ultrafast -x265-params keyint=15:min-keyint=15:scenecut=0:log-level=none -c:a aac",
        ..five()
    };
    let audio = Encoder { picture: None, codecs: "-c:a aac", ..five() };
    let push = |encoder| (encoder, Address::Push);
    let cases = [
        ("5.1 ts", push(five())),
        ("5.1 ts persistent", push(five().with("-http_persistent 1"))),
        ("5.1 fmp4", push(five().with("-hls_segment_type fmp4"))),
        ("5.1 fmp4 persistent", push(five().with("-hls_segment_type fmp4 -http_persistent 1"))),
        ("8 ts", push(eight())),
        ("8 ts persistent", push(eight().with("-http_persistent 1"))),
        ("8 fmp4", push(eight().with("-hls_segment_type fmp4"))),
        ("8 fmp4 persistent", push(eight().with("-hls_segment_type fmp4 -http_persistent 1"))),
        ("post", push(five().with("-method POST"))),
        ("tidied up", push(five().with("-hls_list_size 3 -hls_flags delete_segments"))),
        ("named by the clock", push(five().with(BY_THE_CLOCK))),
        ("numbered from 7", push(five().with("-start_number 7 -hls_list_size 0"))),
        ("appended", push(five().with("-hls_flags append_list -hls_list_size 0"))),
        ("user and password", (five(), Address::WithUser)),
        ("youtube", (five().with("-hls_segment_filename {url}out%d.ts"), Address::YouTube)),
        ("hevc ts", push(hevc.clone())),
        ("hevc fmp4", push(hevc.with("-hls_segment_type fmp4 -tag:v hvc1"))),
        ("audio ts", push(audio.clone())),
        ("audio fmp4", push(audio.with("-hls_segment_type fmp4"))),
    ];
    let headwater = Headwater::start_with(CONFIG);
    at_once(&cases, |name, (encoder, address)| {
        let broadcast = headwater.create_broadcast();
        let tap = Tap::before(headwater.url());
        encoder.push(&tap.by_way(&url(&broadcast, *address))).end_well(RUN_MAX);
        wait_until_complete(&headwater, &broadcast.id);
        let recording = Recording::of_main(&headwater, &broadcast.id);
        recording.assert_is(name, &tap.segments());
        let sent_inits: Vec<_> = tap.sent().into_iter().filter(Sent::is_init).map(|sent| sent.request.body).collect();
        assert!(recording.inits.iter().flatten().all(|init| sent_inits.contains(init)), "{name}: init sections");
        if encoder.picture.is_some() {
            assert_eq!(frames(&vod_url(&headwater, &broadcast)), 15 * encoder.seconds, "{name}: pictures");
        }
    });
}

/// Names whose digits do not count by one: 59 is followed by 100. Two seconds each, so that no two are the same.
const BY_THE_CLOCK: &str = "-hls_time 2 -strftime 1 -hls_list_size 0 -hls_segment_filename {url}seg-%Y%m%d%H%M%S.ts";

fn url(broadcast: &NewBroadcast, address: Address) -> String {
    match address {
        Address::Push => broadcast.push_url.clone(),
        Address::WithUser => broadcast.push_url.replacen("http://", "http://user:pass@", 1),
        Address::YouTube => broadcast.youtube_url.clone(),
    }
}

fn vod_url(headwater: &Headwater, broadcast: &NewBroadcast) -> String {
    format!("{}/hls/{}/index.m3u8?view=vod", headwater.url(), broadcast.id)
}

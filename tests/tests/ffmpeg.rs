//! ffmpeg pushes: what it sends, in all the ways in which it can, is what the recording is, byte for byte.

use std::time::Duration;

use headwater_tests::{Encoder, Recording, Sent, Tap, at_once, frames, wait_until_complete};
use testkit::{Headwater, NewBroadcast, Tool, eventually};

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

#[test]
fn what_it_leaves_behind_in_a_hurry_is_recorded() {
    // Nothing stands between: at its end ffmpeg closes its connections with answers unread, which resets them.
    let cases = [
        ("ts", Encoder::default()),
        ("ts persistent", Encoder::default().with("-http_persistent 1")),
        ("fmp4 persistent", Encoder::default().with("-hls_segment_type fmp4 -http_persistent 1")),
    ];
    let headwater = Headwater::start_with(CONFIG);
    at_once(&cases, |name, encoder| {
        let broadcast = headwater.create_broadcast();
        let local = tempfile::tempdir().expect("a temporary folder");
        encoder
            .push_and_keep(&format!("{}out.m3u8", broadcast.push_url), &local.path().join("out.m3u8"))
            .end_well(RUN_MAX);
        wait_until_complete(&headwater, &broadcast.id);
        let read = |n: u32| {
            let file = |extension| std::fs::read(local.path().join(format!("out{n}.{extension}"))).ok();
            file("ts").or_else(|| file("m4s"))
        };
        let kept: Vec<_> = (0..).map_while(read).collect();
        Recording::of_main(&headwater, &broadcast.id).assert_is(name, &kept);
    });
}

#[test]
fn renditions_keep_their_names() {
    let headwater = Headwater::start_with(CONFIG);
    let broadcast = headwater.create_broadcast();
    let tap = Tap::before(headwater.url());
    let mut encoder = Encoder { codecs: TWO_SIZES, ..Encoder::default() };
    encoder.options.extend(["-var_stream_map", "v:0,a:0,name:small v:1,a:1,name:large"].map(str::to_owned));
    let encoder = encoder.with("-master_pl_name master.m3u8 -hls_segment_filename {url}%d.ts");
    encoder.push(&tap.by_way(&format!("{}%v/", broadcast.push_url))).end_well(RUN_MAX);
    wait_until_complete(&headwater, &broadcast.id);
    let recordings = Recording::of(&headwater, &broadcast.id);
    assert_eq!(recordings.keys().collect::<Vec<_>>(), ["large", "small"]);
    for (name, recording) in &recordings {
        let sent = tap.sent().into_iter().filter(|sent| sent.is_segment() && sent.folder() == name);
        recording.assert_is(name, &sent.map(|sent| sent.request.body).collect::<Vec<_>>());
    }
    let index = headwater.get(&format!("/hls/{}/index.m3u8", broadcast.id)).expect(200);
    for resolution in ["RESOLUTION=160x120", "RESOLUTION=320x240"] {
        assert!(index.text().contains(resolution), "{}", index.text());
    }
}

/// One picture in two sizes, with the same sound.
const TWO_SIZES: &str = "-map 0:v -map 1:a -map 0:v -map 1:a -s:v:0 160x120 -s:v:1 320x240 -b:v:0 200k -b:v:1 500k \
                         -c:v libx264 -preset ultrafast -g 15 -keyint_min 15 -sc_threshold 0 -c:a aac";

#[test]
fn a_pusher_that_starts_again_goes_on() {
    let [ts, fmp4] = ["-hls_segment_type mpegts", "-hls_segment_type fmp4"];
    let cases = [("ts", ts), ("fmp4", fmp4)];
    let headwater = Headwater::start();
    at_once(&cases, |name, container| {
        let broadcast = headwater.create_broadcast();
        let tap = Tap::before(headwater.url());
        let url = tap.by_way(&broadcast.push_url);
        let run = |picture, seconds| Encoder { picture: Some(picture), seconds, ..Encoder::default() }.with(container);
        let sent = |what: &str, count| {
            eventually(what, RUN_MAX, || {
                let sent = tap.segments().len();
                if sent >= count { Ok(sent) } else { Err(format!("{sent} segments of {name}")) }
            })
        };
        // Stopped as by Ctrl-C, then killed in the same pictures, then run to its end.
        let mut stopped = run("testsrc2=s=160x120:r=15", 60).push(&url);
        sent("a first run", 3);
        Tool::find("kill").run(["-INT", &stopped.pid().to_string()]);
        stopped.end(RUN_MAX);
        let first = tap.segments().len();
        let mut killed = run("testsrc2=s=160x120:r=15", 60).push(&url);
        sent("a second run", first + 3);
        killed.kill();
        let second = tap.segments().len();
        run("testsrc=s=128x96:r=15", 4).push(&url).end_well(RUN_MAX);
        let all = sent("a third run", second + 4);
        eventually("everything that was sent", RUN_MAX, || {
            let main = headwater.broadcast(&broadcast.id)["details"]["main"].clone();
            if main["segments"] == all { Ok(()) } else { Err(main) }
        });
        headwater.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
        wait_until_complete(&headwater, &broadcast.id);
        let recording = Recording::of_main(&headwater, &broadcast.id);
        recording.assert_is(name, &tap.segments());
        let discontinuities = recording.playlist.segments.iter().filter(|segment| segment.discontinuity);
        let places: Vec<_> = discontinuities.map(|segment| segment.msn).collect();
        assert_eq!(places, [first as u64, second as u64], "{name}: where runs begin");
        let inits: Vec<_> = tap.sent().into_iter().filter(Sent::is_init).map(|sent| sent.request.body).collect();
        for (msn, init) in recording.inits.iter().enumerate() {
            let run = usize::from(msn >= first) + usize::from(msn >= second);
            assert_eq!(init.as_ref(), inits.get(run), "{name}: the init section of segment {msn}, of run {run}");
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

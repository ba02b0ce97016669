//! Pushers that no program here is: every order in which segments, playlists and init sections can come, and what
//! clients do to connections. What arrives whole is recorded, in the order of its numbers.

use headwater_tests::{Media, Recording, Wire, at_once, wait_until_complete};
use testkit::{Headwater, HttpClient, NewBroadcast, eventually};

const SOON: std::time::Duration = std::time::Duration::from_secs(20);

/// Somebody who pushes to one broadcast.
struct Pusher<'a> {
    headwater: &'a Headwater,
    broadcast: NewBroadcast,
    ts: &'a Media,
    fmp4: &'a Media,
}

impl Pusher<'_> {
    fn path(&self, file: &str) -> String {
        format!("/push/{}/{file}", self.broadcast.token)
    }

    fn wire(&self) -> Wire {
        Wire::connect(self.headwater.url())
    }

    /// PUT on a connection of its own.
    #[track_caller]
    fn put(&self, file: &str, body: &[u8], status: u16) {
        let mut wire = self.wire();
        wire.put(&self.path(file), body);
        assert_eq!(wire.status(), status, "{file}");
    }

    fn playlist(&self, first: usize, files: &[&str], rest: &str) -> Vec<u8> {
        let segments: String = files.iter().map(|file| format!("#EXTINF:1.0,\n{file}\n")).collect();
        let head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1";
        let map = if rest.contains("MAP") { "#EXT-X-MAP:URI=\"init.mp4\"\n" } else { "" };
        let end = if rest.contains("END") { "#EXT-X-ENDLIST\n" } else { "" };
        format!("{head}\n#EXT-X-MEDIA-SEQUENCE:{first}\n{map}{segments}{end}").into()
    }
}

/// What a case does; it returns what has to be recorded.
type Case = fn(&Pusher<'_>) -> Vec<Vec<u8>>;

#[test]
fn whatever_the_order_it_is_recorded() {
    let cases: [(&str, Case); 10] = [
        ("segments before their playlist", segments_first),
        ("the playlist before its segments", playlist_first),
        ("segments in no order", in_no_order),
        ("fmp4 before its init section", before_its_init),
        ("an init section that idles", idling_init),
        ("pipelined and reset", pipelined_and_reset),
        ("sent again and deleted", again_and_deleted),
        ("youtube", youtube),
        ("no playlist at all", no_playlist),
        ("cut off and sent again", cut_off),
    ];
    let (ts, fmp4) = (Media::ts(6), Media::fmp4(6));
    let headwater = Headwater::start();
    at_once(&cases, |name, case| {
        let pusher = Pusher { headwater: &headwater, broadcast: headwater.create_broadcast(), ts: &ts, fmp4: &fmp4 };
        let expected = case(&pusher);
        let id = &pusher.broadcast.id;
        eventually("everything that was sent", SOON, || {
            let main = headwater.broadcast(id)["details"]["main"].clone();
            if main["segments"] == expected.len() { Ok(()) } else { Err(format!("{name}: {main}")) }
        });
        headwater.owner("POST", &format!("/v1/broadcasts/{id}/end"), "").expect(200);
        wait_until_complete(&headwater, id);
        let recording = Recording::of_main(&headwater, id);
        recording.assert_is(name, &expected);
        for init in recording.inits {
            assert_eq!(init, pusher.fmp4.init.clone().filter(|_| expected[0] == fmp4.segments[0]), "{name}");
        }
    });
}

const FILES: [&str; 6] = ["a.ts", "b.ts", "c.ts", "d.ts", "e.ts", "f.ts"];

fn segments_first(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    FILES.iter().zip(&pusher.ts.segments).for_each(|(file, segment)| pusher.put(file, segment, 202));
    pusher.put("out.m3u8", &pusher.playlist(0, &FILES, ""), 200);
    pusher.ts.segments.clone()
}

fn playlist_first(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    pusher.put("out.m3u8", &pusher.playlist(0, &FILES, "END"), 200);
    FILES.iter().zip(&pusher.ts.segments).for_each(|(file, segment)| pusher.put(file, segment, 201));
    pusher.ts.segments.clone()
}

fn in_no_order(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    pusher.put("out.m3u8", &pusher.playlist(0, &FILES, ""), 200);
    [3, 0, 5, 1, 4, 2].iter().for_each(|n: &usize| pusher.put(FILES[*n], &pusher.ts.segments[*n], 201));
    pusher.ts.segments.clone()
}

fn before_its_init(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    let files: Vec<_> = (0..6).map(|n| format!("out{n}.m4s")).collect();
    let names: Vec<_> = files.iter().map(String::as_str).collect();
    files.iter().zip(&pusher.fmp4.segments).for_each(|(file, segment)| pusher.put(file, segment, 202));
    pusher.put("out.m3u8", &pusher.playlist(0, &names, "MAP"), 200);
    pusher.put("init.mp4", pusher.fmp4.init.as_ref().expect("fmp4 has one"), 201);
    pusher.fmp4.segments.clone()
}

fn idling_init(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    let mut init = pusher.wire();
    init.put_head(&pusher.path("init.mp4"));
    pusher.put("out0.m4s", &pusher.fmp4.segments[0], 202);
    pusher.put("out.m3u8", &pusher.playlist(0, &["out0.m4s"], "MAP"), 200);
    init.chunks(pusher.fmp4.init.as_ref().expect("fmp4 has one"));
    assert_eq!(init.status(), 201);
    for n in 1..6 {
        pusher.put(&format!("out{n}.m4s"), &pusher.fmp4.segments[n], 201);
    }
    pusher.fmp4.segments.clone()
}

fn pipelined_and_reset(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    let mut wire = pusher.wire();
    for n in 0..6 {
        wire.put(&pusher.path(&format!("out{n}.ts")), &pusher.ts.segments[n]);
        let names: Vec<_> = (0..=n).map(|n| format!("out{n}.ts")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        wire.put(&pusher.path("out.m3u8"), &pusher.playlist(0, &names, ""));
    }
    wire.reset();
    pusher.ts.segments.clone()
}

fn again_and_deleted(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    pusher.put("out.m3u8", &pusher.playlist(0, &FILES, ""), 200);
    for (file, segment) in FILES.iter().zip(&pusher.ts.segments) {
        pusher.put(file, segment, 201);
        pusher.put(file, segment, 200);
        let answer = pusher.headwater.send("DELETE", &pusher.path(file), &[], "");
        assert_eq!(answer.status, 200);
    }
    pusher.ts.segments.clone()
}

fn youtube(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    let client = HttpClient::default();
    let put = |file: &str, body: &[u8]| {
        let answer = client.send("POST", &format!("{}{file}", pusher.broadcast.youtube_url), &[], body);
        assert!(answer.expect("an answer").status.is_success(), "{file}");
    };
    FILES.iter().zip(&pusher.ts.segments).for_each(|(file, segment)| put(file, segment));
    put("out.m3u8", &pusher.playlist(0, &FILES, ""));
    pusher.ts.segments.clone()
}

fn no_playlist(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    let files = (0..6).map(|n| format!("clip{n}.ts"));
    files.zip(&pusher.ts.segments).for_each(|(file, segment)| pusher.put(&file, segment, 202));
    pusher.ts.segments.clone()
}

fn cut_off(pusher: &Pusher<'_>) -> Vec<Vec<u8>> {
    pusher.put("out.m3u8", &pusher.playlist(0, &FILES, ""), 200);
    for (file, segment) in FILES.iter().zip(&pusher.ts.segments) {
        let mut wire = pusher.wire();
        wire.put_head(&pusher.path(file));
        wire.part(&segment[..segment.len() / 2]);
        drop(wire);
        pusher.put(file, segment, 201);
    }
    pusher.ts.segments.clone()
}

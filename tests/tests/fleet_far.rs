//! A fleet whose machines share nothing but Redis and a hot store: what is on one recorder's disk alone is shown all the
//! same, and its publisher keeps its copy until it is safe.

use std::path::Path;
use std::time::Duration;

use headwater_tests::{Encoder, Media, Relay, Tap};
use testkit::{Headwater, RedisServer, S3Server, eventually, hls};

const RUN_MAX: Duration = Duration::from_secs(60);
/// So that no node expires.
const LASTING: &str = "[node]\nrenew_every_ms = 500\ntime_to_live_ms = 600000\n";

struct Fleet {
    recorders: Vec<Headwater>,
    /// Takes nothing in, and has a directory of its own with nothing in it.
    playlist: Headwater,
    s3: S3Server,
    _redis: RedisServer,
}

impl Fleet {
    /// The hot store is away.
    fn start(names: &[&str]) -> Self {
        let (mut s3, redis) = (S3Server::start(), RedisServer::start());
        s3.kill();
        let (hot, metadata) = (s3.url(), redis.url());
        let start = |words: &[&str]| {
            let shared = ["--metadata", metadata.as_str(), "--hot", hot.as_str()];
            Headwater::start_in(s3.variables(), &[words, &shared].concat(), LASTING)
        };
        let playlist = start(&["playlist"]);
        let recorders: Vec<_> = names.iter().map(|name| start(&["recorder", "--node-name", name])).collect();
        eventually("all to be registered", RUN_MAX, || {
            let list = recorders[0].owner("GET", "/v1/nodes", "").expect(200).json();
            if list["nodes"].as_array().map(Vec::len) == Some(names.len()) { Ok(()) } else { Err(list) }
        });
        Self { recorders, playlist, s3, _redis: redis }
    }

    /// What viewers are given of `main`: its catch-up, with everything that it lists.
    fn shown(&self, id: &str) -> Shown {
        let folder = format!("/hls/{id}/main");
        let answer = self.playlist.get(&format!("{folder}/catchup.m3u8?from=0")).expect(200);
        let playlist = hls::read(answer.text()).expect("it can be read");
        let fetch = |uri: &str| self.playlist.get(&format!("{folder}/{uri}")).expect(200).body;
        let map = |map: &String| fetch(map.split('"').nth(1).expect("URI comes first"));
        Shown {
            segments: playlist.segments.iter().map(|segment| fetch(&segment.uri)).collect(),
            init: playlist.segments.iter().find_map(|segment| segment.map.as_ref().map(map)),
            first: format!("{folder}/{}", playlist.segments[0].uri),
        }
    }
}

struct Shown {
    segments: Vec<Vec<u8>>,
    init: Option<Vec<u8>>,
    /// The address of the first segment.
    first: String,
}

/// How many segments are in a directory of segments.
fn segments_in(dir: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let count = |entry: std::fs::DirEntry| match entry.path() {
        path if path.is_dir() => segments_in(&path),
        path => usize::from(path.extension().is_some_and(|end| end == "ts" || end == "m4s")),
    };
    entries.map(|entry| count(entry.expect("a directory can be read"))).sum()
}

#[test]
fn what_is_not_safe_is_shown_from_the_disk_of_its_recorder_and_kept_by_its_publisher() {
    let mut fleet = Fleet::start(&["one", "two"]);
    let broadcast = fleet.recorders[0].create_broadcast();
    // Nothing is kept that is safe.
    let mut relay = Relay::with(&broadcast.push_url, &["--keep", "0"]);
    let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
    Encoder { seconds: 6, ..Encoder::default() }.push(&tap.by_way(&relay.push_url())).end_well(RUN_MAX);
    let sent = tap.segments();
    assert!(sent.len() >= 6, "{} segments are no test", sent.len());
    eventually("all to have arrived", RUN_MAX, || {
        let stored = fleet.recorders[1].broadcast(&broadcast.id)["details"]["main"]["segments"].clone();
        if stored == sent.len() { Ok(()) } else { Err(stored) }
    });

    let shown = fleet.shown(&broadcast.id);
    assert!(shown.segments == sent, "{} of {} segments, or other bytes", shown.segments.len(), sent.len());
    let part = fleet.playlist.send("GET", &shown.first, &[("range", "bytes=188-563")], "").expect(206);
    assert_eq!(part.body, &sent[0][188..564]);
    assert_eq!(segments_in(&fleet.playlist.data()), 0, "it has no disk to read from");
    assert_eq!(segments_in(fleet.s3.bucket_dir().as_path()), 0, "and no hot store");
    assert_eq!(segments_in(relay.spool()), sent.len(), "nothing is safe, so nothing may be deleted");

    fleet.s3.restart();
    eventually("a spool without what is safe", RUN_MAX, || match segments_in(relay.spool()) {
        0 => Ok(()),
        left => Err(left),
    });
    assert_eq!(segments_in(fleet.s3.bucket_dir().as_path()), sent.len());
    // And now any recorder may be lost.
    fleet.recorders.iter_mut().for_each(Headwater::kill9);
    assert!(fleet.shown(&broadcast.id).segments == sent);
}

#[test]
fn an_init_section_that_another_recorder_has_is_as_good_as_ones_own() {
    let mut fleet = Fleet::start(&["one", "two"]);
    let (media, broadcast) = (Media::fmp4(4), fleet.recorders[0].create_broadcast());
    let bearer = format!("Bearer {}", broadcast.token);
    let put = |recorder: &Headwater, file: &str, bytes: &[u8], captured: &str| {
        let headers = [("authorization", bearer.as_str()), ("segment-captured-at", captured)];
        recorder.send("PUT", &format!("/ingest/{}/main/{file}", broadcast.id), &headers, bytes).expect(201);
    };
    let init = media.init.clone().expect("fragmented MP4 has one");
    put(&fleet.recorders[0], "init.mp4", &init, "1700000000000");
    for (seq, recorder) in [(0, 0), (1, 1), (2, 0), (3, 1)] {
        let captured = (1_700_000_000_000_u64 + seq * 1_000).to_string();
        let segment = &media.segments[usize::try_from(seq).expect("few")];
        put(&fleet.recorders[recorder], &format!("{seq}.m4s"), segment, &captured);
    }
    let shown = fleet.shown(&broadcast.id);
    assert!(shown.segments == media.segments && shown.init == Some(init.clone()));
    // What one disk holds is of use without the other.
    fleet.recorders[0].kill9();
    fleet.s3.restart();
    let folder = fleet.s3.bucket_dir().join("live").join(&broadcast.id).join("main");
    eventually("the second recorder's part in the hot store", RUN_MAX, || match segments_in(&folder) {
        2 => Ok(()),
        other => Err(other),
    });
    for seq in [1, 3] {
        let answer = fleet.playlist.get(&format!("/hls/{}/main/{seq}.m4s", broadcast.id)).expect(200);
        assert!(answer.body == media.segments[seq], "segment {seq}");
    }
}

#[test]
fn a_disk_is_shown_to_nobody_but_the_fleet() {
    let fleet = Fleet::start(&["one"]);
    let (media, broadcast) = (Media::ts(1), fleet.recorders[0].create_broadcast());
    let bearer = format!("Bearer {}", broadcast.token);
    let headers = [("authorization", bearer.as_str()), ("segment-captured-at", "1700000000000")];
    let recorder = &fleet.recorders[0];
    recorder.send("PUT", &format!("/ingest/{}/main/0.ts", broadcast.id), &headers, &media.segments[0][..]).expect(201);
    assert!(fleet.shown(&broadcast.id).segments == media.segments);
    let folder = recorder.data().join("segments").join(&broadcast.id).join("main");
    let file = std::fs::read_dir(folder).expect("it is there").next().expect("a segment").expect("it can be read");
    let path = format!("/v1/stored/{}/main/{}", broadcast.id, file.file_name().to_str().expect("ASCII"));
    assert_eq!(recorder.get(&path).status, 401);
    recorder.send("GET", &path, &headers, "").expect(403);
    recorder.owner("GET", &path, "").expect(401);
    recorder.get("/v1/stored/what").expect(404);
}

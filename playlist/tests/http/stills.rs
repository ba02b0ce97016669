//! Pictures, made by the real ffmpeg of real segments. Time is not paused here: it would not wait for another process.

use std::path::Path;

use broadcast::{Container, Event, Format, Init, Key, RenditionName, Resolution, Segment, ViewPolicy};
use bytes::Bytes;
use headwater_playlist::{Config, StillsConfig};
use http::Method;
use storage::{Blob, Store};
use tempfile::TempDir;
use testkit::Tool;

use crate::fixtures::{Answer, World, digest_of, format, segment};

const STILLS: &str = "headwater_playlist_stills_total";

/// What ffmpeg makes with these options, of two seconds of a picture and a tone. `{}` is a folder.
fn made(options: &str, read: impl FnOnce(&Path) -> Vec<Bytes>) -> Vec<Bytes> {
    let dir = TempDir::new().unwrap();
    let source = "-hide_banner -loglevel error -nostdin -y -f lavfi -i testsrc2=s=352x288:r=10 -f lavfi -i sine -t 2 \
                  -c:v libx264 -preset ultrafast -g 10 -c:a aac -shortest";
    let options = options.replace("{}", dir.path().to_str().unwrap());
    Tool::find("ffmpeg").run(source.split_whitespace().chain(options.split_whitespace()));
    read(dir.path())
}

fn file(dir: &Path, name: &str) -> Bytes {
    std::fs::read(dir.join(name)).unwrap().into()
}

fn ts(options: &str) -> Bytes {
    made(&format!("{options} -f mpegts {{}}/a.ts"), |dir| vec![file(dir, "a.ts")]).remove(0)
}

/// An init section and a segment.
fn fmp4() -> [Bytes; 2] {
    let options = "-f hls -hls_time 10 -hls_segment_type fmp4 -hls_segment_filename {}/%d.m4s {}/out.m3u8";
    made(options, |dir| vec![file(dir, "init.mp4"), file(dir, "0.m4s")]).try_into().unwrap()
}

const SEEN: Option<Resolution> = Some(Resolution { width: 352, height: 288 });

impl World {
    async fn seeing(config: StillsConfig) -> Self {
        let config = Config { stills: config, ..Config::default() };
        Self::with(ViewPolicy::default(), config, |log| log).await
    }

    async fn record_ts(&self, seq: u64, bytes: &Bytes, resolution: Option<Resolution>) -> Segment {
        let format = Format { resolution, ..format(1 + u8::from(resolution.is_none()), Container::Ts, None) };
        let segment = Segment { format: format.id, ..segment(seq, bytes) };
        self.store.put(&Key::of_segment(self.id, &segment), Blob::from(bytes.clone())).await.unwrap();
        self.commit(&[Event::Format(format), Event::Stored(segment.clone())]).await;
        segment
    }

    async fn record_fmp4(&self, init: &Bytes, bytes: &Bytes) {
        let digest = digest_of(init);
        self.store.put(&Key::of_init(self.id, RenditionName::main(), digest), Blob::from(init.clone())).await.unwrap();
        let fragment = Segment { container: Container::M4s, ..segment(0, bytes) };
        self.store.put(&Key::of_segment(self.id, &fragment), Blob::from(bytes.clone())).await.unwrap();
        let init = Some(Init { digest, len: init.len() as u64 });
        let format = Format { resolution: SEEN, ..format(1, Container::M4s, init) };
        self.commit(&[Event::Format(format), Event::Stored(fragment)]).await;
    }
}

/// Width and height of a JPEG, from its frame header (ITU-T T.81, B.2.2).
fn size_of(answer: &Answer) -> (u16, u16) {
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("image/jpeg")));
    let jpeg = &answer.body;
    assert_eq!(answer.header("content-length"), Some(&*jpeg.len().to_string()));
    assert_eq!((&jpeg[..2], &jpeg[jpeg.len() - 2..]), (&[0xff, 0xd8][..], &[0xff, 0xd9][..]));
    let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    let mut at = 2;
    while !(0xc0..=0xc2).contains(&jpeg[at + 1]) {
        at += 2 + usize::from(number(at + 2));
    }
    (number(at + 7), number(at + 5))
}

#[tokio::test]
async fn a_segment_has_pictures_of_each_width_and_the_poster_is_of_the_newest() {
    let world = World::seeing(StillsConfig::default()).await;
    let early = world.get("poster.jpg").await;
    assert_eq!((early.status.as_u16(), early.problem()["type"].as_str()), (404, Some("/problems/no-picture")));
    assert_eq!((early.header("cache-control"), early.header("retry-after")), (Some("public, max-age=1"), Some("6")));
    let bytes = ts("");
    let first = world.record_ts(0, &bytes, SEEN).await;
    for (width, size) in [("160", (160, 131)), ("320", (320, 262)), ("640", (352, 288)), ("1280", (352, 288))] {
        let answer = world.get(&format!("main/0.jpg?width={width}")).await;
        let (wide, high) = size_of(&answer);
        assert!(wide == size.0 && high.abs_diff(size.1) <= 1, "{wide}x{high}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("etag"), Some(&*format!("\"{}-{width}\"", first.digest)));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    let poster = world.get("poster.jpg?width=160").await;
    assert_eq!((size_of(&poster).0, poster.header("cache-control")), (160, Some("public, max-age=3")));
    let etag = poster.header("etag").unwrap().to_owned();
    let known = world.ask(Method::GET, "poster.jpg?width=160", &[("if-none-match", &etag)]).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    let head = world.ask(Method::HEAD, "poster.jpg?width=160", &[]).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), poster.header("content-length"));
    // Four widths, and all the rest came from the cache.
    assert_eq!(world.server.metric(STILLS), 4.0);
    world.record_ts(1, &ts("-vf hue=h=90"), SEEN).await;
    let newer = world.get("poster.jpg?width=160").await;
    assert_ne!((size_of(&newer).0, newer.header("etag")), (160, Some(&*etag)));
    assert_eq!(world.get("main/2.jpg").await.problem()["type"], "/problems/not-yet");
}

#[tokio::test]
async fn pixels_are_square_and_the_picture_is_the_right_way_up() {
    let world = World::seeing(StillsConfig::default()).await;
    // 352x288 with pixels of 12:11 is 4:3.
    world.record_ts(0, &ts("-vf setsar=12/11"), SEEN).await;
    assert_eq!(size_of(&world.get("main/0.jpg?width=320").await), (320, 240));
    let [init, bytes] = fmp4();
    for (turned, size) in [(false, (160, 131)), (true, (160, 196))] {
        let world = World::seeing(StillsConfig::default()).await;
        let init = if turned { turn(&init) } else { init.clone() };
        world.record_fmp4(&init, &bytes).await;
        let (wide, high) = size_of(&world.get("main/0.jpg?width=160").await);
        assert!(wide == size.0 && high.abs_diff(size.1) <= 1, "{wide}x{high}");
    }
}

/// The init section with its first track turned by a quarter (ISO/IEC 14496-12, 8.3.2).
fn turn(init: &Bytes) -> Bytes {
    let mut init = init.to_vec();
    let tkhd = init.windows(4).position(|name| name == b"tkhd").unwrap();
    let matrix = tkhd + 4 + 40;
    let quarter: [i32; 9] = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x4000_0000];
    for (at, value) in quarter.into_iter().enumerate() {
        init[matrix + 4 * at..][..4].copy_from_slice(&value.to_be_bytes());
    }
    init.into()
}

#[tokio::test]
async fn where_nothing_can_be_seen_there_is_no_picture_and_that_is_found_out_once() {
    let world = World::seeing(StillsConfig::default()).await;
    let (sound, whole) = (ts("-vn"), ts(""));
    // The log says that there is no picture.
    world.record_ts(0, &sound, None).await;
    // It says that there is one.
    world.record_ts(1, &sound, SEEN).await;
    world.record_ts(2, &Bytes::from(vec![0x47; 188 * 1000]), SEEN).await;
    world.record_ts(3, &whole.slice(..188 * 3), SEEN).await;
    world.record_ts(4, &Bytes::from_static(b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n"), SEEN).await;
    for _ in 0..2 {
        for seq in 0..5 {
            let answer = world.get(&format!("main/{seq}.jpg")).await;
            assert_eq!(answer.status, 404, "{seq}");
            assert_eq!(answer.problem()["type"], "/problems/no-picture", "{seq}");
        }
    }
    assert_eq!(world.server.metric(STILLS), 4.0);
    assert_eq!(world.get("poster.jpg").await.status, 404);
}

#[tokio::test]
async fn many_who_ask_at_once_cost_one_process() {
    let world = World::seeing(StillsConfig::default()).await;
    world.record_ts(0, &ts(""), SEEN).await;
    let all = futures_util::future::join_all((0..50).map(|_| world.get("main/0.jpg?width=320"))).await;
    assert!(all.iter().all(|answer| answer.status == 200 && answer.body == all[0].body));
    assert_eq!(world.server.metric(STILLS), 1.0);
}

#[tokio::test]
async fn more_than_may_wait_are_told_to_come_back() {
    let world = World::seeing(StillsConfig { at_once_max: 1, waiting_max: 1, ..StillsConfig::default() }).await;
    let bytes = ts("");
    for seq in 0..4 {
        world.record_ts(seq, &bytes, SEEN).await;
    }
    let paths: Vec<_> = (0..4).map(|seq| format!("main/{seq}.jpg")).collect();
    let all = futures_util::future::join_all(paths.iter().map(|path| world.get(path))).await;
    let statuses: Vec<_> = all.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 503, 503]);
    assert_eq!((all[3].header("retry-after"), all[3].header("cache-control")), (Some("2"), Some("no-store")));
    assert_eq!(world.get("main/3.jpg").await.status, 200);
}

#[tokio::test]
async fn a_poster_does_not_wait_for_those_who_look_around() {
    let world = World::seeing(StillsConfig { waiting_max: 10, ..StillsConfig::default() }).await;
    let bytes = ts("");
    for seq in 0..20 {
        world.record_ts(seq, &bytes, SEEN).await;
    }
    let paths: Vec<_> = (0..19).map(|seq| format!("main/{seq}.jpg")).chain(["poster.jpg".to_owned()]).collect();
    let answered = std::sync::Mutex::new(Vec::new());
    let ask = async |path| {
        let status = world.get(path).await.status.as_u16();
        answered.lock().unwrap().push((path, status));
    };
    futures_util::future::join_all(paths.iter().map(|path| ask(path))).await;
    let mut made = answered.into_inner().unwrap();
    made.retain(|(_, status)| *status == 200);
    assert_eq!(made.len(), 13, "twelve previews have a turn, and the poster: {made:?}");
    assert_ne!(made.last().unwrap().0, "poster.jpg", "{made:?}");
}

#[tokio::test]
async fn what_costs_too_much_has_no_picture() {
    for config in [
        StillsConfig { time_ms_max: 1, ..StillsConfig::default() },
        StillsConfig { memory_bytes_max: 50 << 20, ..StillsConfig::default() },
        StillsConfig { input_bytes_max: 100, ..StillsConfig::default() },
    ] {
        let world = World::seeing(config).await;
        world.record_ts(0, &ts(""), SEEN).await;
        let answer = world.get("main/0.jpg").await;
        assert_eq!((answer.status.as_u16(), answer.problem()["type"].as_str()), (404, Some("/problems/no-picture")));
    }
}

#[tokio::test]
async fn a_lost_segment_is_told() {
    let world = World::seeing(StillsConfig::default()).await;
    let segment = world.record_ts(0, &ts(""), SEEN).await;
    world.store.remove(&Key::of_segment(world.id, &segment)).await.unwrap();
    let answer = world.get("main/0.jpg").await;
    assert_eq!((answer.status.as_u16(), answer.problem()["type"].as_str()), (500, Some("/problems/object-lost")));
}

//! Segments and init sections: whole, in part, lost.

use broadcast::{Container, Event, Init, Key, RenditionName};
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use storage::{Blob, Store};
use tower::ServiceExt;

use crate::fixtures::{World, bytes_of, digest_of, format, segment};

#[tokio::test(start_paused = true)]
async fn a_segment_is_what_was_stored() {
    let world = World::live(2).await;
    let answer = world.get("main/1.ts").await;
    assert_eq!(answer.body, bytes_of(1));
    let etag = format!("\"{}\"", digest_of(&bytes_of(1)));
    for (name, expected) in [
        ("content-type", "video/mp2t"),
        ("content-length", "1001"),
        ("accept-ranges", "bytes"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("etag", &etag),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(answer.header(name), Some(expected), "{name}");
    }
    assert_eq!(answer.header("vary"), None);
    let head = world.ask(Method::HEAD, "main/1.ts", &[("range", "bytes=0-0")]).await;
    assert_eq!((head.status.as_u16(), head.body.len(), head.header("content-length")), (200, 0, Some("1001")));
    let known = world.ask(Method::GET, "main/1.ts", &[("if-none-match", &etag), ("range", "bytes=0-0")]).await;
    assert_eq!((known.status.as_u16(), known.body.len(), known.header("etag")), (304, 0, Some(&*etag)));
    assert_eq!(world.server.metric("headwater_playlist_sent_bytes_total"), 1001.0);
}

#[tokio::test(start_paused = true)]
async fn fragmented_mp4_has_an_init_section() {
    let world = World::new().await;
    let (init, bytes) = (Bytes::from_static(b"ftyp moov"), Bytes::from_static(b"moof mdat"));
    let digest = digest_of(&init);
    let name = RenditionName::main();
    world.store.put(&Key::of_init(world.id, name, digest), Blob::from(init.clone())).await.unwrap();
    let mut fragment = segment(0, &bytes);
    fragment.container = Container::M4s;
    world.store.put(&Key::of_segment(world.id, &fragment), Blob::from(bytes.clone())).await.unwrap();
    let format = format(1, Container::M4s, Some(Init { digest, len: init.len() as u64 }));
    world.commit(&[Event::Format(format), Event::Stored(fragment)]).await;
    let playlist = world.get("main/live.m3u8").await;
    let uri = format!("init-{digest}.mp4");
    assert!(playlist.text().contains(&format!("#EXT-X-MAP:URI=\"{uri}\"")), "{}", playlist.text());
    for (path, expected, media_type) in
        [(format!("main/{uri}"), init, "video/mp4"), ("main/0.m4s".to_owned(), bytes, "video/iso.segment")]
    {
        let answer = world.get(&path).await;
        assert_eq!((answer.body.clone(), answer.header("content-type")), (expected, Some(media_type)), "{path}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_segment() {
    let world = World::live(1).await;
    let (all, etag) = (bytes_of(0), format!("\"{}\"", digest_of(&bytes_of(0))));
    for (range, status, expected, content_range) in [
        ("bytes=0-9", 206, &all[..10], Some("bytes 0-9/1000")),
        ("bytes=990-", 206, &all[990..], Some("bytes 990-999/1000")),
        ("bytes=-1", 206, &all[999..], Some("bytes 999-999/1000")),
        ("bytes=500-99999", 206, &all[500..], Some("bytes 500-999/1000")),
        ("bytes=0-1,5-6", 200, &all[..], None),
        ("nonsense", 200, &all[..], None),
    ] {
        for if_range in [None, Some(&*etag)] {
            let if_range = if_range.map(|etag| ("if-range", etag));
            let headers: Vec<_> = [("range", range)].into_iter().chain(if_range).collect();
            let answer = world.ask(Method::GET, "main/0.ts", &headers).await;
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (status, expected), "{range}");
            assert_eq!(answer.header("content-range"), content_range, "{range}");
            assert_eq!(answer.header("content-length"), Some(&*expected.len().to_string()), "{range}");
        }
    }
    let outside = world.ask(Method::GET, "main/0.ts", &[("range", "bytes=1000-")]).await;
    assert_eq!((outside.status.as_u16(), outside.header("content-range")), (416, Some("bytes */1000")));
    let changed = world.ask(Method::GET, "main/0.ts", &[("range", "bytes=0-0"), ("if-range", "\"x\"")]).await;
    assert_eq!((changed.status.as_u16(), changed.body), (200, all));
}

#[tokio::test(start_paused = true)]
async fn a_listed_segment_that_is_not_there_is_never_an_empty_answer() {
    let world = World::live(2).await;
    world.store.remove(&Key::of_segment(world.id, &segment(0, &bytes_of(0)))).await.unwrap();
    let path = file_of(&world, 1);
    std::fs::write(&path, b"short").unwrap();
    for (lost, rest) in [(1.0, "main/0.ts"), (2.0, "main/1.ts")] {
        let answer = world.get(rest).await;
        assert_eq!(answer.status, 500, "{rest}");
        assert_eq!(answer.problem()["type"], "/problems/object-lost", "{rest}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{rest}");
        assert_eq!(world.server.metric("headwater_playlist_objects_lost_total"), lost, "{rest}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_breaks_off_is_seen_to() {
    let world = World::new().await;
    let bytes = Bytes::from(vec![7; 1 << 20]);
    let large = segment(0, &bytes);
    world.store.put(&Key::of_segment(world.id, &large), Blob::from(bytes.clone())).await.unwrap();
    world.commit(&[Event::Format(format(1, Container::Ts, None)), Event::Stored(large)]).await;
    let request = http::Request::get(world.path("main/0.ts")).body(axum::body::Body::empty()).unwrap();
    let response = world.server.playlists.router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-length"], (1 << 20).to_string());
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(!first.is_empty() && first.len() < bytes.len());
    let file = std::fs::OpenOptions::new().write(true).open(file_at(&world, &bytes)).unwrap();
    file.set_len(first.len() as u64).unwrap();
    assert!(body.collect().await.is_err(), "the connection has to break off too");
}

fn file_of(world: &World, seq: u64) -> std::path::PathBuf {
    let key = Key::of_segment(world.id, &segment(seq, &bytes_of(seq)));
    world.dir.path().join("store/segments").join(key.to_string())
}

fn file_at(world: &World, bytes: &[u8]) -> std::path::PathBuf {
    let key = Key::of_segment(world.id, &segment(0, bytes));
    world.dir.path().join("store/segments").join(key.to_string())
}

//! What is answered when all is well: status, headers, content.

use http::Method;

use crate::fixtures::{TARGET, World};

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
const PLAYLIST: &str = "application/vnd.apple.mpegurl";

struct Case {
    path: &'static str,
    content_type: &'static str,
    cache_control: &'static str,
    /// The first is the one asked for.
    has: &'static [&'static str],
    vary: Option<&'static str>,
}

async fn check(world: &World, case: &Case) {
    let Case { path, content_type, cache_control, has, vary } = *case;
    let got = world.get(path).await;
    assert_eq!(got.status, 200, "{path}: {got:?}");
    for (name, expected) in [
        ("content-type", Some(content_type)),
        ("cache-control", Some(cache_control)),
        ("vary", vary),
        ("access-control-allow-origin", Some("*")),
        ("content-length", Some(&*got.body.len().to_string())),
        ("content-encoding", None),
    ] {
        assert_eq!(got.header(name), expected, "{path}: {name}");
    }
    for text in has {
        assert!(got.text().contains(text), "{path}: no {text} in {}", got.text());
    }
    let etag = got.header("etag").unwrap();
    assert!(etag.starts_with('"'), "{path}: {etag} is not strong");

    let known = world.ask(Method::GET, path, &[("if-none-match", etag)]).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0), "{path}");
    for name in ["etag", "cache-control", "vary", "access-control-allow-origin"] {
        assert_eq!(known.header(name), got.header(name), "{path}: {name} of the 304");
    }
    assert_eq!(known.header("content-type"), None, "{path}");
    let other = world.ask(Method::GET, path, &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.body, got.body, "{path}");

    let head = world.ask(Method::HEAD, path, &[]).await;
    assert_eq!((head.status, head.body.len()), (got.status, 0), "{path}");
    assert_eq!(head.headers, got.headers, "{path}: HEAD");
}

#[tokio::test(start_paused = true)]
async fn a_running_broadcast() {
    let world = World::live(8).await;
    let vary = Some("accept-encoding");
    for case in [
        Case {
            path: "index.m3u8",
            content_type: PLAYLIST,
            cache_control: "public, no-cache",
            has: &["#EXT-X-STREAM-INF:", "\nmain/live.m3u8\n"],
            vary,
        },
        Case {
            path: "index.m3u8?view=dvr",
            content_type: PLAYLIST,
            cache_control: "public, no-cache",
            has: &["\nmain/dvr.m3u8\n"],
            vary,
        },
        Case {
            path: "index.m3u8?view=catchup&from=2",
            content_type: PLAYLIST,
            cache_control: "public, no-cache",
            has: &["\nmain/catchup.m3u8?from=2\n"],
            vary,
        },
        Case {
            path: "main/live.m3u8",
            content_type: PLAYLIST,
            cache_control: "public, max-age=3",
            has: &["#EXT-X-MEDIA-SEQUENCE:3\n", "CAN-BLOCK-RELOAD=YES", "\n3.ts\n", "\n7.ts\n"],
            vary,
        },
        Case {
            path: "main/live.m3u8?_HLS_msn=7",
            content_type: PLAYLIST,
            cache_control: "public, max-age=36",
            has: &["\n7.ts\n"],
            vary,
        },
        Case {
            path: "main/dvr.m3u8",
            content_type: PLAYLIST,
            cache_control: "public, max-age=3",
            has: &["#EXT-X-PLAYLIST-TYPE:EVENT\n", "\n0.ts\n", "\n7.ts\n"],
            vary,
        },
        Case {
            path: "main/dvr.m3u8?_HLS_msn=7&_HLS_skip=YES",
            content_type: PLAYLIST,
            cache_control: "public, max-age=36",
            has: &["#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n", "\n7.ts\n"],
            vary,
        },
        Case {
            path: "main/catchup.m3u8?from=2",
            content_type: PLAYLIST,
            cache_control: "public, max-age=3",
            has: &["#EXT-X-MEDIA-SEQUENCE:2\n", "\n2.ts\n", "\n7.ts\n"],
            vary,
        },
    ] {
        check(&world, &case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_one_never_changes_again() {
    let world = World::complete(4).await;
    let vary = Some("accept-encoding");
    for (path, has) in [
        ("index.m3u8", &["\nmain/vod.m3u8\n"][..]),
        ("main/vod.m3u8", &["#EXT-X-PLAYLIST-TYPE:VOD\n", "\n0.ts\n", "\n3.ts\n", "#EXT-X-ENDLIST\n"]),
        ("main/dvr.m3u8", &["#EXT-X-ENDLIST\n"]),
        ("main/live.m3u8", &["#EXT-X-ENDLIST\n"]),
        ("main/catchup.m3u8?from=1", &["\n1.ts\n", "#EXT-X-ENDLIST\n"]),
        // After the end, delivery directives mean nothing (RFC 8216bis, 6.2.5.2).
        ("main/live.m3u8?_HLS_msn=99", &["#EXT-X-ENDLIST\n"]),
        ("main/dvr.m3u8?_HLS_skip=YES", &["\n0.ts\n", "#EXT-X-ENDLIST\n"]),
    ] {
        let case = Case { path, content_type: PLAYLIST, cache_control: IMMUTABLE, has, vary };
        check(&world, &case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn playlists_are_compressed_for_those_who_want_it() {
    let world = World::complete(40).await;
    let plain = world.get("main/vod.m3u8").await;
    let zipped = world.ask(Method::GET, "main/vod.m3u8", &[("accept-encoding", "gzip, br")]).await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!(zipped.header("vary"), Some("accept-encoding"));
    assert_eq!(zipped.header("content-length"), Some(&*zipped.body.len().to_string()));
    assert!(zipped.body.len() * 4 < plain.body.len(), "{} of {}", zipped.body.len(), plain.body.len());
    assert_ne!(zipped.header("etag"), plain.header("etag"), "one tag for two sequences of bytes");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&zipped.body[..]), &mut text).unwrap();
    assert_eq!(text, plain.text());
}

#[tokio::test(start_paused = true)]
async fn any_page_may_ask() {
    let world = World::live(1).await;
    for path in ["main/live.m3u8", "main/0.ts", "main/99.ts"] {
        let headers = [("origin", "https://a.example"), ("access-control-request-headers", "range,x-y")];
        let preflight = world.ask(Method::OPTIONS, path, &headers).await;
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
        assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(preflight.header("access-control-allow-headers"), Some("range,x-y"));
        let answer = world.ask(Method::GET, path, &headers[..1]).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        assert!(answer.header("access-control-expose-headers").unwrap().contains("date"), "{path}");
    }
    let refused = world.ask(Method::POST, "main/live.m3u8", &[]).await;
    assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_counted_and_who_looks_what_there_is_is_not() {
    let world = World::live(3).await;
    let watching = || world.server.playlists.audience().of(world.id);
    for looks in ["index.m3u8", "main/none.m3u8", "main/9.ts", "poster.jpg"] {
        world.get(looks).await;
    }
    assert_eq!(watching(), 0);
    let session = |sid: &str| format!("main/live.m3u8?CMCD=sid%3D%22{sid}%22");
    for (path, headers, expected) in [
        ("main/live.m3u8", [("user-agent", "one")], 1),
        ("main/2.ts", [("user-agent", "one")], 1),
        ("main/catchup.m3u8?from=1", [("user-agent", "two")], 2),
        (&*session("a"), [("user-agent", "one")], 3),
        (&*session("a"), [("user-agent", "two")], 3),
        (&*session("b"), [("user-agent", "two")], 4),
    ] {
        assert_eq!(world.ask(Method::GET, path, &headers).await.status, 200, "{path}");
        assert_eq!(watching(), expected, "{path} {headers:?}");
    }
    assert_eq!(world.server.metric("headwater_playlist_viewers"), 4.0);
    world.pass(f64::from(3 * TARGET)).await;
    assert_eq!((watching(), world.server.metric("headwater_playlist_viewers")), (0, 0.0));
}

//! What is answered when something is not there: whether it will be, when to ask again, what to use meanwhile.

use broadcast::{Container, Event, Format, RenditionName, Segment};
use serde_json::json;

use crate::fixtures::{World, bytes_of, format, segment};

struct Case {
    path: &'static str,
    status: u16,
    slug: &'static str,
    retry_after: Option<&'static str>,
    /// Members of the problem document.
    has: serde_json::Value,
}

async fn check(world: &World, case: Case) {
    let Case { path, status, slug, retry_after, has } = case;
    let answer = world.get(path).await;
    assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
    assert_eq!(answer.header("retry-after"), retry_after, "{path}");
    assert_eq!(answer.header("cache-control"), Some("public, max-age=1"), "{path}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    let problem = answer.problem();
    assert_eq!(problem["type"], format!("/problems/{slug}"), "{path}");
    for (name, value) in has.as_object().unwrap() {
        assert_eq!(&problem[name], value, "{path}: {name}");
    }
    let head = world.ask(http::Method::HEAD, path, &[]).await;
    assert_eq!((head.status, head.body.len()), (answer.status, 0), "{path}");
}

fn case(path: &'static str, status: u16, slug: &'static str, retry_after: Option<&'static str>) -> Case {
    Case { path, status, slug, retry_after, has: json!({}) }
}

#[tokio::test(start_paused = true)]
async fn before_anything_has_arrived() {
    let world = World::new().await;
    // One target duration.
    let soon = Some("6");
    for path in ["index.m3u8", "index.m3u8?view=live", "main/live.m3u8", "main/dvr.m3u8", "main/catchup.m3u8?from=0"] {
        check(&world, Case { has: json!({"state": "created"}), ..case(path, 404, "not-yet", soon) }).await;
    }
    check(&world, case("main/0.ts", 404, "not-yet", soon)).await;
}

#[tokio::test(start_paused = true)]
async fn while_it_runs() {
    let world = World::live(4).await;
    let vod = "the recording is not finished: the broadcast has not ended; \
               until then dvr has all that was shown live, and catchup all that has arrived";
    for case in [
        Case {
            has: json!({"detail": vod, "use": "dvr.m3u8", "missing": 0}),
            ..case("main/vod.m3u8", 404, "not-finished", Some("6"))
        },
        case("index.m3u8?view=vod", 404, "not-finished", Some("6")),
        case("other/live.m3u8", 404, "not-yet", Some("6")),
        case("main/catchup.m3u8?from=4", 404, "not-yet", Some("6")),
        case("main/4.ts", 404, "not-yet", Some("6")),
        case("main/0.m4s", 404, "not-found", None),
        case("main/init-00000000000000000000000000000000.mp4", 404, "not-found", None),
        case("main/nothing.m3u8", 404, "not-found", None),
        case("main/catchup.m3u8", 400, "bad-request", None),
        case("main/catchup.m3u8?from=-1", 400, "bad-request", None),
        case("main/live.m3u8?_HLS_part=1", 400, "bad-request", None),
        case("index.m3u8?view=never", 400, "bad-request", None),
        Case { has: json!({"last_msn": 3}), ..case("main/live.m3u8?_HLS_msn=6", 400, "bad-request", None) },
        case("main/dvr.m3u8?_HLS_msn=18446744073709551615", 400, "bad-request", None),
    ] {
        check(&world, case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn when_it_ended_and_some_is_missing() {
    let world = World::live(2).await;
    world.record(4).await;
    world.end(4).await;
    let vod =
        Case { has: json!({"missing": 2, "state": "ended"}), ..case("main/vod.m3u8", 404, "not-finished", Some("6")) };
    check(&world, vod).await;
    assert!(world.get("index.m3u8").await.text().contains("main/dvr.m3u8"));
    world.record(2).await;
    world.abandon(3, 3).await;
    assert_eq!(world.get("main/vod.m3u8").await.status, 200);
    assert!(world.get("index.m3u8").await.text().contains("main/vod.m3u8"));
    // Nothing more will come.
    check(&world, case("main/3.ts", 404, "not-found", None)).await;
    check(&world, case("other/vod.m3u8", 404, "not-found", None)).await;
    check(&world, case("main/catchup.m3u8?from=9", 404, "not-found", None)).await;
}

/// All was recorded without network, and the end is known before any of it.
#[tokio::test(start_paused = true)]
async fn when_it_ended_before_anything_came() {
    let world = World::new().await;
    world.end(2).await;
    for path in ["index.m3u8", "index.m3u8?view=live", "main/live.m3u8", "main/dvr.m3u8", "main/catchup.m3u8?from=0"] {
        check(&world, Case { has: json!({"state": "ended"}), ..case(path, 404, "not-yet", Some("6")) }).await;
    }
    check(&world, Case { has: json!({"missing": 3}), ..case("main/vod.m3u8", 404, "not-finished", Some("6")) }).await;
    check(&world, case("main/0.ts", 404, "not-yet", Some("6"))).await;
    check(&world, case("poster.jpg", 404, "no-picture", Some("6"))).await;
    world.record(0).await;
    world.pass(10.0).await;
    let index = world.get("index.m3u8").await;
    assert!(index.text().contains("main/dvr.m3u8"), "{}", index.text());
    assert_eq!(index.header("cache-control"), Some("public, no-cache"));
    assert!(!world.get("main/catchup.m3u8?from=0").await.text().contains("#EXT-X-ENDLIST"));
    world.record(1).await;
    world.record(2).await;
    assert!(world.get("index.m3u8").await.text().contains("main/vod.m3u8"));
}

/// A rendition of which nothing came in time for live is not led to there.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_played_is_not_listed() {
    let world = World::live(2).await;
    world.commit(&[Event::Closing { grace_ms: 60_000 }]).await;
    world.pass(10.0).await;
    let low: RenditionName = "low".parse().unwrap();
    let format = Format { rendition: low.clone(), ..format(1, Container::Ts, None) };
    let late = Segment { rendition: low, ..segment(0, &bytes_of(0)) };
    world.commit(&[Event::Format(format), Event::Stored(late)]).await;
    assert_eq!(world.get("low/dvr.m3u8").await.status, 404);
    for (path, lists_it) in [("index.m3u8", false), ("index.m3u8?view=catchup&from=0", true)] {
        let index = world.get(path).await;
        assert!(index.text().contains("main/"), "{path}: {}", index.text());
        assert_eq!(index.text().contains("low/"), lists_it, "{path}: {}", index.text());
    }
}

#[tokio::test(start_paused = true)]
async fn when_its_owner_has_ended_it_and_its_publisher_may_have_more() {
    let world = World::live(2).await;
    world.commit(&[broadcast::Event::Closing { grace_ms: 60_000 }]).await;
    world.pass(10.0).await;
    let ended = json!({"missing": 0, "state": "ended"});
    check(&world, Case { has: ended, ..case("main/vod.m3u8", 404, "not-finished", Some("6")) }).await;
    assert!(world.get("index.m3u8").await.text().contains("main/dvr.m3u8"));
    assert!(world.get("main/dvr.m3u8").await.text().contains("#EXT-X-ENDLIST"));
    let catch_up = world.get("main/catchup.m3u8?from=0").await;
    assert!(!catch_up.text().contains("#EXT-X-ENDLIST"), "{}", catch_up.text());
    world.record(2).await;
    world.end(2).await;
    assert_eq!(world.get("main/vod.m3u8").await.status, 200);
    assert!(world.get("main/catchup.m3u8?from=0").await.text().contains("#EXT-X-ENDLIST"));
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_known_to_be_nothing() {
    let world = World::new().await;
    let answer = world.get("main/gap-7.ts").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_broadcast() {
    let world = World::new().await;
    for path in ["index.m3u8", "main/live.m3u8", "main/live.m3u8?_HLS_msn=1", "main/0.ts"] {
        let path = format!("/hls/01kjahrq000000000000000007/{path}");
        let answer = world.server.ask(http::Method::GET, &path, &[]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.problem()["type"], "/problems/no-such-broadcast", "{path}");
    }
}

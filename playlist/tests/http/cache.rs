//! The same work is done once, and everywhere with the same result.

use futures_util::future::join_all;
use http::Method;

use crate::fixtures::World;

const RENDERS: &str = "headwater_playlist_renders_total";

#[tokio::test(start_paused = true)]
async fn a_playlist_is_made_once_for_each_change() {
    let world = World::live(4).await;
    for path in ["main/live.m3u8", "main/dvr.m3u8", "main/catchup.m3u8?from=0"] {
        let before = world.server.metric(RENDERS);
        let plain = join_all((0..50).map(|_| world.get(path))).await;
        let zipped = join_all((0..50).map(|_| world.ask(Method::GET, path, &[("accept-encoding", "gzip")]))).await;
        assert!(plain.iter().chain(&zipped).all(|answer| answer.status == 200));
        assert_eq!(world.server.metric(RENDERS) - before, 1.0, "{path}");
    }
    let before = world.server.metric(RENDERS);
    world.pass(1.0).await;
    world.get("main/live.m3u8").await;
    assert_eq!(world.server.metric(RENDERS), before, "nothing has changed");
    world.record(4).await;
    assert!(world.get("main/live.m3u8").await.text().contains("\n4.ts\n"));
    assert_eq!(world.server.metric(RENDERS), before + 1.0);
}

#[tokio::test(start_paused = true)]
async fn time_alone_makes_a_kept_playlist_old() {
    let world = World::live(4).await;
    assert!(!world.get("main/live.m3u8").await.text().contains("#EXT-X-GAP"));
    world.pass(9.1).await;
    assert!(world.get("main/live.m3u8").await.text().contains("#EXT-X-GAP"));
    let cold = world.another_server().await;
    let told = cold.ask(Method::GET, &world.path("main/live.m3u8"), &[]).await;
    assert_eq!(told.body, world.get("main/live.m3u8").await.body);
}

#[tokio::test(start_paused = true)]
async fn two_servers_with_the_same_log_answer_the_same_bytes() {
    let world = World::live(3).await;
    let other = world.another_server().await;
    let compare = async || {
        other.catch_up_with(world.id).await;
        for rest in [
            "index.m3u8",
            "main/live.m3u8",
            "main/dvr.m3u8",
            "main/dvr.m3u8?_HLS_msn=2&_HLS_skip=YES",
            "main/vod.m3u8",
            "main/catchup.m3u8?from=0",
            "main/catchup.m3u8?from=2",
            "main/1.ts",
        ] {
            for headers in [&[][..], &[("accept-encoding", "gzip")]] {
                let one = world.ask(Method::GET, rest, headers).await;
                let two = other.ask(Method::GET, &world.path(rest), headers).await;
                let fresh = world.another_server().await.ask(Method::GET, &world.path(rest), headers).await;
                for another in [two, fresh] {
                    assert_eq!(
                        (one.status, &one.headers, &one.body),
                        (another.status, &another.headers, &another.body)
                    );
                }
            }
        }
    };
    compare().await;
    for seq in [3, 5, 9, 4] {
        world.pass(4.0).await;
        world.record(seq).await;
        compare().await;
        world.pass(5.5).await;
        compare().await;
    }
    world.end(9).await;
    compare().await;
    world.abandon(6, 8).await;
    compare().await;
}

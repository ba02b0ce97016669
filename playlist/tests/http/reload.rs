//! Blocking reload: who waits is woken by what was waited for, and by nothing else.

use broadcast::ViewPolicy;
use headwater_playlist::Config;

use crate::fixtures::World;

#[tokio::test(start_paused = true)]
async fn a_commit_wakes_all_who_wait_for_it() {
    let world = World::live(4).await;
    let paths =
        ["main/live.m3u8?_HLS_msn=4", "main/dvr.m3u8?_HLS_msn=4&_HLS_skip=YES", "main/catchup.m3u8?from=1&_HLS_msn=4"];
    let (one, two, three, ()) = tokio::join!(world.get(paths[0]), world.get(paths[1]), world.get(paths[2]), async {
        world.until_waiting(3).await;
        world.record(4).await;
    });
    for (path, answer) in paths.iter().zip([one, two, three]) {
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().ends_with("\n4.ts\n"), "{path}: {}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("public, max-age=36"), "{path}");
    }
    assert_eq!(world.server.metric("headwater_playlist_waiters"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn time_alone_wakes_them_too() {
    let world = World::live(4).await;
    let (answer, ()) = tokio::join!(world.get("main/live.m3u8?_HLS_msn=4"), async {
        world.until_waiting(1).await;
        world.pass(8.9).await;
        world.until_waiting(1).await;
        // RFC 8216bis, 6.2.1: within 1.5 target durations.
        world.pass(0.101).await;
    });
    assert!(answer.text().ends_with("#EXT-X-GAP\ngap-4.ts\n"), "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_answered_at_once() {
    let world = World::live(4).await;
    for path in ["main/live.m3u8?_HLS_msn=0", "main/live.m3u8?_HLS_msn=3", "main/catchup.m3u8?from=0&_HLS_msn=3"] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_vain_ends() {
    let world = World::live(4).await;
    // Catch-up waits for media and for nothing else.
    let (answer, ()) = tokio::join!(world.get("main/catchup.m3u8?from=0&_HLS_msn=4"), async {
        world.until_waiting(1).await;
        world.pass(17.9).await;
        world.until_waiting(1).await;
        world.pass(0.1).await;
    });
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("6"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(world.server.metric("headwater_playlist_waits_in_vain_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_end_ends_every_wait() {
    let world = World::live(4).await;
    let (answer, ()) = tokio::join!(world.get("main/catchup.m3u8?from=0&_HLS_msn=5"), async {
        world.until_waiting(1).await;
        world.end(3).await;
    });
    assert!(answer.text().ends_with("#EXT-X-ENDLIST\n"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_may_wait() {
    let config = Config { waiters_max: 2, ..Config::default() };
    let world = World::with(ViewPolicy::default(), config, |log| log).await;
    world.record_all(0..4).await;
    let path = "main/live.m3u8?_HLS_msn=4";
    let (one, two, third) = tokio::join!(world.get(path), world.get(path), async {
        world.until_waiting(2).await;
        let third = world.get(path).await;
        assert_eq!(world.get("main/live.m3u8").await.status, 200, "who does not wait is served");
        world.record(4).await;
        third
    });
    assert_eq!([one.status.as_u16(), two.status.as_u16(), third.status.as_u16()], [200, 200, 503]);
    assert_eq!(third.header("retry-after"), Some("6"));
    assert_eq!(third.problem()["max"], 2);
    assert_eq!(world.server.metric("headwater_playlist_waiters_refused_total"), 1.0);
    let (again, ()) = tokio::join!(world.get("main/live.m3u8?_HLS_msn=5"), async {
        world.until_waiting(1).await;
        world.record(5).await;
    });
    assert_eq!(again.status, 200, "their places are free again");
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_gives_up_the_place() {
    let world = World::live(4).await;
    tokio::select! {
        biased;
        answer = world.get("main/live.m3u8?_HLS_msn=4") => panic!("{answer:?}"),
        () = world.until_waiting(1) => {}
    }
    assert_eq!(world.server.metric("headwater_playlist_waiters"), 0.0);
}

//! A metadata store that forgot: live and dvr go on at other addresses, and nothing is contradicted at the old ones.

use broadcast::Event;
use http::Method;
use metadata::Expect;

use crate::fixtures::{Answer, World};

/// The address of live, or of dvr, that a Multivariant Playlist names.
async fn named(world: &World, index: &str) -> String {
    let index = world.get(index).await;
    assert_eq!(index.header("cache-control"), Some("public, no-cache"), "it may change at any time");
    index.text().lines().last().expect("it names a rendition").to_owned()
}

fn assert_over(answer: &Answer) {
    let problem = answer.problem();
    assert_eq!((answer.status.as_u16(), &problem["type"]), (410, &"/problems/over".into()), "{problem}");
    assert_eq!((&problem["use"], answer.header("retry-after")), (&"../index.m3u8".into(), None));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=1"));
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_goes_on_elsewhere() {
    let world = World::live(4).await;
    assert_eq!(named(&world, "index.m3u8").await, "main/live.m3u8");
    let (before, dvr) = (world.get("main/live.m3u8").await, world.get("main/dvr.m3u8").await);
    let catch_up = world.get("main/catchup.m3u8?from=0").await;
    let waits = world.get("main/live.m3u8?_HLS_msn=4");
    let (waited, ()) = tokio::join!(waits, async {
        world.until_waiting(1).await;
        world.commit(&[Event::Restarted]).await;
    });
    assert_over(&waited);
    for over in ["main/live.m3u8", "main/live.m3u8?_HLS_skip=YES", "main/dvr.m3u8", "main/dvr.m3u8?_HLS_msn=9"] {
        assert_over(&world.get(over).await);
    }
    let (live, new_dvr) = (named(&world, "index.m3u8").await, named(&world, "index.m3u8?view=dvr").await);
    assert!(live.starts_with("main/live-") && new_dvr.starts_with("main/dvr-"), "{live} {new_dvr}");
    assert_eq!(world.get(&live).await.body, before.body, "from the beginning, by the log");
    assert_eq!(world.get(&new_dvr).await.body, dvr.body);
    assert_eq!(world.get("main/catchup.m3u8?from=0").await.body, catch_up.body, "that does not change");
    assert_eq!(world.get("main/0.ts").await.status, 200, "nor do segments");
    let vod = world.get("main/vod.m3u8").await.problem();
    assert_eq!(vod["use"], new_dvr["main/".len()..]);

    let next = format!("{live}?_HLS_msn=4");
    let (next, ()) = tokio::join!(world.get(&next), world.record(4));
    assert!(next.text().ends_with("\n4.ts\n"));
    world.commit(&[Event::Restarted]).await;
    assert_over(&world.get(&live).await);
    assert_ne!(named(&world, "index.m3u8").await, live);
}

/// A player that has heard of it from another server.
#[tokio::test(start_paused = true)]
async fn who_has_not_heard_of_it_looks() {
    let world = World::live(2).await;
    let other = world.another_server().await;
    other.catch_up_with(world.id).await;
    world.log.commit(world.id, &[Event::Restarted], Expect::Any).await.unwrap();
    world.server.catch_up_with(world.id).await;
    let live = world.path(&named(&world, "index.m3u8").await);
    assert_eq!(other.ask(Method::GET, &live, &[]).await.status, 200);
    let not_begun = world.get("main/live-18446744073709551615.m3u8").await;
    assert_over(&not_begun);
    assert_over(&world.get("main/live-1.m3u8").await);
    for none in ["main/live-.m3u8", "main/live-01.m3u8", "main/vod-1.m3u8"] {
        assert_eq!(world.get(none).await.problem()["type"], "/problems/not-found", "{none}");
    }
}

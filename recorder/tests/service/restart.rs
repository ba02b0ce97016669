//! Pushers that start again.

use crate::fixtures::{Media, World};

#[tokio::test(start_paused = true)]
async fn a_killed_pusher_goes_on_with_the_same_pictures() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    for n in 0..3 {
        world.push(&format!("out{n}.ts"), ts.segments[n].clone()).await.expect(201);
        world.pass(1).await;
    }
    world.pass(60).await;
    for n in 0..3 {
        world.push(&format!("out{n}.ts"), ts.segments[n].clone()).await.expect(201);
        world.pass(1).await;
    }
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1), (2, 2), (3, 0), (4, 1), (5, 2)]);
    let stored = world.stored().await;
    let away = stored[3].captured_at - stored[2].captured_end();
    assert!((58_000..=62_000).contains(&away.0), "{away:?} between the runs");
}

#[tokio::test(start_paused = true)]
async fn a_pusher_that_starts_again_keeps_its_broadcast_from_ending() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("out0.ts", ts.segments[0].clone()).await.expect(202);
    world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
    assert!(world.broadcast().await.end_hinted_at().is_some());
    world.pass(60).await;
    world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
    assert!(world.broadcast().await.end_hinted_at().is_none());
    world.pass(600).await;
    world.push("out1.ts", ts.segments[1].clone()).await.expect(201);
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 0), (2, 1)]);
    assert!(world.broadcast().await.ended().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_twice_is_stored_once() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
    world.pass(5).await;
    world.push("out0.ts", ts.segments[0].clone()).await.expect(200);
    assert_eq!(world.recorded(ts).await, [(0, 0)]);
}

//! What belongs to a broadcast when it ends.

use axum::body::Body;
use futures_util::stream::{self, StreamExt};
use headwater_recorder::RecorderConfig;

use crate::fixtures::{Media, Mood, START_MS, World};

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_before_the_end_belongs_to_it() {
    let (world, ts) = (World::new().await, Media::ts());
    for n in 0..3 {
        world.push(&format!("clip{n}.ts"), ts.segments[n].clone()).await.expect(202);
    }
    world.say("end", "").await.expect(200);
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1), (2, 2)]);
    let refused = world.push("clip3.ts", ts.segments[3].clone()).await.expect(409);
    assert_eq!(refused.problem(), "ended");
    let refused = world.push("init.mp4", Media::fmp4().init.clone()).await.expect(409);
    assert_eq!(refused.problem(), "ended");
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_when_the_end_was_said_belongs_to_it() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    let (arrive, rest) = tokio::sync::oneshot::channel::<()>();
    let (first, second) = (ts.segments[0].slice(..5_000), ts.segments[0].slice(5_000..));
    let second = stream::once(async move { rest.await.map(|()| second) });
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(second));
    let (pushed, ended, ()) = tokio::join!(world.push("out0.ts", body), world.say("end", ""), async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        arrive.send(()).unwrap();
    });
    pushed.expect(201);
    ended.expect(200);
    assert_eq!(world.recorded(ts).await, [(0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn nothing_ends_while_something_acknowledged_cannot_be_committed() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    world.log.feel(Mood::ReadOnly);
    world.say("end", "").await.expect(503);
    world.log.feel(Mood::Well);
    world.say("end", "").await.expect(200);
    assert_eq!(world.recorded(ts).await, [(0, 0)]);
}

/// One without a body ends with what has come: the rest of the recording would be refused.
#[tokio::test(start_paused = true)]
async fn an_end_that_breaks_off_ends_nothing() {
    let world = World::new().await;
    for came in ["", r#"{"last":{"main""#, r#"{"last":{"main":9}}"#] {
        let pieces = [Ok(came), Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))];
        world.say("end", Body::from_stream(stream::iter(pieces))).await.expect(400);
        assert!(world.broadcast().await.ended().is_none(), "{came:?}");
    }
    world.say("end", r#"{"last":{"main":9}}"#).await.expect(200);
    assert!(world.broadcast().await.ended().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_ended_broadcast_is_neither_paused_nor_resumed() {
    let world = World::new().await;
    world.say("pause", "").await.expect(200);
    world.say("end", "").await.expect(200);
    for what in ["pause", "resume"] {
        assert_eq!(world.say(what, "").await.expect(409).problem(), "ended");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_pusher_left_out_is_given_up() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
    world.push("out2.ts", ts.segments[2].clone()).await.expect(201);
    assert_eq!(world.broadcast().await.missing_count(), 1);
    world.pass(90).await;
    world.push("out3.ts", ts.segments[3].clone()).await.expect(201);
    assert_eq!(world.broadcast().await.missing_count(), 0);
    // Whatever comes of it now is not lost either.
    world.push("out1.ts", ts.segments[1].clone()).await.expect(201);
    assert_eq!(world.recorded(ts).await, [(0, 0), (2, 2), (3, 3), (4, 1)]);
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_a_recorder_has_no_say() {
    for hours in [-2, 2] {
        let world = World::with_clock(RecorderConfig::default(), hours * 3_600_000).await;
        let ts = Media::ts();
        world.push_playlist(&["out0.ts"], "").await.expect(200);
        world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
        let age = START_MS - world.stored().await[0].captured_end().0;
        assert!((-1_000..=1_000).contains(&age), "captured {age} ms ago, {hours} h");
        world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
        world.pass(100).await;
        world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
        assert!(world.broadcast().await.ended().is_none(), "{hours} h");
        world.pass(130).await;
        world.until("the end", async |world| world.broadcast().await.ended().is_some()).await;
    }
}

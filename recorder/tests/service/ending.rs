//! What belongs to a broadcast when it ends.

use std::time::Duration;

use axum::body::Body;
use broadcast::{Event, Segment, Seq};
use futures_util::stream::{self, StreamExt};
use headwater_recorder::RecorderConfig;

use crate::fixtures::{Media, Mood, START_MS, World};
use crate::hot::Distant;

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

/// One segment, and a playlist that is closed.
async fn hinted(world: &World) {
    let ts = Media::ts();
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
    world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
}

/// Its encoder has started again, and its first segment comes just before the end is committed.
#[tokio::test(start_paused = true)]
async fn a_pusher_that_is_back_at_the_last_moment_goes_on() {
    let (world, ts) = (World::new().await, Media::ts());
    hinted(&world).await;
    let back = Segment { seq: Seq(1), ..(*world.stored().await[0]).clone() };
    world.log.commit_before_end(Event::Stored(back));
    world.pass(130).await;
    world.until("its segment", async |world| world.stored().await.len() == 2).await;
    world.push("out1.ts", ts.segments[1].clone()).await.expect(201);
    assert!(world.broadcast().await.ended().is_none());
    world.push_playlist(&["out0.ts", "out1.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
    world.pass(130).await;
    world.until("the end", async |world| world.broadcast().await.ended().is_some()).await;
}

/// It could not come back while nobody was there.
#[tokio::test(start_paused = true)]
async fn a_pusher_that_was_shut_out_is_waited_for() {
    let (mut world, ts) = (World::new().await, Media::ts());
    hinted(&world).await;
    world.crash_for(3_600).await;
    let back_s = world.now_s();
    let has_listened = async |world: &World| world.broadcast().await.ended().is_some() || world.now_s() > back_s + 60;
    world.until_passed(Duration::from_secs(10), "a minute", has_listened).await;
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    // Its log may still be looked through.
    let status = world.push("out0.ts", ts.segments[1].clone()).await.status;
    assert!(matches!(status.as_u16(), 201 | 202), "{status}");
    world.until("its segment", async |world| world.stored().await.len() == 2).await;
    assert!(world.broadcast().await.ended().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_another_recorder_has_parked_belongs_to_the_end_of_its_owner() {
    for has_others in [true, false] {
        let (mut world, ts) = (World::new().await, Media::ts());
        if has_others {
            world.join(Distant::new());
        }
        world.push_playlist(&["out0.ts"], "").await.expect(200);
        world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
        world.log.feel(Mood::Away);
        world.push("out1.ts", ts.segments[1].clone()).await.expect(202);
        world.move_elsewhere().await;
        world.log.feel(Mood::Well);
        world.say("end", "").await.expect(200);
        assert_eq!(world.broadcast().await.ended().is_none(), has_others);
        world.move_back().await;
        let has_ended = async |world: &World| world.broadcast().await.ended().is_some();
        world.until_passed(Duration::from_secs(5), "the end", has_ended).await;
        let recorded: &[_] = if has_others { &[(0, 0), (1, 1)] } else { &[(0, 0)] };
        assert_eq!(world.recorded(ts).await, recorded);
        // What has no place is for people to look at.
        let is_settled = async |world: &World| world.parked_files("parked").is_empty();
        world.until_passed(Duration::from_secs(5), "nothing waits", is_settled).await;
        assert_eq!(world.parked_files("refused").len(), 2 - recorded.len());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_safe_is_not_given_up_unseen() {
    let hot = Distant::new();
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("0.ts", Media::ts().segments[0].clone(), &[]).await.expect(201);
    world.until_safe(&[(0, 0)]).await;
    world.forget(1).await;
    hot.go_away(true);
    world.move_elsewhere().await;
    world.say("end", "").await.expect(200);
    world.say("abandon", "").await.expect(503);
    assert!(world.broadcast().await.ended().is_none());
    hot.go_away(false);
    world.say("abandon", "").await.expect(200);
    assert_eq!(world.recorded(Media::ts()).await, [(0, 0)]);
}

/// The same of a stock pusher, whose broadcast its owner ends at once.
#[tokio::test(start_paused = true)]
async fn what_was_pushed_is_not_given_up_unseen() {
    let (hot, ts) = (Distant::new(), Media::ts());
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    for n in 0..2 {
        world.push(&format!("out{n}.ts"), ts.segments[n].clone()).await.expect(201);
    }
    world.until_safe(&[(0, 1)]).await;
    let first = world.entries().await.iter().position(|entry| matches!(entry.event, Event::Stored(_))).unwrap();
    world.forget(first + 1).await;
    hot.go_away(true);
    world.move_elsewhere().await;
    world.say("end", "").await.expect(200);
    world.pass(60).await;
    assert!(world.broadcast().await.ended().is_none());
    hot.go_away(false);
    world
        .until_passed(Duration::from_secs(5), "the end", async |world| world.broadcast().await.ended().is_some())
        .await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1)]);
}

/// A publisher who does not say where it ends leaves that to what is listed, which may not be all.
#[tokio::test(start_paused = true)]
async fn a_publisher_who_names_nothing_ends_nothing_that_may_be_lost() {
    let (hot, ts) = (Distant::new(), Media::ts());
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    for n in 0..2 {
        world.publish(&format!("{n}.ts"), ts.segments[n].clone(), &[]).await.expect(201);
    }
    world.until_safe(&[(0, 1)]).await;
    let first = world.entries().await.iter().position(|entry| matches!(entry.event, Event::Stored(_))).unwrap();
    world.forget(first + 1).await;
    hot.go_away(true);
    world.move_elsewhere().await;
    world.publisher_ends("{}").await.expect(503);
    hot.go_away(false);
    world.publisher_ends("{}").await.expect(200);
    assert!(world.broadcast().await.ended().is_some());
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1)]);
}

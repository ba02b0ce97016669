//! A broadcast that its owner has ended, and whose publisher may be in a tunnel.

use std::time::Duration;

use axum::body::Body;
use broadcast::{Event, RenditionName, Segment, Seq, SeqRange, SeqSet, StoreTime};
use futures_util::stream::{self, StreamExt};
use headwater_recorder::RecorderConfig;
use http::Method;

use crate::fixtures::{Answer, Media, Mood, START_MS, World};
use crate::hot::Distant;

const GRACE_S: u64 = 3_600;

fn config() -> RecorderConfig {
    RecorderConfig { closing_grace_s: u32::try_from(GRACE_S).unwrap(), ..RecorderConfig::default() }
}

async fn world() -> World {
    World::with(config()).await
}

/// When it was given up, in seconds after the beginning. Until then time passes.
async fn given_up_s(world: &World) -> u64 {
    let ended = |event: &Event| matches!(event, Event::Ended { .. });
    let is_over = async |world: &World| world.broadcast().await.ended().is_some();
    world.until_passed(Duration::from_secs(60), "it is given up", is_over).await;
    let entries = world.entries().await;
    let StoreTime(at) = entries.iter().find(|entry| ended(&entry.event)).unwrap().at;
    u64::try_from(at - START_MS).unwrap() / 1_000
}

/// What its log says will never come.
async fn given_up(world: &World) -> Vec<SeqRange> {
    world.broadcast().await.abandoned(&RenditionName::main()).into_iter().flat_map(SeqSet::ranges).collect()
}

/// Segment `seq` is one of the media, captured so many seconds after the beginning.
async fn send(world: &World, seq: usize, secs: u64) -> Answer {
    let at = (START_MS + i64::try_from(secs * 1_000).unwrap()).to_string();
    let media = Media::ts().segments[seq].clone();
    world.publish(&format!("{seq}.ts"), media, &[("segment-captured-at", &at)]).await
}

/// The end that the publisher itself says.
async fn publisher_ends(world: &World, last: u64) -> Answer {
    world.publisher_ends(format!(r#"{{"last":{{"main":{last}}}}}"#)).await
}

async fn shown(world: &World) -> serde_json::Value {
    world.ask(Method::GET, &format!("/v1/broadcasts/{}", world.id), &[], Body::empty()).await.expect(200).json()
}

async fn state(world: &World) -> String {
    shown(world).await["state"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_its_publisher_recorded_before_it_heard_of_the_end_is_taken() {
    let world = world().await;
    let answer = send(&world, 0, 0).await.expect(201).json();
    assert_eq!(answer["closing"], false);
    assert_eq!(
        (&world.arrived().await["closing"], &shown(&world).await["open_until"]),
        (&false.into(), &None::<()>.into())
    );
    let ended = world.say("end", "").await.expect(200).json();
    assert_eq!(ended["state"], "ended");
    let until = ended["open_until"].as_i64().unwrap();
    assert!((START_MS + 3_600_000..START_MS + 3_610_000).contains(&until), "{until}");
    assert_eq!(world.say("end", "").await.expect(200).json()["open_until"], until, "said twice is said once");
    for what in ["pause", "resume"] {
        assert_eq!(world.say(what, "").await.expect(409).problem(), "ended");
    }
    world.pass(600).await;
    // Captured before the end, and after it.
    let answer = send(&world, 2, 30).await.expect(201).json();
    assert_eq!(answer["closing"], true);
    send(&world, 3, 590).await.expect(201);
    let arrived = world.arrived().await;
    assert_eq!((&arrived["closing"], &arrived["state"]), (&true.into(), &"ended".into()));
    let ended = publisher_ends(&world, 3).await.expect(200).json();
    assert_eq!(
        (&ended["state"], &ended["open_until"], &ended["missing"]),
        (&"ended".into(), &None::<()>.into(), &1.into())
    );
    assert_eq!(world.arrived().await["closing"], false);
    let answer = send(&world, 1, 1).await.expect(201).json();
    assert_eq!(answer["closing"], false);
    assert_eq!(state(&world).await, "complete");
    assert_eq!(send(&world, 4, 600).await.expect(409).problem(), "ended");
    assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

/// It began in a tunnel.
#[tokio::test(start_paused = true)]
async fn a_broadcast_of_which_nothing_came_is_waited_for_too() {
    let world = world().await;
    assert_eq!(world.say("end", "").await.expect(200).json()["state"], "ended");
    send(&world, 0, 0).await.expect(201);
    publisher_ends(&world, 0).await.expect(200);
    assert_eq!(state(&world).await, "complete");
}

#[tokio::test(start_paused = true)]
async fn it_is_complete_when_its_publisher_has_not_come_back() {
    let world = world().await;
    send(&world, 0, 0).await.expect(201);
    send(&world, 2, 2).await.expect(201);
    world.say("end", "").await.expect(200);
    world.pass(GRACE_S - 60).await;
    assert_eq!(state(&world).await, "ended");
    // It was back for a moment: from here on it counts anew.
    send(&world, 3, 3).await.expect(201);
    world.pass(GRACE_S - 60).await;
    assert_eq!(state(&world).await, "ended");
    world.pass(90).await;
    world.until("it is complete", async |world| state(world).await == "complete").await;
    // The recorder hears of it a little after the log has it.
    world.until("its end is shown", async |world| state(world).await == "complete").await;
    assert_eq!(given_up(&world).await, [SeqRange::one(Seq(1))]);
    assert_eq!(send(&world, 1, 1).await.expect(409).problem(), "abandoned");
    assert_eq!(send(&world, 4, 4).await.expect(409).problem(), "ended");
}

/// Who took the end in is gone; another one starts, or is asked about the broadcast.
#[tokio::test(start_paused = true)]
async fn whoever_hears_of_it_waits() {
    for elsewhere in [false, true] {
        let mut world = world().await;
        send(&world, 0, 0).await.expect(201);
        world.say("end", "").await.expect(200);
        if elsewhere {
            world.move_elsewhere().await;
            assert_eq!(state(&world).await, "ended");
        } else {
            world.crash().await;
        }
        world.pass(GRACE_S + 60).await;
        world.until("it is complete", async |world| world.broadcast().await.ended().is_some()).await;
    }
}

/// The time in which nobody could take anything in is no silence of its publisher.
#[tokio::test(start_paused = true)]
async fn nobody_is_given_up_who_could_not_come_back() {
    for was_down in [true, false] {
        let mut world = world().await;
        send(&world, 0, 0).await.expect(201);
        world.say("end", "").await.expect(200);
        if was_down {
            world.crash_for(10 * GRACE_S).await;
        } else {
            world.log.feel(Mood::Away);
            world.until_passed(Duration::from_secs(600), "time", async |world| world.now_s() > 10 * GRACE_S).await;
            world.log.feel(Mood::Well);
        }
        let back_s = world.now_s();
        let given_up_s = given_up_s(&world).await;
        // What was tried last while the store was away was tried a few seconds before.
        assert!(given_up_s + 1 >= back_s + GRACE_S, "down: {was_down}, back at {back_s}, given up at {given_up_s}");
    }
}

/// What is acknowledged while it is being given up.
#[tokio::test(start_paused = true)]
async fn who_comes_back_in_the_last_moment_is_not_given_up() {
    let world = world().await;
    send(&world, 0, 0).await.expect(201);
    world.say("end", "").await.expect(200);
    let late = Segment { seq: Seq(2), ..(*world.stored().await[0]).clone() };
    world.log.commit_before_end(Event::Stored(late));
    world.pass(GRACE_S + 60).await;
    let given_up_s = given_up_s(&world).await;
    assert!(given_up_s >= 2 * GRACE_S + 60, "given up at {given_up_s}");
    assert_eq!(given_up(&world).await, [SeqRange::one(Seq(1))]);
}

/// What is in the hot store may be what its log has lost.
#[tokio::test(start_paused = true)]
async fn it_is_not_given_up_before_its_log_is_seen_to_be_whole() {
    let hot = Distant::new();
    let mut world = World::with_hot(config(), hot.clone()).await;
    send(&world, 0, 0).await.expect(201);
    world.until_safe(&[(0, 0)]).await;
    world.say("end", "").await.expect(200);
    hot.go_away(true);
    world.crash().await;
    world
        .until_passed(Duration::from_secs(60), "time", async |world| {
            world.now_s() > 3 * GRACE_S || world.broadcast().await.ended().is_some()
        })
        .await;
    assert!(world.broadcast().await.ended().is_none());
    hot.go_away(false);
    given_up_s(&world).await;
}

#[tokio::test(start_paused = true)]
async fn its_owner_need_not_wait() {
    let world = world().await;
    send(&world, 0, 0).await.expect(201);
    send(&world, 2, 2).await.expect(201);
    assert_eq!(world.say("abandon", "").await.expect(409).problem(), "goes-on");
    world.say("end", "").await.expect(200);
    let given_up = world.say("abandon", "").await.expect(200).json();
    assert_eq!((&given_up["state"], &given_up["open_until"]), (&"complete".into(), &None::<()>.into()));
    assert_eq!(send(&world, 1, 1).await.expect(409).problem(), "abandoned");
    assert_eq!(world.say("abandon", "{}").await.expect(200).json()["state"], "complete");
    world.say("abandon", r#"{"first":3}"#).await.expect(400);
}

/// A lost or forgotten body must not give up all that a publisher still has.
#[tokio::test(start_paused = true)]
async fn its_publisher_names_what_it_gives_up() {
    let world = world().await;
    send(&world, 0, 0).await.expect(201);
    world.say("end", "").await.expect(200);
    let (path, bearer) = (format!("/v1/broadcasts/{}/abandon", world.id), format!("Bearer {}", world.token()));
    for body in ["", "{}"] {
        let refused = world.ask(Method::POST, &path, &[("authorization", &bearer)], body).await.expect(403);
        assert!(refused.json()["detail"].as_str().unwrap().contains("name rendition, first and last"));
    }
    let named = r#"{"rendition":"main","first":1,"last":1}"#;
    world.ask(Method::POST, &path, &[("authorization", &bearer)], named).await.expect(200);
    send(&world, 2, 2).await.expect(201);
}

/// What a stock pusher was told is kept belongs to the recording, though nothing more is taken from it.
#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_and_waits_is_taken_after_the_end() {
    let (mut world, ts) = (world().await, Media::ts());
    world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
    world.move_elsewhere().await;
    assert_eq!(world.say("end", "").await.expect(200).json()["state"], "ended");
    world.move_back().await;
    world.until_later("it is taken in", async |world| world.stored().await.len() == 1).await;
    assert_eq!(world.push("clip1.ts", ts.segments[1].clone()).await.expect(409).problem(), "ended");
    assert_eq!(world.recorded(ts).await, [(0, 0)]);
}

/// What is still missing of one whose publisher has said where it ends.
#[tokio::test(start_paused = true)]
async fn what_its_publisher_owes_is_given_up_too() {
    let world = world().await;
    send(&world, 0, 0).await.expect(201);
    assert_eq!(publisher_ends(&world, 3).await.expect(200).json()["missing"], 3);
    let given_up = world.say("abandon", "").await.expect(200).json();
    assert_eq!(
        (&given_up["state"], &given_up["details"]["main"]["abandoned"]),
        (&"complete".into(), &serde_json::json!([[1, 3]]))
    );
}

/// A publisher that does not heed the end does not go on for ever.
#[tokio::test(start_paused = true)]
async fn what_is_captured_longer_after_the_end_than_the_grace_is_refused() {
    let world = world().await;
    send(&world, 0, 0).await.expect(201);
    world.say("end", "").await.expect(200);
    for half in 1..=2 {
        world.pass(GRACE_S / 2 + 10).await;
        let answer = send(&world, half, GRACE_S / 2 * half as u64 + 15 * (half as u64 - 1)).await;
        assert_eq!(answer.status, if half == 1 { 201 } else { 409 }, "{half}");
        if half == 2 {
            let until = answer.json()["captured_until_ms"].as_i64().unwrap();
            assert!((START_MS + 3_600_000..START_MS + 3_610_000).contains(&until), "{until}");
        }
    }
    // But what it captured before is not lost for that.
    send(&world, 3, GRACE_S - 10).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn without_a_grace_nothing_is_waited_for() {
    let world = World::with(RecorderConfig { closing_grace_s: 0, ..RecorderConfig::default() }).await;
    send(&world, 0, 0).await.expect(201);
    assert_eq!(world.say("end", "").await.expect(200).json()["state"], "complete");
    assert_eq!(send(&world, 1, 1).await.expect(409).problem(), "ended");
}

/// All was recorded without network, and the publisher says where it ends before it sends any of it.
#[tokio::test(start_paused = true)]
async fn what_has_not_begun_to_come_is_missing() {
    for by_owner in [false, true] {
        let world = world().await;
        if by_owner {
            world.say("end", "").await.expect(200);
        }
        let ended = publisher_ends(&world, 2).await.expect(200).json();
        assert_eq!((&ended["state"], &ended["missing"]), (&"ended".into(), &3.into()));
        assert_eq!(ended["details"]["main"]["missing"], serde_json::json!([[0, 2]]));
        for (seq, expected) in [(0, "ended"), (1, "ended"), (2, "complete")] {
            send(&world, seq, seq as u64).await.expect(201);
            assert_eq!(state(&world).await, expected, "{seq}");
        }
        assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1), (2, 2)]);
    }
}

/// Nor does it come any more, if its owner gives it up.
#[tokio::test(start_paused = true)]
async fn what_never_began_to_come_can_be_given_up() {
    let world = world().await;
    publisher_ends(&world, 2).await.expect(200);
    let given_up = world.say("abandon", "").await.expect(200).json();
    assert_eq!((&given_up["state"], &given_up["missing"]), (&"complete".into(), &0.into()));
    assert_eq!(given_up["details"]["main"]["abandoned"], serde_json::json!([[0, 2]]));
    assert_eq!(send(&world, 0, 0).await.expect(409).problem(), "abandoned");
}

/// They send nothing twice: there is nobody to wait for.
#[tokio::test(start_paused = true)]
async fn a_stock_pusher_is_not_waited_for() {
    let (world, ts) = (world().await, Media::ts());
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
    assert_eq!(world.say("end", "").await.expect(200).json()["state"], "complete");
    // Nor is one taken that begins when its owner has ended it.
    let mut world = world;
    world.create().await;
    assert_eq!(world.say("end", "").await.expect(200).json()["state"], "ended");
    assert_eq!(world.push("out0.ts", ts.segments[0].clone()).await.expect(409).problem(), "ended");
    let playlist = world.push_playlist(&["out0.ts"], "").await;
    assert_eq!(world.push("out0.ts", ts.segments[0].clone()).await.expect(409).problem(), "ended", "{playlist:?}");
    send(&world, 0, 0).await.expect(201);
}

/// The metadata store forgets that its owner has ended it.
#[tokio::test(start_paused = true)]
async fn a_forgotten_end_is_told_again() {
    let mut world = world().await;
    send(&world, 0, 0).await.expect(201);
    world.say("end", "").await.expect(200);
    send(&world, 1, 1).await.expect(201);
    for kept in [2, 0] {
        world.until("its document tells of the end", async |world| tells_the_end(world)).await;
        world.forget(kept).await;
        world.crash().await;
        let is_back = async |world: &World| {
            let entries = world.entries().await;
            let log = (!entries.is_empty()).then(|| broadcast::Broadcast::replay(&entries).unwrap().unwrap());
            log.is_some_and(|log| log.closing().is_some() && log.missing_count() == 0)
        };
        world.until_later("it is put back", is_back).await;
        assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1)], "{kept}");
    }
    send(&world, 2, 2).await.expect(201);
    publisher_ends(&world, 2).await.expect(200);
    assert_eq!(state(&world).await, "complete");
}

fn tells_the_end(world: &World) -> bool {
    let document = world.segment_files()[0].parent().unwrap().with_file_name("broadcast.json");
    std::fs::read_to_string(document).is_ok_and(|text| text.contains("Closing"))
}

/// On a slow link, its first segment takes longer than is left of the grace.
#[tokio::test(start_paused = true)]
async fn a_publisher_is_not_given_up_whose_segment_is_on_its_way() {
    let config = RecorderConfig { closing_grace_s: 60, body_idle_s: 600, ..RecorderConfig::default() };
    let world = World::with(config).await;
    send(&world, 0, 0).await.expect(201);
    world.say("end", "").await.expect(200);
    world.pass(30).await;
    let (arrive, rest) = tokio::sync::oneshot::channel::<()>();
    let (first, second) = (Media::ts().segments[1].slice(..5_000), Media::ts().segments[1].slice(5_000..));
    let second = stream::once(async move { rest.await.map(|()| second) });
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(second));
    let at = START_MS.to_string();
    let captured = [("segment-captured-at", at.as_str())];
    let (sent, ()) = tokio::join!(world.publish("1.ts", body, &captured), async {
        for _ in 0..30 {
            world.pass(2).await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        arrive.send(()).unwrap();
    });
    sent.expect(201);
    assert!(world.broadcast().await.ended().is_none());
    assert_eq!(given_up_s(&world).await / 60, 2);
    assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1)]);
}

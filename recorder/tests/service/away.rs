//! While the metadata store is away, what stock pushers send is kept: they send nothing twice.

use std::time::Duration;

use crate::fixtures::{Media, Mood, World};

#[tokio::test(start_paused = true)]
async fn what_is_pushed_while_the_store_is_away_is_recorded_in_its_place() {
    // Before a commit fails, and before even the log can be read.
    for mood in [Mood::ReadOnly, Mood::Away] {
        let (world, ts) = (World::new().await, Media::ts());
        world.push_playlist(&["out0.ts"], "").await.expect(200);
        world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
        world.log.feel(mood);
        for n in 1..4 {
            world.push(&format!("out{n}.ts"), ts.segments[n].clone()).await.expect(202);
        }
        world.pass(5).await;
        assert_eq!(world.stored().await.len(), 1, "{mood:?}");
        world.log.feel(Mood::Well);
        world.pass(3).await;
        world.until_stored(4).await;
        world.push("out4.ts", ts.segments[4].clone()).await.expect(201);
        assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)], "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorder_takes_in_what_it_knows_nothing_about() {
    for media in [Media::ts(), Media::fmp4()] {
        let mut world = World::new().await;
        world.move_elsewhere().await;
        world.log.feel(Mood::Away);
        let extension = if media.init.is_empty() { "ts" } else { "m4s" };
        if !media.init.is_empty() {
            world.push("init.mp4", media.init.clone()).await.expect(201);
        }
        for n in 0..3 {
            world.push(&format!("out{n}.{extension}"), media.segments[n].clone()).await.expect(202);
        }
        world.push_playlist(&[&format!("out0.{extension}")], "").await.expect(503);
        world.log.feel(Mood::Well);
        world.pass(3).await;
        world.push_playlist(&[&format!("out0.{extension}")], "").await.expect(200);
        world.pass(3).await;
        world.until_stored(3).await;
        assert_eq!(world.recorded(media).await, [(0, 0), (1, 1), (2, 2)], "{extension}");
    }
}

/// Nothing but the order of their arrival tells their numbers, however often it was tried meanwhile.
#[tokio::test(start_paused = true)]
async fn what_came_while_the_store_was_away_keeps_its_order() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.move_elsewhere().await;
    world.log.feel(Mood::Away);
    for n in 0..5 {
        world.push(&format!("{}.ts", ["e", "a", "d", "c", "b"][n]), ts.segments[n].clone()).await.expect(202);
        let next_s = world.now_s() + 3;
        let is_next = async |world: &World| world.entries().await.len() < 100 && world.now_s() >= next_s;
        world.until_passed(Duration::from_secs(1), "three seconds", is_next).await;
    }
    world.log.feel(Mood::Well);
    world.until_passed(Duration::from_secs(1), "all", async |world| world.stored().await.len() == 5).await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
}

/// Their names are times, and the last playlist names the last of them alone.
#[tokio::test(start_paused = true)]
async fn what_a_playlist_has_said_of_what_waits_is_not_forgotten() {
    let (world, ts) = (World::new().await, Media::ts());
    let names = ["1790000000000.ts", "1790000002100.ts", "1790000004300.ts", "1790000006200.ts"];
    world.push_playlist(&names[..1], "").await.expect(200);
    world.push(names[0], ts.segments[0].clone()).await.expect(201);
    let push = async |n: usize| {
        world.push(names[n], ts.segments[n].clone()).await.expect(202);
        let head = format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{n}\n");
        world.push("out.m3u8", format!("{head}#EXTINF:1.0,\n{}\n", names[n])).await.expect(200);
    };
    world.log.feel(Mood::Away);
    push(1).await;
    push(2).await;
    world.log.feel(Mood::Well);
    push(3).await;
    let has_all = async |world: &World| world.stored().await.len() == 4;
    world.until_passed(Duration::from_secs(1), "all", has_all).await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

/// A pusher starts again, and the body of its init section ends after its first segment.
#[tokio::test(start_paused = true)]
async fn what_came_while_the_store_was_away_has_the_init_section_of_its_run() {
    let (mut world, large, small) = (World::new().await, Media::fmp4(), Media::small_fmp4());
    world.push("init.mp4", large.init.clone()).await.expect(201);
    world.push_playlist(&["out0.m4s"], "").await.expect(200);
    world.push("out0.m4s", large.segments[0].clone()).await.expect(201);
    world.move_elsewhere().await;
    world.log.feel(Mood::Away);
    let segment = async {
        world.pass(1).await;
        world.push("out0.m4s", small.segments[0].clone()).await.expect(202);
        world.log.feel(Mood::Well);
        world.pass(10).await;
    };
    world.push_init_while(small.init.clone(), segment).await;
    world.until_passed(Duration::from_secs(1), "both", async |world| world.stored().await.len() == 2).await;
    assert_eq!(world.widths().await, [128, 64]);
}

/// A pusher starts again while the store is away, and goes on when it is back.
#[tokio::test(start_paused = true)]
async fn what_comes_when_the_store_is_back_does_not_overtake_what_came_before() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    for n in 0..2 {
        world.push(&format!("out{n}.ts"), ts.segments[n].clone()).await.expect(201);
    }
    world.move_elsewhere().await;
    world.log.feel(Mood::Away);
    world.push("out0.ts", ts.segments[2].clone()).await.expect(202);
    world.log.feel(Mood::Well);
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    let status = world.push("out1.ts", ts.segments[3].clone()).await.status;
    assert!(status.is_success(), "{status}");
    world.until_passed(Duration::from_secs(1), "both", async |world| world.stored().await.len() == 4).await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

#[tokio::test(start_paused = true)]
async fn an_end_takes_in_what_came_while_the_store_was_away() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.move_elsewhere().await;
    world.log.feel(Mood::Away);
    world.push("out0.ts", ts.segments[0].clone()).await.expect(202);
    world.log.feel(Mood::Well);
    world.say("end", "").await.expect(200);
    assert_eq!(world.recorded(ts).await, [(0, 0)]);
}

#[tokio::test(start_paused = true)]
async fn each_segment_that_waits_finds_the_init_section_of_its_run() {
    let (world, large, small) = (World::new().await, Media::fmp4(), Media::small_fmp4());
    world.push_playlist(&["out0.m4s"], "").await.expect(200);
    world.log.feel(Mood::Away);
    world.push("init.mp4", large.init.clone()).await.expect(201);
    world.push("out0.m4s", large.segments[0].clone()).await.expect(202);
    world.push("out1.m4s", large.segments[1].clone()).await.expect(202);
    world.pass(30).await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    world.push("out0.m4s", small.segments[0].clone()).await.expect(202);
    world.log.feel(Mood::Well);
    world.pass(3).await;
    world.until_stored(3).await;
    assert_eq!(world.widths().await, [128, 128, 64]);
}

#[tokio::test(start_paused = true)]
async fn a_playlist_that_is_closed_while_the_store_is_away_ends_the_broadcast() {
    let (world, ts) = (World::new().await, Media::ts());
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    world.push("out0.ts", ts.segments[0].clone()).await.expect(201);
    world.log.feel(Mood::Away);
    world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
    world.log.feel(Mood::Well);
    world.pass(3).await;
    world.until("the hint", async |world| world.broadcast().await.end_hinted_at().is_some()).await;
    // Whoever has noted the hint may begin to listen just after that.
    let has_ended = async |world: &World| world.broadcast().await.ended().is_some();
    world.until_passed(Duration::from_secs(5), "the end", has_ended).await;
}

#[tokio::test(start_paused = true)]
async fn a_publisher_is_told_to_try_again() {
    let (world, ts) = (World::new().await, Media::ts());
    world.log.feel(Mood::ReadOnly);
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(503);
    world.log.feel(Mood::Well);
    world.pass(1).await;
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(201);
    assert_eq!(world.recorded(ts).await, [(0, 0)]);
}

//! Pushers that start again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use headwater_recorder::RecorderConfig;

use crate::fixtures::{Media, Mood, World};
use crate::hot::Distant;

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

#[tokio::test(start_paused = true)]
async fn the_init_section_of_a_run_is_the_one_that_was_begun_before_its_segments() {
    let (world, large, small) = (World::new().await, Media::fmp4(), Media::small_fmp4());
    begin_with(&world, large, 1).await;
    world.pass(30).await;
    let segment = async {
        world.pass(1).await;
        world.push("out0.m4s", small.segments[0].clone()).await.expect(202);
        world.pass(1).await;
    };
    world.push_init_while(small.init.clone(), segment).await;
    world.until_stored(2).await;
    assert_eq!(world.widths().await, [128, 64]);
}

#[tokio::test(start_paused = true)]
async fn segments_that_overtake_the_init_section_of_their_run_wait_for_it() {
    let (world, large, small) = (World::new().await, Media::fmp4(), Media::small_fmp4());
    begin_with(&world, large, 2).await;
    world.pass(30).await;
    for n in 0..2 {
        world.push(&format!("out{n}.m4s"), small.segments[n].clone()).await.expect(202);
    }
    world.pass(1).await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    world.until_stored(4).await;
    world.push("out2.m4s", small.segments[2].clone()).await.expect(201);
    assert_eq!(world.widths().await, [128, 128, 64, 64, 64]);
}

/// Its number alone would say that it goes on where the former run ended.
#[tokio::test(start_paused = true)]
async fn what_comes_after_segments_that_wait_for_their_init_section_waits_too() {
    let (world, large, small) = (World::new().await, Media::fmp4(), Media::small_fmp4());
    begin_with(&world, large, 2).await;
    world.pass(30).await;
    for n in 0..3 {
        world.push(&format!("out{n}.m4s"), small.segments[n].clone()).await.expect(202);
    }
    world.pass(1).await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    world.until_stored(5).await;
    assert_eq!(world.widths().await, [128, 128, 64, 64, 64]);
    let stored = world.stored().await;
    assert!(stored.iter().map(|segment| segment.pushed).eq([0, 1, 0, 1, 2].map(Some)), "{stored:?}");
}

/// A recorder that has lost its disk finds the init section of the run that goes on in the hot store alone.
#[tokio::test(start_paused = true)]
async fn a_run_is_not_given_the_init_section_of_the_next() {
    let (hot, large, small) = (Distant::new(), Media::fmp4(), Media::small_fmp4());
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    begin_with(&world, large, 1).await;
    world.until_safe(&[(0, 0)]).await;
    world.move_elsewhere().await;
    hot.go_away(true);
    world.push_playlist(&["out0.m4s"], "").await.expect(200);
    world.push("out1.m4s", large.segments[1].clone()).await.expect(202);
    world.pass(30).await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    // At once, or as soon as the one before it is looked at no more.
    let status = world.push("out0.m4s", small.segments[0].clone()).await.status;
    assert!(status.is_success(), "{status}");
    hot.go_away(false);
    let has_all = async |world: &World| world.stored().await.len() == 3;
    world.until_passed(Duration::from_secs(1), "all of it", has_all).await;
    assert_eq!(world.widths().await, [128, 128, 64]);
}

/// What came while the store was away waits for its init section, and was guessed at by its name. A playlist says better while
/// the next try is under way, in which the turn of what follows comes.
#[tokio::test(start_paused = true)]
async fn what_was_guessed_at_wrongly_goes_before_what_follows_it() {
    let (hot, media) = (Distant::new(), Media::fmp4());
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    begin_with(&world, media, 1).await;
    world.until_safe(&[(0, 0)]).await;
    world.move_elsewhere().await;
    hot.go_away(true);
    world.log.feel(Mood::Away);
    for n in 1..3 {
        world.push(&format!("seg{n}.m4s"), media.segments[n].clone()).await.expect(202);
        world.pass(1).await;
    }
    world.log.feel(Mood::Well);
    let asked = hot.asked.load(Ordering::SeqCst);
    let is_tried = async |_: &World| hot.asked.load(Ordering::SeqCst) > asked;
    world.until_passed(Duration::from_secs(1), "a first try", is_tried).await;
    world.push("seg3.m4s", media.segments[3].clone()).await.expect(202);
    let busy = hot.busy.write().await;
    world.pass(10).await;
    let is_trying = async |_: &World| hot.reading.load(Ordering::SeqCst) > 0;
    world.until_passed(Duration::from_secs(1), "another try", is_trying).await;
    let names_come = async { world.push_playlist(&["seg1.m4s", "seg2.m4s", "seg3.m4s"], "").await.expect(200) };
    let try_ends = async {
        world.pass(1).await;
        drop(busy);
    };
    tokio::join!(names_come, try_ends);
    hot.go_away(false);
    let has_all = async |world: &World| world.stored().await.len() == 4;
    world.until_passed(Duration::from_secs(1), "all of it", has_all).await;
    assert_eq!(world.recorded(media).await, [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_pusher_that_starts_again_and_sends_no_other_init_section_is_not_waited_for() {
    let (world, large) = (World::new().await, Media::fmp4());
    begin_with(&world, large, 1).await;
    world.pass(30).await;
    world.push("out0.m4s", large.segments[1].clone()).await.expect(202);
    world.until_later("the segment", async |world| world.stored().await.len() == 2).await;
    world.push("out1.m4s", large.segments[2].clone()).await;
    world.until_stored(3).await;
    assert_eq!(world.recorded(large).await, [(0, 0), (1, 1), (2, 2)]);
}

/// A pusher sends its init section and so many segments.
async fn begin_with(world: &World, media: &Media, segments: usize) {
    world.push("init.mp4", media.init.clone()).await.expect(201);
    world.push_playlist(&["out0.m4s"], "").await.expect(200);
    for n in 0..segments {
        world.push(&format!("out{n}.m4s"), media.segments[n].clone()).await.expect(201);
        world.pass(1).await;
    }
}

/// A script sends what it has by name, slowly.
#[tokio::test(start_paused = true)]
async fn an_init_section_that_comes_last_is_that_of_all() {
    for playlist_is_first in [false, true] {
        let (world, media) = (World::new().await, Media::fmp4());
        for n in 0..3 {
            world.push(&format!("clip{n}.m4s"), media.segments[n].clone()).await.expect(202);
            world.pass(5).await;
        }
        world.until_later("time", async |world| world.stored().await.is_empty() && world.now_s() > 20).await;
        let playlist = ["clip0.m4s", "clip1.m4s", "clip2.m4s"];
        if playlist_is_first {
            world.push_playlist(&playlist, "").await.expect(200);
        }
        world.push("init.mp4", media.init.clone()).await.expect(201);
        if !playlist_is_first {
            world.push_playlist(&playlist, "").await.expect(200);
        }
        world.until_stored(3).await;
        assert_eq!(world.recorded(media).await, [(0, 0), (1, 1), (2, 2)]);
    }
}

/// An encoder begins to send a segment when it begins to encode it, and names it when that is done.
#[tokio::test(start_paused = true)]
async fn a_segment_that_is_sent_while_it_is_encoded_is_not_guessed_at_before_it_could_be_named() {
    let (world, media) = (World::new().await, Media::ts());
    let [first, lost, last] = ["out1790000000.ts", "out1790000004.ts", "out1790000008.ts"];
    world.push_playlist(&[first], "").await.expect(200);
    world.push(first, media.segments[0].clone()).await.expect(201);
    world.push_while(last, media.segments[2].clone(), world.pass(4)).await.expect(202);
    world.push_playlist(&[first, lost, last], "").await.expect(200);
    world.until_stored(2).await;
    assert_eq!(world.recorded(media).await, [(0, 0), (2, 2)]);
}

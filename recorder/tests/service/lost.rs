//! What the metadata store has lost, and nobody follows any more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use broadcast::{BroadcastId, CapturedAt, Document, Event, Key, LogEntry, RenditionName, Segment, State, StoreTime};
use bytes::Bytes;
use headwater_recorder::{HotConfig, RecorderConfig};
use storage::Store;

use crate::fixtures::{Media, Mood, World};
use crate::hot::{Distant, damage};

async fn publish(world: &World, seqs: std::ops::Range<usize>) {
    let media = Media::ts();
    for seq in seqs {
        world.publish(&format!("{seq}.ts"), media.segments[seq].clone(), &[]).await.expect(201);
    }
}

/// A world of which the segments up to this one are safe, and the document in its hot store tells how they are coded.
async fn with_safe(last: usize) -> (World, Arc<Distant>) {
    let hot = Distant::new();
    let world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    publish(&world, 0..last + 1).await;
    world.until_safe(&[(0, last as u64)]).await;
    until_documented(&world, &hot, |event| matches!(event, Event::Format(_))).await;
    (world, hot)
}

/// Until the document in the hot store tells this.
async fn until_documented(world: &World, hot: &Distant, event: fn(&Event) -> bool) {
    let told = async |_: &World| {
        let Ok(blob) = hot.store.read(&Key::of_document(world.id), None).await else { return false };
        let document: Document = serde_json::from_slice(&blob.collect().await.unwrap()).unwrap();
        document.entries.iter().any(|entry| event(&entry.event))
    };
    world.until_later("the document", told).await;
}

async fn is_complete(world: &World) -> bool {
    !world.entries().await.is_empty() && world.broadcast().await.state(StoreTime(0)) == State::Complete
}

/// What was in a log before it was put back.
fn but_restarts(mut entries: Vec<broadcast::LogEntry>) -> Vec<broadcast::LogEntry> {
    entries.retain(|entry| entry.event != Event::Restarted);
    entries
}

fn kinds(entries: &[broadcast::LogEntry]) -> Vec<String> {
    let kind = |event: &Event| format!("{event:?}").split([' ', '(']).next().unwrap().to_owned();
    entries.iter().map(|entry| kind(&entry.event)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_that_is_gone_altogether_is_opened_again() {
    let hot = Distant::new();
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    publish(&world, 0..3).await;
    world.say("pause", "").await.expect(200);
    world.until_safe(&[(0, 2)]).await;
    // One that goes on is whole before anything else is taken.
    until_documented(&world, &hot, |event| matches!(event, Event::Paused)).await;
    world.forget(0).await;
    let scanned = world.crash().await;
    assert_eq!((scanned.committed, scanned.unknown), (3, 0));
    assert_eq!(
        kinds(&world.entries().await),
        ["Opened", "Restarted", "Format", "Stored", "Stored", "Stored", "Safe", "Paused"]
    );
    publish(&world, 3..4).await;
    world.until_safe(&[(0, 3)]).await;
    // One that has ended comes back later.
    world.say("end", r#"{"last":{"main":3}}"#).await.expect(200);
    until_documented(&world, &hot, |event| matches!(event, Event::Ended { .. })).await;
    world.forget(0).await;
    let scanned = world.crash().await;
    assert_eq!((scanned.committed, scanned.unknown), (0, 1));
    world.until_later("complete", is_complete).await;
    world.until_safe(&[(0, 3)]).await;
    assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

/// Whoever follows a log knows it with its times, and a disk does not.
#[tokio::test(start_paused = true)]
async fn a_log_that_is_gone_altogether_and_is_followed_keeps_its_times() {
    let (world, _hot) = with_safe(2).await;
    world.pass(10).await;
    let before = world.entries().await;
    world.forget(0).await;
    world.until_later("a look", async |world| world.looked_through() >= 2).await;
    assert_eq!(but_restarts(world.entries().await), before);
}

#[tokio::test(start_paused = true)]
async fn what_only_the_hot_store_has_is_listed_again() {
    let hot = Distant::new();
    let keeps_nothing = HotConfig { keep_bytes: Some(0), free_bytes: 0, ..HotConfig::default() };
    let config = RecorderConfig { hot: keeps_nothing, ..RecorderConfig::default() };
    let mut world = World::with_hot(config, hot.clone()).await;
    publish(&world, 0..3).await;
    world.until_safe(&[(0, 2)]).await;
    world.until_later("no files", async |world| world.segment_files().is_empty()).await;
    world.forget(1).await;
    world.crash().await;
    world.until_safe(&[(0, 2)]).await;
    assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1), (2, 2)]);
    // All but that it is safe.
    let kept = world.entries().await.iter().position(|entry| matches!(entry.event, Event::Safe { .. })).unwrap();
    world.forget(kept).await;
    world.crash().await;
    world.until_safe(&[(0, 2)]).await;
    assert_eq!(world.stored().await.len(), 3);
}

/// What is put back by halves is gone on with.
#[tokio::test(start_paused = true)]
async fn while_the_hot_store_is_away_what_is_here_is_listed_and_the_rest_later() {
    let (mut world, hot) = with_safe(2).await;
    let first = world.segment_files().into_iter().find(|file| file.to_string_lossy().contains("/0000000000000-"));
    std::fs::remove_file(first.unwrap()).unwrap();
    world.forget(0).await;
    hot.go_away(true);
    let scanned = world.crash().await;
    assert_eq!(scanned.unknown, 1);
    assert_eq!(world.recorded(Media::ts()).await, [(1, 1), (2, 2)]);
    publish(&world, 3..4).await;
    hot.go_away(false);
    world.until_safe(&[(0, 3)]).await;
    assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1), (2, 2), (3, 3)]);
}

#[tokio::test(start_paused = true)]
async fn after_a_break_what_nobody_asks_for_is_looked_at_too() {
    let hot = Distant::new();
    let world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    publish(&world, 0..3).await;
    world.say("end", r#"{"last":{"main":2}}"#).await.expect(200);
    world.until_safe(&[(0, 2)]).await;
    until_documented(&world, &hot, |event| matches!(event, Event::Ended { .. })).await;
    world.pass(10).await;
    let before = world.entries().await;
    world.forget(3).await;
    world.until_later("all of it", async |world| but_restarts(world.entries().await) == before).await;
    world.until_later("a look", async |world| world.looked_through() >= 2).await;
    // Nothing is listed if nothing was lost.
    let listed = hot.listed.load(Ordering::SeqCst);
    world.forget(world.entries().await.len()).await;
    world.pass(30).await;
    world.until_later("another look", async |world| world.looked_through() >= 3).await;
    assert_eq!(hot.listed.load(Ordering::SeqCst), listed);
    assert_eq!(but_restarts(world.entries().await), before);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_is_said_again() {
    let (mut world, hot) = with_safe(1).await;
    let kept = world.entries().await.len();
    world.say("pause", "").await.expect(200);
    until_documented(&world, &hot, |event| matches!(event, Event::Paused)).await;
    world.forget(kept).await;
    world.crash().await;
    world.until_later("paused", async |world| world.broadcast().await.is_paused()).await;
    // The document does not forget it either.
    until_documented(&world, &hot, |event| matches!(event, Event::Paused)).await;
    world.forget(kept).await;
    world.crash().await;
    world.until_later("paused again", async |world| world.broadcast().await.is_paused()).await;
}

/// A world of which a stock pusher has closed its playlist, and the hot store knows that.
async fn closed_by_its_pusher() -> World {
    let hot = Distant::new();
    let world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    world.push("out0.ts", Media::ts().segments[0].clone()).await.expect(201);
    world.until_safe(&[(0, 0)]).await;
    world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
    until_documented(&world, &hot, |event| matches!(event, Event::EndHinted)).await;
    world
}

async fn until_hinted(world: &World) {
    world.until_later("the hint", async |world| world.broadcast().await.end_hinted_at().is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_hinted_comes() {
    let mut world = closed_by_its_pusher().await;
    world.forget(0).await;
    world.crash().await;
    until_hinted(&world).await;
    world.pass(3_600).await;
    // An end that could not be committed is tried again, but not soon.
    world.until_passed(Duration::from_secs(1), "the end", is_complete).await;
}

/// It was told, and that seemed to have failed: nobody tells it once more.
#[tokio::test(start_paused = true)]
async fn an_end_that_was_hinted_unheard_comes() {
    let mut world = closed_by_its_pusher().await;
    let hinted = world.entries().await.iter().position(|entry| matches!(entry.event, Event::EndHinted)).unwrap();
    world.forget(hinted).await;
    world.log.feel(Mood::Deaf);
    world.crash().await;
    until_hinted(&world).await;
    world.log.feel(Mood::Well);
    world.until_passed(Duration::from_secs(1), "the end", is_complete).await;
}

/// Whoever has put the hint back is gone, and did so after the log was scanned here.
#[tokio::test(start_paused = true)]
async fn an_end_that_was_hinted_and_not_scanned_comes() {
    let mut world = World::new().await;
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    world.push("out0.ts", Media::ts().segments[0].clone()).await.expect(201);
    world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
    world.crash_unscanned().await;
    world.until_passed(Duration::from_secs(1), "the end", is_complete).await;
}

/// The file here of which the name begins like this.
fn file_here(world: &World, start: &str) -> std::path::PathBuf {
    let is_it = |file: &std::path::PathBuf| file.file_name().unwrap().to_string_lossy().starts_with(start);
    world.segment_files().into_iter().find(is_it).expect("it is here")
}

#[track_caller]
fn assert_aside(file: &std::path::Path) {
    assert!(!file.exists(), "{}", file.display());
    let aside = file.to_string_lossy().replace("/segments/", "/damaged/");
    assert!(std::path::Path::new(&aside).exists(), "{aside}");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_here_gives_way_to_the_good_copy_in_the_hot_store() {
    let media = Media::ts();
    let (mut world, _hot) = with_safe(2).await;
    let file = file_here(&world, "0000000000000-");
    damage(&file);
    // All of the log is gone.
    world.forget(0).await;
    world.crash().await;
    world.until_safe(&[(0, 2)]).await;
    assert_eq!(world.recorded(media).await, [(0, 0), (1, 1), (2, 2)]);
    assert_aside(&file);
    // A part of it is, and the broadcast has ended, but for what is still to come.
    world.say("end", r#"{"last":{"main":5}}"#).await.expect(200);
    let kept = world.entries().await.len();
    publish(&world, 3..4).await;
    world.until_safe(&[(0, 3)]).await;
    let file = file_here(&world, "0000000000003-");
    damage(&file);
    world.forget(kept).await;
    world.crash().await;
    world.until_safe(&[(0, 3)]).await;
    assert_eq!(world.recorded(media).await, [(0, 0), (1, 1), (2, 2), (3, 3)]);
    assert_aside(&file);
}

/// The same bytes are under one time here, and under another in the hot store; one of the copies is damaged.
#[tokio::test(start_paused = true)]
async fn of_copies_under_different_times_a_good_one_is_taken() {
    for damaged_here in [true, false] {
        let media = Media::ts();
        let (mut world, hot) = with_safe(0).await;
        let segment = world.stored().await[0].as_ref().clone();
        let listed = Key::of_segment(world.id, &segment);
        let other =
            Key::of_segment(world.id, &Segment { captured_at: CapturedAt(segment.captured_at.0 + 7), ..segment });
        let mut bytes = media.segments[0].to_vec();
        bytes[100] ^= u8::from(!damaged_here);
        hot.store.remove(&listed).await.unwrap();
        hot.store.put(&other, Bytes::from(bytes).into()).await.unwrap();
        let file = file_here(&world, "0000000000000-");
        if damaged_here {
            damage(&file);
        }
        world.forget(0).await;
        world.crash().await;
        world.until_safe(&[(0, 0)]).await;
        let expected = if damaged_here { &other } else { &listed };
        assert_eq!(Key::of_segment(world.id, &world.stored().await[0]), *expected);
        if damaged_here {
            world.until_later("out of the way", async |_| !file.exists()).await;
            assert_aside(&file);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_init_section_here_gives_way_to_the_good_copy_in_the_hot_store() {
    let (hot, media) = (Distant::new(), Media::fmp4());
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.publish("init.mp4", media.init.clone(), &[]).await.expect(201);
    for seq in 0..2 {
        world.publish(&format!("{seq}.m4s"), media.segments[seq].clone(), &[]).await.expect(201);
    }
    world.until_safe(&[(0, 1)]).await;
    until_documented(&world, &hot, |event| matches!(event, Event::Format(_))).await;
    let init = world.segment_files().into_iter().find(|file| file.extension().is_some_and(|end| end == "mp4")).unwrap();
    damage(&init);
    world.forget(0).await;
    world.crash().await;
    world.until_safe(&[(0, 1)]).await;
    assert_eq!(world.recorded(media).await, [(0, 0), (1, 1)]);
    assert_eq!(std::fs::read(&init).unwrap(), media.init, "the good one is here now");
    let aside = init.to_string_lossy().replace("/segments/", "/damaged/");
    assert!(std::path::Path::new(&aside).exists(), "{aside}");
}

/// A recorder remembers only so much of each log.
#[tokio::test(start_paused = true)]
async fn a_long_log_that_is_followed_comes_back_without_a_restart() {
    for kept in [0, 4] {
        let (world, _hot) = with_safe(2).await;
        world.lengthen(20_001).await;
        publish(&world, 3..4).await;
        world.forget(kept).await;
        // Its publisher is answered with 503 at most for a while.
        let sent = async |world: &World| {
            world.pass(1).await;
            let status = world.publish("4.ts", Media::ts().segments[4].clone(), &[]).await.status;
            assert!([201, 503].contains(&status.as_u16()), "{status}");
            status == 201
        };
        world.until_later("taken in", sent).await;
        world.until_safe(&[(0, 4)]).await;
        assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]);
    }
}

/// The recorder that wrote the fuller document is gone, and the log has lost what only that tells.
#[tokio::test(start_paused = true)]
async fn a_document_is_not_written_over_with_less() {
    let (mut world, hot) = with_safe(1).await;
    let kept = world.entries().await.len();
    world.move_elsewhere().await;
    world.say("pause", "").await.expect(200);
    until_documented(&world, &hot, |event| matches!(event, Event::Paused)).await;
    world.forget(kept).await;
    world.move_back().await;
    world.until_later("paused", async |world| world.broadcast().await.is_paused()).await;
    // Something more is written, and what was told stays.
    let event = Event::Mapped { playlist: "out.m3u8".to_owned(), rendition: RenditionName::main() };
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    until_documented(&world, &hot, |event| matches!(event, Event::Mapped { .. })).await;
    until_documented(&world, &hot, |event| matches!(event, Event::Paused)).await;
    assert!(world.entries().await.iter().any(|entry| entry.event == event));
}

/// What comes while the hot store is asked is written here too: after a start, this is the one that is asked.
#[tokio::test(start_paused = true)]
async fn the_document_here_tells_all_that_the_one_in_the_hot_store_tells() {
    let (mut world, hot) = with_safe(2).await;
    let busy = hot.busy.write().await;
    world.push_playlist(&["out0.ts"], "").await.expect(200);
    // It is written here, and the one in the hot store is about to be.
    world.until_later("a look", async |_| hot.reading.load(Ordering::SeqCst) > 0).await;
    hot.unheard.set("Paused").unwrap();
    world.say("pause", "").await.expect(200);
    drop(busy);
    until_documented(&world, &hot, |event| matches!(event, Event::Paused)).await;
    world.forget(0).await;
    world.crash().await;
    assert!(world.broadcast().await.is_paused());
}

/// Live would be over before they came: a document may be due before it is the turn of its broadcast to be looked through.
#[tokio::test(start_paused = true)]
async fn that_it_is_over_is_told_after_what_had_come() {
    for is_away in [false, true] {
        let hot = Distant::new();
        let keeps_nothing = HotConfig { keep_bytes: Some(0), free_bytes: 0, ..HotConfig::default() };
        let config = RecorderConfig { hot: keeps_nothing, ..RecorderConfig::default() };
        let mut world = World::with_hot(config, hot.clone()).await;
        publish(&world, 0..3).await;
        world.until_safe(&[(0, 2)]).await;
        world.until_later("no files", async |world| world.segment_files().is_empty()).await;
        world.say("end", "").await.expect(200);
        until_documented(&world, &hot, |event| matches!(event, Event::Closing { .. })).await;
        // A newer one is looked through first.
        let ended = std::mem::replace(&mut world.id, BroadcastId::new(0, 0));
        world.create().await;
        world.id = ended;
        world.forget(2).await;
        hot.go_away(is_away);
        world.crash().await;
        if is_away {
            let back_s = world.now_s();
            let has_looked = async |world: &World| world.broadcast().await.is_over() || world.now_s() > back_s + 30;
            world.until_passed(Duration::from_secs(1), "some looks", has_looked).await;
            assert!(!world.broadcast().await.is_over(), "told before what may be in the hot store");
            hot.go_away(false);
        }
        let is_told = async |world: &World| world.broadcast().await.closing().is_some();
        world.until_passed(Duration::from_secs(1), "its end is told", is_told).await;
        assert_eq!(world.recorded(Media::ts()).await, [(0, 0), (1, 1), (2, 2)]);
        let kinds = kinds(&but_restarts(world.entries().await));
        assert_eq!(kinds[..5], ["Opened", "Format", "Stored", "Stored", "Stored"]);
    }
}

/// What was acknowledged and is safe is not here any more; its pusher goes on while the log has lost it.
#[tokio::test(start_paused = true)]
async fn a_pusher_is_given_no_number_that_is_taken() {
    for goes_on in [Goes::AfterARestart, Goes::AfterABreak, Goes::Elsewhere] {
        let (hot, media) = (Distant::new(), Media::ts());
        let keeps_nothing = HotConfig { keep_bytes: Some(0), free_bytes: 0, ..HotConfig::default() };
        let config = RecorderConfig { hot: keeps_nothing, ..RecorderConfig::default() };
        let mut world = World::with_hot(config, hot.clone()).await;
        world.push_playlist(&["out0.ts", "out1.ts", "out2.ts", "out3.ts"], "").await.expect(200);
        for seq in 0..3 {
            world.push(&format!("out{seq}.ts"), media.segments[seq].clone()).await.expect(201);
        }
        world.until_safe(&[(0, 2)]).await;
        world.until_later("no files", async |world| world.segment_files().is_empty()).await;
        let stored = |entry: &LogEntry| matches!(&entry.event, Event::Stored(segment) if segment.seq.0 == 1);
        let kept = world.entries().await.iter().position(stored).unwrap();
        match goes_on {
            Goes::AfterARestart => {
                world.forget(kept).await;
                world.crash().await;
            }
            Goes::AfterABreak => {
                // Nobody here remembers what it was.
                world.crash().await;
                world.forget(kept).await;
            }
            Goes::Elsewhere => {
                world.forget(kept).await;
                world.move_elsewhere().await;
            }
        }
        // It has started again, and counts from 0.
        world.push_playlist(&["new0.ts"], "").await.expect(200);
        let status = world.push("new0.ts", media.segments[4].clone()).await.status;
        assert!([201, 202].contains(&status.as_u16()), "{status}");
        let all = [(0, 0), (1, 1), (2, 2), (3, 4)];
        world.until_later("all", async |world| world.recorded(media).await == all).await;
        world.until_safe(&[(0, 3)]).await;
    }
}

/// How a pusher goes on.
#[derive(Clone, Copy, Debug)]
enum Goes {
    AfterARestart,
    AfterABreak,
    Elsewhere,
}

/// A hot store that is away holds up no pusher whose log seems to be whole.
#[tokio::test(start_paused = true)]
async fn a_pusher_does_not_wait_for_a_hot_store_that_is_away() {
    let (hot, media) = (Distant::new(), Media::ts());
    let mut world = World::with_hot(RecorderConfig::default(), hot.clone()).await;
    world.push_playlist(&["out0.ts", "out1.ts"], "").await.expect(200);
    world.push("out0.ts", media.segments[0].clone()).await.expect(201);
    world.until_safe(&[(0, 0)]).await;
    hot.go_away(true);
    world.crash().await;
    world.push_playlist(&["out0.ts", "out1.ts"], "").await.expect(200);
    world.push("out1.ts", media.segments[1].clone()).await;
    world.until_later("both", async |world| world.recorded(media).await == [(0, 0), (1, 1)]).await;
}

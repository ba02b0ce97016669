//! What a recorder has acknowledged, while another one gives its number to something else: the metadata store has lost it, and
//! whoever knew of it is away.

use std::time::Duration;

use broadcast::{Event, Key, StoreTime};
use headwater_recorder::{HotConfig, RecorderConfig};

use crate::fixtures::{Media, World};
use crate::hot::Distant;

/// Three segments are pushed here, and the metadata store forgets the last of them. The recorder is gone, and another one in
/// its place.
async fn with_one_forgotten(world: &mut World, media: &Media) {
    push(world, media, "out", &[0, 1, 2]).await;
    forget_last(world).await;
    world.move_elsewhere().await;
}

async fn forget_last(world: &World) {
    world.until_stored(3).await;
    let last = |event: &Event| matches!(event, Event::Stored(segment) if segment.seq.0 == 2);
    let kept = world.entries().await.iter().position(|entry| last(&entry.event)).unwrap();
    world.forget(kept).await;
}

/// A run of a pusher, which counts from 0.
async fn push(world: &World, media: &Media, run: &str, nths: &[usize]) {
    let end = if media.init.is_empty() { "ts" } else { "m4s" };
    let names: Vec<String> = (0..nths.len()).map(|number| format!("{run}{number}.{end}")).collect();
    if !media.init.is_empty() {
        world.push("init.mp4", media.init.clone()).await.expect(201);
    }
    world.push_playlist(&names.iter().map(String::as_str).collect::<Vec<_>>(), "").await.expect(200);
    for (name, nth) in names.iter().zip(nths) {
        let status = world.push(name, media.segments[*nth].clone()).await.status;
        assert!(status.is_success(), "{status}");
    }
}

async fn until_recorded(world: &World, media: &Media, all: &[(u64, usize)]) {
    // What failed is tried again after a while.
    let is_all = async |world: &World| !world.entries().await.is_empty() && world.recorded(media).await == all;
    world.until_passed(Duration::from_secs(1), &format!("{all:?}"), is_all).await;
}

/// Until each is here once, under its own number.
async fn until_files(world: &World, numbers: &[u64]) {
    let number = |file: std::path::PathBuf| file.file_name()?.to_string_lossy().get(..13)?.parse().ok();
    let found = |world: &World| {
        let mut found: Vec<u64> = world.segment_files().into_iter().filter_map(number).collect();
        found.sort_unstable();
        found
    };
    world.until_later(&format!("the files {numbers:?}"), async |world| found(world) == numbers).await;
    assert!(!world.folder("refused").exists() || world.parked_files("refused").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_found_under_a_number_that_another_has_gets_the_next() {
    for media in [Media::ts(), Media::fmp4()] {
        let mut world = World::new().await;
        with_one_forgotten(&mut world, media).await;
        push(&world, media, "new", &[4]).await;
        until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4)]).await;
        world.move_back().await;
        until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4), (3, 2)]).await;
        until_files(&world, &[0, 1, 3]).await;
        world.crash().await;
        push(&world, media, "new", &[4, 3]).await;
        let all = [(0, 0), (1, 1), (2, 4), (3, 2), (4, 3)];
        until_recorded(&world, media, &all).await;
        until_files(&world, &[0, 1, 3, 4]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_found_under_a_number_that_was_given_up_gets_the_next() {
    let (mut world, media) = (World::new().await, Media::ts());
    with_one_forgotten(&mut world, media).await;
    world.push_playlist(&["out0.ts", "out1.ts", "out2.ts", "out3.ts", "out4.ts"], "").await.expect(200);
    world.push("out3.ts", media.segments[3].clone()).await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (3, 3)]).await;
    // It sends nothing twice: a minute later what it left out is given up.
    world.pass(70).await;
    world.push("out4.ts", media.segments[4].clone()).await;
    world.until_later("given up", async |world| world.broadcast().await.missing_count() == 0).await;
    world.move_back().await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (3, 3), (4, 4), (5, 2)]).await;
    until_files(&world, &[0, 1, 5]).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_again_is_there_once() {
    let (mut world, media) = (World::new().await, Media::ts());
    with_one_forgotten(&mut world, media).await;
    push(&world, media, "new", &[4, 2]).await;
    let all = [(0, 0), (1, 1), (2, 4), (3, 2)];
    until_recorded(&world, media, &all).await;
    world.move_back().await;
    assert_eq!(world.recorded(media).await, all);
    // Whoever has it under its number may be gone for good.
    until_files(&world, &[0, 1, 3]).await;
}

/// It was gone just before the file with the old number was removed.
#[tokio::test(start_paused = true)]
async fn what_has_its_new_number_already_is_there_once() {
    let (mut world, media) = (World::new().await, Media::ts());
    with_one_forgotten(&mut world, media).await;
    push(&world, media, "new", &[4]).await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4)]).await;
    world.move_back().await;
    let all = [(0, 0), (1, 1), (2, 4), (3, 2)];
    until_recorded(&world, media, &all).await;
    let new =
        world.segment_files().into_iter().find(|file| file.to_string_lossy().contains("/0000000000003-")).unwrap();
    let old = new.to_string_lossy().replace("/0000000000003-", "/0000000000002-");
    std::fs::copy(&new, old).unwrap();
    world.crash().await;
    assert_eq!(world.recorded(media).await, all);
    until_files(&world, &[0, 1, 3]).await;
}

/// The recorder that has it never stops: it finds out when it reaches the metadata store again.
#[tokio::test(start_paused = true)]
async fn what_is_here_is_given_another_number_without_a_restart() {
    let (world, media) = (World::new().await, Media::ts());
    push(&world, media, "out", &[0, 1, 2]).await;
    let log = world.entries().await;
    let with_other = |entry: &broadcast::LogEntry| {
        let Event::Stored(segment) = &entry.event else { return entry.clone() };
        let other = broadcast::Segment { digest: broadcast::Digest::of_blake3(&[7; 32]), ..segment.clone() };
        let event = if segment.seq.0 == 2 { Event::Stored(other) } else { entry.event.clone() };
        broadcast::LogEntry { event, at: StoreTime(entry.at.0 + 1), ..entry.clone() }
    };
    world.replace_log(&log.iter().map(with_other).collect::<Vec<_>>()).await;
    let is_there = async |world: &World| world.stored().await.last().is_some_and(|last| last.seq.0 == 3);
    world.until_later("another number", is_there).await;
    until_files(&world, &[0, 1, 3]).await;
}

#[tokio::test(start_paused = true)]
async fn what_only_the_hot_store_has_gets_the_next_too() {
    let (hot, media) = (Distant::new(), Media::ts());
    let keeps_nothing = HotConfig { keep_bytes: Some(0), free_bytes: 0, ..HotConfig::default() };
    let config = RecorderConfig { hot: keeps_nothing, ..RecorderConfig::default() };
    let mut world = World::with_hot(config, hot.clone()).await;
    push(&world, media, "out", &[0, 1, 2]).await;
    world.until_safe(&[(0, 2)]).await;
    world.until_later("no files", async |world| world.segment_files().is_empty()).await;
    forget_last(&world).await;
    hot.go_away(true);
    world.move_elsewhere().await;
    push(&world, media, "new", &[4]).await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4)]).await;
    hot.go_away(false);
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4), (3, 2)]).await;
    world.until_safe(&[(0, 3)]).await;
    // What tells this recorder of the broadcast: it has nothing else of it.
    let document = world.folder("segments").join(Key::of_document(world.id).to_string());
    world.until_passed(Duration::from_secs(1), "its document", async |_| document.exists()).await;
    // All of it is put back as it was, though the hot store has it under its first number, too.
    world.forget(0).await;
    world.crash().await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4), (3, 2)]).await;
    world.until_safe(&[(0, 3)]).await;
}

/// It was recorded by an earlier run of the pusher, of which nothing that comes later goes on.
#[tokio::test(start_paused = true)]
async fn what_comes_after_it_is_dated_as_if_it_were_not_there() {
    let (mut world, media) = (World::new().await, Media::ts());
    with_one_forgotten(&mut world, media).await;
    world.pass(60).await;
    push(&world, media, "new", &[0]).await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 0)]).await;
    world.move_back().await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 0), (3, 2)]).await;
    push(&world, media, "new", &[0, 1]).await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 0), (3, 2), (4, 1)]).await;
    let at: Vec<i64> = world.stored().await.iter().map(|segment| segment.captured_at.0).collect();
    assert_eq!((at[4] - at[2], at[3] - at[1]), (1_000, 1_000), "{at:?}");
}

/// Nobody is sent elsewhere for what live does not show, however often it is tried again.
#[tokio::test(start_paused = true)]
async fn live_goes_on_where_it_is() {
    let (mut world, media) = (World::new().await, Media::ts());
    with_one_forgotten(&mut world, media).await;
    push(&world, media, "new", &[4]).await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4)]).await;
    let restarts =
        async |world: &World| world.entries().await.iter().filter(|entry| entry.event == Event::Restarted).count();
    let before = restarts(&world).await;
    world.move_back().await;
    until_recorded(&world, media, &[(0, 0), (1, 1), (2, 4), (3, 2)]).await;
    assert_eq!(restarts(&world).await, before);
}

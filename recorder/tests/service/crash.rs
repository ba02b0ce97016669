//! What a crash leaves behind is taken in by the next start.

use crate::fixtures::{Media, Mood, World};

#[tokio::test(start_paused = true)]
async fn what_was_durable_and_not_committed_is_committed() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(201);
    world.log.feel(Mood::ReadOnly);
    world.publish("1.ts", ts.segments[1].clone(), &[]).await.expect(503);
    world.push_playlist(&["out0.ts"], "").await.expect(503);
    world.log.feel(Mood::Well);
    assert_eq!(world.crash().await.committed, 1);
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1)]);
    assert_eq!(world.crash().await.committed, 0);
}

#[tokio::test(start_paused = true)]
async fn a_segment_keeps_its_own_init_section() {
    let (large, small) = (Media::fmp4(), Media::small_fmp4());
    // The segment that was not committed is the first of its init section; another one, of which the log knows, came
    // before it.
    let mut world = World::new().await;
    world.push("init.mp4", large.init.clone()).await.expect(201);
    world.push_playlist(&["out0.m4s"], "").await.expect(200);
    world.push("out0.m4s", large.segments[0].clone()).await.expect(201);
    world.pass(30).await;
    world.push("init.mp4", small.init.clone()).await.expect(201);
    world.log.feel(Mood::ReadOnly);
    world.push("out0.m4s", small.segments[0].clone()).await.expect(202);
    world.log.feel(Mood::Well);
    let found = world.crash().await;
    assert_eq!((found.committed, found.unreadable), (1, 0));
    assert_eq!(world.widths().await, [128, 64]);
}

#[tokio::test(start_paused = true)]
async fn each_of_several_finds_its_init_section() {
    let (mut world, media) = (World::new().await, [Media::fmp4(), Media::small_fmp4()]);
    let mut inits = Vec::new();
    for media in media {
        let told = world.publish("init.mp4", media.init.clone(), &[]).await.expect(201).json();
        inits.push(told["digest"].as_str().unwrap().to_owned());
    }
    world.log.feel(Mood::ReadOnly);
    for (seq, (media, init)) in media.iter().zip(&inits).enumerate() {
        let headers = [("segment-init", init.as_str())];
        world.publish(&format!("{seq}.m4s"), media.segments[seq].clone(), &headers).await.expect(503);
    }
    world.log.feel(Mood::Well);
    assert_eq!(world.crash().await.committed, 2);
    let formats: Vec<_> = world.stored().await.iter().map(|segment| segment.format.to_string()).collect();
    assert_eq!(formats, inits.iter().map(|init| init[..16].to_owned()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_what_its_name_says_is_put_out_of_the_way() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.log.feel(Mood::ReadOnly);
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(503);
    world.log.feel(Mood::Well);
    let file = world.segment_files().pop().unwrap();
    std::fs::write(&file, &ts.segments[1]).unwrap();
    let found = world.crash().await;
    assert_eq!((found.committed, found.unreadable), (0, 1));
    assert!(world.stored().await.is_empty() && !file.exists());
    let aside = file.to_string_lossy().replace("/segments/", "/damaged/");
    assert_eq!(std::fs::read(aside).unwrap(), ts.segments[1]);
}

#[tokio::test(start_paused = true)]
async fn a_parked_upload_is_taken_up_again() {
    for media in [Media::ts(), Media::fmp4()] {
        let mut world = World::new().await;
        let extension = if media.init.is_empty() { "ts" } else { "m4s" };
        world.push(&format!("a.{extension}"), media.segments[0].clone()).await.expect(202);
        if !media.init.is_empty() {
            world.push("init.mp4", media.init.clone()).await.expect(201);
        }
        let found = world.crash().await;
        assert_eq!(found.parked, 1 + u64::from(!media.init.is_empty()));
        world.push_playlist(&[&format!("a.{extension}")], "").await.expect(200);
        assert_eq!(world.recorded(media).await, [(0, 0)]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_parked_belongs_to_a_broadcast_whose_time_ran_out_meanwhile() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.push("out0.ts", ts.segments[0].clone()).await.expect(202);
    world.push_playlist(&["out0.ts"], "#EXT-X-ENDLIST\n").await.expect(200);
    world.push("late-a.ts", ts.segments[1].clone()).await.expect(202);
    world.crash_for(300).await;
    world.pass(3).await;
    world.until_stored(2).await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1)]);
}

/// How often others get their turn between two looks at a request.
const YIELDS: usize = 2_000;

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_takes_nothing_with_it() {
    for polls in 0..16 {
        let (world, ts) = (World::new().await, Media::ts());
        world.push("clip0.ts", ts.segments[0].clone()).await.expect(202);
        {
            let mut put = Box::pin(world.push_playlist(&["clip0.ts"], ""));
            for _ in 0..polls {
                if futures_util::poll!(&mut put).is_ready() {
                    break;
                }
                // Long enough for a thread to do what is waited for.
                for _ in 0..YIELDS {
                    tokio::task::yield_now().await;
                }
            }
        }
        world.say("end", "").await.expect(200);
        assert_eq!(world.recorded(ts).await, [(0, 0)], "dropped after {polls} polls");
    }
}

/// Its name is a time, and its playlist did not come: the log tells where its run is.
#[tokio::test(start_paused = true)]
async fn what_was_parked_without_a_name_goes_on_from_the_log() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.push_playlist(&["1790000000.ts"], "").await.expect(200);
    world.push("1790000000.ts", ts.segments[0].clone()).await.expect(201);
    world.pass(1).await;
    world.push("1790000001.ts", ts.segments[1].clone()).await.expect(202);
    world.crash().await;
    world.until_later("both", async |world| world.stored().await.len() == 2).await;
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1)]);
    assert!(world.stored().await.iter().map(|segment| segment.pushed).eq([0, 1].map(Some)));
}

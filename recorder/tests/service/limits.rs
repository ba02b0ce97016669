//! What a token holder cannot do.

use broadcast::{State, StoreTime};
use headwater_recorder::RecorderConfig;
use http::Method;

use crate::fixtures::{Media, START_MS, World};

#[tokio::test(start_paused = true)]
async fn numbers_and_times_far_ahead_are_refused() {
    let (world, ts) = (World::new().await, Media::ts());
    let refused = world.publish("100001.ts", ts.segments[0].clone(), &[]).await.expect(422);
    assert_eq!(refused.problem(), "too-far-ahead");
    world.say("end", r#"{"last":{"main":1099511627776}}"#).await.expect(422);
    let ahead = (START_MS + 90_000).to_string();
    let refused = world.publish("0.ts", ts.segments[0].clone(), &[("segment-captured-at", &ahead)]).await.expect(422);
    assert_eq!(refused.json()["server_time_ms"], START_MS);
    world.publish("100000.ts", ts.segments[0].clone(), &[]).await.expect(201);
    world.publish("200000.ts", ts.segments[1].clone(), &[]).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn renditions_are_limited() {
    let (config, ts) = (RecorderConfig { renditions_max: 2, ..RecorderConfig::default() }, Media::ts());
    let world = World::with(config).await;
    for (folder, status) in [("a", 200), ("b", 200), ("c", 409)] {
        let playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nout0.ts\n";
        world.push(&format!("{folder}/out.m3u8"), playlist).await.expect(status);
    }
    world.push("a/out0.ts", ts.segments[0].clone()).await.expect(201);
    world.push("b/out0.ts", ts.segments[0].clone()).await.expect(201);
    let refused = world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(409);
    assert_eq!(refused.problem(), "too-many-renditions");
    let refused = world.say("abandon", r#"{"rendition":"c","first":0,"last":0}"#).await.expect(409);
    assert_eq!(refused.problem(), "too-many-renditions");
    // Its publisher has recorded more than is taken, and the broadcast ends all the same.
    world.say("end", r#"{"last":{"a":0,"b":1,"c":0}}"#).await.expect(200);
    assert_eq!(world.broadcast().await.renditions().len(), 2);
    assert_eq!(world.broadcast().await.missing_count(), 1);
}

/// Each of them has room, and all of them have not.
#[tokio::test(start_paused = true)]
async fn an_end_names_no_more_renditions_than_there_may_be() {
    let (world, ts) =
        (World::with(RecorderConfig { renditions_max: 2, ..RecorderConfig::default() }).await, Media::ts());
    world.say("end", r#"{"last":{"a":0,"b":0,"c":0}}"#).await.expect(200);
    assert_eq!(world.broadcast().await.missing_count(), 2);
    for (name, status) in [("c", 409), ("a", 201), ("b", 201)] {
        let bearer = format!("Bearer {}", world.token());
        let (path, headers) = (format!("/ingest/{}/{name}/0.ts", world.id), [("authorization", bearer.as_str())]);
        world.ask(Method::PUT, &path, &headers, ts.segments[0].clone()).await.expect(status);
    }
    assert_eq!(world.broadcast().await.state(StoreTime(START_MS)), State::Complete);
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_are_no_news_and_others_are_refused() {
    let (world, ts) = (World::new().await, Media::ts());
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(201);
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(200);
    let wrong = [("content-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")];
    assert_eq!(world.publish("0.ts", ts.segments[0].clone(), &wrong).await.expect(422).problem(), "digest-mismatch");
    let refused = world.publish("0.ts", ts.segments[1].clone(), &[]).await.expect(409);
    assert_eq!(refused.problem(), "other-bytes-stored");
    let other = [("segment-digest", "00000000000000000000000000000000")];
    for (file, status) in [("0.ts", 422), ("1.ts", 422)] {
        let refused = world.publish(file, ts.segments[0].clone(), &other).await.expect(status);
        assert_eq!(refused.problem(), "digest-mismatch");
    }
    let told = world.publish("1.ts", ts.segments[1].clone(), &[]).await.expect(201).json()["digest"].clone();
    let same = [("segment-digest", told.as_str().unwrap())];
    world.publish("1.ts", ts.segments[1].clone(), &same).await.expect(200);
}

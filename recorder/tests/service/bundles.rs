//! Many segments in one request.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::Method;
use serde_json::Value;

use crate::fixtures::{Answer, Media, World};
use headwater_recorder::RecorderConfig;

const BUNDLE: (&str, &str) = ("content-type", "application/vnd.headwater.bundle");

fn part(path: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("{path}\r\nContent-Length: {}\r\nSegment-Captured-At: 1790000000000\r\n\r\n", bytes.len());
    [head.as_bytes(), bytes].concat()
}

async fn send(world: &World, body: impl Into<Body>) -> Answer {
    let bearer = format!("Bearer {}", world.token());
    let headers = [("authorization", bearer.as_str()), BUNDLE];
    world.ask(Method::PUT, &format!("/ingest/{}", world.id), &headers, body).await
}

fn statuses(answer: &Value) -> Vec<u64> {
    answer["parts"].as_array().unwrap().iter().map(|part| part["status"].as_u64().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_part_is_taken_as_if_it_came_alone() {
    let (world, ts, fmp4) = (World::new().await, Media::ts(), Media::fmp4());
    world.publish("1.ts", ts.segments[1].clone(), &[]).await.expect(201);
    let parts = [
        part("main/0.ts", &ts.segments[0]),
        part("main/1.ts", &ts.segments[1]),
        part("main/1.ts", &ts.segments[3]),
        part("main/2.ts", b"no media at all"),
        part("nowhere", b"x"),
        part("main/2.avi", b""),
        part("small/init.mp4", &fmp4.init),
        part("small/0.m4s", &fmp4.segments[0]),
        part("main/2.ts", &ts.segments[2]),
    ];
    let answer = send(&world, parts.concat()).await.expect(200).json();
    assert_eq!(statuses(&answer), [201, 200, 409, 422, 400, 415, 201, 201, 201], "{answer:#}");
    assert_eq!(answer["parts"][2]["body"]["type"], "/problems/other-bytes-stored");
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1), (2, 2)]);
}

#[tokio::test(start_paused = true)]
async fn what_came_before_it_broke_off_is_there() {
    let (world, ts) = (World::new().await, Media::ts());
    let whole = [part("main/0.ts", &ts.segments[0]), part("main/1.ts", &ts.segments[1])].concat();
    let cut = Bytes::from(whole).slice(..part("main/0.ts", &ts.segments[0]).len() + 5_000);
    let gone = stream::iter([Ok(cut), Err(std::io::Error::other("gone"))]);
    let answer = send(&world, Body::from_stream(gone)).await.expect(400).json();
    assert_eq!(statuses(&answer), [201], "{answer:#}");
    assert_eq!(world.recorded(ts).await, [(0, 0)]);
    let rest = part("main/1.ts", &ts.segments[1]);
    assert_eq!(statuses(&send(&world, rest).await.expect(200).json()), [201]);
}

#[tokio::test(start_paused = true)]
async fn a_bundle_that_is_none_costs_nothing() {
    let config = RecorderConfig { bundle_parts_max: 2, segment_len_max: 1 << 20, ..RecorderConfig::default() };
    let (world, ts) = (World::with(config).await, Media::ts());
    let bearer = format!("Bearer {}", world.token());
    let path = format!("/ingest/{}", world.id);
    let ask = async |headers: &[(&str, &str)]| world.ask(Method::PUT, &path, headers, "").await;
    assert_eq!(ask(&[BUNDLE]).await.expect(401).problem(), "unauthorized");
    ask(&[("authorization", &bearer)]).await.expect(415);
    ask(&[("authorization", &bearer), BUNDLE]).await.expect(200);
    send(&world, "main/0.ts\r\n\r\n").await.expect(400);
    send(&world, "main/0.ts\r\nContent-Length: 9999999\r\n\r\n").await.expect(413);
    send(&world, vec![b'a'; 10_000]).await.expect(400);
    send(&world, "main/0.ts\r\nno colon\r\n\r\n").await.expect(400);
    let three: Vec<u8> = (0..3).flat_map(|seq| part(&format!("main/{seq}.ts"), &ts.segments[seq])).collect();
    let refused = send(&world, three).await.expect(413).json();
    assert_eq!(statuses(&refused), [201, 201], "what was taken is told");
    assert_eq!(world.recorded(ts).await, [(0, 0), (1, 1)]);
}

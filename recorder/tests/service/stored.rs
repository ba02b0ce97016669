//! What a recorder shows of its disk to the other nodes of its fleet.

use broadcast::{BroadcastId, Claims, Key, Scope, TokenKey};
use http::Method;

use crate::fixtures::{Media, START_MS, World};

fn bearer(key: u8, sub: BroadcastId, scope: Scope, expires_in_s: i64) -> String {
    let exp = Some(START_MS / 1_000 + expires_in_s);
    format!("Bearer {}", TokenKey::new(&[key; 32]).sign(&Claims { sub, scope, exp }))
}

#[tokio::test(start_paused = true)]
async fn who_signs_with_the_key_of_the_fleet_is_shown_this_disk() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(201);
    let key = Key::of_segment(world.id, &world.stored().await[0]);
    let (path, len) = (format!("/v1/stored/{key}"), ts.segments[0].len());
    let good = bearer(7, world.id, Scope::Fetch, 60);
    let beyond = format!("bytes={len}-");
    for (method, range, status, expected) in [
        (Method::GET, None, 200, &ts.segments[0][..]),
        (Method::GET, Some("bytes=0-9"), 206, &ts.segments[0][..10]),
        (Method::GET, Some("bytes=188-"), 206, &ts.segments[0][188..]),
        (Method::HEAD, None, 200, &[]),
        (Method::HEAD, Some("bytes=0-9"), 200, &[]),
    ] {
        let headers = [Some(("authorization", good.as_str())), range.map(|range| ("range", range))];
        let headers: Vec<_> = headers.into_iter().flatten().collect();
        let answer = world.ask(method.clone(), &path, &headers, "").await.expect(status);
        assert!(answer.bytes() == expected, "{method} {range:?}");
    }
    let unsatisfiable = [("authorization", good.as_str()), ("range", beyond.as_str())];
    let problem = world.ask(Method::GET, &path, &unsatisfiable, "").await.expect(416).problem();
    assert_eq!(problem, "range-not-satisfiable");

    let other = BroadcastId::new(1, 99);
    let document = format!("/v1/stored/{}", Key::of_document(world.id));
    for (path, authorization, status) in [
        (&path, bearer(8, world.id, Scope::Fetch, 60), 401),
        (&path, bearer(7, world.id, Scope::Fetch, 0), 401),
        (&path, bearer(7, world.id, Scope::Publish, 60), 403),
        (&path, bearer(7, world.id, Scope::Watch, 60), 403),
        (&path, bearer(7, other, Scope::Fetch, 60), 403),
        (&path, "Bearer the-owner-of-the-test".to_owned(), 401),
        (&document, good.clone(), 404),
        (&"/v1/stored/../token-key".to_owned(), good.clone(), 404),
    ] {
        world.ask(Method::GET, path, &[("authorization", &authorization)], "").await.expect(status);
    }
    world.ask(Method::GET, &path, &[], "").await.expect(401);
    // What others have is theirs to show.
    world.move_elsewhere().await;
    world.ask(Method::GET, &path, &[("authorization", &good)], "").await.expect(404);
}

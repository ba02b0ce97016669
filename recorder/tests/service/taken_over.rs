//! Which recorder takes a broadcast in.

use broadcast::{Event, EventIndex};
use headwater_recorder::RecorderConfig;
use metadata::Metadata;

use crate::fixtures::{Media, World};

/// Who has said that it takes the broadcast in, in order.
async fn recorders(world: &World) -> Vec<String> {
    let log = world.log.read(world.id, EventIndex(0), usize::MAX).await.unwrap();
    let named = log.into_iter().filter_map(|entry| match entry.event {
        Event::RecordedBy { node } => Some(node),
        _ => None,
    });
    named.collect()
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_takes_over_says_so_once() {
    let config = RecorderConfig { node: Some("north".to_owned()), ..RecorderConfig::default() };
    let (mut world, ts) = (World::with(config).await, Media::ts());
    assert!(recorders(&world).await.is_empty());
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(201);
    world.publish("1.ts", ts.segments[1].clone(), &[]).await.expect(201);
    assert_eq!(recorders(&world).await, ["north"]);
    world.move_to("south").await;
    world.publish("2.ts", ts.segments[2].clone(), &[]).await.expect(201);
    assert_eq!(recorders(&world).await, ["north"], "so soon it may as well be a publisher that sends to both");
    world.pass(10).await;
    world.publish("3.ts", ts.segments[3].clone(), &[]).await.expect(201);
    world.publish("4.ts", ts.segments[4].clone(), &[]).await.expect(201);
    assert_eq!(recorders(&world).await, ["north", "south"]);
    assert_eq!(world.broadcast().await.recorded_by().unwrap().node, "south");
    assert_eq!(world.stored().await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_recorder_without_a_name_says_nothing() {
    let (mut world, ts) = (World::new().await, Media::ts());
    world.publish("0.ts", ts.segments[0].clone(), &[]).await.expect(201);
    world.move_elsewhere().await;
    world.pass(60).await;
    world.publish("1.ts", ts.segments[1].clone(), &[]).await.expect(201);
    assert!(recorders(&world).await.is_empty());
}

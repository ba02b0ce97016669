//! What a player that comes back again and again is given obeys RFC 8216bis, by a judge that shares no code with what
//! writes the playlists.

use testkit::hls::{apply_delta, read, transition, well_formed};

use crate::fixtures::World;

const VIEWS: [&str; 3] = ["main/live.m3u8", "main/dvr.m3u8", "main/catchup.m3u8?from=0"];

fn with(path: &str, directive: &str) -> String {
    format!("{path}{}{directive}", if path.contains('?') { '&' } else { '?' })
}

/// Each view now, after it was compared with what it was before.
async fn look(world: &World, before: &mut [Option<String>; 3]) {
    for (path, before) in VIEWS.iter().zip(before) {
        let now = world.get(path).await.text().to_owned();
        let playlist = well_formed(&now).unwrap_or_else(|wrong| panic!("{path}: {wrong:?}\n{now}"));
        if let Some(before) = before {
            transition(before, &now).unwrap_or_else(|wrong| panic!("{path}: {wrong:?}\n{now}"));
            // As a player asks that has what was before, without waiting.
            let last = read(before).unwrap().end() - 1;
            let delta = world.get(&with(path, &format!("_HLS_msn={last}&_HLS_skip=YES"))).await;
            let patched = apply_delta(before, delta.text()).unwrap_or_else(|wrong| panic!("{path}: {wrong}\n{now}"));
            assert_eq!(patched.segments, playlist.segments, "{path}");
        }
        *before = Some(now);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delta_update_leaves_out_nothing_that_its_reader_lacks() {
    // A hole, and long after it: catch-up waits, and gets more at once than lies after the skip boundary.
    let world = World::live(4).await;
    let path = "main/catchup.m3u8?from=0";
    let before = world.get(path).await.text().to_owned();
    world.record_all(5..30).await;
    world.record(4).await;
    let whole = read(world.get(path).await.text()).unwrap();
    for (had, skipped) in [(3, 0), (20, 0), (24, 0), (25, 24), (28, 24)] {
        let delta = world.get(&with(path, &format!("_HLS_msn={}&_HLS_skip=YES", had + 1))).await;
        assert_eq!(read(delta.text()).unwrap().skipped, skipped, "with {had}: {}", delta.text());
        if had == 3 {
            assert_eq!(apply_delta(&before, delta.text()).unwrap().segments, whole.segments);
        }
    }
    // Who does not say what it has is told all.
    let unsaid = world.get(&with(path, "_HLS_skip=YES")).await;
    assert_eq!(read(unsaid.text()).unwrap().segments, whole.segments);
}

#[tokio::test(start_paused = true)]
async fn what_a_player_sees_never_contradicts_itself() {
    let world = World::live(1).await;
    let mut before = [None, None, None];
    look(&world, &mut before).await;
    // In time, late, after a hole, into the hole.
    for (wait, seq) in [(6.0, 1), (6.0, 2), (7.0, 3), (6.0, 5), (1.0, 4), (6.0, 6), (30.0, 12), (5.0, 13), (2.0, 7)] {
        world.pass(wait).await;
        look(&world, &mut before).await;
        world.record(seq).await;
        look(&world, &mut before).await;
    }
    world.abandon(8, 11).await;
    look(&world, &mut before).await;
    for seq in 14..22 {
        world.pass(6.0).await;
        world.record(seq).await;
        look(&world, &mut before).await;
    }
    world.end(21).await;
    look(&world, &mut before).await;
    assert!(before.iter().all(|text| text.as_ref().unwrap().ends_with("#EXT-X-ENDLIST\n")));
}

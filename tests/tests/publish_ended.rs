//! The owner ends a broadcast while its publisher has no network: what was recorded before the publisher hears of it arrives,
//! byte for byte, and the publisher stops.

use std::time::Duration;

use headwater_tests::{Encoder, Program, Recording, Relay, Tap, until_stored, wait_until_complete};
use testkit::{Headwater, NewBroadcast, Road, Tool, eventually};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(90);
const ENDED: &str = "The owner has ended this broadcast";

/// `headwater broadcast WORD ID`, by its owner.
fn of_owner(far: &Headwater, word: &str, id: &str) -> std::process::Output {
    Headwater::tool().output(["broadcast", word, id, "--server", far.url(), "--owner-key", far.owner_key()])
}

#[track_caller]
fn told(far: &Headwater, word: &str, id: &str) -> String {
    let output = of_owner(far, word, id);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The command of its owner; what viewers see of it then: it has ended, and there is no recording yet.
#[track_caller]
fn end_it(far: &Headwater, broadcast: &NewBroadcast) {
    let shown = told(far, "end", &broadcast.id);
    assert!(shown.contains("state\tended\n") && shown.contains("publisher waited for until\t"), "{shown}");
    let dvr = format!("/hls/{}/main/dvr.m3u8", broadcast.id);
    eventually("a dvr that has ended", RUN_MAX, || {
        let answer = far.get(&dvr);
        if answer.text().contains("#EXT-X-ENDLIST") { Ok(()) } else { Err(answer.text().to_owned()) }
    });
    let vod = far.get(&format!("/hls/{}/main/vod.m3u8", broadcast.id)).expect(404);
    assert!(vod.text().contains("its publisher may still have some of it"), "{}", vod.text());
}

fn until_said(program: &Program, what: &str) {
    eventually(what, RUN_MAX, || {
        let said = program.said_whole();
        if said.contains(what) { Ok(()) } else { Err(said) }
    });
}

#[test]
fn a_relay_in_a_tunnel_brings_what_it_has_and_ends() {
    for cuts in [false, true] {
        let far = Headwater::start();
        let broadcast = far.create_broadcast();
        let road = Road::to(far.url());
        let mut relay = Relay::start(&road.by_way(&broadcast.push_url));
        let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
        let mut encoder = Encoder { seconds: 10, ..Encoder::default() }.push(&tap.by_way(&relay.push_url()));
        until_stored(&far, &broadcast.id, 2);
        if cuts {
            road.cut()
        } else {
            road.swallow()
        }
        end_it(&far, &broadcast);
        let before = far.broadcast(&broadcast.id)["details"]["main"]["segments"].as_u64();
        // What it captures after that end, and cannot know of, is taken too.
        encoder.end_well(RUN_MAX);
        let sent = tap.segments();
        road.open();
        let program = relay.program();
        until_said(program, ENDED);
        program.end_well(RUN_MAX);
        assert!(program.said_whole().contains("Done: everything is safe"), "{}", program.said_whole());
        wait_until_complete(&far, &broadcast.id);
        assert!(before < Some(sent.len() as u64), "nothing was waiting");
        Recording::of_main(&far, &broadcast.id).assert_is("relay", &sent);
    }
}

#[test]
fn publish_stops_when_it_hears_of_the_end() {
    for in_tunnel in [true, false] {
        let far = Headwater::start();
        let broadcast = far.create_broadcast();
        let road = Road::to(far.url());
        let spool = tempfile::tempdir().expect("a temporary folder");
        let folder = spool.path().to_str().expect("UTF-8");
        let to = road.by_way(&broadcast.push_url);
        let mut publish = Program::publish(80, &to, folder, &[]);
        until_stored(&far, &broadcast.id, 2);
        if in_tunnel {
            road.cut();
            end_it(&far, &broadcast);
            let held = segments_in(spool.path()).len();
            eventually("more in the spool", RUN_MAX, || {
                let now = segments_in(spool.path()).len();
                if now > held + 2 { Ok(()) } else { Err(now) }
            });
            road.open();
        } else {
            far.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
        }
        publish.end_well(RUN_MAX);
        let said = publish.said_whole();
        assert!(said.contains(ENDED) && said.contains("Done: everything is safe"), "{said}");
        let details = wait_until_complete(&far, &broadcast.id);
        assert_eq!(details["missing"], 0);
        Recording::of_main(&far, &broadcast.id).assert_is("publish", &segments_in(spool.path()));
    }
}

/// A crash in the tunnel: the next run learns of the end, and sends what the spool has.
#[test]
fn a_relay_that_was_killed_hears_of_the_end_when_it_is_back() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let road = Road::to(far.url());
    road.cut();
    // Nobody has heard of it yet when its owner ends it.
    let mut relay = Relay::start(&road.by_way(&broadcast.push_url));
    let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
    Encoder { seconds: 4, ..Encoder::default() }.push(&tap.by_way(&relay.push_url())).end_well(RUN_MAX);
    relay.kill();
    let shown = told(&far, "end", &broadcast.id);
    assert!(shown.contains("state\tended\n"), "{shown}");
    road.open();
    relay.run();
    until_said(relay.program(), ENDED);
    relay.program().end_well(RUN_MAX);
    wait_until_complete(&far, &broadcast.id);
    Recording::of_main(&far, &broadcast.id).assert_is("relay", &tap.segments());
}

/// Its publisher does not come back: its owner gives up the rest. What it has stays in its spool, and it says so.
#[test]
fn what_its_owner_gave_up_stays_in_the_spool() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let road = Road::to(far.url());
    let mut relay = Relay::start(&road.by_way(&broadcast.push_url));
    let mut encoder = Encoder { seconds: 6, ..Encoder::default() }.push(&relay.push_url());
    until_stored(&far, &broadcast.id, 2);
    road.cut();
    let refused = String::from_utf8_lossy(&of_owner(&far, "abandon", &broadcast.id).stderr).into_owned();
    assert!(refused.contains("end it first"), "{refused}");
    end_it(&far, &broadcast);
    let given_up = told(&far, "abandon", &broadcast.id);
    assert!(given_up.contains("state\tcomplete\n"), "{given_up}");
    encoder.end_well(RUN_MAX);
    road.open();
    until_said(relay.program(), "is refused and stays in ");
    assert!(!relay.program().end(RUN_MAX).success());
    let said = relay.program().said_whole();
    assert!(said.contains("were refused for good"), "{said}");
}

/// What a spool holds of `main`, in the order of its numbers.
fn segments_in(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let found = Tool::find("find").run([folder.to_str().expect("UTF-8"), "-path", "*/main/*.ts"]);
    let mut files: Vec<&str> = found.lines().collect();
    files.sort_unstable();
    files.into_iter().map(|file| std::fs::read(file).expect("it is there")).collect()
}

//! Publishing over a network that breaks: what was recorded arrives, byte for byte, whatever happens on the way.

use std::time::Duration;

use headwater_tests::{Encoder, Program, Publisher, Recording, Relay, Tap, until_stored, wait_until_complete};
use serde_json::json;
use testkit::{Headwater, Road, Tool, eventually};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(90);

fn until_sent(tap: &Tap, count: usize) {
    eventually(&format!("{count} segments recorded"), RUN_MAX, || {
        let sent = tap.segments().len();
        if sent >= count { Ok(()) } else { Err(sent) }
    });
}

fn until_state(far: &Headwater, id: &str, state: &str) -> serde_json::Value {
    eventually(state, RUN_MAX, || {
        let details = far.broadcast(id);
        if details["state"] == state { Ok(details) } else { Err(details) }
    })
}

fn stored(details: &serde_json::Value) -> u64 {
    details["details"]["main"]["segments"].as_u64().expect("a count")
}

#[test]
fn a_relay_brings_everything_through_tunnels_and_dead_recorders() {
    let mut far = Headwater::start();
    let broadcast = far.create_broadcast();
    let road = Road::to(far.url());
    let mut relay = Relay::start(&road.by_way(&broadcast.push_url));
    let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
    let mut encoder = Encoder { seconds: 22, ..Encoder::default() }.push(&tap.by_way(&relay.push_url()));
    until_stored(&far, &broadcast.id, 3);

    // A tunnel: nothing moves, and nobody is told.
    road.swallow();
    until_sent(&tap, 8);
    road.open();
    until_stored(&far, &broadcast.id, 8);

    // No network at all.
    road.cut();
    until_sent(&tap, 13);
    road.open();
    until_stored(&far, &broadcast.id, 13);

    // The recorder dies with uploads on their way, and comes back elsewhere.
    far.kill9();
    until_sent(&tap, 17);
    far.restart();
    road.leads_to(far.url());
    encoder.end_well(RUN_MAX);

    let sent = tap.segments();
    until_stored(&far, &broadcast.id, sent.len());
    far.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
    wait_until_complete(&far, &broadcast.id);
    Recording::of_main(&far, &broadcast.id).assert_is("relay", &sent);
}

#[test]
fn a_relay_that_was_killed_goes_on_where_it_was() {
    for container in ["-hls_segment_type mpegts", "-hls_segment_type fmp4"] {
        let far = Headwater::start();
        let broadcast = far.create_broadcast();
        let road = Road::to(far.url());
        road.cut();
        // Nobody is there when it starts: it records all the same.
        let mut relay = Relay::start(&road.by_way(&broadcast.push_url));
        let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
        let encoder = Encoder { seconds: 5, ..Encoder::default() }.with(container);
        encoder.push(&tap.by_way(&relay.push_url())).end_well(RUN_MAX);
        relay.kill();
        road.open();
        relay.run();
        until_stored(&far, &broadcast.id, tap.segments().len());
        far.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
        wait_until_complete(&far, &broadcast.id);
        Recording::of_main(&far, &broadcast.id).assert_is(container, &tap.segments());
    }
}

#[test]
fn publish_records_a_source_and_ends_when_all_of_it_is_safe() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let road = Road::to(far.url());
    let spool = tempfile::tempdir().expect("a temporary folder");
    let spool = spool.path().to_str().expect("UTF-8");
    let to = road.by_way(&broadcast.push_url);
    let mut publish = Program::publish(8, &to, spool, &["--json"]);
    until_stored(&far, &broadcast.id, 2);
    road.swallow();
    eventually("something that waits", RUN_MAX, || {
        let said = publish.said();
        let waits = said.lines().any(|line| line.contains("\"missing\":{\"main\":[["));
        if waits { Ok(()) } else { Err(said) }
    });
    road.open();
    publish.end_well(RUN_MAX);
    let details = far.broadcast(&broadcast.id);
    assert_eq!((&details["state"], &details["missing"]), (&"complete".into(), &0.into()), "{details}");
    let said = publish.said();
    let last = said.lines().last().expect("it has said something");
    assert!(last.contains("\"is_done\":true"), "{last}");
    let frames = headwater_tests::frames(&format!("{}/hls/{}/index.m3u8?view=vod", far.url(), broadcast.id));
    assert_eq!(frames, 8 * 15);
}

#[test]
fn an_address_is_published_as_it_is() {
    let far = Headwater::start();
    let [first, second] = [(); 2].map(|()| far.create_broadcast());
    Encoder { seconds: 4, ..Encoder::default() }.push(&first.push_url).end_well(RUN_MAX);
    until_stored(&far, &first.id, 4);
    far.owner("POST", &format!("/v1/broadcasts/{}/end", first.id), "").expect(200);
    wait_until_complete(&far, &first.id);
    let vod = |id: &str| format!("{}/hls/{id}/index.m3u8?view=vod", far.url());
    let spool = tempfile::tempdir().expect("a temporary folder");
    let to = ["--to", &second.push_url, "--spool", spool.path().to_str().expect("UTF-8")];
    let what = ["publish", &vod(&first.id), "--copy", "--segment-duration", "1"];
    Program::start(&Headwater::tool(), [&what[..], &to].concat()).end_well(RUN_MAX);
    until_state(&far, &second.id, "complete");
    assert_eq!([&first, &second].map(|broadcast| headwater_tests::frames(&vod(&broadcast.id))), [4 * 15; 2]);
}

#[test]
fn while_it_is_paused_nothing_is_recorded_and_a_file_goes_on_where_it_was() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [file, spool] = ["match.mp4", "spool"].map(|name| dir.path().join(name).to_str().expect("UTF-8").to_owned());
    let source = "-f lavfi -i testsrc2=s=160x120:r=15 -f lavfi -i sine -t 8 -c:v libx264 -c:a aac";
    Tool::find("ffmpeg").run(source.split(' ').chain([file.as_str()]));
    let to = ["--to", &broadcast.push_url, "--spool", &spool];
    let what = ["publish", &file, "--segment-duration", "1"];
    let mut publish = Program::start(&Headwater::tool(), [&what[..], &to].concat());
    until_stored(&far, &broadcast.id, 2);
    publish.types("pause");
    let paused = until_state(&far, &broadcast.id, "paused");
    let publisher = Publisher::new(&broadcast, 0, 1_000);
    let since_ms = publisher.server_time_ms();
    eventually("three seconds", RUN_MAX, || {
        let now_ms = publisher.server_time_ms();
        if now_ms >= since_ms + 3_000 { Ok(()) } else { Err(now_ms) }
    });
    assert_eq!(stored(&far.broadcast(&broadcast.id)), stored(&paused));
    publish.types("resume");
    publish.end_well(RUN_MAX);
    assert_eq!(until_state(&far, &broadcast.id, "complete")["missing"], 0);
    let frames = headwater_tests::frames(&format!("{}/hls/{}/index.m3u8?view=vod", far.url(), broadcast.id));
    assert_eq!(frames, 8 * 15);
}

#[test]
fn what_a_full_spool_could_not_keep_is_told() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let road = Road::to(far.url());
    road.cut();
    let spool = tempfile::tempdir().expect("a temporary folder");
    let spool = spool.path().to_str().expect("UTF-8");
    // Nothing of it can be foretold, so that it is large.
    let picture = "testsrc2=s=640x360:r=15,noise=alls=100:allf=t";
    let what = ["publish", picture, "--ffmpeg-input", "-re -f lavfi -t 16", "--segment-duration", "1", "--json"];
    let to = ["--to", &road.by_way(&broadcast.push_url), "--spool", spool, "--quota", "6000000"];
    let mut publish = Program::start(&Headwater::tool(), [&what[..], &to].concat());
    let last = |publish: &Program| -> serde_json::Value {
        let said = publish.said();
        said.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default()
    };
    eventually("a full spool", RUN_MAX, || {
        let last = last(&publish);
        if last["spool_is_full"] == true && last["not_kept"].as_u64() >= Some(2) { Ok(()) } else { Err(publish.said()) }
    });
    road.open();
    assert!(!publish.end(RUN_MAX).success());
    let (said, last) = (publish.said(), last(&publish));
    assert!(said.contains("could not be kept and are lost"), "{said}");
    // There was room again for what came then.
    let details = until_state(&far, &broadcast.id, "complete");
    let not_kept = last["not_kept"].as_u64().expect("a count");
    assert_eq!(stored(&details) + not_kept, 16, "{details} {last}");
}

#[test]
fn a_relay_whose_notes_cannot_be_read_takes_in_all_the_same() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let mut relay = Relay::start(&broadcast.push_url);
    relay.kill();
    let notes = relay.spool().join("clock-notes");
    std::fs::create_dir(&notes).expect("nothing was recorded, so there are none");
    relay.run();
    let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
    Encoder { seconds: 4, ..Encoder::default() }.push(&tap.by_way(&relay.push_url())).end_well(RUN_MAX);
    eventually("trouble", RUN_MAX, || {
        let said = relay.program().said();
        if said.contains("remove `clock-notes` from the spool") { Ok(()) } else { Err(said) }
    });
    assert_eq!(segments_in(relay.spool()), tap.segments().len());
    std::fs::remove_dir(notes).expect("it is empty");
    until_stored(&far, &broadcast.id, tap.segments().len());
}

#[test]
fn another_recording_under_the_same_numbers_is_kept_and_told() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let mut ours = Relay::start(&broadcast.push_url);
    Encoder { seconds: 4, ..Encoder::default() }.push(&ours.push_url()).end_well(RUN_MAX);
    until_stored(&far, &broadcast.id, 4);
    ours.kill();
    // Another spool: its numbers begin at 0 too.
    let mut theirs = Relay::start(&broadcast.push_url);
    let picture = Some("smptebars=s=160x120:r=15");
    Encoder { seconds: 4, picture, ..Encoder::default() }.push(&theirs.push_url()).end_well(RUN_MAX);
    eventually("refusals", RUN_MAX, || {
        let said = theirs.program().said();
        if said.matches("refused for good").count() >= 4 { Ok(()) } else { Err(said) }
    });
    Tool::find("kill").run(["-INT", &theirs.program().pid().to_string()]);
    assert!(!theirs.program().end(RUN_MAX).success());
    assert!(theirs.program().said().contains("4 segments were refused for good"), "{}", theirs.program().said());
    assert_eq!(segments_in(theirs.spool()), 4, "what was refused stays");
}

#[test]
fn a_login_page_on_the_way_stops_nothing() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let road = Road::to(far.url());
    let mut relay = Relay::start(&road.by_way(&broadcast.push_url));
    let mut encoder = Encoder { seconds: 10, ..Encoder::default() }.push(&relay.push_url());
    until_stored(&far, &broadcast.id, 2);
    // A server that knows nothing of us, and answers in its own way.
    let stranger = Headwater::start();
    road.cut();
    road.leads_to(stranger.url());
    road.open();
    eventually("trouble", RUN_MAX, || {
        let said = relay.program().said();
        if said.contains("will send later") { Ok(()) } else { Err(said) }
    });
    encoder.end_well(RUN_MAX);
    road.cut();
    road.leads_to(far.url());
    road.open();
    until_stored(&far, &broadcast.id, 10);
}

#[test]
fn a_small_spool_makes_room_of_what_is_safe() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let mut relay = Relay::with(&broadcast.push_url, &["--quota", "7000000"]);
    let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
    let codecs = "-c:v libx264 -preset ultrafast -qp 2 -g 15 -keyint_min 15 -sc_threshold 0 -c:a aac";
    let encoder = Encoder { seconds: 20, picture: Some("testsrc2=s=960x540:r=15"), codecs, ..Encoder::default() };
    encoder.push(&tap.by_way(&relay.push_url())).end_well(RUN_MAX);
    let sent = tap.segments();
    let bytes: usize = sent.iter().map(Vec::len).sum();
    assert!(bytes > 9_000_000, "{bytes} bytes are no test of a small spool");
    until_stored(&far, &broadcast.id, sent.len());
    far.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), "").expect(200);
    wait_until_complete(&far, &broadcast.id);
    Recording::of_main(&far, &broadcast.id).assert_is("small spool", &sent);
    assert!(segments_in(relay.spool()) < sent.len(), "the oldest is deleted");
}

#[test]
fn a_spool_says_what_is_in_it_whether_or_not_a_relay_is_at_work() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let road = Road::to(far.url());
    let mut relay = Relay::start(&road.by_way(&broadcast.push_url));
    let spool = relay.spool().to_str().expect("UTF-8").to_owned();
    let contents = || -> serde_json::Value {
        let said = Headwater::tool().run(["spool", &spool, "--json"]);
        serde_json::from_str(&said).expect("JSON")
    };
    Encoder { seconds: 3, ..Encoder::default() }.push(&relay.push_url()).end_well(RUN_MAX);
    let check = |recorded: u64, segments: u64, ranges: serde_json::Value| {
        eventually("not_sent", RUN_MAX, || {
            let held = &contents()["broadcasts"][0];
            let share = &held["not_sent"];
            let is_so = share["segments"] == segments && share["ranges"] == ranges;
            if is_so && held["recorded"]["segments"] == recorded { Ok(()) } else { Err(held.clone()) }
        });
    };
    // What is stored there is sent only when the answer is here.
    check(3, 0, json!({}));
    road.cut();
    Encoder { seconds: 4, ..Encoder::default() }.push(&relay.push_url()).end_well(RUN_MAX);
    let pid = relay.program().pid();
    check(7, 4, json!({"main": [[3, 6]]}));
    assert_eq!(contents()["pid"], pid);
    relay.kill();
    check(7, 4, json!({"main": [[3, 6]]}));
    let killed = contents();
    let held = &killed["broadcasts"][0];
    assert_eq!((&killed["pid"], &held["id"]), (&serde_json::Value::Null, &broadcast.id.as_str().into()), "{killed}");
    assert!(broadcast.push_url.contains(far.url()) && held["to"].as_str().is_some_and(|to| !to.contains("push")));
    road.open();
    relay.run();
    until_stored(&far, &broadcast.id, 7);
    check(7, 0, json!({}));
    let told = Headwater::tool().run(["spool", &spool]);
    assert!(told.contains("\nrecorded\t7 segments\t") && told.contains("\nnot sent\t0 segments\t"), "{told}");
}

#[test]
fn a_spool_is_of_one_broadcast() {
    let far = Headwater::start();
    let (first, second) = (far.create_broadcast(), far.create_broadcast());
    let mut relay = Relay::start(&first.push_url);
    relay.push_url();
    let spool = relay.spool().to_str().expect("UTF-8").to_owned();
    let refused = |to: &str, expected: &str| {
        let mut other = Program::start(&Headwater::tool(), ["relay", "--to", to, "--spool", &spool]);
        assert!(!other.end(RUN_MAX).success());
        assert!(other.said().contains(expected), "{}", other.said());
    };
    refused(&first.push_url, "is used by another process");
    relay.kill();
    refused(&second.push_url, &format!("holds broadcast {}, and --to is of broadcast {}", first.id, second.id));
}

/// How many segment files there are below a folder.
fn segments_in(folder: &std::path::Path) -> usize {
    Tool::find("find").run([folder.to_str().expect("UTF-8"), "-path", "*/main/*.ts"]).lines().count()
}

#[test]
fn what_cannot_be_published_is_told() {
    let far = Headwater::start();
    let broadcast = far.create_broadcast();
    let stranger = Headwater::start();
    let spool = tempfile::tempdir().expect("a temporary folder");
    let spool = spool.path().to_str().expect("UTF-8");
    let elsewhere = broadcast.push_url.replace(far.url(), stranger.url());
    let cases = [
        (broadcast.push_url.replace("/push/", "/pull/"), "is neither a push address"),
        (far.url().to_owned(), "Give the push address that"),
        (elsewhere, "does not accept the publish token"),
    ];
    for (to, expected) in cases {
        let mut relay =
            Program::start(&Headwater::tool(), ["relay", "--to", &to, "--spool", spool, "--listen", "127.0.0.1:0"]);
        assert!(!relay.end(RUN_MAX).success());
        assert!(relay.said().contains(expected), "{to}: {}", relay.said());
    }
    let mut missing =
        Program::start(&Headwater::tool(), ["publish", "no.mp4", "--to", &broadcast.push_url, "--spool", spool]);
    assert!(!missing.end(RUN_MAX).success());
    assert!(missing.said().contains("the source failed: ffmpeg stopped"), "{}", missing.said());
    let found = Tool::find("ls").run([spool]);
    assert!(found.contains("metadata.sqlite"), "the spool stays: {found}");
}

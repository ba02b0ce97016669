//! The portal is asked who may publish: once for each publisher, and nothing is lost while it says nothing.

use std::time::Duration;

use headwater_tests::{Media, Mood, Publisher, Receiver, SECRET, assert_others_accept, at_once};
use testkit::{Headwater, NewBroadcast, eventually};

/// How long something may take that takes a few seconds, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

fn start(portal: &Receiver, more: &str) -> Headwater {
    let url = portal.url("/ask");
    Headwater::start_with(&format!(
        "[recorder.authorize]\nurl = '{url}'\nsecrets = ['{SECRET}']\nanswer_max_s = 1\n{more}\n"
    ))
}

fn publisher(headwater: &Headwater, broadcast: &NewBroadcast) -> Publisher {
    // By the clock of whoever takes it, which only the owner is told without being asked for.
    let bearer = format!("Bearer {}", headwater.owner_key());
    let path = format!("/ingest/{}", broadcast.id);
    let told = headwater.send("GET", &path, &[("authorization", &bearer)], []).expect(200).json();
    let now_ms = told["server_time_ms"].as_i64().expect("a time");
    Publisher::new(broadcast, now_ms - 10_000, 1_000).at(headwater.url())
}

#[test]
fn one_question_is_asked_however_many_wait() {
    let (portal, media) = (Receiver::start(), Media::ts(4));
    let headwater = start(&portal, "");
    let broadcast = headwater.create_broadcast();
    let publisher = publisher(&headwater, &broadcast);
    assert_eq!(portal.taken("/ask").len(), 0, "the owner needs nobody's leave");
    at_once(&[("0", 0), ("1", 1), ("2", 2), ("3", 3)], |_, seq| publisher.put(*seq, &media.segments[*seq]));
    let asked = portal.taken("/ask");
    assert_eq!(asked.len(), 1);
    let question = asked[0].json();
    assert_eq!(question["type"], "publish.authorize");
    let data = &question["data"];
    assert_eq!((&data["broadcast"], &data["rendition"]), (&broadcast.id.as_str().into(), &"main".into()));
    assert_eq!(data["remote"], "127.0.0.1");
    assert!(data["user_agent"].as_str().is_some_and(|agent| agent.contains("ureq")), "{data}");
    assert_others_accept(&asked, SECRET);
    assert!(headwater.get("/metrics").text().contains("headwater_recorder_authorizations_total{answer=\"yes\"} 1\n"));
    // Another publisher is another question.
    let other = headwater.create_broadcast();
    let push = other.push_url.replacen("http://", "", 1);
    let (_, path) = push.split_once('/').expect("a path");
    headwater.send("PUT", &format!("/{path}out0.ts"), &[], media.segments[0].clone()).expect(202);
    assert_eq!(portal.taken("/ask").len(), 2);
}

#[test]
fn who_is_refused_is_told_why() {
    let (portal, media) = (Receiver::start(), Media::ts(1));
    portal.feel("/ask", Mood::Says(403, r#"{"detail": "the match is over"}"#));
    let headwater = start(&portal, "no_s = 0");
    let broadcast = headwater.create_broadcast();
    let publisher = publisher(&headwater, &broadcast);
    let refused = publisher.try_put(0, &media.segments[0]).expect("an answer").expect(403).json();
    assert_eq!((&refused["type"], &refused["detail"]), (&"/problems/forbidden".into(), &"the match is over".into()));
    let bearer = format!("Bearer {}", broadcast.token);
    let end = format!("/v1/broadcasts/{}/end", broadcast.id);
    headwater.send("POST", &end, &[("authorization", &bearer)], []).expect(403);
    let push = format!("/push/{}/out0.ts", broadcast.token);
    headwater.send("PUT", &push, &[], media.segments[0].clone()).expect(403);
    assert_eq!(headwater.broadcast(&broadcast.id)["state"], "created");
    portal.feel("/ask", Mood::Status(204));
    publisher.put(0, &media.segments[0]);
}

#[test]
fn what_stock_pushers_send_while_the_portal_is_silent_is_kept() {
    let (portal, media) = (Receiver::start(), Media::ts(3));
    portal.feel("/ask", Mood::Silent);
    let mut headwater = start(&portal, "");
    let broadcast = headwater.create_broadcast();
    let push = |headwater: &Headwater, n: usize| {
        let path = format!("/push/{}/out{n}.ts", broadcast.token);
        headwater.send("PUT", &path, &[], media.segments[n].clone()).expect(202)
    };
    push(&headwater, 0);
    push(&headwater, 1);
    let waits = publisher(&headwater, &broadcast).try_put(0, &media.segments[0]).expect("an answer").expect(503);
    assert_eq!(waits.header("retry-after"), "5");
    // Killed meanwhile: what is kept is asked about again.
    headwater.restart();
    push(&headwater, 2);
    assert_eq!(headwater.broadcast(&broadcast.id)["state"], "created");
    portal.feel("/ask", Mood::Status(204));
    eventually("all three segments", SOON, || {
        let segments = headwater.broadcast(&broadcast.id)["details"]["main"]["segments"].clone();
        if segments == 3 { Ok(()) } else { Err(segments.to_string()) }
    });
}

#[test]
fn a_portal_that_fails_takes_nothing_from_those_it_knows() {
    let (portal, media) = (Receiver::start(), Media::ts(3));
    let mut headwater = start(&portal, "yes_s = 0");
    let (known, new) = (headwater.create_broadcast(), headwater.create_broadcast());
    let publisher_of_known = publisher(&headwater, &known);
    publisher_of_known.put(0, &media.segments[0]);
    portal.feel("/ask", Mood::Status(500));
    publisher_of_known.put(1, &media.segments[1]);
    headwater.restart();
    publisher_of_known.at(headwater.url()).put(2, &media.segments[2]);
    publisher(&headwater, &new).try_put(0, &media.segments[0]).expect("an answer").expect(503);
}

//! The portal is told: everything, signed, in order, also across the loss of the process and the moods of receivers.

use std::time::Duration;

use headwater_tests::{Media, Mood, Program, Publisher, Receiver, SECRET, assert_others_accept};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Headwater, HttpClient, NewBroadcast, Tool, eventually, workspace};

/// How long something may take that takes a moment, on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// A secret that is being exchanged for the other one.
const OLD_SECRET: &str = "whsec_b2xkIHNlY3JldCBvbGQgc2VjcmV0IG9sZCBzZWNyZXQ=";

/// The settings of somebody who tells these endpoints, `(address, more settings)`.
fn config(settings: &str, endpoints: &[(String, &str)]) -> String {
    let mut config = format!("[webhooks]\n{settings}\n");
    for (url, more) in endpoints {
        config += &format!("[[webhooks.endpoints]]\nurl = '{url}'\nsecrets = ['{OLD_SECRET}', '{SECRET}']\n{more}\n");
    }
    config
}

/// Two segments, and the end.
fn publish(headwater: &Headwater, broadcast: &NewBroadcast, media: &Media) {
    let mut publisher = Publisher::new(broadcast, 0, 1_000).at(headwater.url());
    publisher.started_ms = publisher.server_time_ms() - 2_000;
    publisher.put(0, &media.segments[0]);
    publisher.put(1, &media.segments[1]);
    publisher.end();
}

fn until_told(receiver: &Receiver, path: &str, expected: &[&str]) {
    eventually("what is to be told", SOON, || {
        let words = receiver.words(path);
        if words == expected { Ok(()) } else { Err(format!("{words:?}")) }
    });
}

fn cli(headwater: &Headwater, args: &[&str]) -> String {
    let (server, key) = (headwater.url(), headwater.owner_key());
    let args = [&["webhooks"], args, &["--server", server, "--owner-key", key]].concat();
    Headwater::tool().run(args)
}

#[test]
fn what_happens_is_told_in_order_and_signed() {
    let (receiver, media) = (Receiver::start(), Media::ts(2));
    let all = (receiver.url("/all"), "segments = true");
    let some = (receiver.url("/some"), "events = ['broadcast.complete']");
    let headwater = Headwater::start_with(&config("", &[all, some]));
    let broadcast = headwater.create_broadcast();
    publish(&headwater, &broadcast, &media);
    let story = ["created", "segment.stored", "live", "segment.stored", "ended", "complete"];
    until_told(&receiver, "/all", &story);
    until_told(&receiver, "/some", &["complete"]);
    let taken = receiver.taken("/all");
    assert_eq!(taken.len(), story.len(), "each was sent once");
    for taken in &taken {
        assert_eq!(taken.json()["data"]["broadcast"], broadcast.id.as_str());
        assert!(taken.id().starts_with(&format!("msg_{}_", broadcast.id)), "{}", taken.id());
        assert_eq!(taken.request.header("content-type"), "application/json");
    }
    assert_others_accept(&taken, SECRET);
    assert_others_accept(&taken, OLD_SECRET);
    let metrics = headwater.get("/metrics");
    assert!(metrics.text().contains("headwater_webhooks_messages_total{type=\"broadcast.live\"} 1\n"));
}

#[test]
fn what_was_not_delivered_survives_the_loss_of_the_process() {
    let (receiver, media) = (Receiver::start(), Media::ts(2));
    receiver.feel("/", Mood::Status(500));
    // More than there is time for: what has been tried to the end is not sent by itself.
    let retries = format!("retries_s = {:?}", [1; 90]);
    let mut headwater = Headwater::start_with(&config(&retries, &[(receiver.url("/"), "")]));
    // Killed before anything of it can be filed, as like as not.
    let broadcast = headwater.create_broadcast();
    headwater.restart();
    eventually("an attempt", SOON, || receiver.taken("/").pop().ok_or("nothing"));
    // Killed between attempts.
    publish(&headwater, &broadcast, &media);
    headwater.restart();
    eventually("an attempt for each", SOON, || {
        let mut ids: Vec<_> = receiver.taken("/").iter().map(|taken| taken.id().to_owned()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() == 4 { Ok(()) } else { Err(format!("{ids:?}")) }
    });
    headwater.kill9();
    let first_attempts: Vec<_> = {
        let mut words = Vec::new();
        for taken in receiver.taken("/") {
            if !words.contains(&taken.word()) {
                words.push(taken.word());
            }
        }
        words
    };
    assert_eq!(first_attempts, ["created", "live", "ended", "complete"]);
    receiver.feel("/", Mood::Status(200));
    headwater.restart();
    eventually("all of it", SOON, || {
        let mut words = receiver.words("/");
        words.sort_unstable();
        if words == ["complete", "created", "ended", "live"] { Ok(()) } else { Err(format!("{words:?}")) }
    });
}

#[test]
fn a_silent_endpoint_delays_nobody_else() {
    let (receiver, media) = (Receiver::start(), Media::ts(2));
    receiver.feel("/silent", Mood::Silent);
    let endpoints = [(receiver.url("/silent"), ""), (receiver.url("/awake"), "")];
    let headwater = Headwater::start_with(&config("answer_max_s = 600", &endpoints));
    let broadcast = headwater.create_broadcast();
    eventually("the silent one to have a message", SOON, || receiver.taken("/silent").pop().ok_or("nothing"));
    publish(&headwater, &broadcast, &media);
    until_told(&receiver, "/awake", &["created", "live", "ended", "complete"]);
    let words: Vec<_> = receiver.taken("/silent").iter().map(headwater_tests::Taken::word).collect();
    assert_eq!(words, ["created"], "the next one waits for the first attempt of the one before");
}

#[test]
fn the_dead_are_listed_and_sent_again() {
    let receiver = Receiver::start();
    let (gone, broken) = (receiver.url("/gone"), receiver.url("/broken"));
    receiver.feel("/gone", Mood::Status(410));
    receiver.feel("/broken", Mood::Status(302));
    let endpoints = [(gone.clone(), ""), (broken.clone(), "events = ['broadcast.created']")];
    let headwater = Headwater::start_with(&config("retries_s = [1]", &endpoints));
    let (first, second) = (headwater.create_broadcast(), headwater.create_broadcast());
    let dead = eventually("four dead letters", SOON, || {
        let dead = cli(&headwater, &["list-dead"]);
        if dead.lines().count() == 5 { Ok(dead) } else { Err(dead) }
    });
    let rows: Vec<Vec<&str>> = dead.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0], ["number", "type", "broadcast", "attempts", "died", "url", "why"]);
    for row in &rows[1..] {
        assert_eq!(row[1], "broadcast.created");
        assert!([&first.id, &second.id].iter().any(|id| *id == row[2]), "{row:?}");
        let (attempts, why) = (row[3], row[6]);
        assert!(
            (row[5] == gone && why.contains("410")) || (row[5] == broken && attempts == "2" && why.contains("302"))
        );
    }
    assert!(receiver.taken("/gone").len() <= 2, "who is gone is left alone");
    assert_eq!(receiver.taken("/broken").len(), 4);
    let list = cli(&headwater, &["list"]);
    assert!(list.contains(&format!("{gone}\t0\t2\tdisabled\t")), "{list}");
    assert!(list.contains(&format!("{broken}\t0\t2\tenabled\tbroadcast.created\n")), "{list}");

    receiver.feel("/gone", Mood::Status(204));
    receiver.feel("/broken", Mood::Status(204));
    let json: Value = serde_json::from_str(&cli(&headwater, &["list-dead", "--json"])).expect("JSON");
    assert_eq!(json["dead"][0]["body"]["data"]["state"], "created");
    assert_eq!(cli(&headwater, &["resend", "--url", &gone]), "letters\t2\n");
    until_told(&receiver, "/gone", &["created", "created"]);
    let number = rows[1..].iter().find(|row| row[5] == broken).expect("there are two")[0];
    assert_eq!(cli(&headwater, &["discard", number]), "letters\t1\n");
    assert_eq!(cli(&headwater, &["resend", "--all"]), "letters\t1\n");
    until_told(&receiver, "/broken", &["created"]);
    eventually("nothing to be left", SOON, || {
        let list = cli(&headwater, &["list"]);
        let done = [&gone, &broken].iter().all(|url| list.contains(&format!("{url}\t0\t0\tenabled\t")));
        if done { Ok(()) } else { Err(list) }
    });

    let tested: Value = serde_json::from_str(&cli(&headwater, &["test", "--url", &gone, "--json"])).expect("JSON");
    assert_eq!((&tested["tested"][0]["status"], &tested["tested"][0]["delivered"]), (&204.into(), &true.into()));
    assert_eq!(receiver.taken("/gone").last().expect("a test").word(), "webhook.test");
    for path in ["/v1/webhooks", "/v1/webhooks/dead"] {
        headwater.get(path).expect(401);
    }
    assert!(headwater.get("/openapi.json").text().contains("/v1/webhooks/dead/resend"));
}

#[test]
fn what_was_before_anybody_was_to_be_told_is_not_told() {
    let (receiver, media) = (Receiver::start(), Media::ts(2));
    let mut headwater = Headwater::start();
    let (before, still) = (headwater.create_broadcast(), headwater.create_broadcast());
    publish(&headwater, &before, &media);
    headwater.kill9();
    std::fs::write(headwater.config_path(), config("", &[(receiver.url("/"), "")])).expect("it can be written");
    headwater.restart();
    let after = headwater.create_broadcast();
    until_told(&receiver, "/", &["created"]);
    eventually("those from before to be passed over", SOON, || {
        let metrics = headwater.get("/metrics");
        if metrics.text().contains("headwater_webhooks_followed 2\n") { Ok(()) } else { Err("not yet") }
    });
    publish(&headwater, &still, &media);
    until_told(&receiver, "/", &["created", "live", "ended", "complete"]);
    let broadcasts: Vec<_> =
        receiver.taken("/").iter().map(|taken| taken.json()["data"]["broadcast"].clone()).collect();
    assert_eq!(broadcasts[0], after.id.as_str());
    assert!(broadcasts[1..].iter().all(|id| *id == still.id.as_str()), "{broadcasts:?}");
}

#[test]
fn the_receiver_of_the_documentation_works() {
    let text = std::fs::read_to_string(workspace().join("docs/webhooks.md")).expect("the documentation");
    let (_, rest) = text.split_once("```python\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let dir = TempDir::new().expect("a temporary folder");
    let file = dir.path().join("receiver.py");
    std::fs::write(&file, example).expect("it can be written");
    let receiver = Program::start(&Tool::python(), [file.to_str().expect("a path"), SECRET, "0"]);
    let port = eventually("its port", SOON, || {
        let said = receiver.said();
        said.strip_prefix("listening on ").and_then(|rest| rest.lines().next()?.parse::<u16>().ok()).ok_or(said)
    });
    let url = format!("http://127.0.0.1:{port}/hook");
    let headwater = Headwater::start_with(&config("", &[(url.clone(), "")]));
    let broadcast = headwater.create_broadcast();
    eventually("the message", SOON, || {
        let said = receiver.said();
        if said.contains(&format!("broadcast.created {}\n", broadcast.id)) { Ok(()) } else { Err(said) }
    });
    let forged = HttpClient::default().send("POST", &url, &[("webhook-id", "x")], "{}").expect("an answer");
    assert_eq!(forged.status, 401);
}

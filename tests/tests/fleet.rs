//! Several recorders, a balancer and one Redis, as processes of their own: a publisher finds a recorder, and another one
//! when that dies.

use std::time::Duration;

use headwater_tests::{Encoder, Relay, Tap, until_stored};
use testkit::{Headwater, HttpClient, RedisServer, eventually};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(90);
/// So that nobody has to wait for a node to be missed.
const QUICK: &str = "[node]\nrenew_every_ms = 500\ntime_to_live_ms = 2000\n";
/// So that no node expires.
const LASTING: &str = "[node]\nrenew_every_ms = 500\ntime_to_live_ms = 600000\n";

struct Fleet {
    recorders: Vec<(&'static str, Headwater)>,
    balancer: Headwater,
    _redis: RedisServer,
}

impl Fleet {
    fn start(names: &[&'static str], config: &str) -> Self {
        let redis = RedisServer::start();
        let url = redis.url();
        let recorder = |name: &&'static str| {
            let command = ["recorder", "--metadata", &url, "--node-name", name];
            (*name, Headwater::start_as(&command, config))
        };
        let recorders = names.iter().map(recorder).collect();
        let balancer = Headwater::start_as(&["balancer", "--metadata", &url], config);
        let fleet = Self { recorders, balancer, _redis: redis };
        fleet.until_alive(names);
        fleet
    }

    /// Until exactly these are registered.
    fn until_alive(&self, names: &[&str]) {
        eventually(&format!("{names:?} alone"), RUN_MAX, || {
            let list = self.balancer.owner("GET", "/v1/nodes", "").expect(200).json();
            let found: Vec<_> = list["nodes"].as_array().expect("a list").iter().map(|node| &node["name"]).collect();
            if found == *names { Ok(()) } else { Err(list) }
        });
    }

    fn recorder(&mut self, name: &str) -> &mut Headwater {
        let mut found = self.recorders.iter_mut().filter(|(known, _)| *known == name);
        &mut found.next().expect("it is one of them").1
    }

    /// The names in the route that a publisher is told.
    fn route(&self, id: &str, token: &str) -> Vec<String> {
        let (path, bearer) = (format!("/v1/publish/{id}/route"), format!("Bearer {token}"));
        let route = self.balancer.send("GET", &path, &[("authorization", &bearer)], "").expect(200).json();
        let names = route["recorders"].as_array().expect("a list").iter();
        names.map(|recorder| recorder["node"].as_str().expect("a name").to_owned()).collect()
    }
}

#[test]
fn when_a_recorder_dies_the_rest_arrives_at_another_and_nothing_is_missing() {
    let mut fleet = Fleet::start(&["one", "two"], QUICK);
    let broadcast = fleet.recorders[0].1.create_broadcast();
    let route = fleet.route(&broadcast.id, &broadcast.token);
    let [best, next] = &route[..] else { panic!("two recorders: {route:?}") };
    let created_at = fleet.recorders[0].1.url().to_owned();
    // The publisher is given the balancer's address, which takes no segments itself.
    let to = broadcast.push_url.replace(&created_at, fleet.balancer.url());
    let mut relay = Relay::start(&to);
    let tap = Tap::before(relay.push_url().split("/push/").next().expect("an address"));
    let mut encoder = Encoder { seconds: 14, ..Encoder::default() }.push(&tap.by_way(&relay.push_url()));
    until_stored(fleet.recorder(next), &broadcast.id, 4);

    fleet.recorder(best).kill9();
    encoder.end_well(RUN_MAX);
    let sent = tap.segments().len();
    assert!(sent >= 14, "{sent} segments are no test");
    until_stored(fleet.recorder(next), &broadcast.id, sent);
    fleet.until_alive(&[next]);
    assert_eq!(fleet.route(&broadcast.id, &broadcast.token), [next.as_str()]);

    let end = format!("/v1/broadcasts/{}/end", broadcast.id);
    let survivor = fleet.recorder(next);
    survivor.owner("POST", &end, "").expect(200);
    let complete = eventually("a complete broadcast", RUN_MAX, || {
        let broadcast = survivor.broadcast(&broadcast.id);
        if broadcast["state"] == "complete" { Ok(broadcast) } else { Err(broadcast) }
    });
    let main = &complete["details"]["main"];
    assert_eq!((&main["segments"], &main["missing"]), (&sent.into(), &serde_json::json!([])), "{complete}");
    // Both have taken in a part of it.
    let taken = |headwater: &Headwater| {
        let metrics = HttpClient::default().get(&format!("{}/metrics", headwater.url()));
        let line = metrics.text().lines().find_map(|line| {
            line.strip_prefix("headwater_recorder_segments_total{outcome=\"stored\"} ").map(str::to_owned)
        });
        line.map_or(0, |count| count.parse::<usize>().expect("a count"))
    };
    let by_survivor = taken(survivor);
    assert!((1..sent).contains(&by_survivor), "{by_survivor} of {sent} by the survivor");
}

#[test]
fn a_relay_that_starts_again_finds_the_others_without_the_address_that_it_was_given() {
    let mut fleet = Fleet::start(&["one", "two"], QUICK);
    // Any recorder tells of the others.
    let broadcast = fleet.recorder("one").create_broadcast();
    let mut relay = Relay::start(&broadcast.push_url);
    Encoder { seconds: 3, ..Encoder::default() }.push(&relay.push_url()).end_well(RUN_MAX);
    until_stored(fleet.recorder("two"), &broadcast.id, 3);
    let remembered = relay.spool().join("recorders");
    eventually("a route that is remembered", RUN_MAX, || {
        std::fs::read_to_string(&remembered).map(|text| text.lines().count()).and_then(|count| match count {
            2 => Ok(()),
            other => Err(std::io::Error::other(format!("{other} recorders"))),
        })
    });
    fleet.recorder("one").kill9();
    relay.run();
    Encoder { seconds: 3, ..Encoder::default() }.push(&relay.push_url()).end_well(RUN_MAX);
    until_stored(fleet.recorder("two"), &broadcast.id, 6);
}

#[test]
fn tokens_of_one_recorder_are_good_at_all_and_a_stopping_one_is_told_of() {
    let mut fleet = Fleet::start(&["one", "two"], LASTING);
    let broadcast = fleet.recorder("one").create_broadcast();
    let bearer = format!("Bearer {}", broadcast.token);
    let path = format!("/ingest/{}", broadcast.id);
    fleet.recorder("two").send("GET", &path, &[("authorization", &bearer)], "").expect(200);
    let (one, two) = (fleet.recorder("one").owner_key().to_owned(), fleet.recorder("two").owner_key().to_owned());
    assert!(!one.is_empty() && one == two && one == fleet.balancer.owner_key());
    let said = Headwater::tool().run(["nodes", "--server", fleet.balancer.url(), "--owner-key", &one]);
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 3, "{said}");
    assert!(rows.iter().all(|row| row.len() == 10), "{said}");
    assert_eq!((rows[1][0], rows[2][0]), ("one", "two"));

    fleet.recorder("one").stop();
    // It has not expired: it has said so.
    fleet.until_alive(&["two"]);
    assert_eq!(fleet.route(&broadcast.id, &broadcast.token), ["two"]);
    fleet.recorder("one").restart();
    fleet.until_alive(&["one", "two"]);
}

//! The owner's pages in Chromium: the list, one broadcast, pause, end and giving up the rest, a new one.

use std::time::Duration;

use headwater_tests::Media;
use serde_json::Value;
use testkit::{Headwater, Tool, eventually};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn an_owner_sees_and_directs_a_broadcast() {
    let headwater = Headwater::start();
    headwater.create_broadcast();
    let broadcast = headwater.create_broadcast();
    let media = Media::ts(4);
    let bearer = format!("Bearer {}", broadcast.token);
    for seq in [0, 1, 3] {
        let path = format!("/ingest/{}/main/{seq}.ts", broadcast.id);
        let body = media.segments[seq].clone();
        headwater.send("PUT", &path, &[("authorization", &bearer)], body).expect(201);
    }
    eventually("three segments", SOON, || {
        let details = headwater.broadcast(&broadcast.id);
        if details["details"]["main"]["segments"] == 3 { Ok(()) } else { Err(details) }
    });

    let path = format!("/v1/broadcasts/{}/publish", broadcast.id);
    let again = headwater.owner("GET", &path, "").expect(200);
    assert_eq!(
        (&again.json()["publish"]["token"], again.header("cache-control")),
        (&broadcast.token.clone().into(), "no-store")
    );
    headwater.send("GET", &path, &[("authorization", &bearer)], "").expect(401);

    let home = format!("{}/#owner-key={}", headwater.url(), headwater.owner_key());
    let chromium = Tool::find("chromium");
    let seen = Tool::node_script("owner.mjs").run([chromium.path().as_os_str(), home.as_ref(), broadcast.id.as_ref()]);
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!(seen["complaints"], Value::Array(vec![]), "{seen}");
    assert_eq!(seen["wrong"], Value::Array(vec![]), "what axe found: {seen}");
    assert!(seen["listed"]["picture"].as_u64().is_some_and(|width| width > 0), "{seen}");
    assert_eq!(seen["fragment"], "", "the key does not stay in the address");
    assert!(seen["nothing"].as_str().is_some_and(|text| text.contains("no such title")), "{seen}");

    // From the list: the embed code, copied or selected to be copied by hand, and the end of the other broadcast.
    let code = format!("<iframe src=\"{}/embed/{}\"", headwater.url(), broadcast.id);
    for way in ["copied", "selected"] {
        assert!(seen["embed"][way].as_str().is_some_and(|text| text.starts_with(&code)), "{way}: {seen}");
    }
    assert_eq!((&seen["end"]["afterNo"], &seen["end"]["isOffered"]), (&"Not started".into(), &false.into()), "{seen}");

    let links: Vec<&str> = seen["links"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let publish = format!("{}/publish#id={}&token={}", headwater.url(), broadcast.id, broadcast.token);
    assert_eq!((links[0], links[1]), (&*publish, &*broadcast.page_url));
    assert!(links[2].starts_with(&code) && links[3].starts_with(&broadcast.push_url), "{links:?}");
    for how in ["make run LISTEN=0.0.0.0:8443 TLS=1", "headwater up --listen 0.0.0.0:8443 --tls-self-signed"] {
        let said = seen["toPhone"].as_str().expect("text");
        assert!(said.contains(how), "a phone's camera needs https: {said}");
    }
    assert_eq!(seen["codes"], 2);
    assert_eq!(seen["holes"].as_array().map(Vec::len), Some(1), "{seen}");
    assert!(seen["rendition"][2].as_str().is_some_and(|codecs| codecs.starts_with("avc1")), "{seen}");
    assert_eq!(seen["rendition"][5], "3", "{seen}");

    assert_ne!(seen["afterNo"], "Ended", "{seen}");
    for standing in ["waitedFor", "notGivenUp"] {
        let standing = &seen[standing];
        assert_eq!((&standing["state"], &standing["mayGiveUp"]), (&"Ended".into(), &true.into()), "{seen}");
        assert!(standing["hint"].as_str().is_some_and(|text| text.contains("We wait until")), "{seen}");
        assert_eq!(standing["focus"], "BUTTON Give up the rest", "{seen}");
    }
    assert!(seen["waitedFor"]["said"].as_str().is_some_and(|text| text.contains("Ended")), "{seen}");
    let given_up = &seen["givenUp"];
    assert_eq!((&given_up["state"], &given_up["mayGiveUp"]), (&"Complete".into(), &false.into()), "{seen}");
    assert!(given_up["focus"].as_str().is_some_and(|focus| focus.starts_with("H1 ")), "{seen}");
    assert_eq!(headwater.broadcast(&broadcast.id)["state"], "complete");
    assert_eq!(seen["made"]["state"], "Not started", "{seen}");
    let list = headwater.owner("GET", "/v1/broadcasts", "").expect(200).json();
    assert_eq!(list["broadcasts"][0]["title"], "Made in the page");
}

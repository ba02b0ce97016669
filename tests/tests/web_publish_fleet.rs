//! The phone publisher in the browser with several recorders: when the one that takes its segments dies, another one does.

use std::time::Duration;

use headwater_tests::Program;
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Headwater, RedisServer, Tool, eventually};

/// Longer than any run here takes.
const RUN_MAX: Duration = Duration::from_secs(150);
/// So that nobody has to wait for a node to be missed.
const QUICK: &str = "[node]\nrenew_every_ms = 500\ntime_to_live_ms = 2000\n";

#[test]
fn when_a_recorder_dies_the_page_goes_to_the_next_and_nothing_is_missing() {
    let redis = RedisServer::start();
    let metadata = redis.url();
    let recorder = |name| Headwater::start_as(&["recorder", "--metadata", &metadata, "--node-name", name], QUICK);
    let mut recorders = ["one", "two"].map(recorder);
    let balancer = Headwater::start_as(&["balancer", "--metadata", &metadata], QUICK);
    eventually("two recorders", RUN_MAX, || {
        let list = balancer.owner("GET", "/v1/nodes", "").expect(200).json();
        if list["nodes"].as_array().is_some_and(|nodes| nodes.len() == 2) { Ok(()) } else { Err(list) }
    });
    let broadcast = recorders[0].create_broadcast();
    let profile = TempDir::new().expect("a temporary folder");
    // The page is given the balancer's address, which takes no segments itself.
    let url = format!("{}/publish#id={}&token={}", balancer.url(), broadcast.id, broadcast.token);
    let chromium = Tool::find("chromium");
    let args = [chromium.path().as_os_str(), url.as_ref(), profile.path().as_os_str(), "fleet".as_ref()];
    let mut page = Program::start(&Tool::node_script("publish_page.mjs"), args);
    let used = eventually("a page that is live", RUN_MAX, || {
        let said = page.said();
        let line = said.lines().find_map(|line| line.strip_prefix("live at "));
        line.map(str::to_owned).ok_or(said.clone())
    });
    let [dead, survivor] = if recorders[0].url() == used { [0, 1] } else { [1, 0] };
    assert_eq!(recorders[dead].url(), used);

    recorders[dead].kill9();
    page.end_well(RUN_MAX);
    let said = page.said_whole();
    let seen: Value = serde_json::from_str(said.lines().last().expect("it says what it has seen")).expect("JSON");
    let survivor = &recorders[survivor];
    assert_eq!(seen["recorder"], survivor.url(), "{seen}");
    let segments = seen["segments"].as_array().expect("a list").len();
    let complete = eventually("a complete broadcast", RUN_MAX, || {
        let broadcast = survivor.broadcast(&broadcast.id);
        if broadcast["state"] == "complete" { Ok(broadcast) } else { Err(broadcast) }
    });
    let main = &complete["details"]["main"];
    assert_eq!((&main["segments"], &main["missing"]), (&segments.into(), &serde_json::json!([])), "{complete}");
}

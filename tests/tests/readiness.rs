//! `/readyz` while the metadata store goes away and comes back.

use std::time::Duration;

use testkit::{Headwater, RedisServer, eventually};

/// How long a change may take to show, on a busy machine.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn readiness_follows_the_metadata_store() {
    let mut redis = RedisServer::start_durable();
    let headwater = Headwater::start_with(&format!("metadata = '{}'\n", redis.url()));
    headwater.get("/readyz").expect(200);
    redis.kill();
    let report = eventually("what is wrong", SOON, || {
        let answer = headwater.get("/readyz");
        let report = answer.json();
        if report["not_ready"]["metadata"].to_string().contains("refused") {
            Ok((answer.status, report))
        } else {
            Err(report)
        }
    });
    assert_eq!(report.0, 503);
    let why = "the metadata store is unavailable: not connected to redis: Connection refused (os error 111)";
    assert_eq!(report.1, serde_json::json!({ "ready": false, "not_ready": { "metadata": why } }));
    headwater.get("/healthz").expect(200);
    redis.restart();
    eventually("readiness", SOON, || {
        let answer = headwater.get("/readyz");
        if answer.status == 200 { Ok(()) } else { Err(answer.json()) }
    });
    headwater.create_broadcast();
}

//! Every answer that a publisher can get, got on purpose: what is an error is a problem document (RFC 9457), and what
//! passes by itself says when to try again.

use headwater_tests::Media;
use testkit::{Answer, Headwater, HttpClient, NewBroadcast, RedisServer};

/// What is longer is too long here.
const CONFIG: &str = "[recorder]\nsegment_len_max = 100000\n";

struct Sender<'a> {
    headwater: &'a Headwater,
    bearer: String,
}

impl<'a> Sender<'a> {
    fn new(headwater: &'a Headwater, secret: &str) -> Self {
        Self { headwater, bearer: format!("Bearer {secret}") }
    }

    fn put(&self, path: &str, body: &[u8]) -> Answer {
        self.send(path, &[("authorization", &self.bearer)], body)
    }

    fn put_with(&self, path: &str, header: (&str, &str), body: &[u8]) -> Answer {
        self.send(path, &[("authorization", &self.bearer), header], body)
    }

    /// On a connection of its own: one on which a body was refused before it was read is closed after the answer.
    fn send(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let url = format!("{}{path}", self.headwater.url());
        HttpClient::default().send("PUT", &url, headers, body).expect("an answer")
    }
}

/// Fails unless the answer has this status and, if that is an error, is a problem document that says the same.
#[track_caller]
fn check(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", String::from_utf8_lossy(&answer.body));
    if status < 400 {
        return;
    }
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{problem}");
    for member in ["type", "title"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {problem}");
    }
}

#[test]
fn each_answer_can_be_had() {
    let media = Media::ts(2);
    let headwater = Headwater::start_with(CONFIG);
    let (ours, theirs) = (headwater.create_broadcast(), headwater.create_broadcast());
    let (sender, stranger) = (Sender::new(&headwater, &ours.token), Sender::new(&headwater, "nobody"));
    let other = Sender::new(&headwater, &theirs.token);
    let address = |file: &str| format!("/ingest/{}/main/{file}", ours.id);
    let segment = media.segments[0].as_slice();
    let too_long = segment.repeat(100_000 / segment.len() + 1);

    check(&sender.put(&address("0.ts"), segment), 201);
    check(&sender.put(&address("0.ts"), segment), 200);
    check(&sender.put(&address("0.ts"), &media.segments[1]), 409);
    check(&sender.put(&address("0.m4s"), segment), 409);
    check(&headwater.send("PUT", &address("1.ts"), &[], segment), 401);
    check(&stranger.put(&address("1.ts"), segment), 401);
    check(&headwater.send("POST", "/v1/broadcasts", &[], "{}"), 401);
    check(&other.put(&address("1.ts"), segment), 403);
    let nowhere = address("1.ts").replace(&ours.id, "00000000000000000000000000");
    check(&Sender::new(&headwater, headwater.owner_key()).put(&nowhere, segment), 404);
    check(&headwater.get("/v1/broadcasts/nothing"), 404);
    check(&sender.put(&address("1.ts"), &too_long), 413);
    check(&sender.put(&address("1.mp3"), segment), 415);
    check(&sender.put(&address("1.ts"), b"not a segment"), 422);
    check(&sender.put(&address("1.ts"), &segment[..segment.len() - 100]), 422);
    let wrong_digest = format!("sha-256=:{}=:", "A".repeat(43));
    check(&sender.put_with(&address("1.ts"), ("content-digest", &wrong_digest), segment), 422);
    check(&sender.put_with(&address("1.ts"), ("content-digest", "sha-256=7"), segment), 400);
    check(&sender.put(&format!("/push/{}/unknown7.ts", ours.token), segment), 202);
    check(&headwater.send("PUT", "/push/nobody/out0.ts", &[], segment), 401);
    check(&headwater.send("DELETE", &format!("/push/{}/out0.ts", ours.token), &[], ""), 200);

    // Nothing that was refused has left anything behind.
    let main = &headwater.broadcast(&ours.id)["details"]["main"];
    assert_eq!(main["segments"], 1, "{main}");
    check(&headwater.owner("POST", &format!("/v1/broadcasts/{}/end", ours.id), ""), 200);
    check(&sender.put(&address("9.ts"), segment), 409);
    check(&sender.put(&address("0.ts"), segment), 200);
}

#[test]
fn a_full_disk_says_when_to_try_again() {
    let media = Media::ts(1);
    let headwater = Headwater::start_with("[storage]\nquota = 200000\n");
    let broadcast = headwater.create_broadcast();
    let sender = Sender::new(&headwater, &broadcast.token);
    let put = |seq: usize| sender.put(&format!("/ingest/{}/main/{seq}.ts", broadcast.id), &media.segments[0]);
    let stored = (0..100).find(|seq| put(*seq).status != 201).expect("a hundred segments are more than the quota");
    assert!(stored > 0, "not even one segment fitted");
    let refused = put(stored);
    check(&refused, 503);
    assert!(retry_after(&refused) > 0);
    let pushed = sender.put(&format!("/push/{}/out99.ts", broadcast.token), &media.segments[0]);
    check(&pushed, 503);
    check(&put(0), 200);
    for seq in 0..stored {
        let stored = headwater.get(&format!("/hls/{}/main/{seq}.ts", broadcast.id)).expect(200);
        assert_eq!(stored.body, media.segments[0], "segment {seq}");
    }
}

#[test]
fn a_metadata_store_that_is_away_says_when_to_try_again() {
    let media = Media::ts(2);
    let mut redis = RedisServer::start_durable();
    let headwater = Headwater::start_with(&format!("metadata = {:?}\n", redis.url()));
    let broadcast = headwater.create_broadcast();
    let put =
        |seq: usize| Sender::new(&headwater, &broadcast.token).put(&address(&broadcast, seq), &media.segments[seq]);
    let pushed = headwater.create_broadcast();
    let push =
        |file: &str, body: &[u8]| Sender::new(&headwater, "").put(&format!("/push/{}/{file}", pushed.token), body);
    check(&put(0), 201);
    check(&push("out.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nout0.ts\n"), 200);
    check(&push("out0.ts", &media.segments[0]), 201);
    redis.kill();
    let refused = put(1);
    check(&refused, 503);
    assert!(retry_after(&refused) > 0);
    // Whoever pushes would not try again.
    check(&push("out1.ts", &media.segments[1]), 202);
    redis.restart();
    testkit::eventually("the metadata store's return", std::time::Duration::from_secs(20), || {
        let answer = put(1);
        if answer.status.is_success() { Ok(()) } else { Err(answer.status) }
    });
    assert_eq!(headwater.broadcast(&broadcast.id)["details"]["main"]["segments"], 2);
    testkit::eventually("what was pushed meanwhile", std::time::Duration::from_secs(20), || {
        let main = headwater.broadcast(&pushed.id)["details"]["main"].clone();
        if main["segments"] == 2 { Ok(()) } else { Err(main) }
    });
}

fn address(broadcast: &NewBroadcast, seq: usize) -> String {
    format!("/ingest/{}/main/{seq}.ts", broadcast.id)
}

fn retry_after(answer: &Answer) -> u32 {
    answer.header("retry-after").parse().unwrap_or_else(|_| panic!("Retry-After: {:?}", answer.header("retry-after")))
}

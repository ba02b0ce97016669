//! The hot store with the real program and a real S3 server: what is recorded becomes safe, and the stores alone are
//! enough to have everything again.

use std::process::Output;
use std::time::Duration;

use headwater_tests::{Media, Recording, wait_until_complete};
use testkit::{Headwater, NewBroadcast, RedisServer, S3Server, eventually};

const SOON: Duration = Duration::from_secs(60);

fn put(headwater: &Headwater, broadcast: &NewBroadcast, file: &str, bytes: &[u8], captured_ms: i64) {
    let (bearer, captured) = (format!("Bearer {}", broadcast.token), captured_ms.to_string());
    let headers = [("authorization", bearer.as_str()), ("segment-captured-at", captured.as_str())];
    let answer = headwater.send("PUT", &format!("/ingest/{}/main/{file}", broadcast.id), &headers, bytes).expect(201);
    assert_eq!(answer.json()["safe"], false, "nothing is safe at once");
}

fn publish(headwater: &Headwater, broadcast: &NewBroadcast, media: &Media, seqs: &[usize]) {
    let extension = if media.init.is_some() { "m4s" } else { "ts" };
    for &seq in seqs {
        let captured_ms = 1_700_000_000_000 + i64::try_from(seq).expect("few") * 1_000;
        put(headwater, broadcast, &format!("{seq}.{extension}"), &media.segments[seq], captured_ms);
    }
}

fn until_safe(headwater: &Headwater, broadcast: &NewBroadcast, last: usize) {
    let bearer = format!("Bearer {}", broadcast.token);
    eventually("all to be safe", SOON, || {
        let headers = [("authorization", bearer.as_str())];
        let status = headwater.send("GET", &format!("/ingest/{}", broadcast.id), &headers, "").expect(200).json();
        let safe = status["renditions"]["main"]["safe"].clone();
        if safe == serde_json::json!([[0, last]]) { Ok(()) } else { Err(safe) }
    });
}

/// One of our other commands, on the same data.
fn run(headwater: &Headwater, s3: &S3Server, words: &[&str]) -> Output {
    let mut command = Headwater::tool().command();
    command.args(words).arg("--data").arg(headwater.data()).args(["--hot", &s3.url()]).envs(s3.variables());
    command.output().expect("it runs")
}

#[track_caller]
fn agrees(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success() && out.is_empty(), "{}\n{out}\n{err}", output.status);
}

/// What viewers are shown of a finished broadcast.
fn shown(headwater: &Headwater, id: &str) -> [String; 3] {
    ["index.m3u8", "main/vod.m3u8", "main/catchup.m3u8?from=0"]
        .map(|view| headwater.get(&format!("/hls/{id}/{view}")).expect(200).text().to_owned())
}

/// A broadcast through an outage of the hot store and two crashes; then without its log; then without its disk.
fn all_is_had_again(media: &Media, metadata: Option<&mut RedisServer>) {
    let mut s3 = S3Server::start();
    s3.kill();
    let (hot, redis) = (s3.url(), metadata.as_ref().map(|redis| redis.url()));
    let mut words = vec!["up", "--hot", &hot];
    let to_redis: Vec<&str> = redis.iter().flat_map(|url| ["--metadata", url.as_str()]).collect();
    words.extend(&to_redis);
    let mut headwater = Headwater::start_in(s3.variables(), &words, "");
    let broadcast = headwater.create_broadcast();
    if let Some(init) = &media.init {
        put(&headwater, &broadcast, "init.mp4", init, 1_700_000_000_000);
    }
    // The hot store is away from the start: all is taken in, whatever comes first.
    publish(&headwater, &broadcast, media, &[1, 0, 2, 3]);
    headwater.kill9();
    headwater.restart();
    publish(&headwater, &broadcast, media, &[5, 4]);
    s3.restart();
    until_safe(&headwater, &broadcast, 5);
    let end = r#"{"last":{"main":5}}"#;
    headwater.owner("POST", &format!("/v1/broadcasts/{}/end", broadcast.id), end).expect(200);
    wait_until_complete(&headwater, &broadcast.id);
    let document = s3.bucket_dir().join("live").join(&broadcast.id).join("broadcast.json");
    eventually("the document to tell the end", SOON, || {
        let text = std::fs::read_to_string(&document).map_err(|error| error.to_string())?;
        if text.contains("Ended") { Ok(()) } else { Err(text) }
    });
    let before = shown(&headwater, &broadcast.id);

    // The log burns down.
    headwater.kill9();
    let check: Vec<&str> = ["check", "--digests"].into_iter().chain(to_redis.clone()).collect();
    agrees(&run(&headwater, &s3, &check));
    let rebuild: Vec<&str> = ["rebuild"].into_iter().chain(to_redis.clone()).collect();
    assert!(!run(&headwater, &s3, &rebuild).status.success(), "a log is not written over");
    match metadata {
        Some(redis) => redis.restart(),
        None => ["", "-wal", "-shm"].into_iter().for_each(|end| {
            drop(std::fs::remove_file(headwater.data().join(format!("metadata.sqlite{end}"))));
        }),
    }
    let rebuilt = run(&headwater, &s3, &rebuild);
    assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    agrees(&run(&headwater, &s3, &check));
    headwater.restart();
    assert_eq!(shown(&headwater, &broadcast.id), before);
    Recording::of_main(&headwater, &broadcast.id).assert_is("from the disk", &media.segments);

    // And so does the disk.
    headwater.kill9();
    std::fs::remove_dir_all(headwater.data().join("segments")).expect("it is there");
    headwater.restart();
    Recording::of_main(&headwater, &broadcast.id).assert_is("from the hot store", &media.segments);
}

#[test]
fn mpeg_ts_with_embedded_metadata() {
    all_is_had_again(&Media::ts(6), None);
}

#[test]
fn fragmented_mp4_with_redis() {
    all_is_had_again(&Media::fmp4(6), Some(&mut RedisServer::start()));
}

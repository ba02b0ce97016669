//! Kills `headwater up` at a hundred random moments of an ingest: what was acknowledged is there, byte for byte, and
//! nothing is there twice.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use headwater_tests::{Media, Publisher, Recording, wait_until_complete};
use testkit::{Headwater, HttpClient, NewBroadcast};

const KILLS: usize = 100;
/// Those who publish by the publish protocol, each to a broadcast of its own; two more push like stock
/// encoders, MPEG-TS and fragmented MP4.
const PUBLISHERS: usize = 3;
/// The longest that one life lasts, from when it can be used.
const LIFE_MAX_MS: u64 = 120;
const SEED: u64 = 0x5eed_0001;
/// A pusher's playlist comes after so many segments.
const PLAYLIST_EVERY: usize = 4;

/// A sequence of numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

/// A segment that no other one is like: `media` and, with the number in it, a null packet or a box for nobody.
fn segment(media: &Media, seq: usize) -> Vec<u8> {
    let mut segment = media.segments[seq % media.segments.len()].clone();
    let number = (seq as u64).to_be_bytes();
    if media.init.is_some() {
        segment.extend_from_slice(&[[0, 0, 0, 16], *b"free"].concat());
        segment.extend_from_slice(&number);
        return segment;
    }
    let mut null = vec![0xff; 188];
    null[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
    null[4..12].copy_from_slice(&number);
    segment.extend_from_slice(&null);
    segment
}

/// A publisher that sends again what was not acknowledged.
struct Careful {
    broadcast: NewBroadcast,
    publisher: Publisher,
    /// All before are acknowledged.
    next: usize,
}

impl Careful {
    fn new(headwater: &Headwater) -> Self {
        let broadcast = headwater.create_broadcast();
        // Long ago, because it sends much faster than anybody records.
        let started_ms = Publisher::new(&broadcast, 0, 1000).server_time_ms() - 24 * 3_600_000;
        Self { publisher: Publisher::new(&broadcast, started_ms, 1000), broadcast, next: 0 }
    }

    /// Publishes until Headwater is gone.
    fn live_through(&mut self, url: &str, media: &Media) {
        self.publisher = self.publisher.at(url);
        let Some(status) = self.publisher.try_status() else { return };
        let stored = status["renditions"]["main"]["first_missing"].as_u64().unwrap_or(0);
        assert!(stored >= self.next as u64, "{} were acknowledged, and now: {status}", self.next);
        while let Some(answer) = self.publisher.try_put(self.next, &segment(media, self.next)) {
            assert!(matches!(answer.status.as_u16(), 200 | 201), "{}", answer.text());
            self.next += 1;
        }
    }

    fn assert_complete(&self, headwater: &Headwater, media: &Media) {
        let id = &self.broadcast.id;
        self.publisher.at(headwater.url()).end();
        wait_until_complete(headwater, id);
        let recording = Recording::of_main(headwater, id);
        // One more may have been stored without anybody having heard of it.
        let sent: Vec<_> = (0..recording.segments.len()).map(|seq| segment(media, seq)).collect();
        assert!((self.next..=self.next + 1).contains(&sent.len()), "{} acknowledged, {} stored", self.next, sent.len());
        recording.assert_is(id, &sent);
        assert_eq!(files(headwater, id), sent.len(), "files of {id}");
    }
}

/// A pusher that sends everything once, and a playlist now and then, whatever is answered.
struct Careless<'a> {
    media: &'a Media,
    broadcast: NewBroadcast,
    client: HttpClient,
    /// What was sent, and whether it was acknowledged.
    sent: Vec<bool>,
}

impl<'a> Careless<'a> {
    fn new(headwater: &Headwater, media: &'a Media) -> Self {
        Self { media, broadcast: headwater.create_broadcast(), client: HttpClient::default(), sent: Vec::new() }
    }

    fn extension(&self) -> &'static str {
        if self.media.init.is_some() { "m4s" } else { "ts" }
    }

    fn put(&self, url: &str, file: &str, body: Vec<u8>) -> Option<bool> {
        let url = format!("{url}/push/{}/{file}", self.broadcast.token);
        let answer = self.client.send("PUT", &url, &[], body).ok()?;
        assert!(answer.status.is_success(), "{file}: {}", answer.text());
        Some(true)
    }

    fn live_through(&mut self, url: &str) {
        if let Some(init) = &self.media.init
            && self.put(url, "init.mp4", init.clone()).is_none()
        {
            return;
        }
        loop {
            let seq = self.sent.len();
            let file = format!("out{seq}.{}", self.extension());
            let acknowledged = self.put(url, &file, segment(self.media, seq)).is_some();
            self.sent.push(acknowledged);
            let listed = !seq.is_multiple_of(PLAYLIST_EVERY) || self.put(url, "out.m3u8", self.playlist()).is_some();
            if !acknowledged || !listed {
                return;
            }
        }
    }

    fn playlist(&self) -> Vec<u8> {
        let (extension, map) = (self.extension(), if self.media.init.is_some() { MAP } else { "" });
        let entry = |seq| format!("#EXTINF:1.0,\nout{seq}.{extension}\n");
        let listed: String = (0..self.sent.len()).map(entry).collect();
        format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n{map}{listed}").into()
    }

    fn assert_complete(&self, headwater: &Headwater) {
        let id = &self.broadcast.id;
        self.put(headwater.url(), "out.m3u8", self.playlist()).expect("it is up");
        let acknowledged = self.sent.iter().filter(|acknowledged| **acknowledged).count();
        testkit::eventually("everything that was parked", Duration::from_secs(20), || {
            let main = headwater.broadcast(id)["details"]["main"].clone();
            if main["segments"].as_u64() >= Some(acknowledged as u64) { Ok(()) } else { Err(main) }
        });
        headwater.owner("POST", &format!("/v1/broadcasts/{id}/end"), "").expect(200);
        wait_until_complete(headwater, id);
        let recording = Recording::of_main(headwater, id);
        let places: BTreeMap<_, _> = (0..self.sent.len()).map(|seq| (segment(self.media, seq), seq)).collect();
        let stored: Vec<_> = recording.segments.iter().map(|segment| places[segment]).collect();
        assert!(stored.is_sorted_by(|one, next| one < next), "in order, each once: {stored:?}");
        let lost: Vec<_> = (0..self.sent.len()).filter(|seq| self.sent[*seq] && !stored.contains(seq)).collect();
        assert_eq!(lost, [0; 0], "acknowledged, and not there");
        assert_eq!(files(headwater, id), stored.len(), "files of {id}");
    }
}

const MAP: &str = "#EXT-X-MAP:URI=\"init.mp4\"\n";

/// How many segment files there are of a broadcast, wherever below the data folder.
fn files(headwater: &Headwater, id: &str) -> usize {
    let found = testkit::Tool::find("find").run([headwater.data().to_str().expect("UTF-8"), "-type", "f"]);
    let is_segment = |path: &&str| path.ends_with(".ts") || path.ends_with(".m4s");
    found.lines().filter(|path| path.contains(id)).filter(is_segment).count()
}

#[test]
fn what_was_acknowledged_outlives_a_hundred_kills() {
    println!("seed {SEED:#x}");
    let (mut random, media, fmp4) = (Random(SEED), Media::ts(8), Media::fmp4(8));
    let mut headwater = Headwater::start();
    let mut careful: Vec<_> = (0..PUBLISHERS).map(|_| Careful::new(&headwater)).collect();
    let mut careless: Vec<_> = [&media, &fmp4].map(|media| Careless::new(&headwater, media)).into();
    for _ in 0..KILLS {
        let life = Duration::from_millis(random.below(LIFE_MAX_MS));
        let url = headwater.url().to_owned();
        let (failed, failure) = channel::<()>();
        thread::scope(|scope| {
            let (media, url) = (&media, url.as_str());
            for publisher in &mut careful {
                let failed = failed.clone();
                scope.spawn(move || {
                    publisher.live_through(url, media);
                    drop(failed);
                });
            }
            for pusher in &mut careless {
                scope.spawn(move || pusher.live_through(url));
            }
            // Its life ends by itself, unless all publishers have failed before.
            assert_ne!(failure.recv_timeout(life), Err(RecvTimeoutError::Disconnected));
            headwater.kill9();
        });
        headwater.restart();
    }
    let acknowledged: usize = careful.iter().map(|publisher| publisher.next).sum();
    let pushed: Vec<_> = careless.iter().map(|pusher| pusher.sent.len()).collect();
    println!("{acknowledged} segments published and {pushed:?} pushed in {KILLS} lives");
    assert!(acknowledged > KILLS && pushed.iter().all(|pushed| *pushed > KILLS), "too few to tell anything");
    careful.iter().for_each(|publisher| publisher.assert_complete(&headwater, &media));
    careless.iter().for_each(|pusher| pusher.assert_complete(&headwater));
}

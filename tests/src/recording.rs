//! The finished recording as a viewer gets it: every rendition's vod, with the bytes of everything that it lists.

use std::collections::BTreeMap;
use std::time::Duration;

use testkit::hls::{self, Playlist};
use testkit::{Headwater, eventually};

/// Longest until what was sent is stored.
const STORED_MAX: Duration = Duration::from_secs(60);
/// The same over networks that break.
const ARRIVED_MAX: Duration = Duration::from_secs(90);
/// How long a broadcast may take from its pusher's end to its own.
const COMPLETE_MAX: Duration = Duration::from_secs(30);

/// What one rendition's vod lists.
#[derive(Clone, Debug)]
pub struct Recording {
    pub playlist: Playlist,
    /// In order.
    pub segments: Vec<Vec<u8>>,
    /// The init section of each segment, if it has one.
    pub inits: Vec<Option<Vec<u8>>>,
}

impl Recording {
    /// Every rendition of a broadcast.
    ///
    /// # Panics
    /// If a vod is not well formed, or something that it lists is not there.
    pub fn of(headwater: &Headwater, id: &str) -> BTreeMap<String, Self> {
        let details = headwater.broadcast(id);
        let names = details["renditions"].as_array().expect("a list of renditions").iter();
        let names = names.map(|name| name.as_str().expect("a name").to_owned());
        names.map(|name| (name.clone(), Self::of_rendition(headwater, id, &name))).collect()
    }

    /// Of the only rendition, `main`.
    pub fn of_main(headwater: &Headwater, id: &str) -> Self {
        let mut recordings = Self::of(headwater, id);
        assert_eq!(recordings.keys().collect::<Vec<_>>(), ["main"]);
        recordings.remove("main").expect("it is there")
    }

    /// Of this rendition.
    pub fn of_rendition(headwater: &Headwater, id: &str, rendition: &str) -> Self {
        let folder = format!("/hls/{id}/{rendition}");
        let answer = headwater.get(&format!("{folder}/vod.m3u8")).expect(200);
        if let Err(wrong) = hls::well_formed(answer.text()) {
            panic!("{folder}/vod.m3u8 is not well formed: {wrong:?}\n{}", answer.text());
        }
        let playlist = hls::read(answer.text()).expect("what is well formed can be read");
        let fetch = |uri: &str| headwater.get(&format!("{folder}/{uri}")).expect(200).body;
        let init = |map: &String| fetch(map.split('"').nth(1).expect("URI comes first"));
        let listed = || playlist.segments.iter().filter(|segment| !segment.gap);
        let segments = listed().map(|segment| fetch(&segment.uri)).collect();
        let inits = listed().map(|segment| segment.map.as_ref().map(init)).collect();
        Self { playlist, segments, inits }
    }

    /// Fails unless this is what was sent: the same bytes, in the same order, each once.
    #[track_caller]
    pub fn assert_is(&self, what: &str, sent: &[Vec<u8>]) {
        assert!(!sent.is_empty(), "{what}: nothing was sent");
        // What was sent twice with reason is known by its first place.
        let place = |segment: &Vec<u8>| sent.iter().position(|other| other == segment);
        let order: Vec<_> = self.segments.iter().map(place).collect();
        let expected: Vec<_> = sent.iter().map(place).collect();
        assert_eq!(order, expected, "{what}: vod does not list what was sent, in order, each once");
    }
}

/// Waits until a broadcast has ended and nothing of it is missing; how it stands then.
#[track_caller]
pub fn wait_until_complete(headwater: &Headwater, id: &str) -> serde_json::Value {
    eventually("a complete broadcast", COMPLETE_MAX, || {
        let details = headwater.broadcast(id);
        if details["state"] == "complete" { Ok(details) } else { Err(details) }
    })
}

/// Waits until so many segments of `main` are stored; how the broadcast stands then.
#[track_caller]
pub fn until_stored(headwater: &Headwater, id: &str, segments: usize) -> serde_json::Value {
    eventually(&format!("{segments} segments stored"), ARRIVED_MAX, || {
        let details = headwater.broadcast(id);
        let stored = details["details"]["main"]["segments"].as_u64();
        if stored >= Some(segments as u64) { Ok(details) } else { Err(details) }
    })
}

/// Waits until as many segments are stored, in all renditions together, ends the broadcast, and waits until it is complete.
#[track_caller]
pub fn end_when_stored(headwater: &Headwater, id: &str, segments: usize) {
    eventually("everything that was sent", STORED_MAX, || {
        let details = headwater.broadcast(id);
        let renditions = details["details"].as_object().expect("an object").values();
        let stored: u64 = renditions.map(|rendition| rendition["segments"].as_u64().expect("a number")).sum();
        if stored == segments as u64 { Ok(()) } else { Err(format!("{segments} sent: {details}")) }
    });
    headwater.owner("POST", &format!("/v1/broadcasts/{id}/end"), "").expect(200);
    wait_until_complete(headwater, id);
}

//! How a broadcast stands, asked from outside while things break: no answer is an answer.

use serde_json::Value;
use testkit::{Headwater, HttpClient, NewBroadcast, hls};

/// What the fleet has of the rendition that is recorded here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// How many segments are stored.
    pub(crate) stored: u64,
    /// How many are safe.
    pub(crate) safe: u64,
    pub(crate) state: String,
}

/// Asks a recorder; `None` if it has no answer now.
pub(crate) fn arrived(recorder: &Headwater, broadcast: &NewBroadcast) -> Option<Arrived> {
    let (url, bearer) = (format!("{}/ingest/{}", recorder.url(), broadcast.id), format!("Bearer {}", broadcast.token));
    let answer = HttpClient::default().send("GET", &url, &[("authorization", &bearer)], []).ok()?;
    let json = (answer.status == 200).then(|| answer.json())?;
    let main = &json["renditions"]["main"];
    let count = |ranges: &Value| -> u64 {
        let ranges = ranges.as_array().into_iter().flatten();
        ranges.filter_map(|range| Some(range[1].as_u64()? - range[0].as_u64()? + 1)).sum()
    };
    let state = json["state"].as_str().unwrap_or_default().to_owned();
    Some(Arrived { stored: count(&main["stored"]), safe: count(&main["safe"]), state })
}

/// When what the live playlist shows last was captured, in milliseconds since the Unix epoch; `None` if there is no
/// playlist now, or only gaps.
pub(crate) fn live_edge(playlist: &Headwater, broadcast: &NewBroadcast) -> Option<i64> {
    let folder = format!("{}/hls/{}", playlist.url(), broadcast.id);
    let get = |url: &str| HttpClient::default().send("GET", url, &[], []).ok().filter(|answer| answer.status == 200);
    // Where it is by now: after the metadata was lost it may go on elsewhere.
    let index = get(&format!("{folder}/index.m3u8"))?;
    let named = index.text().lines().find(|line| line.starts_with("main/"))?;
    let answer = get(&format!("{folder}/{named}"))?;
    let live = hls::read(answer.text()).ok()?;
    live.segments.iter().rev().find(|segment| !segment.gap)?.date_time_ms
}

//! A browser pushes with mediabunny, in CMAF and in MPEG-TS: what it sent is what was recorded, byte for byte.

use headwater_tests::{Recording, Tap, at_once, end_when_stored, frames};
use serde_json::Value;
use testkit::{Headwater, Tool};

const SECONDS: u32 = 6;

#[test]
fn what_it_sends_is_recorded_byte_for_byte() {
    let headwater = Headwater::start();
    at_once(&[("ts", "ts"), ("cmaf", "cmaf")], |name, format| {
        let broadcast = headwater.create_broadcast();
        let tap = Tap::before(headwater.url());
        let (chromium, url) = (Tool::find("chromium"), tap.by_way(&broadcast.push_url));
        let seconds = SECONDS.to_string();
        let args = [chromium.path().as_os_str(), url.as_ref(), format.as_ref(), seconds.as_ref()];
        let published = Tool::node_script("publish.mjs").run(args);
        let published: Value = serde_json::from_str(&published).expect("JSON");
        assert_eq!(published["complaints"], Value::Array(vec![]), "{name}: {published}");
        let answers = published["answers"].as_object().expect("an object").values();
        let statuses: Vec<_> = answers.flat_map(|of_file| of_file.as_array().expect("a list")).collect();
        let fine = |status: &&&Value| matches!(status.as_u64(), Some(200..=202));
        assert_eq!(statuses.iter().filter(fine).count(), statuses.len(), "{name}: {published}");

        // Several connections at a time: their order is that of the names.
        let mut sent: Vec<_> = tap.sent().into_iter().filter(|sent| sent.is_segment()).collect();
        sent.sort_by_key(|sent| (sent.file().len(), sent.file().to_owned()));
        let mut by_rendition = std::collections::BTreeMap::<String, Vec<Vec<u8>>>::new();
        for sent in &sent {
            // segment-{rendition}-{number}
            let rendition = sent.file().rsplit_once('-').expect("a number").0.to_owned();
            by_rendition.entry(rendition).or_default().push(sent.request.body.clone());
        }
        end_when_stored(&headwater, &broadcast.id, sent.len());
        let recordings = Recording::of(&headwater, &broadcast.id);
        assert_eq!(recordings.len(), by_rendition.len(), "{name}: {:?} {:?}", recordings.keys(), by_rendition.keys());
        for (rendition, recording) in &recordings {
            let of_it = by_rendition.values().find(|sent| sent.contains(&recording.segments[0]));
            recording.assert_is(&format!("{name} {rendition}"), of_it.expect("it was sent"));
        }
        assert_eq!(frames(&broadcast.multivariant_url), 15 * SECONDS, "{name}: pictures");
    });
}

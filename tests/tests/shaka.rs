//! Shaka Packager pushes picture and sound apart: both are recorded byte for byte, and play together.

use std::time::Duration;

use headwater_tests::{Packaging, Recording, Shaka, Tap, at_once, end_when_stored, frames};
use testkit::Headwater;

const RUN_MAX: Duration = Duration::from_secs(90);

#[test]
fn what_it_sends_is_recorded_byte_for_byte() {
    let headwater = Headwater::start();
    at_once(&[("ts", Packaging::Ts), ("fmp4", Packaging::Fmp4)], |name, packaging| {
        let broadcast = headwater.create_broadcast();
        let tap = Tap::before(headwater.url());
        let mut shaka = Shaka::push(&tap.by_way(&broadcast.push_url), *packaging);
        shaka.packager.end_well(RUN_MAX);
        let sent = tap.segments().len();
        end_when_stored(&headwater, &broadcast.id, sent);
        let recordings = Recording::of(&headwater, &broadcast.id);
        assert_eq!(recordings.len(), 2, "{name}: {:?}", recordings.keys());
        for (rendition, recording) in &recordings {
            let of = |prefix: &str| {
                let sent = tap.sent().into_iter().filter(|sent| sent.is_segment() && sent.file().starts_with(prefix));
                sent.map(|sent| sent.request.body).collect::<Vec<_>>()
            };
            let (video, audio) = (of("v-"), of("a-"));
            let is_video = video.contains(&recording.segments[0]);
            recording.assert_is(&format!("{name} {rendition}"), if is_video { &video } else { &audio });
        }
        let index = format!("{}/hls/{}/index.m3u8", headwater.url(), broadcast.id);
        assert_eq!(frames(&index), 150, "{name}: pictures");
    });
}

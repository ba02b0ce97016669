//! Playlists through a whole broadcast with an outage, looked at five times a second: every two looks in a row keep
//! the rules of RFC 8216bis, 6.2.1, delta updates fit, and other people's parsers can read all of them.

use std::ops::ControlFlow;
use std::time::Duration;

use headwater_tests::{Media, Poll, Poller, Publisher, Recording, assert_others_can_read, frames, wait_until_complete};
use testkit::hls::{self, Playlist};
use testkit::{Headwater, eventually, every};

/// Segments: sent as they are captured, held back for as long as the outage lasts, sent as they are captured again.
const OUTAGE: std::ops::Range<usize> = 8..14;
const SEGMENTS: usize = 22;
const SEGMENT: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(20);

#[test]
fn playlists_keep_their_promises_through_an_outage() {
    let media = Media::ts(SEGMENTS);
    let headwater = Headwater::start();
    let broadcast = headwater.create_broadcast();
    let started_ms = Publisher::new(&broadcast, 0, 1000).server_time_ms();
    let publisher = Publisher::new(&broadcast, started_ms, 1000);
    let playlist = |file: &str| format!("{}/hls/{}/main/{file}", headwater.url(), broadcast.id);
    let pollers = ["live.m3u8", "dvr.m3u8", "catchup.m3u8?from=0"].map(|file| Poller::start(&playlist(file)));
    let state = || headwater.broadcast(&broadcast.id)["state"].as_str().expect("a state").to_owned();

    let mut interrupted = false;
    let mut seq = 0;
    every(SEGMENT, || {
        // What was captured until now is sent at its end.
        if seq > 0 && !OUTAGE.contains(&(seq - 1)) {
            publisher.put(seq - 1, &media.segments[seq - 1]);
        }
        interrupted |= seq > OUTAGE.start && seq <= OUTAGE.end && state() == "interrupted";
        seq += 1;
        if seq > SEGMENTS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(interrupted, "the outage was never seen in the state");
    assert_eq!(state(), "live", "after the outage");
    let [live, dvr, _] = &pollers;
    let [seen_live, seen_dvr] = [live, dvr].map(|poller| poller.polls().last().expect("a poll").text.clone());
    assert!(gaps(&seen_live) > 0 && gaps(&seen_dvr) > 0, "live and dvr cover the outage:\n{seen_dvr}");

    for seq in OUTAGE {
        publisher.put(seq, &media.segments[seq]);
    }
    let ranges = |text: &str, class: &str| text.lines().filter(|line| line.contains(class)).count();
    eventually("the news that the outage is recovered", SOON, || {
        let text = dvr.polls().last().expect("a poll").text.clone();
        if ranges(&text, "headwater.recovered") > 0 { Ok(()) } else { Err(text) }
    });
    publisher.end();
    wait_until_complete(&headwater, &broadcast.id);
    for poller in &pollers {
        eventually("the end in every playlist", SOON, || {
            let text = poller.polls().last().expect("a poll").text.clone();
            if text.contains("#EXT-X-ENDLIST") { Ok(()) } else { Err(text) }
        });
    }

    let [live, dvr, catch_up] = pollers.map(Poller::judged);
    let last = |polls: &[Poll]| hls::read(&polls.last().expect("a poll").text).expect("it is well formed");
    assert!(ranges(&dvr.last().expect("a poll").text, "headwater.interrupted") > 0, "interrupted");
    let all: Vec<_> = (0..SEGMENTS).map(|seq| format!("{seq}.ts")).collect();
    assert_eq!(media_of(&last(&catch_up)), all, "catch-up has everything, in the order of capture");
    let in_time: Vec<_> = (0..SEGMENTS).filter(|seq| !OUTAGE.contains(seq)).map(|seq| format!("{seq}.ts")).collect();
    assert_eq!(media_of(&last(&dvr)), in_time, "what is late is not in dvr");
    let never_late =
        |poll: &Poll| media_of(&hls::read(&poll.text).expect("well formed")).iter().all(|uri| in_time.contains(uri));
    assert!(live.iter().all(never_late), "what is late is not in live");

    let recording = Recording::of_main(&headwater, &broadcast.id);
    recording.assert_is("vod", &media.segments);
    assert_eq!(recording.playlist.segments.iter().filter(|segment| segment.gap).count(), 0);
    assert_eq!(frames(&playlist("vod.m3u8")), u32::try_from(10 * SEGMENTS).expect("few"));

    let mut texts: Vec<_> = [&live, &dvr, &catch_up].into_iter().flatten().map(|poll| poll.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_others_can_read(&texts);
}

fn gaps(text: &str) -> usize {
    text.matches("#EXT-X-GAP").count()
}

/// The addresses of what is media, in order, each once: a long segment may be listed in parts.
fn media_of(playlist: &Playlist) -> Vec<String> {
    let media = playlist.segments.iter().filter(|segment| !segment.gap);
    media.map(|segment| segment.uri.clone()).collect()
}

//! Makes the seeds of the fuzz targets, which the crate's tests of hostile input start from too: one for each kind of
//! thing. They are committed, and made anew when the compact form changes: `cargo run --example make-seeds`.

#![allow(clippy::unwrap_used, reason = "a program for developers")]

use std::fs;
use std::path::Path;

use headwater_broadcast::{
    BroadcastId, CapturedAt, Container, Cut, Digest, Event, Format, FormatId, Init, Key, LastSeq, MediaDuration,
    MediaTime, Missing, Opened, RenditionName, Resolution, Segment, Seq, SeqRange, TokenKey, ViewPolicy,
};
use headwater_broadcast_fuzz::claims;

const START_MS: i64 = 1_790_000_000_000;

fn main() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let _ = fs::remove_dir_all(&seeds);
    let write = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(seeds.join(target)).unwrap();
        fs::write(seeds.join(target).join(name), bytes).unwrap();
    };
    for (name, event) in events() {
        write("event", name, &event.encode());
    }
    for (name, text) in ids() {
        write("ids", name, text.as_bytes());
    }
    for (name, key) in keys() {
        write("key", name, key.to_string().as_bytes());
    }
    for (name, log) in logs() {
        write("log", name, &log);
    }
    write("token", "signed", TokenKey::new(&[7; 32]).sign(&claims()).as_bytes());
    let sub = claims().sub;
    for (name, rest) in [("for_ever", String::new()), ("for_a_day", format!(",\"exp\":{}", START_MS / 1000 + 86_400))] {
        let token = format!("{{\"typ\":\"JWT\",\"alg\":\"HS256\"}}\n{{\"sub\":\"{sub}\",\"scope\":\"publish\"{rest}}}");
        write("token", name, token.as_bytes());
    }
}

fn segment(rendition: &str, seq: u64, container: Container) -> Segment {
    let later = i64::try_from(seq).unwrap() * 2_000;
    Segment {
        rendition: rendition.parse().unwrap(),
        seq: Seq(seq),
        captured_at: CapturedAt(START_MS + later),
        duration: MediaDuration::from_millis(2_000),
        digest: Digest([3; 16]),
        len: 500_000,
        container,
        format: FormatId([1; 8]),
        media_start: MediaTime(later * 90),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    }
}

/// Seven seconds long, with a keyframe each second.
fn long(seq: u64) -> Segment {
    let cuts = (1..7).map(|s| Cut { offset: u64::from(s) * 70_000, after: MediaDuration::from_millis(s * 1_000) });
    let duration = MediaDuration::from_millis(7_000);
    Segment { duration, cuts: cuts.collect(), pushed: Some(seq), ..segment("main", seq, Container::Ts) }
}

fn format(rendition: &str, container: Container) -> Event {
    Event::Format(Format {
        rendition: rendition.parse().unwrap(),
        id: FormatId([1; 8]),
        container,
        codecs: "avc1.64001f,mp4a.40.2".to_owned(),
        resolution: Some(Resolution { width: 1280, height: 720 }),
        frame_rate_milli: Some(30_000),
        init: (container == Container::M4s).then_some(Init { digest: Digest([2; 16]), len: 700 }),
    })
}

fn ended(rendition: &str, seq: u64, missing: Missing) -> Event {
    Event::Ended { last: vec![LastSeq { rendition: rendition.parse().unwrap(), seq: Some(Seq(seq)), missing }] }
}

fn events() -> Vec<(&'static str, Event)> {
    let opened = Opened {
        title: "Cup final".to_owned(),
        target_duration: Some(6),
        policy: ViewPolicy::default(),
        stored_is_safe: true,
    };
    let seqs = SeqRange { first: Seq(3), last: Seq(300) };
    vec![
        ("opened", Event::Opened(opened)),
        ("format", format("main", Container::M4s)),
        ("stored", Event::Stored(segment("main", 8_999, Container::Ts))),
        ("stored_long", Event::Stored(long(7))),
        ("safe", Event::Safe { rendition: RenditionName::main(), seqs }),
        ("paused", Event::Paused),
        ("resumed", Event::Resumed),
        ("abandoned", Event::Abandoned { rendition: RenditionName::main(), seqs }),
        ("end_hinted", Event::EndHinted),
        ("ended", ended("main", 300, Missing::Abandoned)),
        ("mapped", Event::Mapped { playlist: "720p/live.m3u8".to_owned(), rendition: RenditionName::main() }),
        ("recorded_by", Event::RecordedBy { node: "north-1".to_owned() }),
        ("restarted", Event::Restarted),
        ("closing", Event::Closing { grace_ms: 86_400_000 }),
        ("captioned", Event::Captioned { rendition: RenditionName::main() }),
    ]
}

fn ids() -> Vec<(&'static str, String)> {
    vec![
        ("broadcast", claims().sub.to_string()),
        ("rendition", "720p_low-1".to_owned()),
        ("seq", Seq::MAX.to_string()),
        ("digest", Digest([0xab; 16]).to_string()),
        ("format", FormatId([0xcd; 8]).to_string()),
    ]
}

fn keys() -> Vec<(&'static str, Key)> {
    let id: BroadcastId = claims().sub;
    vec![
        ("segment", Key::of_segment(id, &segment("main", 7, Container::Ts))),
        ("init", Key::of_init(id, RenditionName::main(), Digest([1; 16]))),
        ("document", Key::of_document(id)),
    ]
}

/// In the form of the target: for each event the square root of the milliseconds before it, its length, itself.
fn logs() -> Vec<(&'static str, Vec<u8>)> {
    let log = |target: u8, events: &[(u8, Event)]| {
        let entry = |(delay, event): &(u8, Event)| {
            let body = event.encode();
            [&[*delay, u8::try_from(body.len()).unwrap()], &body[..]].concat()
        };
        [&[target], &events.iter().flat_map(entry).collect::<Vec<_>>()[..]].concat()
    };
    let stored = |rendition, seq| Event::Stored(segment(rendition, seq, Container::Ts));
    let gone = SeqRange { first: Seq(3), last: Seq(4) };
    let two = [
        (1, format("main", Container::Ts)),
        (1, format("low", Container::Ts)),
        (45, stored("main", 0)),
        (1, stored("low", 0)),
        (45, stored("main", 1)),
        (60, stored("main", 3)),
        (5, stored("low", 1)),
        (5, stored("low", 2)),
        (9, stored("main", 2)),
        (200, stored("main", 25)),
        (45, Event::Abandoned { rendition: "low".parse().unwrap(), seqs: gone }),
        (20, ended("main", 30, Missing::Abandoned)),
    ];
    let one = [
        (45, stored("main", 0)),
        (45, Event::Paused),
        (100, Event::Resumed),
        (70, Event::Stored(long(9))),
        (5, Event::EndHinted),
        (200, Event::Stored(Segment { media_start: MediaTime(0), ..segment("main", 30, Container::Ts) })),
        (45, stored("main", 32)),
        (45, ended("main", 32, Missing::Awaited)),
        (45, stored("main", 31)),
    ];
    let far = [i64::MAX, i64::MIN, i64::MAX - 1, 0, i64::MAX, i64::MIN + 1, 0, i64::MAX, 0].into_iter().zip(0..);
    let far = far.map(|(ticks, seq)| {
        let container = if seq % 4 == 3 { Container::Ts } else { Container::M4s };
        (45, Event::Stored(Segment { media_start: MediaTime(ticks), ..segment("main", seq + seq / 5, container) }))
    });
    let far: Vec<(u8, Event)> = far.chain([(45, ended("main", 9, Missing::Abandoned))]).collect();
    vec![
        ("two_renditions", log(2, &two)),
        ("a_pause_and_a_long_segment", log(0, &one)),
        ("timestamps_far_away", log(2, &far)),
    ]
}

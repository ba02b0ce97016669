//! What the encoders of a publish page gave, beside what is left of it in the recording: picture by picture, sound by sound.
//! `tests/browser/encoded.mjs` takes it down.

use std::ops::Range;

use serde_json::Value;
use testkit::Tool;

/// The most of a picture's stream that is lost when a page is killed: the segment that was being recorded, and what was in
/// the worker that makes it durable. Segments are two seconds; the fake camera takes twenty pictures a second.
const BROKEN_OFF_PICTURES_MAX: usize = 80;
/// How many packets of sound at the beginning and the end of a recording may have no picture to go with: sound begins before
/// the encoder has its first picture, which takes seconds on a busy machine, and the last pictures may be lost as above. About
/// four seconds; that no more than this is lost there is seen from where sound begins and ends, and from its length.
const EDGE_PACKETS_MAX: usize = 200;
/// How far sound may begin and end from where the pictures do. A packet has 20 ms; a piece of sound on its way to the
/// encoder is no older than what the page puts right, 150 ms, at each end.
const SOUND_OFF_MAX_S: f64 = 0.4;

/// By document, in order.
#[derive(Clone, Debug)]
pub struct Encoded {
    documents: Vec<Document>,
}

#[derive(Clone, Debug)]
struct Document {
    /// A digest of each picture, decoded.
    pictures: Vec<String>,
    /// A digest of each packet of sound, by encoder, of which each recording has its own.
    sound: Vec<Vec<String>>,
    /// Whether the page was killed at it.
    is_broken: bool,
}

impl Encoded {
    /// From the report of `encoded.mjs`.
    ///
    /// # Panics
    /// If it is none.
    pub fn of_pages(report: &Value) -> Self {
        let documents = report.as_array().expect("a list of documents").iter().map(|document| Document {
            pictures: Streams::read(document["pictures"].as_str().expect("a path"), &["-map", "0:v"]).pictures,
            sound: serde_json::from_value(document["sound"].clone()).expect("lists of digests"),
            is_broken: document["isBroken"] == true,
        });
        Self { documents: documents.collect() }
    }

    /// `codecs` and `duration_s` are what the recorder says of it. Fails unless the playlist has each of these once, in order, and can be decoded without a complaint; and unless it
    /// has sound all along.
    ///
    /// # Panics
    /// If it has not.
    #[track_caller]
    pub fn assert_is_all_of(&self, vod: &str, codecs: &str, duration_s: f64) {
        let there = self.assert_sound_is_in(vod, codecs, duration_s);
        let mut rest = &there.pictures[..];
        for (index, document) in self.documents.iter().enumerate() {
            let same = rest.iter().zip(&document.pictures).take_while(|(there, here)| there == here).count();
            let lost = document.pictures.len() - same;
            let lost_max = if document.is_broken { BROKEN_OFF_PICTURES_MAX } else { 0 };
            assert!(
                lost <= lost_max,
                "page {index} encoded {} pictures: the recording has {same} of them, and then {} others",
                document.pictures.len(),
                rest.len() - same
            );
            rest = &rest[same..];
        }
        assert_eq!(rest.len(), 0, "pictures in the recording that no encoder gave");
    }

    /// The same of sound alone, beside pictures that can be decoded.
    ///
    /// # Panics
    /// If it has not.
    #[track_caller]
    pub fn assert_has_all_sound_of(&self, vod: &str, codecs: &str, duration_s: f64) {
        self.assert_sound_is_in(vod, codecs, duration_s);
    }

    #[track_caller]
    fn assert_sound_is_in(&self, vod: &str, codecs: &str, duration_s: f64) -> Streams {
        // MPEG-TS puts a header before each packet of AAC.
        let (packet_s, bare): (_, &[_]) =
            if codecs.contains("mp4a") { (1024.0 / 48_000.0, &["-bsf:a", "aac_adtstoasc"]) } else { (0.02, &[]) };
        let there = Streams::read(vod, &[&["-map", "0:v", "-map", "0:a", "-c:a", "copy"], bare].concat());
        self.assert_sound(&there, packet_s, duration_s);
        there
    }

    #[track_caller]
    fn assert_sound(&self, there: &Streams, packet_s: f64, duration_s: f64) {
        let mut rest = there.sound.iter().peekable();
        let mut recordings = 0;
        for document in &self.documents {
            for packets in document.sound.iter().filter(|packets| !packets.is_empty()) {
                recordings += 1;
                for (at, packet) in packets.iter().enumerate() {
                    let is_edge = at < EDGE_PACKETS_MAX || packets.len() - at <= EDGE_PACKETS_MAX;
                    let is_there = rest.next_if_eq(&packet).is_some();
                    assert!(
                        is_there || is_edge,
                        "sound {at} of {} of recording {recordings} is missing",
                        packets.len()
                    );
                }
            }
        }
        assert_eq!(rest.count(), 0, "sound in the recording that no encoder gave");
        // Where pictures stand still, sound is longer.
        let short_s = duration_s - there.sound.len() as f64 * packet_s;
        assert!(short_s <= SOUND_OFF_MAX_S * f64::from(recordings), "sound is {short_s} s shorter than {duration_s} s");
        let [pictures, sound] = [&there.pictures_s, &there.sound_s];
        let off_s = [sound.start - pictures.start, sound.end + packet_s - pictures.end];
        assert!(
            off_s.iter().all(|off_s| off_s.abs() <= SOUND_OFF_MAX_S),
            "sound begins and ends {off_s:?} s from the pictures"
        );
    }
}

/// The streams of a file or playlist as ffmpeg sees them: a digest of each picture, decoded, and of each packet of sound, and
/// the times of the first and the last.
#[derive(Default)]
struct Streams {
    pictures: Vec<String>,
    sound: Vec<String>,
    pictures_s: Range<f64>,
    sound_s: Range<f64>,
}

impl Streams {
    #[track_caller]
    fn read(input: &str, maps: &[&str]) -> Self {
        let each = ["-fps_mode", "passthrough", "-enc_time_base:v", "1:90000", "-f", "framemd5", "-"];
        let args = ["-v", "error", "-i", input].into_iter().chain(maps.iter().copied()).chain(each);
        let output = Tool::find("ffmpeg").output(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "ffmpeg complains of {input}: {errors}");
        let said = String::from_utf8_lossy(&output.stdout);
        let mut streams = Self::default();
        let mut ticks_s = [0.0; 2];
        for line in said.lines() {
            // "#tb 1: 1/90000"
            if let Some((stream, tick)) = line.strip_prefix("#tb ").and_then(|rest| rest.split_once(": 1/")) {
                ticks_s[usize::from(stream != "0")] = 1.0 / tick.parse::<f64>().expect("a number");
            } else if !line.starts_with('#') {
                streams.take(line, ticks_s);
            }
        }
        streams
    }

    fn take(&mut self, line: &str, ticks_s: [f64; 2]) {
        // stream, dts, pts, duration, size, digest
        let columns: Vec<_> = line.split(',').map(str::trim).collect();
        let is_sound = columns[0] != "0";
        let (digests, span_s) =
            if is_sound { (&mut self.sound, &mut self.sound_s) } else { (&mut self.pictures, &mut self.pictures_s) };
        let at_s = columns[2].parse::<f64>().expect("a number") * ticks_s[usize::from(is_sound)];
        if digests.is_empty() {
            span_s.start = at_s;
        }
        span_s.end = at_s;
        digests.push(columns[5].to_owned());
    }
}

//! What the inspector says of real segments, made by ffmpeg, against what ffprobe says of them.

#![allow(clippy::unwrap_used, reason = "in a test")]

mod clip;
mod probe;

use clip::{Clip, Made};
use headwater_media::{Container, InitError, InitSection, Inspection, MediaTime, TrackKind};
use probe::{Probe, Stream};

/// What a clip should show beyond being as ffprobe says.
struct Expected {
    /// How the codec string starts, track by track.
    codecs: &'static [&'static str],
    /// Ticks that the start of a segment may be off the end of the one before.
    tiling: i64,
    /// Cuts of all segments together. ffmpeg repeats tables by the clock too, so cuts come about by chance.
    cuts: Option<usize>,
}

const USUAL: Expected = Expected { codecs: &["avc1.64", "mp4a.40.2"], tiling: 2, cuts: None };

/// One clip and what is expected of it, as a test of that name.
macro_rules! clips {
    ($($name:ident: $clip:expr, $expected:expr;)*) => {
        $(#[test] fn $name() { check(stringify!($name), &$clip, &$expected); })*
    };
}

const H264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-sc_threshold", "0"];
const OPEN_GOP: &str = "open-gop=1:keyint=25:min-keyint=25";
const HEVC: &[&str] = &[
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-tag:v",
    "hvc1",
    "-x265-params",
    "keyint=25:min-keyint=25:log-level=none",
];
const AAC: &[&str] = &["-c:a", "aac", "-b:a", "64k"];

clips! {
    ts_b_frames: Clip::ts(&[H264, &["-bf", "3"], AAC]), USUAL;
    ts_no_b_frames: Clip::ts(&[H264, &["-bf", "0"], AAC]), USUAL;
    ts_baseline: Clip::ts(&[H264, &["-profile:v", "baseline"], AAC]),
        Expected { codecs: &["avc1.42", "mp4a.40.2"], ..USUAL };
    ts_one_keyframe_a_second: Clip::ts(&[H264, AAC, &["-hls_time", "2"]]), USUAL;
    ts_tables_at_keyframes: Clip::ts(&[H264, AAC, &["-hls_time", "2", "-hls_ts_options", "mpegts_flags=pat_pmt_at_frames"]]),
        Expected { cuts: Some(1), ..USUAL };
    ts_open_gop: Clip::ts(&[H264, &["-bf", "2", "-x264-params", OPEN_GOP, "-bsf:v", "dump_extra"], AAC]), USUAL;
    ts_intra_refresh: Clip::ts(&[H264, &["-bf", "0", "-x264-params", "intra-refresh=1", "-bsf:v", "dump_extra"], AAC]), USUAL;
    ts_interlaced: Clip::ts(&[H264, &["-x264-params", "tff=1"], AAC]), USUAL;
    ts_4_4_4: Clip::ts(&[H264, &["-pix_fmt", "yuv444p"], AAC]), Expected { codecs: &["avc1.f4", "mp4a.40.2"], ..USUAL };
    ts_29_97: Clip::ts(&[&["-r", "30000/1001"], H264, AAC]), USUAL;
    ts_23_976: Clip::ts(&[&["-r", "24000/1001"], H264, AAC]), USUAL;
    ts_60: Clip::ts(&[&["-r", "60"], H264, AAC]), USUAL;
    ts_variable_rate: Clip::ts(&[&["-vf", "select=not(eq(mod(n\\,7)\\,3))", "-vsync", "vfr"], H264, AAC]),
        Expected { tiling: 3_600, ..USUAL };
    ts_cropped_1080p: Clip::ts(&[&["-s", "1920x1080"], H264, AAC]), USUAL;
    ts_odd_size: Clip::ts(&[&["-s", "322x182"], H264, AAC]), USUAL;
    ts_video_only: Clip::ts(&[H264, &["-an"]]), Expected { codecs: &["avc1.64"], ..USUAL };
    ts_audio_only: Clip::ts(&[AAC, &["-vn"]]), Expected { codecs: &["mp4a.40.2"], ..USUAL };
    ts_mono: Clip::ts(&[H264, AAC, &["-ac", "1", "-ar", "44100"]]), USUAL;
    ts_surround: Clip::ts(&[H264, AAC, &["-ac", "6"]]), USUAL;
    ts_mp3: Clip::ts(&[&["-vn", "-c:a", "libmp3lame"]]), Expected { codecs: &["mp4a.40.34"], ..USUAL };
    ts_mp3_half_rate: Clip::ts(&[&["-vn", "-c:a", "libmp3lame", "-ar", "22050"]]), Expected { codecs: &["mp4a.40.34"], ..USUAL };
    ts_mp2: Clip::ts(&[&["-vn", "-c:a", "mp2"]]), Expected { codecs: &["mp4a.40.33"], ..USUAL };
    ts_ac3: Clip::ts(&[&["-vn", "-c:a", "ac3"]]), Expected { codecs: &["ac-3"], ..USUAL };
    ts_ac3_44_1: Clip::ts(&[&["-vn", "-c:a", "ac3", "-ar", "44100", "-ac", "6"]]), Expected { codecs: &["ac-3"], ..USUAL };
    ts_eac3: Clip::ts(&[&["-vn", "-c:a", "eac3"]]), Expected { codecs: &["ec-3"], ..USUAL };
    ts_opus: Clip::ts(&[&["-vn", "-c:a", "libopus"]]), Expected { codecs: &["opus"], ..USUAL };
    ts_clock_wraps: Clip::ts(&[H264, &["-bf", "2"], AAC, &["-output_ts_offset", "95440.8"]]), USUAL;
    ts_hevc: Clip::ts(&[HEVC, AAC]), Expected { codecs: &["hvc1.1.6.L60.90", "mp4a.40.2"], ..USUAL };
    ts_hevc_10_bit_odd_size: Clip::ts(&[HEVC, &["-pix_fmt", "yuv420p10le", "-s", "322x182", "-an"]]),
        Expected { codecs: &["hvc1.2.4.L60.90"], ..USUAL };
    fmp4_b_frames: Clip::fmp4(&[H264, &["-bf", "3"], AAC]), USUAL;
    fmp4_variable_rate: Clip::fmp4(&[&["-vf", "select=not(eq(mod(n\\,7)\\,3))", "-vsync", "vfr"], H264, AAC]),
        Expected { tiling: 3_600, ..USUAL };
    fmp4_29_97: Clip::fmp4(&[&["-r", "30000/1001"], H264, AAC]), USUAL;
    fmp4_open_gop: Clip::fmp4(&[H264, &["-bf", "2", "-x264-params", OPEN_GOP], AAC]), USUAL;
    fmp4_hevc: Clip::fmp4(&[HEVC, AAC]), Expected { codecs: &["hvc1.1.6.L60.90", "mp4a.40.2"], ..USUAL };
    fmp4_av1_opus: Clip::fmp4(&[&["-c:v", "libsvtav1", "-preset", "12", "-g", "25", "-c:a", "libopus"]]),
        Expected { codecs: &["av01.0.0", "opus"], ..USUAL };
    fmp4_vp9_flac: Clip::fmp4(&[
        &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "25", "-c:a", "flac", "-strict", "-2"],
    ]), Expected { codecs: &["vp09.00.", "flac"], ..USUAL };
    fmp4_audio_only: Clip::fmp4(&[AAC, &["-vn", "-ar", "44100"]]), Expected { codecs: &["mp4a.40.2"], ..USUAL };
    fmp4_ac3: Clip::fmp4(&[&["-vn", "-c:a", "ac3"]]), Expected { codecs: &["ac-3"], ..USUAL };
    fmp4_eac3: Clip::fmp4(&[&["-vn", "-c:a", "eac3", "-ac", "6"]]), Expected { codecs: &["ec-3"], ..USUAL };
    fmp4_mp3: Clip::fmp4(&[&["-vn", "-c:a", "libmp3lame"]]), Expected { codecs: &["mp4a.6b"], ..USUAL };
    fmp4_cropped_1080p: Clip::fmp4(&[&["-s", "1920x1080"], H264, AAC]), USUAL;
}

fn check(name: &str, clip: &Clip, expected: &Expected) {
    let made = clip.make();
    assert!(made.segments.len() >= 2, "{name}: {} segments", made.segments.len());
    let mut before: Option<Inspection> = None;
    let mut cuts = 0;
    for (at, segment) in made.segments.iter().enumerate() {
        let context = format!("{name}, segment {at}");
        let inspection = made.inspect(segment).unwrap_or_else(|error| panic!("{context}: {error}"));
        check_segment(&context, &made, segment, &inspection, expected);
        if let Some(before) = before {
            check_tiling(&context, &before, &inspection, expected.tiling);
        }
        cuts += inspection.cuts.len();
        before = Some(inspection);
    }
    assert_eq!(cuts, expected.cuts.unwrap_or(cuts), "{name}: cuts");
}

fn check_segment(context: &str, made: &Made, segment: &[u8], inspection: &Inspection, expected: &Expected) {
    let probe = made.probe(segment);
    assert_eq!(inspection.container, made.container, "{context}");
    assert!(inspection.keyframe_start, "{context}");
    assert!(inspection.describes_every_track(), "{context}");
    assert_eq!(inspection.tracks.len(), probe.streams.len(), "{context}: {:?}", inspection.tracks);
    for ((track, stream), codec) in inspection.tracks.iter().zip(&probe.streams).zip(expected.codecs) {
        let found = track.codec.as_deref().unwrap_or_default();
        assert!(found.starts_with(codec), "{context}: {found} instead of {codec}");
        check_track(context, track, stream);
    }
    check_times(context, inspection, &probe);
    for part in inspection.cuts.iter().enumerate() {
        check_cut(context, made, segment, inspection, part);
    }
}

fn check_track(context: &str, track: &headwater_media::Track, stream: &Stream) {
    assert_eq!(track.id, stream.id, "{context}");
    match track.kind {
        TrackKind::Video(format) => {
            let resolution = format.unwrap_or_else(|| panic!("{context}: no resolution"));
            assert_eq!((resolution.width, resolution.height), (stream.width, stream.height), "{context}");
            check_level(context, track.codec.as_deref().unwrap_or_default(), stream);
        }
        TrackKind::Audio(format) => {
            let format = format.unwrap_or_else(|| panic!("{context}: no audio format"));
            assert_eq!((format.sample_rate, format.channels), (stream.sample_rate, stream.channels), "{context}");
        }
        TrackKind::Other => panic!("{context}: {track:?}"),
    }
}

/// ffprobe knows the level as a number of the codec's own.
fn check_level(context: &str, codec: &str, stream: &Stream) {
    let level = format!("{:02x}", stream.level);
    let expected = match stream.codec.as_str() {
        "h264" => codec.ends_with(&level),
        "hevc" => codec.contains(&format!(".L{}", stream.level)),
        "av1" => codec.contains(&format!(".{:02}M.08", stream.level)),
        _ => true,
    };
    assert!(expected, "{context}: {codec} is not of level {}", stream.level);
}

fn check_times(context: &str, inspection: &Inspection, probe: &Probe) {
    let leading = probe.leading();
    let first = MediaTime::from_ticks(leading.first);
    let off = inspection.first.since(first, inspection.container);
    assert!(off.abs() <= 1, "{context}: {:?} is {off} ticks off {first:?}", inspection.first);
    if let Some(rate) = inspection.frame_rate() {
        let average = leading.frames as f64 * 90_000.0 / inspection.duration.ticks() as f64;
        let rate = f64::from(rate.millihertz()) / 1000.0;
        assert!((rate - average).abs() < 0.002, "{context}: {rate} {average}");
    }
    let duration = i64::try_from(inspection.duration.ticks()).unwrap();
    let shortest = leading.last - leading.first;
    // ffprobe cannot tell how long a single frame of a fragment is.
    let longest = if leading.frames == 1 { i64::MAX } else { shortest + leading.longest_frame + 2 };
    assert!((shortest + 1..=longest).contains(&duration), "{context}: {duration} not in {shortest}..={longest}");
}

fn check_tiling(context: &str, before: &Inspection, inspection: &Inspection, tolerance: i64) {
    let end = before.first.advance(before.duration, before.container);
    let gap = inspection.first.since(end, inspection.container);
    assert!(gap.abs() <= tolerance, "{context}: starts {gap} ticks after the end of the one before");
    assert_eq!(inspection.parameters, before.parameters, "{context}");
    assert_eq!(inspection.codecs(), before.codecs(), "{context}");
}

/// Each part of a cut segment is a segment: it starts with a keyframe, when the cut says, and decodes without error.
fn check_cut(
    context: &str,
    made: &Made,
    segment: &[u8],
    inspection: &Inspection,
    (at, cut): (usize, &headwater_media::Cut),
) {
    let start = usize::try_from(cut.offset).unwrap();
    let end = inspection.cuts.get(at + 1).map_or(segment.len(), |next| usize::try_from(next.offset).unwrap());
    let part = made.inspect(&segment[start..end]).unwrap_or_else(|error| panic!("{context}, cut at {start}: {error}"));
    assert!(part.keyframe_start, "{context}, cut at {start}");
    assert_eq!(part.parameters, inspection.parameters, "{context}, cut at {start}");
    let time = part.first.since(inspection.first, inspection.container).unsigned_abs();
    assert!(time.abs_diff(cut.time.ticks()) <= 2, "{context}, cut at {start}: {time} {:?}", cut.time);
    if at == 0 {
        made.decode(&segment[..start]);
    }
    made.decode(&segment[start..end]);
}

/// ffmpeg writes parameter sets before IDR frames only, so of this stream only the first segment can be decoded alone.
#[test]
fn ts_keyframes_without_parameter_sets_are_no_start() {
    let made = Clip::ts(&[H264, &["-x264-params", OPEN_GOP], AAC]).make();
    let inspections: Vec<_> = made.segments.iter().map(|segment| made.inspect(segment).unwrap()).collect();
    let found: Vec<_> = inspections.iter().map(|it| (it.keyframe_start, it.describes_every_track())).collect();
    assert_eq!(found, [(true, true), (false, false), (false, false)]);
}

#[test]
fn segments_joined_are_cut_where_they_were_joined() {
    for clip in [Clip::ts(&[H264, AAC]), Clip::fmp4(&[H264, AAC])] {
        let made = clip.make();
        let joined = made.inspect(&made.segments.concat()).unwrap();
        let parts: Vec<_> = made.segments.iter().map(|segment| made.inspect(segment).unwrap()).collect();
        let ticks: u64 = parts.iter().map(|part| part.duration.ticks()).sum();
        assert!(joined.duration.ticks().abs_diff(ticks) <= 2, "{:?} is not {ticks}", joined.duration);
        assert_eq!(joined.first, parts[0].first);
        let offsets: Vec<_> = joined.cuts.iter().map(|cut| cut.offset).collect();
        // Before the tables ffmpeg writes another one, which stays with the part before.
        let ends: Vec<_> = made
            .segments
            .iter()
            .scan(0, |end, segment| {
                *end += segment.len() as u64;
                Some(*end)
            })
            .collect();
        let tables = if made.container == Container::MpegTs { 188 } else { 0 };
        assert_eq!(offsets, [ends[0] + tables, ends[1] + tables]);
        check_segment("joined", &made, &made.segments.concat(), &joined, &USUAL);
    }
}

/// With this flag ffmpeg 5.1 puts the first segment's media into the init section.
#[test]
fn fmp4_init_section_with_media_is_refused() {
    let made = Clip::fmp4(&[H264, AAC, &["-hls_time", "2", "-hls_segment_options", "movflags=+frag_keyframe"]]).make();
    let error = InitSection::parse(made.init.as_deref().unwrap()).unwrap_err();
    assert!(matches!(error, InitError::MediaInside { .. }), "{error}");
}

#[test]
fn containers_are_sniffed() {
    for (clip, container) in [(Clip::ts(&[H264, AAC]), Container::MpegTs), (Clip::fmp4(&[H264, AAC]), Container::Fmp4)]
    {
        let made = clip.make();
        for segment in &made.segments {
            assert_eq!(Container::sniff(segment), Some(container));
        }
        let init = made.init.as_deref().map(headwater_media::Content::sniff);
        assert!(init.is_none_or(|content| content == Some(headwater_media::Content::InitSection)));
    }
}

//! Errors and limits, one hand-made segment each.

#![allow(clippy::unwrap_used, reason = "in a test")]

use headwater_media::{
    CUTS_MAX, FRAMES_MAX, INIT_LEN_MAX, InitError, InitSection, InspectError, Inspection, Inspector, MOOF_LEN_MAX,
    TRACKS_MAX,
};
use testkit::ts::{H264, VIDEO_PID, packet, pat, pmt};

/// Tables and, `frames` times, an IDR frame with its (meaningless) sequence parameter set.
fn video(frames: u64) -> Vec<u8> {
    let mut segment = [pat(), pmt(&[(H264, VIDEO_PID)])].concat();
    segment.extend((0..frames).flat_map(|frame| idr(frame * 3000)));
    segment
}

/// With a sequence parameter set that says nothing.
fn idr(pts: u64) -> Vec<u8> {
    testkit::ts::idr(pts, &[0x67, 1])
}

fn inspect(mut inspector: Inspector, bytes: &[u8]) -> Result<Inspection, InspectError> {
    inspector.push(bytes)?;
    inspector.finish()
}

fn ts(parts: &[Vec<u8>]) -> Result<Inspection, InspectError> {
    inspect(Inspector::mpeg_ts(), &parts.concat())
}

#[test]
fn ts_errors_say_what_and_where() {
    let program = || pmt(&[(H264, VIDEO_PID)]);
    let scrambled = [pat(), program(), idr(0)].concat();
    let scrambled = [&scrambled[..2 * 188 + 3], &[scrambled[2 * 188 + 3] | 0x80], &scrambled[2 * 188 + 4..]].concat();
    let many: Vec<_> = (0..=TRACKS_MAX as u16).map(|track| (H264, VIDEO_PID + track)).collect();
    let mut broken_crc = program();
    broken_crc[187] ^= 1;
    let cases: Vec<(&str, Vec<Vec<u8>>, InspectError)> = vec![
        ("nothing", vec![], InspectError::Empty),
        ("no packet", vec![b"<html>".to_vec()], InspectError::LostSync { offset: 0, found: b'<' }),
        ("out of step", vec![pat(), vec![0; 188]], InspectError::LostSync { offset: 188, found: 0 }),
        ("cut off", vec![video(1), vec![0x47]], InspectError::Truncated { offset: 3 * 188, missing: 187 }),
        ("no tables", vec![idr(0)], InspectError::NoPat),
        ("no PMT", vec![pat(), idr(0)], InspectError::NoPmt),
        ("damaged PMT", vec![pat(), broken_crc, idr(0)], InspectError::NoPmt),
        ("no tracks", vec![pat(), pmt(&[(0x15, 0x102)])], InspectError::NoTracks),
        ("no frames", vec![pat(), program()], InspectError::NoTimestamps),
        ("scrambled", vec![scrambled], InspectError::Encrypted { track: 0x100, offset: 2 * 188 }),
        (
            "sample encryption",
            vec![pat(), pmt(&[(0xdb, 0x100)])],
            InspectError::Encrypted { track: 0x100, offset: 188 },
        ),
        ("tracks", vec![pat(), pmt(&many)], InspectError::TooManyTracks { offset: 188 }),
    ];
    for (name, parts, error) in cases {
        assert_eq!(ts(&parts), Err(error), "{name}");
    }
}

#[test]
fn ts_frames_are_limited() {
    let most = FRAMES_MAX as u64;
    let inspection = ts(&[video(most)]).unwrap();
    assert_eq!(inspection.duration.ticks(), most * 3000);
    let too_many = InspectError::TooManyFrames { track: 0x100, offset: (2 + most) * 188 };
    assert_eq!(ts(&[video(most + 1)]), Err(too_many));
}

#[test]
fn ts_cuts_are_limited() {
    let part = |frame: usize| [pat(), pmt(&[(H264, VIDEO_PID)]), idr(frame as u64 * 3000)].concat();
    let segment: Vec<_> = (0..CUTS_MAX + 10).map(part).collect();
    let inspection = ts(&segment).unwrap();
    assert_eq!(inspection.cuts.len(), CUTS_MAX);
    assert_eq!(inspection.cuts[1].offset, 2 * 3 * 188);
    assert_eq!(inspection.cuts[1].time.ticks(), 2 * 3000);
}

#[test]
fn ts_cut_is_not_taken_where_another_track_goes_on() {
    const AUDIO_PID: u16 = 0x101;
    let tables = [pat(), pmt(&[(H264, VIDEO_PID), (0x0f, AUDIO_PID)])].concat();
    let audio = |starts| packet(AUDIO_PID, starts, &[0, 0, 1, 0xc0, 0, 0, 0x80, 0, 0]);
    let cuts = |rest: Vec<u8>| {
        let cuts = ts(&[tables.clone(), idr(0), audio(true), tables.clone(), idr(3000), rest]).unwrap().cuts;
        cuts.into_iter().map(|cut| cut.offset).collect::<Vec<_>>()
    };
    assert_eq!(cuts(audio(true)), [4 * 188]);
    assert_eq!(cuts(audio(false)), [0_u64; 0]);
}

#[test]
fn ts_keyframe_without_sequence_parameter_set_is_no_start() {
    assert!(ts(&[video(2)]).unwrap().keyframe_start);
    let with_picture_parameter_set_only = replaced(&video(2), &[0, 0, 1, 0x67], &[0, 0, 1, 0x68]);
    assert!(!ts(&[with_picture_parameter_set_only]).unwrap().keyframe_start);
}

#[test]
fn ts_clock_may_wrap_between_frames() {
    let wrap = 1 << 33;
    let tables = [pat(), pmt(&[(H264, VIDEO_PID)])].concat();
    let inspection = ts(&[tables, idr(wrap - 1000), idr(2000), idr(5000)]).unwrap();
    assert_eq!(inspection.first.ticks(), wrap as i64 - 1000);
    assert_eq!(inspection.duration.ticks(), 9000);
}

fn mp4_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&(8 + body.len() as u32).to_be_bytes()[..], kind, body].concat()
}

/// A fragment of track 1 at `time` with `count` samples of 512 units, the first of which is a keyframe.
fn fragment(time: u32, count: u32) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let header = mp4_box(b"tfhd", &words(&[0x28, 1, 512, 0x0001_0000]));
    let decode_time = mp4_box(b"tfdt", &words(&[0, time]));
    let run = mp4_box(b"trun", &words(&[0x04, count, 0]));
    let moof = mp4_box(b"moof", &mp4_box(b"traf", &[header, decode_time, run].concat()));
    [moof, mp4_box(b"mdat", b"media")].concat()
}

fn init() -> Vec<u8> {
    include_bytes!("../fuzz/seeds/fmp4_init/h264_aac.mp4").to_vec()
}

fn fmp4(bytes: &[u8]) -> Result<Inspection, InspectError> {
    inspect(Inspector::fmp4(&InitSection::parse(&init()).unwrap()), bytes)
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn fmp4_errors_say_what_and_where() {
    use headwater_media::FourCc;
    let good = fragment(0, 10);
    let long = [(MOOF_LEN_MAX as u32 + 1).to_be_bytes().as_slice(), b"moof"].concat();
    let cases: Vec<(&str, Vec<u8>, InspectError)> = vec![
        ("nothing", vec![], InspectError::Empty),
        ("no fragment", mp4_box(b"styp", b"msdh"), InspectError::NoFragment),
        (
            "not MP4",
            b"\0\0\0\x10\x01\x02\x03\x04".to_vec(),
            InspectError::UnexpectedBox { kind: FourCc([1, 2, 3, 4]), offset: 0 },
        ),
        ("init section", init(), InspectError::UnexpectedBox { kind: FourCc(*b"ftyp"), offset: 0 }),
        ("box too short", b"\0\0\0\x07styp".to_vec(), InspectError::BadBox { kind: FourCc(*b"styp"), offset: 0 }),
        (
            "cut off",
            good[..good.len() - 2].to_vec(),
            InspectError::Truncated { offset: good.len() as u64 - 13, missing: 2 },
        ),
        (
            "cut off in moof",
            good[..20].to_vec(),
            InspectError::Truncated { offset: 0, missing: good.len() as u64 - 13 - 20 },
        ),
        ("cut off in header", good[..3].to_vec(), InspectError::Truncated { offset: 0, missing: 5 }),
        (
            "other track",
            replaced(&good, &[0, 0, 0, 0x28, 0, 0, 0, 1], &[0, 0, 0, 0x28, 0, 0, 0, 9]),
            InspectError::UnknownTrack { track: 9, offset: 8 },
        ),
        ("no time", replaced(&good, b"tfdt", b"free"), InspectError::NoDecodeTime { track: 1, offset: 56 }),
        (
            "child too long",
            replaced(&good, &[0, 0, 0, 16, b't', b'f', b'd', b't'], &[0, 0, 1, 0, b't', b'f', b'd', b't']),
            InspectError::BadBox { kind: FourCc(*b"tfdt"), offset: 40 },
        ),
        ("moof too long", long, InspectError::MoofTooLong { len: MOOF_LEN_MAX + 1, offset: 0 }),
        ("frames", fragment(0, FRAMES_MAX as u32 + 1), InspectError::TooManyFrames { track: 1, offset: 56 }),
        ("no mdat", good[..good.len() - 13].to_vec(), InspectError::NoMedia { offset: 0 }),
        ("no samples", fragment(0, 0), InspectError::NoTimestamps),
    ];
    for (name, bytes, error) in cases {
        assert_eq!(fmp4(&bytes), Err(error), "{name}");
    }
}

#[test]
fn fmp4_fragments_are_cut_apart() {
    let styp = mp4_box(b"styp", b"msdh");
    let parts = [styp.clone(), fragment(0, 10), styp, fragment(5120, 10)];
    let inspection = fmp4(&parts.concat()).unwrap();
    assert_eq!(inspection.duration.ticks(), 20 * 3600);
    let offset = (parts[0].len() + parts[1].len()) as u64;
    assert_eq!(
        inspection.cuts.iter().map(|cut| (cut.offset, cut.time.ticks())).collect::<Vec<_>>(),
        [(offset, 36_000)]
    );
    assert!(inspection.keyframe_start);
}

#[test]
fn init_sections_with_other_parameters_have_other_digests() {
    let good = init();
    let parameters = |bytes: &[u8]| InitSection::parse(bytes).unwrap().parameters();
    let changed = |kind: &[u8; 4], at: usize| {
        let mut changed = good.clone();
        changed[good.windows(4).position(|window| window == kind).unwrap() + at] ^= 1;
        parameters(&changed)
    };
    for (name, kind, at) in [
        ("track id", b"tkhd", 19),
        ("rotation", b"tkhd", 45),
        ("timescale", b"mdhd", 19),
        ("width", b"avc1", 29),
        ("parameter set", b"avcC", 20),
        ("pixel shape", b"pasp", 7),
    ] {
        assert_ne!(changed(kind, at), parameters(&good), "{name}");
    }
    for (name, kind, at) in [("creation time", b"mvhd", 11), ("bit rate", b"btrt", 15)] {
        assert_eq!(changed(kind, at), parameters(&good), "{name}");
    }
}

#[test]
fn init_errors_say_what_and_where() {
    use headwater_media::FourCc;
    let good = init();
    let bad = |kind: &[u8; 4], offset| InitError::BadBox { kind: FourCc(*kind), offset };
    let at = |kind: &[u8; 4]| good.windows(4).position(|window| window == kind).unwrap() as u64 - 4;
    let cases: Vec<(&str, Vec<u8>, InitError)> = vec![
        ("nothing", vec![], InitError::NoMovie),
        ("no movie", mp4_box(b"ftyp", b"iso5"), InitError::NoMovie),
        ("too long", vec![0; INIT_LEN_MAX + 1], InitError::TooLong { len: INIT_LEN_MAX + 1 }),
        ("media", [good.clone(), fragment(0, 1)].concat(), InitError::MediaInside { offset: good.len() as u64 }),
        ("cut off", good[..good.len() - 1].to_vec(), bad(b"moov", at(b"moov"))),
        ("not fragmented", replaced(&good, b"mvex", b"free"), InitError::NotFragmented),
        (
            "encrypted",
            replaced(&good, b"avc1\0\0\0\0", b"encv\0\0\0\0"),
            InitError::Encrypted { offset: at(b"stsd") + 16 },
        ),
        ("no tracks", replaced(&replaced(&good, b"vide", b"meta"), b"soun", b"meta"), InitError::NoTracks),
        ("no decoder configuration", replaced(&good, b"avcC", b"free"), bad(b"avc1", at(b"stsd") + 16)),
        ("no track id", replaced(&good, b"tkhd", b"free"), bad(b"trak", at(b"trak"))),
    ];
    for (name, bytes, error) in cases {
        assert_eq!(InitSection::parse(&bytes), Err(error), "{name}");
    }
}

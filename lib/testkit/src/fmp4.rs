//! Hand-made fragmented MP4 (ISO/IEC 14496-12), box by box: small init sections and segments whose every byte is chosen.

/// Ticks in a millisecond.
const TICKS_PER_MS: u64 = 90;
const TRACK: u32 = 1;
const SIZE: u16 = 64;
/// Samples that cannot be decoded by themselves.
const NOT_SYNC: u32 = 0x0001_0000;

/// A box, its contents complete.
pub fn mp4_box(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(8 + body.len()).expect("a small box");
    [&len.to_be_bytes()[..], &kind, body].concat()
}

/// One that begins with a version and flags.
pub fn full_box(kind: [u8; 4], version: u8, flags: u32, body: &[u8]) -> Vec<u8> {
    let head = u32::from(version) << 24 | flags;
    mp4_box(kind, &[&head.to_be_bytes(), body].concat())
}

/// An init section of one track of H.264. What is made for one `variant` cannot be decoded with another.
pub fn init(variant: u8) -> Vec<u8> {
    let movie = [words(&[0, 0, 1_000, 0]), vec![0; 80]].concat();
    let moov = [full_box(*b"mvhd", 0, 0, &movie), track(variant), mp4_box(*b"mvex", &extends())].concat();
    [mp4_box(*b"ftyp", b"isom\0\0\0\0isom"), mp4_box(*b"moov", &moov)].concat()
}

/// A segment of four frames from `start_ms` on, for so many milliseconds, made unlike others by its `mark`, and longer
/// by `padding` bytes.
pub fn segment(start_ms: u64, duration_ms: u64, mark: u64, padding: usize) -> Vec<u8> {
    let frame = u32::try_from(duration_ms * TICKS_PER_MS / 4).expect("a short segment");
    // Duration and flags for all; the first is a keyframe.
    let header = full_box(*b"tfhd", 0, 0x28, &words(&[TRACK, frame, NOT_SYNC]));
    let time = full_box(*b"tfdt", 1, 0, &(start_ms * TICKS_PER_MS).to_be_bytes());
    let run = full_box(*b"trun", 0, 0x04, &words(&[4, 0]));
    let moof = mp4_box(*b"moof", &mp4_box(*b"traf", &[header, time, run].concat()));
    let media = [&mark.to_be_bytes()[..], &vec![0; padding]].concat();
    [moof, mp4_box(*b"mdat", &media)].concat()
}

fn track(variant: u8) -> Vec<u8> {
    let side = u32::from(SIZE) << 16;
    let header = [words(&[0, 0, TRACK, 0, 0]), vec![0; 52], words(&[side, side])].concat();
    let times = words(&[0, 0, u32::try_from(TICKS_PER_MS).expect("small") * 1_000, 0, 0]);
    let handler = [words(&[0]), b"vide".to_vec(), vec![0; 13]].concat();
    let description = [words(&[1]), mp4_box(*b"avc1", &visual(variant))].concat();
    let table = mp4_box(*b"stbl", &full_box(*b"stsd", 0, 0, &description));
    let media = [full_box(*b"mdhd", 0, 0, &times), full_box(*b"hdlr", 0, 0, &handler), mp4_box(*b"minf", &table)];
    mp4_box(*b"trak", &[full_box(*b"tkhd", 0, 0, &header), mp4_box(*b"mdia", &media.concat())].concat())
}

fn extends() -> Vec<u8> {
    full_box(*b"trex", 0, 0, &words(&[TRACK, 1, 0, 0, 0]))
}

/// The sample entry, with a decoder configuration of this level.
fn visual(variant: u8) -> Vec<u8> {
    let size = [SIZE.to_be_bytes(), SIZE.to_be_bytes()].concat();
    let level = 10 + variant;
    let sps = [0x67, 0x42, 0xc0, level, 0xda, 0x10, 0x99];
    let configuration =
        [&[1, 0x42, 0xc0, level, 0xff, 0xe1, 0, 7][..], &sps, &[1, 0, 4, 0x68, 0xce, 0x3c, 0x80]].concat();
    [vec![0; 24], size, vec![0; 50], mp4_box(*b"avcC", &configuration)].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

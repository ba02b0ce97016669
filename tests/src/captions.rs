//! Captions of CEA-608 inside H.264 pictures, as ATSC A/53 part 4 puts them there: ffmpeg only passes on what it is given.

/// What is written, again and again, into the channel CC1.
pub const CAPTION: &str = "HEADWATER CARRIES CAPTIONS";

/// Roll-up captions of two rows, a new row, and its place: each command is sent twice (ANSI/CTA-608-E 8.4).
const NEW_ROW: [[u8; 2]; 6] = [[0x14, 0x25], [0x14, 0x25], [0x14, 0x2d], [0x14, 0x2d], [0x14, 0x70], [0x14, 0x70]];
const SILENCE: [u8; 2] = [0, 0];
/// Pairs of characters in which a caption is said, so that each is shown for a while.
const PAIRS_PER_CAPTION: usize = 40;

/// The byte stream (ITU-T H.264 Annex B) of pictures with one slice each, with a pair of characters before each picture.
pub(crate) fn captioned(pictures: &[u8]) -> Vec<u8> {
    let starts: Vec<usize> =
        pictures.windows(3).enumerate().filter(|(_, three)| **three == [0, 0, 1]).map(|(at, _)| at).collect();
    let mut made = Vec::with_capacity(2 * pictures.len());
    let mut pairs = pairs();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(pictures.len());
        let unit = &pictures[*start..end];
        if matches!(unit.get(3).map(|header| header & 0x1f), Some(1 | 5)) {
            made.extend(sei(pairs.next().expect("they go on for ever")));
        }
        made.extend_from_slice(unit);
    }
    made
}

fn pairs() -> impl Iterator<Item = [u8; 2]> {
    let text = CAPTION.as_bytes().chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(b' ')]);
    let caption: Vec<_> = NEW_ROW.into_iter().chain(text).collect();
    let rest = PAIRS_PER_CAPTION - caption.len();
    caption.into_iter().chain(std::iter::repeat_n(SILENCE, rest)).collect::<Vec<_>>().into_iter().cycle()
}

/// An SEI NAL unit with a pair of characters of the first field.
fn sei([first, second]: [u8; 2]) -> Vec<u8> {
    let message = [&b"\xb5\x00\x31GA94\x03\x41\xff\xfc"[..], &[odd(first), odd(second)], b"\xff"].concat();
    let len = u8::try_from(message.len()).expect("it is short");
    [&[0, 0, 1, 6, 4, len], &message[..], &[0x80]].concat()
}

/// Seven bits, and one that makes their number odd.
fn odd(seven: u8) -> u8 {
    if seven.count_ones().is_multiple_of(2) { seven | 0x80 } else { seven }
}

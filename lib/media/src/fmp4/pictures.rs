//! What the first pictures of fragments say before their first slice: whether they carry captions. The only media of a
//! fragmented MP4 that is looked at, and no more of it than a picture's head.

use crate::codec::{h264, hevc, nal::unescape, sei};

/// What is read of a picture. Parameter sets take some 100 bytes, captions some 1000.
const HEAD_LEN_MAX: usize = 16 * 1024;
/// Fragments of a segment whose first picture is looked at. An encoder that has captions says so with every picture.
const PICTURES_MAX: usize = 8;

/// How samples of a track hold NAL units (ISO/IEC 14496-15 4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NalUnits {
    pub(super) codec: NalCodec,
    /// Bytes of the length before each: 1 to 4.
    pub(super) length_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NalCodec {
    H264,
    Hevc,
}

/// The pictures of one segment.
#[derive(Debug)]
pub(super) struct Pictures {
    /// `None` if there is nothing to look for.
    units: Option<NalUnits>,
    /// Where the picture begins that is read, in bytes from the start of the segment.
    begins: Option<u64>,
    head: Vec<u8>,
    looked_at: usize,
    has_captions: bool,
}

impl Pictures {
    pub(super) fn new(units: Option<NalUnits>) -> Self {
        Self { units, begins: None, head: Vec::new(), looked_at: 0, has_captions: false }
    }

    /// The first picture of a fragment begins at this byte of the segment.
    pub(super) fn expect(&mut self, at: u64) {
        self.settle();
        if self.units.is_some() && !self.has_captions && self.looked_at < PICTURES_MAX {
            self.looked_at += 1;
            self.begins = Some(at);
        }
    }

    /// Bytes of the segment as they pass.
    pub(super) fn pass(&mut self, offset: u64, bytes: &[u8]) {
        let Some(begins) = self.begins else { return };
        let next = begins + self.head.len() as u64;
        let Some(behind) = next.checked_sub(offset) else { return self.begins = None };
        let Some(new) = usize::try_from(behind).ok().and_then(|behind| bytes.get(behind..)) else { return };
        let room = HEAD_LEN_MAX - self.head.len();
        self.head.extend_from_slice(&new[..new.len().min(room)]);
        if self.head.len() == HEAD_LEN_MAX {
            self.settle();
        }
    }

    /// Whether one of them carries captions. No more bytes come.
    pub(super) fn finish(mut self) -> bool {
        self.settle();
        self.has_captions
    }

    fn settle(&mut self) {
        self.begins = None;
        if let Some(units) = self.units {
            self.has_captions |= units.have_captions(&self.head);
        }
        self.head.clear();
    }
}

impl NalUnits {
    /// Whether what is before the first slice of a picture carries captions.
    fn have_captions(self, mut picture: &[u8]) -> bool {
        while let Some(unit) = self.take(&mut picture) {
            let Some(&header) = unit.first() else { continue };
            let (is_slice, is_sei, header_len) = match self.codec {
                NalCodec::H264 => {
                    let kind = h264::nal_type(header);
                    (h264::is_slice(kind), kind == h264::SEI, 1)
                }
                NalCodec::Hevc => {
                    let kind = hevc::nal_type(header);
                    (hevc::is_slice(kind), kind == hevc::PREFIX_SEI, 2)
                }
            };
            if is_slice {
                return false;
            }
            if is_sei && sei::has_captions(&unescape(unit.get(header_len..).unwrap_or_default())) {
                return true;
            }
        }
        false
    }

    /// The next NAL unit; `None` if it is not whole.
    fn take<'a>(self, picture: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (length, rest) = picture.split_at_checked(self.length_len)?;
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (unit, rest) = rest.split_at_checked(length)?;
        *picture = rest;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVC: NalUnits = NalUnits { codec: NalCodec::H264, length_len: 4 };
    const SEI: &[u8] =
        &[6, 4, 14, 0xb5, 0x00, 0x31, b'G', b'A', b'9', b'4', 0x03, 0x41, 0xff, 0xfc, 0x94, 0x2c, 0xff, 0x80];
    const SLICE: &[u8] = &[0x65, 1, 2, 3];

    fn picture(units: &[&[u8]]) -> Vec<u8> {
        let unit = |unit: &&[u8]| [&u32::try_from(unit.len()).expect("short").to_be_bytes()[..], unit].concat();
        units.iter().flat_map(unit).collect()
    }

    /// What is found of these bytes, the picture of which begins at `at`, when they pass in pieces.
    fn found(bytes: &[u8], at: u64, piece: usize) -> bool {
        let mut pictures = Pictures::new(Some(AVC));
        pictures.expect(at);
        for (index, piece_of) in bytes.chunks(piece).enumerate() {
            pictures.pass((index * piece) as u64, piece_of);
        }
        pictures.finish()
    }

    #[test]
    fn captions_stand_before_the_first_slice() {
        let with = [&[7; 9][..], &picture(&[&[9, 0x10], SEI, SLICE])].concat();
        let behind = picture(&[SLICE, SEI]);
        for piece in [1, 2, 7, 1000] {
            assert!(found(&with, 9, piece), "in pieces of {piece}");
            assert!(!found(&with, 8, piece), "from another byte, in pieces of {piece}");
            assert!(!found(&behind, 0, piece), "behind the slice, in pieces of {piece}");
        }
        for (units, picture, expected) in [
            (NalUnits { codec: NalCodec::Hevc, length_len: 4 }, picture(&[&[&[78, 1], &SEI[1..]].concat()]), true),
            (NalUnits { length_len: 2, ..AVC }, [&[0, SEI.len() as u8], SEI].concat(), true),
            (AVC, picture(&[&[], SEI]), true),
            (AVC, vec![0xff; 100], false),
            (AVC, vec![0; 100], false),
        ] {
            assert_eq!(units.have_captions(&picture), expected, "{picture:?}");
        }
    }

    #[test]
    fn what_is_read_is_bounded() {
        // A unit longer than a head is not waited for.
        let long = picture(&[&vec![6; HEAD_LEN_MAX], SEI]);
        assert!(!found(&long, 0, 100));
        // What lies before the bytes that pass never comes.
        let mut pictures = Pictures::new(Some(AVC));
        pictures.expect(5);
        pictures.pass(6, &picture(&[SEI]));
        assert_eq!(pictures.begins, None);
        pictures.expect(u64::MAX);
        pictures.pass(0, &[1; 10]);
        // After some pictures without captions there are none.
        for _ in 0..PICTURES_MAX {
            pictures.expect(0);
        }
        pictures.expect(0);
        assert_eq!(pictures.begins, None);
        assert!(!pictures.finish());
    }
}

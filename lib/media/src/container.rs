//! Telling from the first bytes what a body is. Not a check that it is valid: that is the inspector's.

use crate::ts::{PACKET_LEN, SYNC};

/// How many of the first bytes [`Content::sniff`] looks at, at most. Fewer will do if the body has no more.
pub const SNIFF_LEN: usize = 2 * PACKET_LEN + 1;

/// The form of a Media Segment (RFC 8216bis 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// MPEG-2 Transport Stream.
    MpegTs,
    /// Fragmented MP4, of which CMAF is a kind.
    Fmp4,
}

impl Container {
    /// The container of a Media Segment that starts with `bytes`; `None` also for an init section.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match Content::sniff(bytes)? {
            Content::Segment(container) => Some(container),
            Content::InitSection => None,
        }
    }

    /// The file extension of such segments, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::MpegTs => "ts",
            Self::Fmp4 => "m4s",
        }
    }

    /// The media type of such segments (RFC 8216bis 10).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::MpegTs => "video/mp2t",
            Self::Fmp4 => "video/mp4",
        }
    }
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A Media Segment.
    Segment(Container),
    /// The Media Initialization Section of fragmented MP4.
    InitSection,
}

impl Content {
    /// What a body that starts with `bytes` is, from up to [`SNIFF_LEN`] of them; `None` if it is neither a segment
    /// nor an init section.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes.get(4..8) {
            Some(b"ftyp" | b"moov") => return Some(Self::InitSection),
            Some(b"styp" | b"sidx" | b"ssix" | b"prft" | b"emsg" | b"moof") => {
                return Some(Self::Segment(Container::Fmp4));
            }
            _ => {}
        }
        let sync = |at: usize| bytes.get(at).is_none_or(|byte| *byte == SYNC);
        let ts = bytes.len() >= 4 && sync(0) && sync(PACKET_LEN) && sync(2 * PACKET_LEN);
        ts.then_some(Self::Segment(Container::MpegTs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_from_first_bytes() {
        let ts = [[SYNC; 1].as_slice(), &[0; 187]].concat().repeat(3);
        let not_ts = [ts[..188].to_vec(), vec![0; 188]].concat();
        let cases: &[(&str, &[u8], Option<Content>)] = &[
            ("nothing", b"", None),
            ("ts", &ts, Some(Content::Segment(Container::MpegTs))),
            ("one ts packet", &ts[..188], Some(Content::Segment(Container::MpegTs))),
            ("out of step after one packet", &not_ts, None),
            ("init", b"\0\0\0\x18ftypiso5", Some(Content::InitSection)),
            ("init without ftyp", b"\0\0\0\x18moov", Some(Content::InitSection)),
            ("cmaf", b"\0\0\0\x18stypmsdh", Some(Content::Segment(Container::Fmp4))),
            ("bare fragment", b"\0\0\0\x18moof", Some(Content::Segment(Container::Fmp4))),
            ("webm", b"\x1a\x45\xdf\xa3\x01\0\0\0\0", None),
            ("playlist", b"#EXTM3U\n#EXT", None),
            ("letter G", b"GG", None),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(Content::sniff(bytes), *expected, "{name}");
        }
    }
}

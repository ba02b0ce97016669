//! The header of a PES packet: where its payload starts and when it is presented (ISO/IEC 13818-1 2.4.3.6).

/// More than any header has: 9 bytes and up to 255 more.
pub(super) const HEADER_LEN_MAX: usize = 9 + 255;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Of a PES packet with payload from `len` on; `pts` in 33 bits of 90 kHz.
    Complete { len: usize, pts: Option<u64> },
    /// More bytes are needed.
    Short,
    /// Not a PES packet of audio or video.
    Invalid,
}

pub(super) fn parse(bytes: &[u8]) -> Header {
    match bytes {
        [0, 0, 1, _, _, _, marker, ..] if marker & 0xc0 != 0x80 => Header::Invalid,
        [0, 0, 1, _, _, _, _, flags, len, rest @ ..] => {
            let header_len = usize::from(*len);
            if rest.len() < header_len {
                return Header::Short;
            }
            let pts = if flags & 0x80 == 0 { None } else { rest[..header_len].first_chunk().map(parse_timestamp) };
            Header::Complete { len: 9 + header_len, pts }
        }
        [] | [0] | [0, 0] | [0, 0, 1, ..] => Header::Short,
        _ => Header::Invalid,
    }
}

fn parse_timestamp(bytes: &[u8; 5]) -> u64 {
    let [high, middle_high, middle_low, low_high, low] = bytes.map(u64::from);
    (high >> 1 & 7) << 30 | middle_high << 22 | middle_low >> 1 << 15 | low_high << 7 | low >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let head = |rest: &[u8]| [&[0, 0, 1, 0xe0, 0, 0, 0x80][..], rest].concat();
        for (name, bytes, expected) in [
            ("no time", head(&[0, 0, 9]), Header::Complete { len: 9, pts: None }),
            (
                "greatest",
                head(&[0x80, 5, 0x2f, 0xff, 0xff, 0xff, 0xff]),
                Header::Complete { len: 14, pts: Some((1 << 33) - 1) },
            ),
            ("132000", head(&[0x80, 5, 0x21, 0, 0x09, 0x07, 0x41]), Header::Complete { len: 14, pts: Some(132_000) }),
            ("time cut off", head(&[0x80, 5, 0x21, 0, 0x09, 0x07]), Header::Short),
            ("flag without time", head(&[0x80, 0, 0x21]), Header::Complete { len: 9, pts: None }),
            ("nothing", Vec::new(), Header::Short),
            ("no start code", vec![0, 1], Header::Invalid),
            ("program stream", vec![0, 0, 1, 0xe0, 0, 0, 0x40], Header::Invalid),
        ] {
            assert_eq!(parse(&bytes), expected, "{name}");
        }
    }
}

//! NAL units in Annex B byte streams (ITU-T H.264 and H.265 Annex B), as MPEG-TS carries them.

/// The place of the next start code prefix, `00 00 01`.
pub(crate) fn find_start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0, 0, 1])
}

/// The payload of a NAL unit: without trailing zeros and without emulation prevention bytes.
pub(crate) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in trim(nal) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

/// The NAL unit without the zero bytes that may follow it before the next start code.
pub(crate) fn trim(nal: &[u8]) -> &[u8] {
    let end = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &nal[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulation_prevention_is_undone() {
        for (nal, expected) in [
            (&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0][..], &[1, 0, 0, 1, 0, 0][..]),
            (&[0, 0, 3, 0, 0, 3, 2], &[0, 0, 0, 0, 2]),
            (&[7, 3, 0, 3, 9, 0, 0, 0], &[7, 3, 0, 3, 9]),
            (&[0, 0], &[]),
        ] {
            assert_eq!(unescape(nal), expected, "{nal:?}");
        }
    }

    #[test]
    fn start_codes_are_found() {
        assert_eq!(find_start_code(&[0, 0, 0, 1, 9]), Some(1));
        assert_eq!(find_start_code(&[0, 0]), None);
    }
}

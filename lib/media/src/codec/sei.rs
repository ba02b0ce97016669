//! Supplemental enhancement information: the messages of an SEI NAL unit (ITU-T H.264 7.3.2.3, H.265 7.3.2.4, which are
//! written alike), and closed captions among them.

/// Of user data that is registered as ITU-T T.35 says.
const USER_DATA_REGISTERED: usize = 4;
/// The United States, ATSC, and `user_data_type_code` of captions (ATSC A/53 part 4, 6.2.3).
const ATSC_CAPTIONS: [u8; 8] = [0xb5, 0x00, 0x31, b'G', b'A', b'9', b'4', 0x03];

/// The messages of a NAL unit's payload, after its header and without emulation prevention bytes, each with its type. One
/// that is cut off ends them.
pub(crate) fn messages(payload: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        // What is left is a stop bit.
        if rest.len() <= 2 {
            return None;
        }
        let kind = take_ff_coded(&mut rest)?;
        let size = take_ff_coded(&mut rest)?;
        let (message, after) = rest.split_at_checked(size)?;
        rest = after;
        Some((kind, message))
    })
}

/// Whether one of the messages carries captions of CEA-608 in the first field, which is where its channel CC1 is. They may be
/// silent at the moment: an encoder that has captions says so with every picture.
pub(crate) fn has_captions(payload: &[u8]) -> bool {
    let captions = |(kind, message): (usize, &[u8])| {
        let cc_data = message.strip_prefix(&ATSC_CAPTIONS).filter(|_| kind == USER_DATA_REGISTERED);
        cc_data.is_some_and(has_first_field)
    };
    messages(payload).any(captions)
}

/// `cc_data` (ANSI/CTA-708-E 4.4): a count, a byte of no use, and three bytes for each pair of characters.
fn has_first_field(cc_data: &[u8]) -> bool {
    const PROCESS: u8 = 0x40;
    const COUNT: u8 = 0x1f;
    /// `cc_valid` and `cc_type`.
    const KIND: u8 = 0x07;
    const VALID_FIRST_FIELD: u8 = 0x04;
    let &[flags, _, ref pairs @ ..] = cc_data else { return false };
    let mut pairs = pairs.chunks_exact(3).take(usize::from(flags & COUNT));
    flags & PROCESS != 0 && pairs.any(|pair| pair[0] & KIND == VALID_FIRST_FIELD)
}

/// A number written as a run of 0xff bytes and a last byte, all of which are added up.
fn take_ff_coded(bytes: &mut &[u8]) -> Option<usize> {
    let full = bytes.iter().position(|byte| *byte != 0xff)?;
    let last = usize::from(bytes[full]);
    *bytes = &bytes[full + 1..];
    Some(full * 255 + last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An SEI payload of one message.
    fn sei(kind: u8, message: &[u8]) -> Vec<u8> {
        let len = u8::try_from(message.len()).expect("a short message");
        [&[kind, len], message, &[0x80]].concat()
    }

    fn atsc(cc_data: &[u8]) -> Vec<u8> {
        sei(4, &[&ATSC_CAPTIONS[..], cc_data, &[0xff]].concat())
    }

    const PAIR: [u8; 3] = [0xfc, 0x94, 0x2c];

    #[test]
    fn captions_are_told_from_what_is_none() {
        let pairs = |flags: u8, pairs: &[[u8; 3]]| atsc(&[&[flags, 0xff], &pairs.concat()[..]].concat());
        let second_field = [0xfd, 0x80, 0x80];
        let digital = [0xfe, 0x01, 0x02];
        let not_valid = [0xf8, 0x80, 0x80];
        let (first, other) = (pairs(0x41, &[PAIR]), sei(5, &[7; 20]));
        let mut wrong_provider = first.clone();
        wrong_provider[4] = 0x2f;
        let mut bar_data = first.clone();
        bar_data[9] = 0x06;
        let cases: [(&str, Vec<u8>, bool); 12] = [
            ("the first field", first.clone(), true),
            ("silent ones", pairs(0x41, &[[0xfc, 0x80, 0x80]]), true),
            ("after others", [&other[..other.len() - 1], &first].concat(), true),
            ("behind what is digital alone", pairs(0x43, &[digital, not_valid, PAIR]), true),
            ("the second field", pairs(0x41, &[second_field]), false),
            ("digital ones alone", pairs(0x42, &[digital, digital]), false),
            ("not valid", pairs(0x41, &[not_valid]), false),
            ("beyond the count", pairs(0x41, &[digital, PAIR]), false),
            ("not to be processed", pairs(0x01, &[PAIR]), false),
            ("another provider", wrong_provider, false),
            ("other data of ATSC", bar_data, false),
            ("another kind of message", other, false),
        ];
        for (name, payload, expected) in cases {
            assert_eq!(has_captions(&payload), expected, "{name}");
        }
    }

    #[test]
    fn hostile_messages_end_where_they_end() {
        let whole = atsc(&[&[0x5f, 0xff], &PAIR.repeat(3)[..]].concat());
        for len in 0..whole.len() {
            // Cut off anywhere, the message is none.
            assert!(!has_captions(&whole[..len.min(whole.len() - 2)]), "{len}");
            // Any byte may be any other: nothing is read that is not there.
            for byte in 0..=255 {
                let mut changed = whole.clone();
                changed[len] = byte;
                has_captions(&changed);
            }
        }
        assert!(has_captions(&whole));
        assert!(!has_captions(&[0xff; 1000]));
        assert_eq!(messages(&[0xff, 0xff, 0xff]).count(), 0);
        assert_eq!(messages(&[4, 200, 1, 2, 3]).count(), 0);
    }
}

//! AC-3 and E-AC-3: frame headers (ETSI TS 102 366 4.3, E.1.2).

use super::{AudioFrame, Parsed};
use crate::AudioFormat;
use crate::bits::Bits;

const HEADER_LEN: usize = 7;
const SAMPLES_PER_BLOCK: u32 = 256;
const BLOCKS: u32 = 6;
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// By half of frmsizecod.
const KILOBITS: [u32; 19] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
/// Streams with a larger bsid are E-AC-3.
const AC3_BSID_MAX: u8 = 10;

/// The frame of either codec that `bytes` start with.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    match bytes.first_chunk::<HEADER_LEN>() {
        None => Parsed::Short,
        Some([0x0b, 0x77, .., bsid, _]) if bsid >> 3 <= AC3_BSID_MAX => Parsed::from_frame(parse_ac3(bytes)),
        Some([0x0b, 0x77, ..]) => Parsed::from_frame(parse_eac3(bytes)),
        Some(_) => Parsed::Invalid,
    }
}

/// Channels of an audio coding mode (`acmod`) with or without a low frequency channel.
pub(crate) fn channels(mode: u32, low_frequency: bool) -> u16 {
    [2, 1, 2, 3, 3, 4, 4, 5][(mode & 7) as usize] + u16::from(low_frequency)
}

/// Sample rate of an `fscod`, if it is not reserved.
pub(crate) fn sample_rate(code: u32) -> Option<u32> {
    SAMPLE_RATES.get(code as usize).copied()
}

fn parse_ac3(bytes: &[u8]) -> Option<AudioFrame> {
    let mut bits = Bits::new(bytes.get(4..)?);
    let sample_rate = sample_rate(bits.take(2)?)?;
    let size_code = bits.take(6)?;
    bits.skip(8)?; // bsid, bsmod
    let mode = bits.take(3)?;
    if mode & 1 == 1 && mode != 1 {
        bits.skip(2)?; // cmixlev
    }
    if mode & 4 == 4 {
        bits.skip(2)?; // surmixlev
    }
    if mode == 2 {
        bits.skip(2)?; // dsurmod
    }
    let kilobits = *KILOBITS.get((size_code / 2) as usize)?;
    // 1536 samples in 16-bit words; at 44.1 kHz that is no whole number, and the last bit of the code adds one.
    let words = kilobits * 1000 * BLOCKS * SAMPLES_PER_BLOCK / 16 / sample_rate;
    let odd = if sample_rate == 44_100 { size_code & 1 } else { 0 };
    Some(AudioFrame {
        codec: "ac-3",
        format: AudioFormat { sample_rate, channels: channels(mode, bits.flag()?) },
        len: (words + odd) as usize * 2,
        samples: BLOCKS * SAMPLES_PER_BLOCK,
    })
}

fn parse_eac3(bytes: &[u8]) -> Option<AudioFrame> {
    const DEPENDENT: u32 = 1;
    let mut bits = Bits::new(bytes.get(2..)?);
    let stream_type = bits.take(2)?;
    let substream = bits.take(3)?;
    let len = (bits.take(11)? as usize + 1) * 2;
    let (sample_rate, blocks) = match bits.take(2)? {
        3 => (sample_rate(bits.take(2)?)? / 2, BLOCKS),
        code => (sample_rate(code)?, [1, 2, 3, BLOCKS][bits.take(2)? as usize]),
    };
    let mode = bits.take(3)?;
    let format = AudioFormat { sample_rate, channels: channels(mode, bits.flag()?) };
    // Further substreams are of the same time as the first.
    let adds = stream_type != DEPENDENT && substream == 0;
    let samples = if adds { blocks * SAMPLES_PER_BLOCK } else { 0 };
    Some(AudioFrame { codec: "ec-3", format, len, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        // Frame lengths at 192 kbit/s: TS 102 366 table 4.13. The E-AC-3 frame is of three blocks.
        for (name, header, codec, sample_rate, channels, len, samples) in [
            ("48 kHz", [0x0b, 0x77, 0, 0, 0x14, 0x40, 0x40], "ac-3", 48_000, 2, 768, 1536),
            ("44.1 kHz, short", [0x0b, 0x77, 0, 0, 0x54, 0x40, 0x40], "ac-3", 44_100, 2, 834, 1536),
            ("44.1 kHz, long", [0x0b, 0x77, 0, 0, 0x55, 0x40, 0x40], "ac-3", 44_100, 2, 836, 1536),
            ("5.1", [0x0b, 0x77, 0, 0, 0x14, 0x40, 0xe1], "ac-3", 48_000, 6, 768, 1536),
            ("E-AC-3", [0x0b, 0x77, 0x01, 0x7f, 0x24, 0x80, 0], "ec-3", 48_000, 2, 768, 768),
            ("further substream", [0x0b, 0x77, 0x09, 0x7f, 0x24, 0x80, 0], "ec-3", 48_000, 2, 768, 0),
        ] {
            let format = AudioFormat { sample_rate, channels };
            let expected = Parsed::Frame(AudioFrame { codec, format, len, samples });
            assert_eq!(parse(&header), expected, "{name}");
        }
        assert_eq!(parse(&[0x0b, 0x77, 0, 0, 0xd4, 0x40, 0x40]), Parsed::Invalid, "reserved rate");
        assert_eq!(parse(&[0x0b, 0x77, 0]), Parsed::Short);
    }
}

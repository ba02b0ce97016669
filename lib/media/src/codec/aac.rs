//! AAC: ADTS frame headers (ISO/IEC 13818-7 6.2) and AudioSpecificConfig (ISO/IEC 14496-3 1.6).

use super::{AudioFrame, Parsed};
use crate::AudioFormat;
use crate::bits::Bits;

const ADTS_HEADER_LEN: usize = 7;
const SAMPLES_PER_BLOCK: u32 = 1024;
const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
const EXPLICIT_SAMPLE_RATE: u32 = 15;
/// The audio object type of spectral band replication: HE-AAC.
const SBR: u32 = 5;
/// The audio object type of parametric stereo: HE-AAC v2.
const PARAMETRIC_STEREO: u32 = 29;

/// The ADTS frame that `bytes` start with.
pub(crate) fn parse_adts(bytes: &[u8]) -> Parsed {
    match bytes.first_chunk::<ADTS_HEADER_LEN>() {
        Some(header) => Parsed::from_frame(parse_header(header)),
        None => Parsed::Short,
    }
}

fn parse_header(header: &[u8; ADTS_HEADER_LEN]) -> Option<AudioFrame> {
    // Sync word, and layer, which is always 0. The one bit between them tells MPEG-2 from MPEG-4.
    if header[0] != 0xff || header[1] & 0xf6 != 0xf0 {
        return None;
    }
    let codec = ["mp4a.40.1", "mp4a.40.2", "mp4a.40.3", "mp4a.40.4"][usize::from(header[2] >> 6)];
    let sample_rate = *SAMPLE_RATES.get(usize::from(header[2] >> 2 & 0xf))?;
    let channels = channels(u32::from(header[2] & 1) << 2 | u32::from(header[3] >> 6))?;
    let len = usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
    let blocks = u32::from(header[6] & 3) + 1;
    (len >= ADTS_HEADER_LEN).then_some(AudioFrame {
        codec,
        format: AudioFormat { sample_rate, channels },
        len,
        samples: blocks * SAMPLES_PER_BLOCK,
    })
}

/// Channels of a channel configuration (ISO/IEC 14496-3 table 1.19). 0: the stream's own description, not read here.
fn channels(configuration: u32) -> Option<u16> {
    [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8].get(configuration as usize).copied()
}

/// The audio object type and format of an AudioSpecificConfig.
pub(crate) fn parse_specific_config(bytes: &[u8]) -> Option<(u32, AudioFormat)> {
    let mut bits = Bits::new(bytes);
    let object_type = object_type(&mut bits)?;
    let mut sample_rate = parse_sample_rate(&mut bits)?;
    let mut channels = channels(bits.take(4)?)?;
    if object_type == SBR || object_type == PARAMETRIC_STEREO {
        sample_rate = parse_sample_rate(&mut bits)?;
    }
    if object_type == PARAMETRIC_STEREO {
        channels = 2;
    }
    Some((object_type, AudioFormat { sample_rate, channels }))
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    const ESCAPE: u32 = 31;
    match bits.take(5)? {
        ESCAPE => Some(32 + bits.take(6)?),
        object_type => Some(object_type),
    }
}

fn parse_sample_rate(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.take(4)? {
        EXPLICIT_SAMPLE_RATE => bits.take(24),
        index => SAMPLE_RATES.get(index as usize).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specific_configs() {
        for (bytes, object_type, sample_rate, channels) in [
            (&[0x11, 0x90][..], 2, 48_000, 2),
            (&[0x12, 0x08], 2, 44_100, 1),
            (&[0x2b, 0x92, 0x08, 0x00], 5, 44_100, 2), // HE-AAC: 22.05 kHz core
            (&[0xeb, 0x8a, 0x08, 0x00], 29, 44_100, 2), // HE-AAC v2: mono core
            (&[0x17, 0x80, 0x5d, 0xc0, 0x08], 2, 48_000, 1), // explicit rate
        ] {
            let expected = Some((object_type, AudioFormat { sample_rate, channels }));
            assert_eq!(parse_specific_config(bytes), expected, "{bytes:02x?}");
        }
        assert_eq!(parse_specific_config(&[0x11]), None);
    }

    #[test]
    fn adts_headers() {
        let stereo = AudioFrame {
            codec: "mp4a.40.2",
            format: AudioFormat { sample_rate: 44_100, channels: 2 },
            len: 371,
            samples: 1024,
        };
        let header = [0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f, 0xfc];
        assert_eq!(parse_adts(&header), Parsed::Frame(stereo));
        assert_eq!(parse_adts(&header[..6]), Parsed::Short);
        assert_eq!(parse_adts(&[0xff, 0xf1, 0x50, 0x80, 0x00, 0xdf, 0xfc]), Parsed::Invalid, "shorter than its header");
        assert_eq!(parse_adts(&[0xff, 0xf3, 0x50, 0x80, 0x2e, 0x7f, 0xfc]), Parsed::Invalid, "layer not 0");
    }
}

//! MPEG audio layers I to III, of which MP3 is the third: frame headers (ISO/IEC 11172-3 2.4.1.3, 13818-3).

use super::{AudioFrame, Parsed};
use crate::AudioFormat;

const HEADER_LEN: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    One,
    Two,
    Three,
}

/// The frame that `bytes` start with.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    match bytes.first_chunk::<HEADER_LEN>() {
        Some(header) => Parsed::from_frame(parse_header(*header)),
        None => Parsed::Short,
    }
}

fn parse_header([sync, version_layer, rates, mode]: [u8; HEADER_LEN]) -> Option<AudioFrame> {
    if sync != 0xff || version_layer & 0xe0 != 0xe0 {
        return None;
    }
    // MPEG-1 has full sample rates, MPEG-2 half, MPEG-2.5 a quarter.
    let halvings = match version_layer >> 3 & 3 {
        3 => 0,
        2 => 1,
        0 => 2,
        _ => return None,
    };
    let layer = match version_layer >> 1 & 3 {
        3 => Layer::One,
        2 => Layer::Two,
        1 => Layer::Three,
        _ => return None,
    };
    let sample_rate = [44_100, 48_000, 32_000].get(usize::from(rates >> 2 & 3))? >> halvings;
    let bit_rate = bit_rate(layer, halvings == 0, usize::from(rates >> 4))?;
    let padding = u32::from(rates >> 1 & 1);
    let (codec, samples) = match layer {
        Layer::One => ("mp4a.40.32", 384),
        Layer::Two => ("mp4a.40.33", 1152),
        Layer::Three if halvings == 0 => ("mp4a.40.34", 1152),
        Layer::Three => ("mp4a.40.34", 576),
    };
    let len = match layer {
        Layer::One => (12 * bit_rate / sample_rate + padding) * 4,
        Layer::Two | Layer::Three => samples / 8 * bit_rate / sample_rate + padding,
    };
    let channels = if mode >> 6 == 3 { 1 } else { 2 };
    Some(AudioFrame { codec, format: AudioFormat { sample_rate, channels }, len: len as usize, samples })
}

/// In bits per second. `None` for the free format, whose frame length is not written, and for the forbidden index.
fn bit_rate(layer: Layer, mpeg_1: bool, index: usize) -> Option<u32> {
    let kilobits: [u32; 14] = match (mpeg_1, layer) {
        (true, Layer::One) => [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        (true, Layer::Two) => [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        (true, Layer::Three) => [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        (false, Layer::One) => [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        (false, Layer::Two | Layer::Three) => [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    };
    kilobits.get(index.checked_sub(1)?).map(|rate| rate * 1000)
}

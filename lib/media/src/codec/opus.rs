//! Opus in MPEG-TS: access units with a control header (the draft of opus-codec.org, which ffmpeg writes), and the
//! duration of an Opus packet (RFC 6716 3.1).

use super::{AudioFrame, Parsed};
use crate::AudioFormat;

/// Opus always counts time at 48 kHz, whatever was encoded (RFC 7845 4).
pub(crate) const SAMPLE_RATE: u32 = 48_000;
/// The longest control header that is waited for: 2 bytes, size of up to 5, trims of 2 each, extension length.
pub(crate) const HEADER_LEN_MAX: usize = 14;

/// The access unit that `bytes` start with, of a stream with `channels`.
pub(crate) fn parse(bytes: &[u8], channels: u16) -> Parsed {
    match parse_unit(bytes) {
        Ok((len, samples)) => Parsed::from_frame(Some(AudioFrame {
            codec: "opus",
            format: AudioFormat { sample_rate: SAMPLE_RATE, channels },
            len,
            samples,
        })),
        Err(other) => other,
    }
}

/// Length and samples of an access unit.
fn parse_unit(bytes: &[u8]) -> Result<(usize, u32), Parsed> {
    let byte = |at: usize| match bytes.get(at) {
        Some(byte) => Ok(*byte),
        None if at < HEADER_LEN_MAX => Err(Parsed::Short),
        None => Err(Parsed::Invalid),
    };
    if byte(0)? != 0x7f || byte(1)? & 0xe0 != 0xe0 {
        return Err(Parsed::Invalid);
    }
    let flags = byte(1)?;
    let (start_trim, end_trim, extension) = (flags & 0x10 != 0, flags & 0x08 != 0, flags & 0x04 != 0);
    let mut at = 2;
    let mut size = 0;
    loop {
        let part = byte(at)?;
        at += 1;
        size += usize::from(part);
        if part != 0xff {
            break;
        }
    }
    let mut trimmed = 0;
    for present in [start_trim, end_trim] {
        if present {
            trimmed += u32::from(u16::from_be_bytes([byte(at)?, byte(at + 1)?]) & 0x1fff);
            at += 2;
        }
    }
    if extension {
        at += 1 + usize::from(byte(at)?);
    }
    if size == 0 {
        return Ok((at, 0));
    }
    let samples = packet_samples(byte(at)?, || byte(at + 1))?;
    Ok((at + size, samples.saturating_sub(trimmed)))
}

/// Samples of a packet from its TOC byte, and for code 3 the byte after it.
fn packet_samples(toc: u8, frame_count: impl Fn() -> Result<u8, Parsed>) -> Result<u32, Parsed> {
    let size = usize::from(toc >> 3 & 3);
    let frame = match toc >> 3 {
        0..=11 => [480, 960, 1920, 2880][size],
        12..=15 => [480, 960][size & 1],
        _ => [120, 240, 480, 960][size],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(frame_count()? & 0x3f),
    };
    Ok(frame * frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_units() {
        // Durations by configuration and code: RFC 6716 tables 2 and 3.
        for (name, unit, expected) in [
            ("SILK 60 ms", &[0x7f, 0xe0, 3, 3 << 3][..], Ok((6, 2880))),
            ("hybrid 20 ms", &[0x7f, 0xe0, 3, 13 << 3], Ok((6, 960))),
            ("hybrid 10 ms, twice", &[0x7f, 0xe0, 3, 14 << 3 | 1], Ok((6, 960))),
            ("CELT 2.5 ms", &[0x7f, 0xe0, 3, 16 << 3], Ok((6, 120))),
            ("CELT 20 ms, five times", &[0x7f, 0xe0, 3, 19 << 3 | 3, 5], Ok((6, 4800))),
            ("long", &[0x7f, 0xe0, 0xff, 2, 19 << 3], Ok((261, 960))),
            ("trimmed at the start", &[0x7f, 0xf0, 3, 0x01, 0x38, 19 << 3], Ok((8, 960 - 312))),
            ("not a control header", &[0x7f, 0x40, 3, 19 << 3], Err(Parsed::Invalid)),
            ("cut off", &[0x7f, 0xe0, 3], Err(Parsed::Short)),
        ] {
            assert_eq!(parse_unit(unit), expected, "{name}");
        }
    }
}

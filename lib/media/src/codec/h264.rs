//! H.264: NAL unit types, sequence parameter sets and recovery points (ITU-T H.264 7.3).

use super::VideoFormat;
use super::nal::unescape;
use super::sei;
use crate::bits::Bits;
use crate::{Resolution, TICKS_PER_SECOND};

/// Larger pictures are in no level of any profile.
pub(super) const DIMENSION_MAX: u64 = 16_384;

pub(crate) const IDR_SLICE: u8 = 5;
pub(crate) const SEI: u8 = 6;
pub(crate) const SPS: u8 = 7;
pub(crate) const PPS: u8 = 8;
const EXTENDED_SAR: u32 = 255;

pub(crate) fn nal_type(header: u8) -> u8 {
    header & 0x1f
}

/// The NAL unit holds a coded slice, or its first partition.
pub(crate) fn is_slice(nal_type: u8) -> bool {
    matches!(nal_type, 1 | 2 | IDR_SLICE)
}

/// What a sequence parameter set tells. `nal` starts with the NAL unit header.
pub(crate) fn parse_sps(nal: &[u8]) -> Option<VideoFormat> {
    let payload = unescape(nal);
    let &[_, profile, constraints, level, ..] = payload.as_slice() else {
        return None;
    };
    let mut bits = Bits::new(&payload[4..]);
    bits.ue()?; // seq_parameter_set_id
    let chroma = if has_chroma_format(profile) { parse_chroma_format(&mut bits)? } else { Chroma::Yuv420 };
    bits.ue()?; // log2_max_frame_num_minus4
    skip_picture_order_count(&mut bits)?;
    bits.ue()?; // max_num_ref_frames
    bits.flag()?; // gaps_in_frame_num_value_allowed_flag
    let resolution = parse_resolution(&mut bits, chroma)?;
    Some(VideoFormat {
        codec: format!("avc1.{profile:02x}{constraints:02x}{level:02x}"),
        resolution,
        frame_ticks: parse_frame_ticks(&mut bits),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chroma {
    /// Also `separate_colour_plane_flag`: cropping counts as in monochrome.
    Monochrome,
    Yuv420,
    Yuv422,
    Yuv444,
}

fn has_chroma_format(profile: u8) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

fn parse_chroma_format(bits: &mut Bits<'_>) -> Option<Chroma> {
    let chroma = match bits.ue()? {
        0 => Chroma::Monochrome,
        1 => Chroma::Yuv420,
        2 => Chroma::Yuv422,
        3 if bits.flag()? => Chroma::Monochrome,
        3 => Chroma::Yuv444,
        _ => return None,
    };
    bits.ue()?; // bit_depth_luma_minus8
    bits.ue()?; // bit_depth_chroma_minus8
    bits.flag()?; // qpprime_y_zero_transform_bypass_flag
    if bits.flag()? {
        let lists = if chroma == Chroma::Yuv444 { 12 } else { 8 };
        for list in 0..lists {
            if bits.flag()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma)
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + i64::from(bits.se()?) + 256) % 256;
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn skip_picture_order_count(bits: &mut Bits<'_>) -> Option<()> {
    match bits.ue()? {
        0 => bits.ue().map(drop), // log2_max_pic_order_cnt_lsb_minus4
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            let cycle = bits.ue()?;
            (0..cycle.min(256)).try_for_each(|_| bits.se().map(drop))
        }
        _ => Some(()),
    }
}

fn parse_resolution(bits: &mut Bits<'_>, chroma: Chroma) -> Option<Resolution> {
    let width = (u64::from(bits.ue()?) + 1) * 16;
    let map_units = u64::from(bits.ue()?) + 1;
    let frame_mbs_only = bits.flag()?;
    let fields = if frame_mbs_only { 1 } else { 2 };
    let height = map_units * 16 * fields;
    if !frame_mbs_only {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let mut crop = [0; 4];
    if bits.flag()? {
        for side in &mut crop {
            *side = u64::from(bits.ue()?);
        }
    }
    let [left, right, top, bottom] = crop;
    let (unit_x, unit_y) = match chroma {
        Chroma::Monochrome | Chroma::Yuv444 => (1, 1),
        Chroma::Yuv422 => (2, 1),
        Chroma::Yuv420 => (2, 2),
    };
    cropped(width, (left + right) * unit_x, height, (top + bottom) * unit_y * fields)
}

/// The picture that is left after cropping, if it is one.
pub(super) fn cropped(width: u64, crop_x: u64, height: u64, crop_y: u64) -> Option<Resolution> {
    let side = |size: u64, crop: u64| {
        let size = size.checked_sub(crop)?;
        (1..=DIMENSION_MAX).contains(&size).then(|| u32::try_from(size).ok())?
    };
    Some(Resolution { width: side(width, crop_x)?, height: side(height, crop_y)? })
}

/// From the VUI: a frame is two ticks of the codec's clock (H.264 E.2.1).
fn parse_frame_ticks(bits: &mut Bits<'_>) -> Option<u32> {
    if !bits.flag()? {
        return None; // no VUI
    }
    if bits.flag()? && bits.take(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    if bits.flag()? {
        bits.flag()?; // overscan_appropriate_flag
    }
    if bits.flag()? {
        bits.skip(4)?; // video_format, video_full_range_flag
        if bits.flag()? {
            bits.skip(24)?; // colour description
        }
    }
    if bits.flag()? {
        bits.ue()?; // chroma_sample_loc_type_top_field
        bits.ue()?; // chroma_sample_loc_type_bottom_field
    }
    if !bits.flag()? {
        return None; // no timing
    }
    let units = u64::from(bits.take(32)?);
    let scale = u64::from(bits.take(32)?);
    let ticks = (2 * units * u64::from(TICKS_PER_SECOND)).checked_div(scale)?;
    u32::try_from(ticks).ok().filter(|ticks| (1..=TICKS_PER_SECOND).contains(ticks))
}

/// The frames until the picture is whole, from a recovery point message in this payload of an SEI NAL unit (H.264 D.2.8).
pub(crate) fn recovery_point(payload: &[u8]) -> Option<u32> {
    const RECOVERY_POINT: usize = 6;
    let (_, message) = sei::messages(payload).find(|(kind, _)| *kind == RECOVERY_POINT)?;
    Bits::new(message).ue()
}

//! HEVC: NAL unit types and sequence parameter sets (ITU-T H.265 7.3), and its codec string (ISO/IEC 14496-15 E.3).

use super::VideoFormat;
use super::h264::cropped;
use super::nal::unescape;
use crate::bits::Bits;
use crate::reader::Reader;

pub(crate) const VPS: u8 = 32;
pub(crate) const SPS: u8 = 33;
pub(crate) const PPS: u8 = 34;
pub(crate) const PREFIX_SEI: u8 = 39;

pub(crate) fn nal_type(header: u8) -> u8 {
    header >> 1 & 0x3f
}

pub(crate) fn is_slice(nal_type: u8) -> bool {
    nal_type < 32
}

/// An intra random access point: BLA, IDR or CRA.
pub(crate) fn is_random_access(nal_type: u8) -> bool {
    (16..=23).contains(&nal_type)
}

/// `general_profile_space` to `general_level_idc` of profile_tier_level, also found in `hvcC`: 12 bytes.
pub(crate) const PROFILE_TIER_LEVEL_LEN: usize = 12;

/// The codec string from the general part of profile_tier_level.
pub(crate) fn codec(name: &str, profile_tier_level: &[u8]) -> Option<String> {
    let mut reader = Reader::new(profile_tier_level);
    let profile = reader.u8()?;
    let compatibility = reader.u32()?.reverse_bits();
    let constraints = reader.array::<6>()?;
    let level = reader.u8()?;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut codec = format!("{name}.{space}{}.{compatibility:x}.{tier}{level}", profile & 0x1f);
    let used = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for constraint in &constraints[..used] {
        codec.push_str(&format!(".{constraint:x}"));
    }
    Some(codec)
}

/// What a sequence parameter set tells. `nal` starts with the NAL unit header.
pub(crate) fn parse_sps(nal: &[u8]) -> Option<VideoFormat> {
    let payload = unescape(nal);
    let sub_layers = usize::from(*payload.get(2)? >> 1 & 7);
    let after = payload.get(3..)?;
    let profile_tier_level = after.get(..PROFILE_TIER_LEVEL_LEN)?;
    let mut bits = Bits::new(&after[PROFILE_TIER_LEVEL_LEN..]);
    skip_sub_layers(&mut bits, sub_layers)?;
    bits.ue()?; // sps_seq_parameter_set_id
    let (unit_x, unit_y) = match bits.ue()? {
        0 => (1, 1),
        1 => (2, 2),
        2 => (2, 1),
        3 => {
            bits.flag()?; // separate_colour_plane_flag
            (1, 1)
        }
        _ => return None,
    };
    let width = u64::from(bits.ue()?);
    let height = u64::from(bits.ue()?);
    let mut crop = [0; 4];
    if bits.flag()? {
        for side in &mut crop {
            *side = u64::from(bits.ue()?);
        }
    }
    let [left, right, top, bottom] = crop;
    Some(VideoFormat {
        codec: codec("hvc1", profile_tier_level)?,
        resolution: cropped(width, (left + right) * unit_x, height, (top + bottom) * unit_y)?,
        frame_ticks: None,
    })
}

fn skip_sub_layers(bits: &mut Bits<'_>, sub_layers: usize) -> Option<()> {
    if sub_layers == 0 {
        return Some(());
    }
    let mut present = [(false, false); 8];
    for flags in &mut present {
        *flags = (bits.flag()?, bits.flag()?);
    }
    for (profile, level) in present.into_iter().take(sub_layers) {
        bits.skip(if profile { 88 } else { 0 })?;
        bits.skip(if level { 8 } else { 0 })?;
    }
    Some(())
}

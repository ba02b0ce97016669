//! The sample description: codec and format of a track (ISO/IEC 14496-12 8.5.2, and each codec's own mapping).
//! Only the first entry is read; HLS renditions have one.

use super::boxes::{BadBox, Boxes, FourCc, Mp4Box};
use super::init::InitError;
use super::pictures::{NalCodec, NalUnits};
use crate::bits::Bits;
use crate::codec::{aac, ac3, hevc, opus};
use crate::parameters::Digester;
use crate::reader::Reader;
use crate::{AudioFormat, Resolution, TrackKind};

/// `stsd`: version, flags, entry count.
const DESCRIPTION_HEADER_LEN: usize = 8;
const VISUAL_ENTRY_LEN: usize = 78;
const AUDIO_ENTRY_LEN: usize = 28;
/// What the first version of QuickTime's sound description adds.
const QUICKTIME_1_LEN: usize = 16;

/// Codec string from the name of the sample entry and its decoder configuration.
type VideoParser = fn(&[u8; 4], &[u8]) -> Option<String>;
/// Codec string and format from the decoder configuration and what the sample entry states.
type AudioParser = fn(&[u8], AudioFormat) -> Option<(String, AudioFormat)>;

pub(super) struct SampleEntry {
    pub(super) kind: TrackKind,
    pub(super) codec: Option<String>,
    pub(super) nal_units: Option<NalUnits>,
    /// Of the entry's name and the boxes in it.
    boxes: u64,
}

impl SampleEntry {
    pub(super) fn digest(&self, digester: &mut Digester) {
        digester.number(self.boxes);
        match self.kind {
            TrackKind::Video(Some(Resolution { width, height })) => {
                digester.number(u64::from(width)).number(u64::from(height));
            }
            TrackKind::Audio(Some(AudioFormat { sample_rate, channels })) => {
                digester.number(u64::from(sample_rate)).number(u64::from(channels));
            }
            TrackKind::Video(None) | TrackKind::Audio(None) | TrackKind::Other => {}
        }
    }
}

/// Reads `stsd` of a track with this handler.
pub(super) fn parse(description: &Mp4Box<'_>, handler: [u8; 4]) -> Result<SampleEntry, InitError> {
    let entry = description.complete(description.children(DESCRIPTION_HEADER_LEN).next())??;
    match (&handler, &entry.kind) {
        (_, b"encv" | b"enca") => Err(InitError::Encrypted { offset: entry.offset }),
        (b"vide", _) => Ok(parse_video(&entry)?),
        (b"soun", _) => Ok(parse_audio(&entry)?),
        _ => Ok(other(&entry)),
    }
}

fn other(entry: &Mp4Box<'_>) -> SampleEntry {
    SampleEntry {
        kind: TrackKind::Other,
        codec: None,
        nal_units: None,
        boxes: Digester::new().bytes(&entry.kind).value(),
    }
}

fn parse_video(entry: &Mp4Box<'_>) -> Result<SampleEntry, BadBox> {
    let (width, height) = entry.complete(parse_dimensions(entry.body))?;
    let children = entry.children(VISUAL_ENTRY_LEN);
    let (name, parse): (_, VideoParser) = match &entry.kind {
        b"avc1" | b"avc3" => (b"avcC", avc_codec),
        b"hvc1" | b"hev1" => (b"hvcC", hevc_codec),
        b"av01" => (b"av1C", av1_codec),
        b"vp09" => (b"vpcC", vp9_codec),
        _ => return Ok(other(entry)),
    };
    let configuration = entry.complete(find(children, name)?)?;
    Ok(SampleEntry {
        kind: TrackKind::Video(Some(Resolution { width, height })),
        codec: Some(configuration.complete(parse(&entry.kind, configuration.body))?),
        nal_units: nal_units(name, configuration.body),
        boxes: digest_boxes(entry, entry.children(VISUAL_ENTRY_LEN)),
    })
}

fn parse_dimensions(body: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(body.get(..VISUAL_ENTRY_LEN)?);
    reader.skip(24)?;
    Some((u32::from(reader.u16()?), u32::from(reader.u16()?)))
}

fn parse_audio(entry: &Mp4Box<'_>) -> Result<SampleEntry, BadBox> {
    let header = entry.complete(entry.body.first_chunk::<AUDIO_ENTRY_LEN>())?;
    let quicktime = if header[8..10] == [0, 1] { QUICKTIME_1_LEN } else { 0 };
    let channels = u16::from_be_bytes([header[16], header[17]]);
    let sample_rate = u32::from(u16::from_be_bytes([header[24], header[25]]));
    let stated = AudioFormat { sample_rate, channels };
    let children = entry.children(AUDIO_ENTRY_LEN + quicktime);
    let (name, parse): (_, AudioParser) = match &entry.kind {
        b"mp4a" => (b"esds", mpeg_4_codec),
        b"Opus" => (b"dOps", opus_codec),
        b"fLaC" => (b"dfLa", flac_codec),
        b"ac-3" => (b"dac3", ac3_codec),
        b"ec-3" => (b"dec3", eac3_codec),
        _ => return Ok(other(entry)),
    };
    let configuration = entry.complete(find(children, name)?)?;
    let (codec, format) = configuration.complete(parse(configuration.body, stated))?;
    Ok(SampleEntry {
        kind: TrackKind::Audio(Some(format)),
        codec: Some(codec),
        nal_units: None,
        boxes: digest_boxes(entry, entry.children(AUDIO_ENTRY_LEN + quicktime)),
    })
}

/// Of everything in the entry that decides how to decode or show: decoder configuration, pixel shape, colours. Not of
/// bit rates, which an encoder may measure anew.
fn digest_boxes(entry: &Mp4Box<'_>, children: Boxes<'_>) -> u64 {
    let mut digester = Digester::new();
    digester.bytes(&entry.kind);
    for child in children.map_while(Result::ok) {
        match (&child.kind, specific_config(child.body)) {
            (b"btrt", _) => {}
            (b"esds", Some((object_type, config))) => {
                digester.number(u64::from(object_type)).bytes(config);
            }
            _ => {
                digester.bytes(&child.kind).bytes(child.body);
            }
        }
    }
    digester.value()
}

fn find<'a>(boxes: Boxes<'a>, kind: &[u8; 4]) -> Result<Option<Mp4Box<'a>>, BadBox> {
    for found in boxes {
        let found = found?;
        if &found.kind == kind {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// `lengthSizeMinusOne` of `avcC` and `hvcC`.
fn nal_units(name: &[u8; 4], body: &[u8]) -> Option<NalUnits> {
    let (codec, at) = match name {
        b"avcC" => (NalCodec::H264, 4),
        b"hvcC" => (NalCodec::Hevc, 21),
        _ => return None,
    };
    Some(NalUnits { codec, length_len: usize::from(body.get(at)? & 3) + 1 })
}

/// `avcC` (ISO/IEC 14496-15 5.3.3.1).
fn avc_codec(name: &[u8; 4], body: &[u8]) -> Option<String> {
    let &[_, profile, constraints, level, ..] = body else { return None };
    Some(format!("{}.{profile:02x}{constraints:02x}{level:02x}", FourCc(*name)))
}

/// `hvcC` (ISO/IEC 14496-15 8.3.3.1).
fn hevc_codec(name: &[u8; 4], body: &[u8]) -> Option<String> {
    let general = body.get(1..)?.get(..hevc::PROFILE_TIER_LEVEL_LEN)?;
    hevc::codec(&FourCc(*name).to_string(), general)
}

/// `av1C` (AV1 codec ISO media file format binding 2.3, 5).
fn av1_codec(_: &[u8; 4], body: &[u8]) -> Option<String> {
    let &[_, profile_level, flags, ..] = body else { return None };
    let (profile, level) = (profile_level >> 5, profile_level & 0x1f);
    let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    Some(format!("av01.{profile}.{level:02}{tier}.{depth:02}"))
}

/// `vpcC` (VP codec ISO media file format binding).
fn vp9_codec(_: &[u8; 4], body: &[u8]) -> Option<String> {
    let &[_, _, _, _, profile, level, depth, ..] = body else { return None };
    Some(format!("vp09.{profile:02}.{level:02}.{:02}", depth >> 4))
}

/// `esds` (ISO/IEC 14496-14 5.6, 14496-1 7.2.6).
fn mpeg_4_codec(body: &[u8], stated: AudioFormat) -> Option<(String, AudioFormat)> {
    const MPEG_4_AUDIO: u8 = 0x40;
    let (object_type, config) = specific_config(body)?;
    if object_type != MPEG_4_AUDIO {
        return Some((format!("mp4a.{object_type:02x}"), stated));
    }
    let (audio_object_type, format) = aac::parse_specific_config(config)?;
    let channels = if format.channels == 0 { stated.channels } else { format.channels };
    Some((format!("mp4a.40.{audio_object_type}"), AudioFormat { channels, ..format }))
}

/// The object type and, empty if there is none, the decoder's own configuration.
fn specific_config(body: &[u8]) -> Option<(u8, &[u8])> {
    const ES: u8 = 3;
    const DECODER_CONFIG: u8 = 4;
    const DECODER_SPECIFIC: u8 = 5;
    let mut reader = Reader::new(descriptor(body.get(4..)?, ES)?);
    reader.skip(2)?; // ES_ID
    let flags = reader.u8()?;
    reader.skip(if flags & 0x80 == 0 { 0 } else { 2 })?; // dependsOn_ES_ID
    let url_len = if flags & 0x40 == 0 { 0 } else { usize::from(reader.u8()?) };
    reader.skip(url_len)?;
    reader.skip(if flags & 0x20 == 0 { 0 } else { 2 })?; // OCR_ES_Id
    let mut reader = Reader::new(descriptor(reader.rest(), DECODER_CONFIG)?);
    let object_type = reader.u8()?;
    reader.skip(12)?; // stream type, buffer size, bit rates
    Some((object_type, descriptor(reader.rest(), DECODER_SPECIFIC).unwrap_or_default()))
}

/// The contents of the descriptor that `bytes` start with, if it is the wanted one.
fn descriptor(bytes: &[u8], wanted: u8) -> Option<&[u8]> {
    const LEN_BYTES_MAX: usize = 4;
    let mut reader = Reader::new(bytes);
    if reader.u8()? != wanted {
        return None;
    }
    let mut len = 0;
    for _ in 0..LEN_BYTES_MAX {
        let byte = reader.u8()?;
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    reader.bytes(len)
}

/// `dOps` (Encapsulation of Opus in ISO base media file format 4.3.2).
fn opus_codec(body: &[u8], _: AudioFormat) -> Option<(String, AudioFormat)> {
    let channels = u16::from(*body.get(1)?);
    Some(("opus".to_owned(), AudioFormat { sample_rate: opus::SAMPLE_RATE, channels }))
}

/// `dfLa` (Encapsulation of FLAC in ISO base media file format 3.3.2): the stream info block comes first.
fn flac_codec(body: &[u8], _: AudioFormat) -> Option<(String, AudioFormat)> {
    const STREAM_INFO_AT: usize = 4 + 4;
    const RATE_AT: usize = STREAM_INFO_AT + 10;
    let mut bits = Bits::new(body.get(RATE_AT..)?);
    let sample_rate = bits.take(20)?;
    let channels = bits.take(3)? as u16 + 1;
    Some(("flac".to_owned(), AudioFormat { sample_rate, channels }))
}

/// `dac3` (ETSI TS 102 366 F.4).
fn ac3_codec(body: &[u8], _: AudioFormat) -> Option<(String, AudioFormat)> {
    let mut bits = Bits::new(body);
    let sample_rate = ac3::sample_rate(bits.take(2)?)?;
    bits.skip(8)?; // bsid, bsmod
    let mode = bits.take(3)?;
    Some(("ac-3".to_owned(), AudioFormat { sample_rate, channels: ac3::channels(mode, bits.flag()?) }))
}

/// `dec3` (ETSI TS 102 366 F.6): the first independent substream. Its fscod does not know halved rates.
fn eac3_codec(body: &[u8], stated: AudioFormat) -> Option<(String, AudioFormat)> {
    let mut bits = Bits::new(body);
    bits.skip(16)?; // data rate, substreams
    let sample_rate = ac3::sample_rate(bits.take(2)?).unwrap_or(stated.sample_rate);
    bits.skip(10)?; // bsid, reserved, asvc, bsmod
    let mode = bits.take(3)?;
    Some(("ec-3".to_owned(), AudioFormat { sample_rate, channels: ac3::channels(mode, bits.flag()?) }))
}

//! One movie fragment: the samples of each track, by time (ISO/IEC 14496-12 8.8).

use super::boxes::{BadBox, Mp4Box, version_and_flags};
use super::init::SampleDefaults;
use crate::reader::Reader;

/// `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0001_0000;

/// `tfhd`: whose samples, and what is the same for all of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrackHeader {
    pub(super) track: u32,
    duration: Option<u32>,
    flags: Option<u32>,
    /// Sample data is addressed from the start of the file, so the fragment must stay where it is.
    pub(super) is_absolute: bool,
    /// It is addressed from the start of the `moof`, also in a track fragment that is not the first.
    pub(super) is_of_moof: bool,
}

impl TrackHeader {
    pub(super) fn parse(found: &Mp4Box<'_>) -> Result<Self, BadBox> {
        found.complete(Self::parse_body(found.body))
    }

    fn parse_body(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let (_, flags) = version_and_flags(&mut reader)?;
        let has = |flag: u32| flags & flag != 0;
        let track = reader.u32()?;
        reader.skip(if has(0x01) { 8 } else { 0 })?; // base data offset
        reader.skip(if has(0x02) { 4 } else { 0 })?; // sample description index
        let duration = optional(&mut reader, has(0x08))?;
        reader.skip(if has(0x10) { 4 } else { 0 })?; // default sample size
        let default_flags = optional(&mut reader, has(0x20))?;
        Some(Self { track, duration, flags: default_flags, is_absolute: has(0x01), is_of_moof: has(0x02_0000) })
    }

    pub(super) fn defaults(&self, track: SampleDefaults) -> SampleDefaults {
        SampleDefaults { duration: self.duration.unwrap_or(track.duration), flags: self.flags.unwrap_or(track.flags) }
    }
}

/// `tfdt`: decode time of the first sample.
pub(super) fn parse_decode_time(found: &Mp4Box<'_>) -> Result<u64, BadBox> {
    let mut reader = Reader::new(found.body);
    let time = version_and_flags(&mut reader).and_then(|(version, _)| match version {
        1 => reader.u64(),
        _ => reader.u32().map(u64::from),
    });
    found.complete(time)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) duration: u32,
    pub(super) composition_offset: i64,
    pub(super) is_sync: bool,
}

/// `trun`: a run of samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run<'a> {
    pub(super) count: u32,
    /// Where its samples begin, in bytes from what the track fragment says.
    pub(super) data_offset: Option<i32>,
    version: u8,
    flags: u32,
    first_flags: Option<u32>,
    entries: Reader<'a>,
}

impl<'a> Run<'a> {
    pub(super) fn parse(found: &Mp4Box<'a>) -> Result<Self, BadBox> {
        found.complete(Self::parse_body(found.body))
    }

    fn parse_body(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let (version, flags) = version_and_flags(&mut reader)?;
        let count = reader.u32()?;
        let data_offset = optional(&mut reader, flags & 0x01 != 0)?.map(u32::cast_signed);
        let first_flags = optional(&mut reader, flags & 0x04 != 0)?;
        // Four fields of four bytes each, every one with its own flag.
        let entry_len = 4 * (flags >> 8 & 0xf).count_ones() as usize;
        let len = usize::try_from(count).ok()?.checked_mul(entry_len)?;
        let entries = Reader::new(reader.bytes(len)?);
        Some(Self { count, data_offset, version, flags, first_flags, entries })
    }

    /// Every sample, in the order of decoding.
    pub(super) fn samples(self, defaults: SampleDefaults) -> impl Iterator<Item = Sample> {
        let mut entries = self.entries;
        (0..self.count).map_while(move |at| {
            let has = |flag: u32| self.flags & flag != 0;
            let duration = optional(&mut entries, has(0x100))?.unwrap_or(defaults.duration);
            optional(&mut entries, has(0x200))?; // size
            let flags = optional(&mut entries, has(0x400))?;
            let offset = optional(&mut entries, has(0x800))?.unwrap_or(0);
            let first = if at == 0 { self.first_flags } else { None };
            let flags = first.or(flags).unwrap_or(defaults.flags);
            let composition_offset =
                if self.version == 0 { i64::from(offset) } else { i64::from(offset.cast_signed()) };
            Some(Sample { duration, composition_offset, is_sync: flags & NON_SYNC == 0 })
        })
    }
}

/// A field that is there only if its flag is set. The outer `None` is: there, but cut off.
#[expect(clippy::option_option, reason = "absent and cut off are different")]
fn optional(reader: &mut Reader<'_>, present: bool) -> Option<Option<u32>> {
    if present { reader.u32().map(Some) } else { Some(None) }
}

//! Program tables: which PIDs are the elementary streams (ISO/IEC 13818-1 2.4.4). One program is expected; of several,
//! the first is taken.

use super::packet::Packet;
use crate::reader::Reader;

/// Longer sections are not allowed in these tables.
const SECTION_LEN_MAX: usize = 1024;
const SECTION_HEADER_LEN: usize = 3;
const CRC_LEN: usize = 4;

/// A table that fits one section, which is all that a segment needs.
pub(super) trait Table: Sized {
    const ID: u8;

    /// From the part of the section between length and CRC.
    fn parse(body: &[u8]) -> Option<Self>;
}

/// Gathers the sections of one table, which may lie across packets and come again and again.
#[derive(Debug)]
pub(super) struct Section<T> {
    /// The section that is being gathered.
    bytes: Vec<u8>,
    /// The last one that was valid.
    known: Vec<u8>,
    table: std::marker::PhantomData<T>,
}

impl<T: Table> Section<T> {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), known: Vec::new(), table: std::marker::PhantomData }
    }

    /// A valid table has been seen.
    pub(super) fn is_complete(&self) -> bool {
        !self.known.is_empty()
    }

    /// The table, when this packet completes one that is not the same as the last.
    pub(super) fn push(&mut self, packet: &Packet<'_>) -> Option<T> {
        let mut payload = packet.payload();
        if packet.starts_unit() {
            let pointer = usize::from(*payload.first()?);
            payload = payload.get(1 + pointer..)?;
            self.bytes.clear();
        } else if self.bytes.is_empty() {
            return None;
        }
        let room = SECTION_LEN_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&payload[..payload.len().min(room)]);
        self.complete()
    }

    fn complete(&mut self) -> Option<T> {
        let &[id, high, low, ..] = self.bytes.as_slice() else {
            return None;
        };
        let len = SECTION_HEADER_LEN + usize::from(u16::from_be_bytes([high, low]) & 0x0fff);
        if id != T::ID || len > SECTION_LEN_MAX {
            self.bytes.clear();
            return None;
        }
        let section = self.bytes.get(..len)?;
        let table = (section != self.known && crc_holds(section)).then(|| {
            let body = section.get(SECTION_HEADER_LEN..len.checked_sub(CRC_LEN)?)?;
            let table = T::parse(body)?;
            self.known = section.to_vec();
            Some(table)
        });
        self.bytes.clear();
        table?
    }
}

/// The CRC over a whole section, itself included, is 0. Not looked at under a fuzzer, which cannot guess it.
#[allow(unexpected_cfgs, reason = "set by cargo-fuzz")]
fn crc_holds(section: &[u8]) -> bool {
    cfg!(fuzzing) || crc_32(section) == 0
}

/// CRC-32/MPEG-2 (ISO/IEC 13818-1 annex A).
fn crc_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            let feedback = if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            crc << 1 ^ feedback
        })
    })
}

/// The program association table.
#[derive(Debug)]
pub(super) struct Pat {
    pub(super) pmt_pid: u16,
}

impl Table for Pat {
    const ID: u8 = 0;

    fn parse(body: &[u8]) -> Option<Self> {
        let programs = body.get(5..)?.as_chunks::<4>().0;
        // Program 0 is the network table.
        let [_, _, high, low] = programs.iter().find(|[high, low, ..]| (*high, *low) != (0, 0))?;
        Some(Self { pmt_pid: u16::from_be_bytes([*high, *low]) & 0x1fff })
    }
}

/// The program map table.
#[derive(Debug)]
pub(super) struct Pmt {
    pub(super) streams: Vec<PmtStream>,
}

#[derive(Debug)]
pub(super) struct PmtStream {
    pub(super) stream_type: u8,
    pub(super) pid: u16,
    pub(super) descriptors: Vec<u8>,
}

impl Table for Pmt {
    const ID: u8 = 2;

    fn parse(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        reader.skip(7)?; // program number, version, section numbers, PCR PID
        let info_len = usize::from(reader.u16()? & 0x0fff);
        reader.skip(info_len)?;
        let mut streams = Vec::new();
        while !reader.rest().is_empty() {
            let stream_type = reader.u8()?;
            let pid = reader.u16()? & 0x1fff;
            let len = usize::from(reader.u16()? & 0x0fff);
            streams.push(PmtStream { stream_type, pid, descriptors: reader.bytes(len)?.to_vec() });
        }
        Some(Self { streams })
    }
}

impl PmtStream {
    /// The contents of the first descriptor with this tag.
    pub(super) fn descriptor(&self, wanted: u8) -> Option<&[u8]> {
        let mut reader = Reader::new(&self.descriptors);
        loop {
            let tag = reader.u8()?;
            let len = reader.u8()?;
            let body = reader.bytes(usize::from(len))?;
            if tag == wanted {
                return Some(body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_a_section_with_its_crc_is_zero() {
        // The PAT of every ffmpeg segment.
        let pat = [0, 0xb0, 0x0d, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0x2a, 0xb1, 0x04, 0xb2];
        assert_eq!(crc_32(&pat), 0);
        let flipped: Vec<u8> = pat.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 9)).collect();
        assert_ne!(crc_32(&flipped), 0);
    }

    #[test]
    fn descriptors_are_found_and_bad_lengths_are_not_followed() {
        let stream = |descriptors: &[u8]| PmtStream { stream_type: 6, pid: 1, descriptors: descriptors.to_vec() };
        assert_eq!(stream(&[5, 1, 9, 0x7f, 2, 0x80, 2]).descriptor(0x7f), Some(&[0x80, 2][..]));
        assert_eq!(stream(&[5, 1, 9, 0x7f, 3, 0x80, 2]).descriptor(0x7f), None);
        assert_eq!(stream(&[]).descriptor(5), None);
    }
}

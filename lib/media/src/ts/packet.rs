//! One transport packet (ISO/IEC 13818-1 2.4.3.2).

use crate::InspectError;

pub(crate) const PACKET_LEN: usize = 188;
pub(crate) const SYNC: u8 = 0x47;
const HEADER_LEN: usize = 4;

#[inline]
pub(super) fn check_sync(found: u8, offset: u64) -> Result<(), InspectError> {
    if found == SYNC { Ok(()) } else { Err(InspectError::LostSync { offset, found }) }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a>(&'a [u8; PACKET_LEN]);

impl<'a> Packet<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8; PACKET_LEN]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(super) fn pid(&self) -> u16 {
        u16::from_be_bytes([self.0[1], self.0[2]]) & 0x1fff
    }

    /// A section or PES packet starts in the payload.
    #[inline]
    pub(super) fn starts_unit(&self) -> bool {
        self.0[1] & 0x40 != 0
    }

    #[inline]
    pub(super) fn is_scrambled(&self) -> bool {
        self.0[3] & 0xc0 != 0
    }

    /// What follows the header and the adaptation field; empty if there is no payload.
    pub(super) fn payload(&self) -> &'a [u8] {
        if self.0[3] & 0x10 == 0 {
            return &[];
        }
        let adaptation = if self.0[3] & 0x20 == 0 { 0 } else { 1 + usize::from(self.0[HEADER_LEN]) };
        self.0.get(HEADER_LEN + adaptation..).unwrap_or_default()
    }
}

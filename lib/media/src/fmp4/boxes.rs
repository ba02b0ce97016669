//! Boxes within boxes, in complete bytes (ISO/IEC 14496-12 4.2).

use std::fmt;

use crate::reader::Reader;

/// The four-character code that names a box, a brand or a codec.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// The shortest header: size and type.
pub(super) const HEADER_LEN: usize = 8;
/// The header with a size of 64 bits.
pub(super) const LARGE_HEADER_LEN: usize = 16;

/// How long a box says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BoxSize {
    /// Header included.
    Bytes(u64),
    /// Up to the end of the file.
    ToEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: FourCc,
    pub(super) header_len: usize,
    pub(super) size: BoxSize,
}

/// What a header can turn out to be besides a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotHeader {
    Short,
    /// The box is smaller than its header.
    Invalid(FourCc),
}

impl Header {
    /// The header that `bytes` start with.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NotHeader> {
        let mut reader = Reader::new(bytes);
        let short = NotHeader::Short;
        let size = reader.u32().ok_or(short)?;
        let kind = FourCc(reader.array().ok_or(short)?);
        let (header_len, size) = match size {
            0 => (HEADER_LEN, BoxSize::ToEnd),
            1 => (LARGE_HEADER_LEN, BoxSize::Bytes(reader.u64().ok_or(short)?)),
            size => (HEADER_LEN, BoxSize::Bytes(u64::from(size))),
        };
        if matches!(size, BoxSize::Bytes(size) if size < header_len as u64) {
            return Err(NotHeader::Invalid(kind));
        }
        Ok(Self { kind, header_len, size })
    }
}

/// A box in complete bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mp4Box<'a> {
    pub(super) kind: [u8; 4],
    /// Of its header, in the bytes that the outermost [`Boxes`] was made from.
    pub(super) offset: u64,
    pub(super) header_len: usize,
    pub(super) body: &'a [u8],
}

impl<'a> Mp4Box<'a> {
    /// The boxes in the body after its first `skipped` bytes.
    pub(super) fn children(&self, skipped: usize) -> Boxes<'a> {
        Boxes {
            offset: self.offset + (self.header_len + skipped) as u64,
            bytes: self.body.get(skipped..).unwrap_or_default(),
        }
    }

    /// The error of this box, if what was read of its fields ran out of bytes.
    pub(super) fn complete<T>(&self, fields: Option<T>) -> Result<T, BadBox> {
        fields.ok_or(BadBox { kind: FourCc(self.kind), offset: self.offset })
    }
}

/// A box that is not as it has to be, or longer than what contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadBox {
    pub(super) kind: FourCc,
    pub(super) offset: u64,
}

/// Boxes one after the other. Ends after the first error.
#[derive(Clone, Debug)]
pub(super) struct Boxes<'a> {
    offset: u64,
    bytes: &'a [u8],
}

impl<'a> Boxes<'a> {
    pub(super) fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { offset, bytes }
    }

    fn split_first(&mut self) -> Result<Mp4Box<'a>, BadBox> {
        let offset = self.offset;
        let header = Header::parse(self.bytes).map_err(|error| match error {
            NotHeader::Short => BadBox { kind: FourCc(*b"????"), offset },
            NotHeader::Invalid(kind) => BadBox { kind, offset },
        })?;
        let too_long = BadBox { kind: header.kind, offset };
        let size = match header.size {
            BoxSize::ToEnd => self.bytes.len(),
            BoxSize::Bytes(size) => usize::try_from(size).map_err(|_| too_long)?,
        };
        let (whole, rest) = self.bytes.split_at_checked(size).ok_or(too_long)?;
        self.bytes = rest;
        self.offset += size as u64;
        Ok(Mp4Box { kind: header.kind.0, offset, header_len: header.header_len, body: &whole[header.header_len..] })
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Mp4Box<'a>, BadBox>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let first = self.split_first();
        if first.is_err() {
            self.bytes = &[];
        }
        Some(first)
    }
}

/// Version and flags, which full boxes start with.
pub(super) fn version_and_flags(reader: &mut Reader<'_>) -> Option<(u8, u32)> {
    let both = reader.u32()?;
    Some(((both >> 24) as u8, both & 0x00ff_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let kind = FourCc(*b"mdat");
        let large = b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0";
        let small_large = b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f";
        let cases: &[(&[u8], Result<Header, NotHeader>)] = &[
            (b"\0\0\0\x09mdat", Ok(Header { kind, header_len: 8, size: BoxSize::Bytes(9) })),
            (b"\0\0\0\0mdat", Ok(Header { kind, header_len: 8, size: BoxSize::ToEnd })),
            (large, Ok(Header { kind, header_len: 16, size: BoxSize::Bytes(1 << 32) })),
            (small_large, Err(NotHeader::Invalid(kind))),
            (b"\0\0\0\x07mdat", Err(NotHeader::Invalid(kind))),
            (b"\0\0\0\x01mdat\0\0", Err(NotHeader::Short)),
            (b"\0\0\0", Err(NotHeader::Short)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Header::parse(bytes), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_box_longer_than_its_parent_ends_the_walk() {
        let bytes = b"\0\0\0\x08free\0\0\0\x10moof\0\0";
        let walked: Vec<_> = Boxes::new(bytes, 100).map(|item| item.map(|found| found.offset)).collect();
        assert_eq!(walked, [Ok(100), Err(BadBox { kind: FourCc(*b"moof"), offset: 108 })]);
    }
}

//! The digest by which two segments are known to have the same tracks and codec parameters. Not a digest of content.

use std::fmt;

/// A digest of a segment's tracks: ids, kinds, codecs and codec parameters (parameter sets, decoder configuration).
///
/// Between two segments with equal digests no EXT-X-DISCONTINUITY is needed because of tracks or encoding parameters
/// (RFC 8216bis 4.4.4.3); timestamps are another matter. It is the same on every machine and in every run. It is not
/// cryptographic: who makes two differ and collide only spoils their own playlist.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParametersDigest(pub [u8; 8]);

impl fmt::Display for ParametersDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ParametersDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParametersDigest({self})")
    }
}

/// FNV-1a of 64 bits: std's hashers promise no stable result, and these results are stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digester(u64);

impl Digester {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds the bytes with their length, so that neighbouring fields cannot run into each other.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        bytes.iter().for_each(|byte| self.byte(*byte));
        self
    }

    pub(crate) fn number(&mut self, value: u64) -> &mut Self {
        value.to_be_bytes().iter().for_each(|byte| self.byte(*byte));
        self
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }

    pub(crate) fn finish(&self) -> ParametersDigest {
        ParametersDigest(self.0.to_be_bytes())
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_stable_and_keeps_fields_apart() {
        let digest = |parts: &[&[u8]]| {
            let mut digester = Digester::new();
            for part in parts {
                digester.bytes(part);
            }
            digester.finish().to_string()
        };
        assert_eq!(digest(&[b"ab", b"c"]), digest(&[b"ab", b"c"]));
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
        assert_eq!(digest(&[]), "cbf29ce484222325");
    }
}

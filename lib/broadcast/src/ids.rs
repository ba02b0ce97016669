//! The names of things: broadcasts, renditions, segments, formats, digests.
//!
//! Every id is parsed once, at the edge, into one of these types; inside, an id is valid by construction. Nothing
//! here says what an id's holder looks like or where it is kept.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One event by one publisher. A ULID in lower case: 26 characters, URL-safe, sorted by the time of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BroadcastId(ulid::Ulid);

impl BroadcastId {
    /// An id for a broadcast created at `unix_ms` (milliseconds since the Unix epoch); only the low 80 bits of
    /// `random` are used.
    pub fn new(unix_ms: u64, random: u128) -> Self {
        Self(ulid::Ulid::from_parts(unix_ms, random))
    }

    /// When it was made, in milliseconds since the Unix epoch.
    pub fn created_ms(&self) -> u64 {
        self.0.timestamp_ms()
    }
}

impl fmt::Display for BroadcastId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; ulid::ULID_LEN];
        let text = self.0.array_to_str(&mut text);
        text.make_ascii_lowercase();
        f.write_str(text)
    }
}

impl fmt::Debug for BroadcastId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BroadcastId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let id = ulid::Ulid::from_string(text).map(Self).map_err(|_| IdError::broadcast(text))?;
        // One spelling for each id, so that it can serve as a file name and a cache key.
        if id.to_string() == text { Ok(id) } else { Err(IdError::broadcast(text)) }
    }
}

/// One encoded form of a broadcast: `main`, `720p`, `audio`. 1 to 64 of `a-z 0-9 _ -`, not starting with `-`. Shared,
/// since every segment has one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionName(Arc<str>);

impl RenditionName {
    /// The longest name, in bytes.
    pub const LEN_MAX: usize = 64;

    /// The rendition of a sender that names none.
    pub fn main() -> Self {
        Self("main".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RenditionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RenditionName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        let fits = (1..=Self::LEN_MAX).contains(&text.len()) && !text.starts_with('-');
        if fits && text.bytes().all(allowed) { Ok(Self(text.into())) } else { Err(IdError::rendition(text)) }
    }
}

/// The number of a segment within its rendition, given by the publisher at capture, contiguous from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The largest number: over a thousand years of one-second segments, and exact in every JSON reader.
    pub const MAX: Self = Self(1 << 40);

    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seq {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = !text.is_empty() && text.len() <= 13 && text.bytes().all(|b| b.is_ascii_digit());
        let seq = text.parse().map(Self).ok().filter(|seq| digits && *seq <= Self::MAX);
        seq.ok_or_else(|| IdError::seq(text))
    }
}

/// The first 128 bits of the BLAKE3 of some bytes (`b3sum -l 16`): enough to tell a publisher's own segments apart, and
/// several times faster than the SHA-256 of a Content-Digest (RFC 9530), which is verified besides when it was sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// The short form of a whole BLAKE3.
    pub fn of_blake3(hash: &[u8; 32]) -> Self {
        Self(hash[..16].try_into().expect("16 of 32 bytes"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for Digest {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex(text).map(Self).ok_or_else(|| IdError::digest(text))
    }
}

/// Which [`Format`](crate::Format) a segment has: equal ids mean equal tracks, codecs and parameters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormatId(pub [u8; 8]);

impl FormatId {
    /// Segments of one init section are of one format, named after it.
    pub fn of_init(init: &Digest) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(&init.0[..8]);
        Self(id)
    }
}

impl fmt::Display for FormatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for FormatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for FormatId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_hex(text).map(Self).ok_or_else(|| IdError::digest(text))
    }
}

/// A text that is not the id it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

impl IdError {
    fn new(text: &str, expected: &'static str) -> Self {
        let text = text.chars().take(80).collect();
        Self { text, expected }
    }

    fn broadcast(text: &str) -> Self {
        Self::new(text, "a broadcast id (26 characters, digits and lower-case letters)")
    }

    fn rendition(text: &str) -> Self {
        Self::new(text, "a rendition name (1 to 64 of a-z 0-9 _ -)")
    }

    fn seq(text: &str) -> Self {
        Self::new(text, "a segment number (0 to 2^40)")
    }

    fn digest(text: &str) -> Self {
        Self::new(text, "a digest in lower-case hexadecimal")
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Text in JSON and the like, raw bytes in the compact form of the arrival log.
macro_rules! serde_text_or {
    ($id:ty, $raw:ty, $to_raw:expr, $from_raw:expr) => {
        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    return serializer.collect_str(self);
                }
                let to_raw: fn(&$id) -> $raw = $to_raw;
                to_raw(self).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    return String::deserialize(deserializer)?.parse().map_err(de::Error::custom);
                }
                let from_raw: fn($raw) -> Result<$id, IdError> = $from_raw;
                from_raw(<$raw>::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    };
}

serde_text_or!(BroadcastId, u128, |id| id.0.0, |raw| Ok(BroadcastId(ulid::Ulid(raw))));
serde_text_or!(Digest, [u8; 16], |digest| digest.0, |raw| Ok(Digest(raw)));
serde_text_or!(FormatId, [u8; 8], |id| id.0, |raw| Ok(FormatId(raw)));

impl Serialize for RenditionName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RenditionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ReadName)
    }
}

/// Reads a name from where it lies.
struct ReadName;

impl de::Visitor<'_> for ReadName {
    type Value = RenditionName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rendition name")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RenditionName, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcast_ids_sort_by_time_and_have_one_spelling() {
        let early = BroadcastId::new(1_000, u128::MAX);
        let late = BroadcastId::new(1_001, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.to_string().parse(), Ok(late));
        assert!(late.to_string().to_uppercase().parse::<BroadcastId>().is_err());
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for name in ["", ".", "..", "a/b", "Main", "-a", "a b", "ä", &"x".repeat(65)] {
            assert!(name.parse::<RenditionName>().is_err(), "{name}");
        }
        for name in ["main", "720p", "a", "0_-", &"x".repeat(64)] {
            assert_eq!(name.parse::<RenditionName>().map(|n| n.to_string()), Ok(name.to_string()));
        }
    }

    #[test]
    fn seqs_are_plain_digits() {
        for text in ["", "-1", "+1", "1e3", " 1", "99999999999999", "1099511627777"] {
            assert!(text.parse::<Seq>().is_err(), "{text}");
        }
        assert_eq!("1099511627776".parse(), Ok(Seq::MAX));
        assert_eq!("007".parse(), Ok(Seq(7)));
    }

    #[test]
    fn digests_read_back() {
        let digest = Digest(*b"0123456789abcdef");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(serde_json::to_string(&digest).expect("text"), format!("\"{digest}\""));
        assert!("30".parse::<Digest>().is_err());
    }
}

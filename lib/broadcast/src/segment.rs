//! What the arrival log knows of one segment and of its format, and the key under which its bytes are kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{BroadcastId, Digest, FormatId, RenditionName, Seq};
use crate::time::{CapturedAt, MediaDuration, MediaTime, Millis};

/// How a segment's bytes are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// MPEG-2 Transport Stream (RFC 8216bis, 3.1.1).
    Ts,
    /// Fragmented MPEG-4 with an init section (RFC 8216bis, 3.1.2).
    M4s,
}

impl Container {
    pub fn extension(self) -> &'static str {
        match self {
            Self::Ts => "ts",
            Self::M4s => "m4s",
        }
    }

    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension {
            "ts" => Some(Self::Ts),
            "m4s" => Some(Self::M4s),
            _ => None,
        }
    }
}

/// A place inside a segment where its bytes may be split so that each part plays by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Bytes from the segment's start.
    pub offset: u64,
    /// Media from the segment's start.
    pub after: MediaDuration,
}

/// One HLS Media Segment as the log knows it. Its identity is (broadcast, rendition, seq).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub rendition: RenditionName,
    pub seq: Seq,
    pub captured_at: CapturedAt,
    pub duration: MediaDuration,
    pub digest: Digest,
    /// In bytes.
    pub len: u64,
    pub container: Container,
    pub format: FormatId,
    /// The first timestamp of the leading track.
    pub media_start: MediaTime,
    pub keyframe_start: bool,
    /// In order; empty unless the segment is longer than its broadcast's target duration.
    pub cuts: Vec<Cut>,
    /// The media sequence number that a stock pusher gave it, if one sent it.
    pub pushed: Option<u64>,
}

impl Segment {
    /// Where the capture of the next segment begins.
    pub fn captured_end(&self) -> CapturedAt {
        self.captured_at + self.duration.millis()
    }
}

/// What the segments with one [`FormatId`] have in common. A rendition's first segment, and each change of tracks,
/// codecs or parameters, is preceded by one in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    pub rendition: RenditionName,
    pub id: FormatId,
    pub container: Container,
    /// For the CODECS attribute (RFC 6381).
    pub codecs: String,
    pub resolution: Option<Resolution>,
    /// Frames per thousand seconds.
    pub frame_rate_milli: Option<u32>,
    /// The init section, where the container needs one.
    pub init: Option<Init>,
}

/// For the RESOLUTION attribute, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    pub width: u32,
    pub height: u32,
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// The EXT-X-MAP bytes of a fragmented-MP4 rendition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    pub digest: Digest,
    /// In bytes.
    pub len: u64,
}

/// A self-describing storage key: listing the keys is enough to rebuild the metadata.
///
/// ```text
/// {broadcast}/{rendition}/{seq}-{captured_ms}-{duration_ms}-{digest}.ts
/// {broadcast}/{rendition}/{seq}-{captured_ms}-{duration_ms}-{digest}-{format}.m4s
/// {broadcast}/{rendition}/init-{digest}.mp4
/// {broadcast}/broadcast.json
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub broadcast: BroadcastId,
    pub object: Object,
}

/// What a [`Key`] names within its broadcast.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Segment {
        rendition: RenditionName,
        seq: Seq,
        captured_at: CapturedAt,
        duration: Millis,
        digest: Digest,
        container: Container,
        /// Of fragmented MP4: the first half of its init section's digest, without which it says nothing.
        format: Option<FormatId>,
    },
    Init {
        rendition: RenditionName,
        digest: Digest,
    },
    /// The small document that says what no key does: [`Document`](crate::Document) as JSON.
    Document,
}

impl Key {
    pub fn of_segment(broadcast: BroadcastId, segment: &Segment) -> Self {
        let object = Object::Segment {
            rendition: segment.rendition.clone(),
            seq: segment.seq,
            captured_at: segment.captured_at,
            duration: segment.duration.millis(),
            digest: segment.digest,
            container: segment.container,
            format: Some(segment.format).filter(|_| segment.container == Container::M4s),
        };
        Self { broadcast, object }
    }

    pub fn of_init(broadcast: BroadcastId, rendition: RenditionName, digest: Digest) -> Self {
        Self { broadcast, object: Object::Init { rendition, digest } }
    }

    pub fn of_document(broadcast: BroadcastId) -> Self {
        Self { broadcast, object: Object::Document }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let broadcast = self.broadcast;
        match &self.object {
            Object::Segment { rendition, seq, captured_at, duration, digest, container, format } => {
                let (seq, captured_ms, duration_ms) = (seq.0, captured_at.0, duration.0);
                write!(f, "{broadcast}/{rendition}/{seq:013}-{captured_ms:013}-{duration_ms:06}-{digest}")?;
                if let Some(format) = format {
                    write!(f, "-{format}")?;
                }
                write!(f, ".{}", container.extension())
            }
            Object::Init { rendition, digest } => write!(f, "{broadcast}/{rendition}/init-{digest}.mp4"),
            Object::Document => write!(f, "{broadcast}/broadcast.json"),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        parse_key(text).ok_or_else(|| KeyError { text: text.chars().take(200).collect() })
    }
}

fn parse_key(text: &str) -> Option<Key> {
    let (broadcast, rest) = text.split_once('/')?;
    let broadcast = broadcast.parse().ok()?;
    if rest == "broadcast.json" {
        return Some(Key::of_document(broadcast));
    }
    let (rendition, file) = rest.split_once('/')?;
    let rendition = rendition.parse().ok()?;
    if let Some(digest) = file.strip_prefix("init-").and_then(|file| file.strip_suffix(".mp4")) {
        return Some(Key::of_init(broadcast, rendition, digest.parse().ok()?));
    }
    let (stem, extension) = file.rsplit_once('.')?;
    let container = Container::from_extension(extension)?;
    let mut parts = stem.splitn(5, '-');
    let mut part = || parts.next();
    let object = Object::Segment {
        rendition,
        seq: part()?.parse().ok()?,
        captured_at: CapturedAt(part()?.parse().ok()?),
        duration: Millis(part()?.parse().ok()?),
        digest: part()?.parse().ok()?,
        container,
        format: match container {
            Container::Ts => None,
            Container::M4s => Some(part()?.parse().ok()?),
        },
    };
    let key = Key { broadcast, object };
    // One spelling for each key.
    (key.to_string() == text).then_some(key)
}

/// A name in the store that is not a key of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the key of a segment, an init section or a broadcast's document")]
pub struct KeyError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment_key() -> Key {
        let object = Object::Segment {
            rendition: RenditionName::main(),
            seq: Seq(7),
            captured_at: CapturedAt(1_790_000_000_123),
            duration: Millis(2_002),
            digest: Digest([0xab; 16]),
            container: Container::Ts,
            format: None,
        };
        Key { broadcast: BroadcastId::new(1, 2), object }
    }

    fn fragmented_key() -> Key {
        let mut key = segment_key();
        let Object::Segment { container, format, .. } = &mut key.object else { unreachable!("a segment") };
        (*container, *format) = (Container::M4s, Some(FormatId([0xcd; 8])));
        key
    }

    #[test]
    fn keys_describe_themselves_and_read_back() {
        let broadcast = BroadcastId::new(1, 2);
        let init = Key::of_init(broadcast, RenditionName::main(), Digest([1; 16]));
        for key in [segment_key(), fragmented_key(), init, Key::of_document(broadcast)] {
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
        }
        let text = segment_key().to_string();
        assert!(
            text.ends_with("/main/0000000000007-1790000000123-002002-abababababababababababababababab.ts"),
            "{text}"
        );
        assert!(fragmented_key().to_string().ends_with("abababab-cdcdcdcdcdcdcdcd.m4s"), "{}", fragmented_key());
    }

    #[test]
    fn keys_sort_as_their_segments_do() {
        let mut later = segment_key();
        let Object::Segment { seq, .. } = &mut later.object else { unreachable!("a segment") };
        *seq = Seq(1_000_000);
        assert!(segment_key().to_string() < later.to_string());
    }

    #[test]
    fn other_names_are_refused() {
        let good = segment_key().to_string();
        let spelt_otherwise = good.replace("/0000000000007-", "/7-");
        let (with_format, without) = (good.replace(".ts", "-cdcdcdcdcdcdcdcd.ts"), good.replace(".ts", ".m4s"));
        for text in [
            "",
            "x",
            "broadcast.json",
            "../../etc/passwd",
            &good[1..],
            &good[..good.len() - 1],
            &spelt_otherwise,
            &with_format,
            &without,
        ] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }
}

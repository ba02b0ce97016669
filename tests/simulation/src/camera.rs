//! What a phone's encoder makes of a moment: a segment of each rendition, all on one media timeline, which breaks when
//! the encoder starts again, and whose format may change.

use broadcast::{Container, Digest, RenditionName};
use bytes::Bytes;
use testkit::{fmp4, ts};

/// Where MPEG-TS timestamps begin again (2^33 ticks of 90 kHz), in milliseconds.
const WRAP_MS: u64 = (1 << 33) / 90;
/// How far apart timelines begin: further than any of them is long.
const EPOCHS_APART_MS: u64 = 7_000_003;

/// How a broadcast is encoded.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) container: Container,
    pub(crate) renditions: Vec<RenditionName>,
    /// Makes a segment longer: packets, or as many times 188 bytes.
    pub(crate) padding: usize,
    /// Where the first timeline begins.
    pub(crate) base_ms: u64,
}

/// One timeline in one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Counts the timelines and formats of a broadcast.
    pub(crate) number: u64,
    base_ms: u64,
    format: u8,
}

/// A segment, or what it takes to decode it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) bytes: Bytes,
    pub(crate) digest: Digest,
}

impl From<Vec<u8>> for Made {
    fn from(bytes: Vec<u8>) -> Self {
        Self { digest: Digest::of_blake3(blake3::hash(&bytes).as_bytes()), bytes: bytes.into() }
    }
}

impl Form {
    /// The timeline of an encoder that was started as the `number`-th of this broadcast.
    pub(crate) fn epoch(&self, number: u64) -> Epoch {
        Epoch { number, base_ms: (self.base_ms + number * EPOCHS_APART_MS) % WRAP_MS, format: format_of(number) }
    }

    /// What the segments of an epoch need before them.
    pub(crate) fn init(&self, epoch: Epoch) -> Option<Made> {
        match self.container {
            Container::Ts => None,
            Container::M4s => Some(fmp4::init(epoch.format).into()),
        }
    }

    /// A segment that begins so long after its timeline did, unlike all others by its `mark`.
    pub(crate) fn segment(&self, epoch: Epoch, after_ms: u64, duration_ms: u64, mark: u64) -> Made {
        let start_ms = epoch.base_ms + after_ms;
        match self.container {
            Container::Ts => ts::segment(start_ms, duration_ms, mark, self.padding).into(),
            Container::M4s => fmp4::segment(start_ms, duration_ms, mark, self.padding * 188).into(),
        }
    }
}

impl Epoch {
    /// The same timeline goes on in another format.
    pub(crate) fn reformatted(self, number: u64) -> Self {
        Self { number, format: format_of(number), ..self }
    }
}

/// Neighbours have different ones.
fn format_of(number: u64) -> u8 {
    u8::try_from(number % 100).expect("below a hundred")
}

#[cfg(test)]
mod tests {
    use media::{InitSection, Inspector};

    use super::*;

    fn form(container: Container) -> Form {
        Form { container, renditions: vec![RenditionName::main()], padding: 2, base_ms: WRAP_MS - 5_000 }
    }

    #[test]
    fn what_is_made_is_media_of_the_length_that_it_should_have() {
        for container in [Container::Ts, Container::M4s] {
            let form = form(container);
            let epoch = form.epoch(0);
            let init = form.init(epoch).map(|init| InitSection::parse(&init.bytes).expect("an init section"));
            // The second one goes over the end of MPEG-TS time.
            for after_ms in [0, 4_000, 8_000] {
                let mut inspector = init.as_ref().map_or_else(Inspector::mpeg_ts, Inspector::fmp4);
                let made = form.segment(epoch, after_ms, 4_000, 1);
                inspector.push(&made.bytes).expect("media");
                let found = inspector.finish().expect("a segment");
                assert_eq!(found.duration.ticks(), 4_000 * 90, "{container:?}");
                assert!(found.keyframe_start);
            }
        }
    }

    #[test]
    fn another_format_needs_another_init_section() {
        let form = form(Container::M4s);
        let epoch = form.epoch(0);
        let parameters = |epoch| {
            let init = form.init(epoch).expect("fragmented MP4 has one");
            InitSection::parse(&init.bytes).expect("an init section").parameters()
        };
        assert_ne!(parameters(epoch), parameters(epoch.reformatted(1)));
        assert_ne!(parameters(epoch), parameters(form.epoch(1)));
    }
}

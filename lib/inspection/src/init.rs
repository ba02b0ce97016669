//! Init sections, and the formats that they stand for.

use broadcast::{Container, Digest, Format, FormatId, Init, RenditionName};
use media::{InitError, InitSection};

use crate::describe::resolution;

/// An init section that is stored, ready to inspect segments with.
#[derive(Debug)]
pub struct KnownInit {
    pub section: InitSection,
    pub init: Init,
}

impl KnownInit {
    /// Reads the bytes that have this digest.
    pub fn parse(bytes: &[u8], digest: Digest) -> Result<Self, InitError> {
        let section = InitSection::parse(bytes)?;
        Ok(Self { section, init: Init { digest, len: bytes.len() as u64 } })
    }

    pub(crate) fn format_id(&self) -> FormatId {
        FormatId::of_init(&self.init.digest)
    }
}

/// The format that goes with an init section.
pub fn format_of_init(rendition: &RenditionName, known: &KnownInit) -> Format {
    Format {
        rendition: rendition.clone(),
        id: known.format_id(),
        container: Container::M4s,
        codecs: known.section.codecs(),
        resolution: known.section.resolution().map(resolution),
        frame_rate_milli: None,
        init: Some(known.init),
    }
}

//! The text among the files, compressed: once each, however often it is asked for.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use moka::future::Cache;
use service::Tasks;

/// What all of them may take, in bytes. They are a few hundred kilobytes; a build that is changed under a debug binary adds
/// new ones.
const BYTES_MAX: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Compressed(Cache<[u8; 32], Bytes>);

impl Compressed {
    pub(super) fn new() -> Self {
        let weigh = |_: &[u8; 32], bytes: &Bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(BYTES_MAX).weigher(weigh).build())
    }

    /// `bytes` have this digest.
    pub(super) async fn of(&self, digest: [u8; 32], bytes: Bytes) -> Bytes {
        self.0.get_with(digest, Tasks::blocking(move || gzip(&bytes))).await
    }
}

/// Pictures and fonts are compressed already.
pub(super) fn is_worth_it(mime: &str) -> bool {
    let essence = mime.split(';').next().unwrap_or_default();
    essence.starts_with("text/")
        || essence.ends_with("json")
        || matches!(essence, "application/javascript" | "image/svg+xml" | "application/wasm")
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::best());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("writing to memory does not fail").into()
}

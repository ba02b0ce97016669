//! What is on the recorders' disks, looked at from outside.

use std::path::PathBuf;
use std::sync::Arc;

use broadcast::{Digest, Key};

/// The directories of all recorders, and of the hot store.
#[derive(Clone, Debug)]
pub(crate) struct Disks(Arc<Vec<PathBuf>>, bool);

impl Disks {
    pub(crate) fn new(dirs: Vec<PathBuf>, may_lose: bool) -> Self {
        Self(Arc::new(dirs), may_lose)
    }

    /// Whether some of them may be lost for good.
    pub(crate) fn may_lose(&self) -> bool {
        self.1
    }

    /// Whether any of them has this object.
    pub(crate) fn hold(&self, key: &Key) -> bool {
        let name = key.to_string();
        self.0.iter().any(|dir| dir.join("segments").join(&name).exists())
    }

    /// Whether any of them has it, whole.
    pub(crate) fn hold_whole(&self, key: &Key, digest: Digest) -> bool {
        let name = key.to_string();
        let whole = |dir: &PathBuf| {
            let bytes = std::fs::read(dir.join("segments").join(&name));
            bytes.is_ok_and(|bytes| Digest::of_blake3(blake3::hash(&bytes).as_bytes()) == digest)
        };
        self.0.iter().any(whole)
    }
}

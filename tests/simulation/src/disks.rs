//! What is on the recorders' disks, looked at from outside.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broadcast::{BroadcastId, Digest, Key};

use crate::spool::digests_in;

/// The directories of all recorders, and of the hot store.
#[derive(Clone, Debug)]
pub(crate) struct Disks {
    dirs: Arc<Vec<PathBuf>>,
    may_lose: bool,
    lost: Arc<AtomicU64>,
}

impl Disks {
    pub(crate) fn new(dirs: Vec<PathBuf>, may_lose: bool) -> Self {
        Self { dirs: Arc::new(dirs), may_lose, lost: Arc::default() }
    }

    /// Whether some of them may be lost for good.
    pub(crate) fn may_lose(&self) -> bool {
        self.may_lose
    }

    /// One of them is gone for good.
    pub(crate) fn lost_one(&self) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether an object is nowhere, and may have been on one that is gone.
    pub(crate) fn has_lost(&self, key: &Key) -> bool {
        self.lost.load(Ordering::SeqCst) > 0 && !self.hold(key)
    }

    /// Whether any of them has a segment or init section of this digest.
    pub(crate) fn hold_digest(&self, id: BroadcastId, digest: Digest) -> bool {
        let of = |dir: &PathBuf| {
            std::fs::read_dir(dir.join("segments").join(id.to_string())).into_iter().flatten().flatten()
        };
        let mut renditions = self.dirs.iter().flat_map(of).map(|rendition| rendition.path());
        let init = format!("init-{digest}.mp4");
        renditions.any(|rendition| rendition.join(&init).exists() || digests_in(&rendition).contains(&digest))
    }

    /// Whether any of them has this object.
    pub(crate) fn hold(&self, key: &Key) -> bool {
        let name = key.to_string();
        self.dirs.iter().any(|dir| dir.join("segments").join(&name).exists())
    }

    /// Whether any of them has it, whole.
    pub(crate) fn hold_whole(&self, key: &Key, digest: Digest) -> bool {
        let name = key.to_string();
        let whole = |dir: &PathBuf| {
            let bytes = std::fs::read(dir.join("segments").join(&name));
            bytes.is_ok_and(|bytes| Digest::of_blake3(blake3::hash(&bytes).as_bytes()) == digest)
        };
        self.dirs.iter().any(whole)
    }
}

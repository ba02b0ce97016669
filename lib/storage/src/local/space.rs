//! How many bytes are used and how many are promised to open uploads, against the quota and the disk's free space.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
use crate::error::StoreError;

/// What a directory may hold, and what it holds.
#[derive(Debug)]
pub(super) struct Space {
    pub(super) disk: Disk,
    pub(super) root: PathBuf,
    pub(super) quota: Option<u64>,
    pub(super) reserve: u64,
    pub(super) uploads_max: usize,
    pub(super) counts: Mutex<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) used: u64,
    pub(super) promised: u64,
    pub(super) uploads: usize,
}

impl Space {
    /// Sets `len` bytes aside for an upload, or says that there is no room.
    pub(super) fn promise(self: &Arc<Self>, len: u64) -> Result<Promise, StoreError> {
        let free = self.disk_free()?;
        let mut counts = self.counts();
        if counts.uploads >= self.uploads_max {
            return Err(StoreError::Busy { uploads_max: self.uploads_max });
        }
        self.check(&counts, free, len)?;
        counts.promised += len;
        counts.uploads += 1;
        Ok(Promise { space: self.clone(), len })
    }

    /// Notes that a file of `new` bytes took the place of one of `old` bytes; 0 for no file.
    pub(super) fn replaced(&self, old: u64, new: u64) {
        let mut counts = self.counts();
        counts.used = counts.used.saturating_sub(old) + new;
    }

    /// What is left for new uploads.
    pub(super) fn available(&self, counts: &Counts, disk_free: u64) -> u64 {
        let by_quota = self.quota.map_or(u64::MAX, |quota| quota.saturating_sub(counts.used));
        // What open uploads have written already is subtracted twice here, which errs on the safe side.
        by_quota.min(disk_free.saturating_sub(self.reserve)).saturating_sub(counts.promised)
    }

    pub(super) fn disk_free(&self) -> Result<u64, StoreError> {
        self.disk.free(&self.root)
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        // Each change is one assignment: a panic elsewhere leaves nothing half done.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, counts: &Counts, disk_free: u64, needed: u64) -> Result<(), StoreError> {
        let available = self.available(counts, disk_free);
        if needed > available { Err(StoreError::Full { needed, available }) } else { Ok(()) }
    }
}

/// Room that was set aside, until it is dropped.
#[derive(Debug)]
pub(super) struct Promise {
    space: Arc<Space>,
    len: u64,
}

impl Promise {
    /// Makes sure that `len` bytes in all are set aside.
    pub(super) fn cover(&mut self, len: u64) -> Result<(), StoreError> {
        let more = len.saturating_sub(self.len);
        if more > 0 {
            let free = self.space.disk_free()?;
            let mut counts = self.space.counts();
            self.space.check(&counts, free, more)?;
            counts.promised += more;
            self.len += more;
        }
        Ok(())
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let mut counts = self.space.counts();
        counts.promised -= self.len;
        counts.uploads -= 1;
    }
}

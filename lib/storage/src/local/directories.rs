//! Directories that must outlive a power cut: which are durable themselves.
//!
//! Commits that run at the same time each sync their directory. Letting one sync serve all who wait was tried and
//! gained nothing that could be measured (`put-rate`, 16 at a time, ext4: the journal does that already).

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
use crate::error::StoreError;

/// How many durable directories are remembered. One that was forgotten costs syncs, no more.
const DURABLE_MAX: usize = 10_000;

/// The directories under `root`, which is durable itself.
#[derive(Debug)]
pub(super) struct Directories {
    root: PathBuf,
    disk: Disk,
    /// Directories whose names are durable, all the way up. A name leaves the set before or with the directory.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Directories {
    pub(super) fn new(root: PathBuf, disk: Disk) -> Self {
        Self { root, disk, durable: Mutex::default() }
    }

    /// Makes `dir` and what is missing above it. They are not durable yet.
    pub(super) fn make(&self, dir: &Path) -> Result<(), StoreError> {
        // Held throughout, so that nobody takes the new directory for the durable one that it replaces.
        let mut durable = lock(&self.durable);
        for dir in self.way_to(dir) {
            if self.disk.make_dir(dir)? {
                durable.remove(dir);
            }
        }
        Ok(())
    }

    /// Makes what is in `dir` now, and the way to it, durable.
    pub(super) fn sync(&self, dir: &Path) -> Result<(), StoreError> {
        for dir in self.way_to(dir) {
            if !lock(&self.durable).contains(dir) {
                self.disk.sync_dir(dir.parent().expect("a directory under the root has a parent"))?;
                let mut durable = lock(&self.durable);
                if durable.len() >= DURABLE_MAX {
                    durable.clear();
                }
                durable.insert(dir.to_owned());
            }
        }
        self.disk.sync_dir(dir)
    }

    /// Removes `dir`, and what is above it, as far as they are empty. What is directly under the root stays.
    pub(super) fn prune(&self, dir: &Path) -> Result<(), StoreError> {
        let mut durable = lock(&self.durable);
        let mut ways: Vec<&Path> = self.way_to(dir).skip(1).collect();
        while let Some(dir) = ways.pop() {
            if !self.disk.remove_dir_if_empty(dir)? {
                break;
            }
            durable.remove(dir);
        }
        Ok(())
    }

    /// The directories below the root on the way to `dir`, `dir` last.
    fn way_to<'a>(&self, dir: &'a Path) -> impl Iterator<Item = &'a Path> + use<'a> {
        let mut way: Vec<&Path> = dir.ancestors().take_while(|dir| *dir != self.root).collect();
        way.reverse();
        way.into_iter()
    }
}

/// A panic elsewhere leaves at most a directory out, which costs a sync.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

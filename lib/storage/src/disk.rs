//! The few things that the local tier does to the file system, each with its path in the error.
//!
//! All of them block. In tests and simulations a power cut can be set between any two of them (see `crash`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::Path;

use bytes::Bytes;

use crate::error::StoreError;

#[cfg(any(test, feature = "simulation"))]
pub(crate) mod crash;

/// The file system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) crash: crash::Crash,
    /// So that a test need not depend on what others leave free.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) free: Option<u64>,
}

/// What a test may want to know of, and stop before.
#[cfg_attr(not(any(test, feature = "simulation")), expect(dead_code, reason = "only tests look at it"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Write { path: &'a Path },
    SyncFile { path: &'a Path },
    Rename { from: &'a Path, to: &'a Path },
    MakeDir { dir: &'a Path },
    SyncDir { dir: &'a Path },
    Remove,
}

impl Disk {
    pub(crate) fn create(&self, path: &Path) -> Result<File, StoreError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.map_err(|error| StoreError::io("create", path, error))
    }

    /// Writes all of `pieces`, without copying them together.
    pub(crate) fn write(&self, file: &mut File, path: &Path, pieces: &[Bytes]) -> Result<(), StoreError> {
        self.step(Step::Write { path })?;
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        write_all_vectored(file, &mut slices).map_err(|error| StoreError::io("write", path, error))
    }

    pub(crate) fn sync_file(&self, file: &File, path: &Path) -> Result<(), StoreError> {
        self.step(Step::SyncFile { path })?;
        file.sync_data().map_err(|error| StoreError::io("sync", path, error))
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        self.step(Step::Rename { from, to })?;
        fs::rename(from, to).map_err(|error| StoreError::io("rename to", to, error))
    }

    /// Whether it had to be made.
    pub(crate) fn make_dir(&self, dir: &Path) -> Result<bool, StoreError> {
        if dir.is_dir() {
            return Ok(false);
        }
        self.step(Step::MakeDir { dir })?;
        match fs::create_dir(dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("make the directory", dir, error)),
        }
    }

    pub(crate) fn sync_dir(&self, dir: &Path) -> Result<(), StoreError> {
        self.step(Step::SyncDir { dir })?;
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| StoreError::io("sync the directory", dir, error))
    }

    /// The file need not be there.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), StoreError> {
        self.step(Step::Remove)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path, error)),
            _ => Ok(()),
        }
    }

    /// Whether it was an empty directory, and is gone.
    pub(crate) fn remove_dir_if_empty(&self, dir: &Path) -> Result<bool, StoreError> {
        use io::ErrorKind::{DirectoryNotEmpty, NotADirectory};
        self.step(Step::Remove)?;
        match fs::remove_dir(dir) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) if matches!(error.kind(), DirectoryNotEmpty | NotADirectory) => Ok(false),
            Err(error) => Err(StoreError::io("remove the directory", dir, error)),
        }
    }

    /// To be asked before a file is read, which is done elsewhere.
    #[cfg(not(any(test, feature = "simulation")))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests stop here")]
    pub(crate) fn before_read(&self, _: &Path) -> Result<(), StoreError> {
        Ok(())
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn before_read(&self, path: &Path) -> Result<(), StoreError> {
        self.crash.read(path)
    }

    /// The file's length; 0 if it is not there.
    pub(crate) fn len(&self, path: &Path) -> Result<Option<u64>, StoreError> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("look at", path, error)),
        }
    }

    /// Bytes that the file system of `dir` would still give us. It looks this up in memory: no need for a thread of
    /// its own.
    pub(crate) fn free(&self, dir: &Path) -> Result<u64, StoreError> {
        #[cfg(any(test, feature = "simulation"))]
        if let Some(free) = self.free {
            return Ok(free);
        }
        let found = rustix::fs::statvfs(dir);
        let found = found.map_err(|error| StoreError::io("ask for the free space of", dir, error.into()))?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    #[cfg(not(any(test, feature = "simulation")))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests stop here")]
    fn step(&self, _: Step<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    #[cfg(any(test, feature = "simulation"))]
    fn step(&self, step: Step<'_>) -> Result<(), StoreError> {
        self.crash.step(step)
    }
}

/// The most pieces that one call may write (IOV_MAX of Linux).
const SLICES_MAX: usize = 1024;

fn write_all_vectored(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        let batch = slices.len().min(SLICES_MAX);
        match file.write_vectored(&slices[..batch]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

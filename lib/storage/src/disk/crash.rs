//! Disks that fail, for tests and simulations: the power is cut before a chosen step, and what was not synced may be
//! lost; there is no space left; what is synced is not; a file cannot be read.

#![cfg_attr(
    not(feature = "simulation"),
    expect(unreachable_pub, dead_code, reason = "simulations use it from outside")
)]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::Step;
use crate::error::StoreError;

/// What goes wrong with a disk. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Crash(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    steps_left: Option<usize>,
    crashed: bool,
    full: bool,
    lies: bool,
    /// What cannot be read, and all that is under it.
    unreadable: Vec<PathBuf>,
    /// What has not been synced, in the order in which it was done.
    unsynced: Vec<Done>,
}

#[derive(Debug)]
enum Done {
    /// The path is where the file is now.
    Write(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
        /// What was there before.
        replaced: Option<Vec<u8>>,
    },
    MakeDir(PathBuf),
}

/// What a disk may have kept of what it was not told to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Everything,
    /// Names but not contents: what a journalling file system may do.
    Names,
    Nothing,
}

impl Crash {
    /// Stops before the step after `steps` more.
    pub fn after(steps: usize) -> Self {
        let crash = Self::default();
        crash.cut_after(steps);
        crash
    }

    /// Cuts the power before the step after `steps` more.
    pub fn cut_after(&self, steps: usize) {
        self.state().steps_left = Some(steps);
    }

    /// Whether there is no space for anything from now on.
    pub fn fill_up(&self, full: bool) {
        self.state().full = full;
    }

    /// Whether there is no space for anything.
    pub fn is_full(&self) -> bool {
        self.state().full
    }

    /// Whether the disk says from now on that it has synced what it has not.
    pub fn lie(&self, lies: bool) {
        self.state().lies = lies;
    }

    /// Whether a file, or all files in a directory, cannot be read from now on (EIO). They can be looked at and moved.
    pub fn cannot_read(&self, path: &Path, cannot: bool) {
        let unreadable = &mut self.state().unreadable;
        match unreadable.iter().position(|other| other == path) {
            None if cannot => unreadable.push(path.into()),
            Some(at) if !cannot => drop(unreadable.swap_remove(at)),
            _ => {}
        }
    }

    /// Whether all can be read.
    pub fn can_read_all(&self) -> bool {
        self.state().unreadable.is_empty()
    }

    /// Whether the power is gone.
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    pub(super) fn step(&self, step: Step<'_>) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.crashed || state.steps_left == Some(0) {
            state.crashed = true;
            return Err(StoreError::io("go on with", Path::new(""), io::Error::other("the power is gone")));
        }
        if state.full && matches!(step, Step::Write { .. } | Step::SyncFile { .. }) {
            return Err(StoreError::io("write", Path::new(""), io::ErrorKind::StorageFull.into()));
        }
        state.steps_left = state.steps_left.map(|left| left - 1);
        state.note(step);
        Ok(())
    }

    pub(super) fn read(&self, path: &Path) -> Result<(), StoreError> {
        let is_unreadable = self.state().unreadable.iter().any(|unreadable| path.starts_with(unreadable));
        if is_unreadable { Err(StoreError::io("read", path, Errno::IO.into())) } else { Ok(()) }
    }

    /// Makes the files look as a disk may show them when the power is back, which it is from now on.
    pub fn power_back(&self, kept: Kept) {
        let mut state = self.state();
        let unsynced = std::mem::take(&mut state.unsynced);
        (state.steps_left, state.crashed) = (None, false);
        if kept == Kept::Everything {
            return;
        }
        for done in &unsynced {
            if let Done::Write(path) = done {
                tear(path);
            }
        }
        if kept == Kept::Nothing {
            unsynced.iter().rev().for_each(undo);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn note(&mut self, step: Step<'_>) {
        match step {
            Step::Write { path } => self.unsynced.push(Done::Write(path.into())),
            Step::Rename { from, to } => self.note_rename(from, to),
            Step::MakeDir { dir } => self.unsynced.push(Done::MakeDir(dir.into())),
            Step::SyncFile { .. } | Step::SyncDir { .. } if self.lies => {}
            Step::SyncFile { path } => {
                self.unsynced.retain(|done| !matches!(done, Done::Write(written) if written == path));
            }
            Step::SyncDir { dir } => self.unsynced.retain(|done| match done {
                Done::Rename { to: name, .. } | Done::MakeDir(name) => name.parent() != Some(dir),
                Done::Write(_) => true,
            }),
            Step::Remove => {}
        }
    }

    fn note_rename(&mut self, from: &Path, to: &Path) {
        // One that will fail is tried again.
        if !from.exists() || !to.parent().is_some_and(Path::exists) {
            return;
        }
        for done in &mut self.unsynced {
            if let Done::Write(path) = done
                && path == from
            {
                *path = to.into();
            }
        }
        self.unsynced.push(Done::Rename { from: from.into(), to: to.into(), replaced: fs::read(to).ok() });
    }
}

/// What was removed meanwhile stays so.
fn undo(done: &Done) {
    match done {
        Done::Write(_) => {}
        Done::Rename { from, to, replaced } => {
            if fs::rename(to, from).is_ok()
                && let Some(before) = replaced
            {
                let _ = fs::write(to, before);
            }
        }
        Done::MakeDir(dir) => drop(fs::remove_dir_all(dir)),
    }
}

fn tear(path: &Path) {
    let Ok(file) = File::options().write(true).open(path) else { return };
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    // If it cannot be done, the disk has kept it.
    let _ = file.set_len(len / 2);
}

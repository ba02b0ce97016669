//! Power cuts for tests: the disk stops before a chosen step, and what was not synced may be lost.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::Step;
use crate::error::StoreError;

/// Counts steps, and stops the disk before one of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crash(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    steps_left: Option<usize>,
    crashed: bool,
    full: bool,
    done: Vec<Done>,
}

#[derive(Clone, Debug)]
enum Done {
    Write(PathBuf),
    SyncFile(PathBuf),
    Rename { from: PathBuf, to: PathBuf },
    MakeDir(PathBuf),
    SyncDir(PathBuf),
    Remove,
}

/// What a disk may have kept of what it was not told to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    Everything,
    /// Names but not contents: what a journalling file system may do.
    Names,
    Nothing,
}

impl Crash {
    /// Stops before the step after `steps` more.
    pub(crate) fn after(steps: usize) -> Self {
        Self(Arc::new(Mutex::new(State { steps_left: Some(steps), ..State::default() })))
    }

    /// From now on there is no space for anything.
    pub(crate) fn fill_up(&self) {
        self.0.lock().unwrap().full = true;
    }

    pub(crate) fn crashed(&self) -> bool {
        self.0.lock().unwrap().crashed
    }

    pub(super) fn step(&self, step: Step<'_>) -> Result<(), StoreError> {
        let mut state = self.0.lock().unwrap();
        if state.steps_left == Some(0) {
            state.crashed = true;
            return Err(StoreError::io("go on with", Path::new(""), io::Error::other("the power is gone")));
        }
        if state.full && matches!(step, Step::Write { .. } | Step::SyncFile { .. }) {
            return Err(StoreError::io("write", Path::new(""), io::ErrorKind::StorageFull.into()));
        }
        state.steps_left = state.steps_left.map(|left| left - 1);
        state.done.push(match step {
            Step::Write { path } => Done::Write(path.into()),
            Step::SyncFile { path } => Done::SyncFile(path.into()),
            Step::Rename { from, to } => Done::Rename { from: from.into(), to: to.into() },
            Step::MakeDir { dir } => Done::MakeDir(dir.into()),
            Step::SyncDir { dir } => Done::SyncDir(dir.into()),
            Step::Remove => Done::Remove,
        });
        Ok(())
    }

    /// Makes the files look as a disk may show them when the power is back.
    pub(crate) fn power_back(&self, kept: Kept) {
        let done = self.0.lock().unwrap().done.clone();
        let synced = |from: usize, wanted: &dyn Fn(&Done) -> bool| done[from..].iter().any(wanted);
        let mut renamed: HashMap<PathBuf, PathBuf> = HashMap::new();
        for (at, step) in done.iter().enumerate().rev() {
            match (step, kept) {
                (_, Kept::Everything) | (Done::SyncFile(_) | Done::SyncDir(_) | Done::Remove, _) => {}
                (Done::Write(path), _) => {
                    if !synced(at, &|later| matches!(later, Done::SyncFile(synced) if synced == path)) {
                        let mut now = path;
                        while let Some(to) = renamed.get(now) {
                            now = to;
                        }
                        tear(now);
                    }
                }
                // A rename that failed for want of a directory was tried again.
                (Done::Rename { to, .. }, _) if !to.exists() && !renamed.contains_key(to) => {}
                (Done::Rename { from, to }, Kept::Nothing) if !synced(at, &is_sync_of(to)) => {
                    fs::rename(to, from).unwrap();
                }
                (Done::Rename { from, to }, _) => drop(renamed.insert(from.clone(), to.clone())),
                (Done::MakeDir(dir), Kept::Nothing) if !synced(at, &is_sync_of(dir)) => {
                    fs::remove_dir_all(dir).unwrap();
                }
                (Done::MakeDir(_), _) => {}
            }
        }
    }
}

fn is_sync_of(name: &Path) -> impl Fn(&Done) -> bool {
    move |later| matches!(later, Done::SyncDir(dir) if Some(dir.as_path()) == name.parent())
}

fn tear(path: &Path) {
    let Ok(file) = File::options().write(true).open(path) else { return };
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

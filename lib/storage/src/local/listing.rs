//! What is in a directory: walked a piece at a time, on threads that may block, so that a million names cost no memory.

use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};

use broadcast::BroadcastId;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use service::Tasks;

use crate::error::StoreError;
use crate::store::{Listing, Named};

/// How many names are in memory at a time.
const BATCH: usize = 256;

/// How deep our own names go: a broadcast, a rendition, a file.
const DEPTH_MAX: usize = 3;

/// The files under `dir`, read by `parse` from their names relative to it (with `/`) and their lengths in bytes.
pub(super) fn files<T: Send + 'static>(
    dir: PathBuf,
    parse: impl Fn(&str, u64) -> Option<T> + Send + 'static,
) -> Listing<T> {
    batches(Walk::new(dir).map(move |found| {
        let found = found?;
        let ours = found.name.to_str().zip(found.len).and_then(|(name, len)| parse(name, len));
        Ok(ours.map_or_else(|| Named::Foreign(found.name.to_string_lossy().into_owned()), Named::Ours))
    }))
}

/// The broadcasts that `dir` has directories of.
pub(super) fn directories(dir: PathBuf) -> Listing<BroadcastId> {
    let mut entries = None;
    batches(std::iter::from_fn(move || {
        let entries = match &mut entries {
            Some(entries) => entries,
            none => match fs::read_dir(&dir) {
                Ok(opened) => none.insert(opened),
                Err(error) => return Some(Err(StoreError::io("list", &dir, error))),
            },
        };
        let name = match entries.next()? {
            Ok(entry) => entry.file_name(),
            Err(error) => return Some(Err(StoreError::io("list", &dir, error))),
        };
        let ours = name.to_str().and_then(|name| name.parse().ok());
        Some(Ok(ours.map_or_else(|| Named::Foreign(name.to_string_lossy().into_owned()), Named::Ours)))
    }))
}

/// Does something with each name in `dir`.
pub(super) fn each(dir: &Path, act: impl Fn(&Path) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let failed = |error| StoreError::io("list", dir, error);
    fs::read_dir(dir).map_err(failed)?.try_for_each(|entry| act(&entry.map_err(failed)?.path()))
}

/// The length of all files under `dir`, in bytes.
pub(super) fn total_len(dir: &Path) -> Result<u64, StoreError> {
    Walk::new(dir.to_owned()).map(|found| Ok(found?.len.unwrap_or(0))).sum()
}

fn batches<T: Send + 'static>(
    names: impl Iterator<Item = Result<T, StoreError>> + Send + 'static,
) -> futures_util::stream::BoxStream<'static, Result<T, StoreError>> {
    let batches = stream::try_unfold(names, |mut names| async move {
        Tasks::blocking(move || {
            let batch: Vec<T> = names.by_ref().take(BATCH).collect::<Result<_, _>>()?;
            Ok((!batch.is_empty()).then_some((batch, names)))
        })
        .await
    });
    batches.map_ok(|batch| stream::iter(batch.into_iter().map(Ok))).try_flatten().boxed()
}

/// One name that is not a directory of ours.
struct Found {
    /// Relative to where the walk began.
    name: PathBuf,
    /// In bytes; `None` if it is not a plain file.
    len: Option<u64>,
}

/// Goes through a directory and those in it. Directories that are deeper than ours ever are, are found, not entered.
struct Walk {
    root: PathBuf,
    open: Vec<(PathBuf, ReadDir)>,
    begun: bool,
}

impl Walk {
    fn new(root: PathBuf) -> Self {
        Self { root, open: Vec::new(), begun: false }
    }

    fn enter(&mut self, dir: PathBuf) -> Result<(), StoreError> {
        match fs::read_dir(&dir) {
            Ok(entries) => self.open.push((dir, entries)),
            // Removed meanwhile, or never made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("list", &dir, error)),
        }
        Ok(())
    }

    /// `None` if it is a directory, entered now, or has gone meanwhile.
    fn look_at(&mut self, entry: &DirEntry) -> Result<Option<Found>, StoreError> {
        let path = entry.path();
        let found = match entry.metadata() {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("look at", &path, error)),
        };
        if found.is_dir() && self.open.len() < DEPTH_MAX {
            self.enter(path)?;
            return Ok(None);
        }
        let name = path.strip_prefix(&self.root).unwrap_or(&path).to_owned();
        Ok(Some(Found { name, len: found.is_file().then_some(found.len()) }))
    }

    fn step(&mut self) -> Result<Option<Found>, StoreError> {
        if !self.begun {
            self.begun = true;
            self.enter(self.root.clone())?;
        }
        while let Some((dir, entries)) = self.open.last_mut() {
            match entries.next() {
                None => drop(self.open.pop()),
                Some(Err(error)) => {
                    let error = StoreError::io("list", dir, error);
                    self.open.pop();
                    return Err(error);
                }
                Some(Ok(entry)) => {
                    if let Some(found) = self.look_at(&entry)? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }
}

impl Iterator for Walk {
    type Item = Result<Found, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

//! The local tier: a directory of this machine, with files named by their keys.
//!
//! The order of its steps, and what holds between them, is told at the top of this crate.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use futures_util::StreamExt;
use serde::Deserialize;
use service::Tasks;

use crate::blob::Blob;
use crate::disk::Disk;
use crate::error::{OpenError, StoreError};
use crate::hop::Hop;
use crate::store::{Listed, Listing, Store};

use directories::Directories;
use space::{Counts, Space};

mod directories;
mod listing;
mod parked;
mod reader;
mod reading;
mod shared;
mod space;
mod text;
mod upload;

#[cfg(test)]
mod tests;

pub use parked::{Parked, ParkedName, ParkedNameError};
pub use reader::LocalReader;
pub(crate) use shared::SharedDirectory;
pub use upload::Upload;

/// What a directory may hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// The most that segments and parked uploads may take together, in bytes; without it, what the disk has.
    pub quota: Option<u64>,
    /// Free space that is left to others on the same disk, in bytes.
    pub reserve: u64,
    /// The most uploads open at a time. Each holds at most 1 to 2 MiB in memory, see [`Upload`].
    pub uploads_max: usize,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { quota: None, reserve: 256 << 20, uploads_max: 1024 }
    }
}

/// How full a store is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Segments, init sections, documents and parked uploads.
    pub used: u64,
    /// Set aside for open uploads.
    pub promised: u64,
    /// What new uploads may take.
    pub available: u64,
}

/// A directory of objects. Clones share it; it is released when the last is dropped.
#[derive(Clone, Debug)]
pub struct LocalStore(Arc<Local>);

#[derive(Debug)]
struct Local {
    incoming: PathBuf,
    objects: LocalReader,
    parked: PathBuf,
    refused: PathBuf,
    damaged: PathBuf,
    disk: Disk,
    space: Arc<Space>,
    directories: Directories,
    /// Held from looking at what a name holds until something else is there, so that the space is counted right.
    placing: Mutex<()>,
    next_incoming: AtomicU64,
    lock: Lock,
}

impl LocalStore {
    /// Takes `dir`, which is made if need be, for this process alone. Removes what was being received when the last
    /// one stopped, and adds up what is there, which takes about a second for a million objects.
    pub async fn open(dir: &Path, config: StorageConfig) -> Result<Self, OpenError> {
        let dir = dir.to_owned();
        Self::open_on(Disk::default(), dir, config).await
    }

    /// The same on a disk that fails as `crash` says, and of which so much is free, whatever others do.
    #[cfg(feature = "simulation")]
    pub async fn open_on_failing_disk(
        crash: crate::Crash,
        free: u64,
        dir: &Path,
        config: StorageConfig,
    ) -> Result<Self, OpenError> {
        Self::open_on(Disk { crash, free: Some(free) }, dir.to_owned(), config).await
    }

    async fn open_on(disk: Disk, dir: PathBuf, config: StorageConfig) -> Result<Self, OpenError> {
        let local = Tasks::blocking(move || Local::open(disk, &dir, &config)).await?;
        Ok(Self(Arc::new(local)))
    }

    /// Begins to take in an object of `declared` bytes, or of a length not known yet. Fails at once when there is no
    /// room, so that no body needs to be read for nothing.
    pub fn upload(&self, declared: Option<u64>) -> Result<Upload, StoreError> {
        Upload::new(self.0.clone(), declared)
    }

    pub fn usage(&self) -> Result<Usage, StoreError> {
        let space = &self.0.space;
        let free = space.disk_free()?;
        let counts = *space.counts();
        Ok(Usage { used: counts.used, promised: counts.promised, available: space.available(&counts, free) })
    }

    /// The most that it may hold, in bytes, if that is limited.
    pub fn quota(&self) -> Option<u64> {
        self.0.space.quota
    }

    /// Gives a parked upload its key. When this answers, it is durable there. Doing it again changes nothing.
    pub async fn adopt(&self, parked: &Parked, key: &Key) -> Result<(), StoreError> {
        let (local, parked, to) = (self.0.clone(), parked.clone(), self.0.path_of(key));
        Tasks::blocking(move || local.adopt(&parked, &to)).await
    }

    /// Makes an object durable that was found here: whoever placed it may have been cut short before it was.
    pub async fn make_durable(&self, key: &Key) -> Result<(), StoreError> {
        let (local, path) = (self.0.clone(), self.0.path_of(key));
        Tasks::blocking(move || local.directories.sync(parent(&path))).await
    }

    /// Takes an object that was acknowledged and has no place out of the way, into `refused/`, where nobody looks but
    /// people. It need not be there.
    pub async fn set_aside(&self, key: &Key) -> Result<(), StoreError> {
        let (local, from) = (self.0.clone(), self.0.path_of(key));
        let to = self.0.refused.join(key.to_string());
        Tasks::blocking(move || local.set_aside(&from, &to)).await
    }

    /// The same with a parked upload.
    pub async fn set_parked_aside(&self, parked: &Parked) -> Result<(), StoreError> {
        let (local, from) = (self.0.clone(), self.0.path_of_parked(parked));
        let to = self.0.refused.join(parked.to_string());
        Tasks::blocking(move || local.set_aside(&from, &to)).await
    }

    /// Takes an object that is not what its key says out of the way, into `damaged/`: it counts as not there from then on,
    /// and a good one can be put in its place. It need not be there.
    pub async fn set_damaged_aside(&self, key: &Key) -> Result<(), StoreError> {
        let (local, from) = (self.0.clone(), self.0.path_of(key));
        let to = self.0.damaged.join(key.to_string());
        Tasks::blocking(move || local.set_aside(&from, &to)).await
    }

    /// Removes a parked upload that turned out to be of no use; it need not be there.
    pub async fn discard(&self, parked: &Parked) -> Result<(), StoreError> {
        let (local, path) = (self.0.clone(), self.0.path_of_parked(parked));
        Tasks::blocking(move || local.remove(&path)).await
    }

    /// The bytes of a parked upload.
    pub async fn read_parked(&self, parked: &Parked) -> Result<Blob, StoreError> {
        reading::read((&Hop::default(), &self.0.disk), self.0.path_of_parked(parked), None).await
    }

    /// All parked uploads, in no order: acknowledged, and waiting to be adopted or discarded.
    pub fn parked(&self) -> Listing<Parked> {
        listing::files(self.0.parked.clone(), Parked::parse)
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn put(&self, key: &Key, blob: Blob) -> Result<(), StoreError> {
        let mut upload = self.upload(Some(blob.len()))?;
        let mut bytes = blob.into_stream();
        while let Some(piece) = bytes.next().await {
            upload.write(piece?).await?;
        }
        upload.commit(key).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        self.0.objects.read(key, range).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.0.objects.len(key).await
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let (local, path) = (self.0.clone(), self.0.path_of(key));
        Tasks::blocking(move || local.remove(&path)).await
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        self.0.objects.broadcasts()
    }

    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        self.0.objects.list(broadcast)
    }
}

impl Local {
    fn open(disk: Disk, root: &Path, config: &StorageConfig) -> Result<Self, OpenError> {
        let [incoming, segments, parked, refused, damaged] =
            ["incoming", "segments", "parked", "refused", "damaged"].map(|name| root.join(name));
        fs::create_dir_all(root).map_err(|error| StoreError::io("make the directory", root, error))?;
        let lock = Lock::take(root)?;
        for dir in [&incoming, &segments, &parked, &refused, &damaged] {
            disk.make_dir(dir)?;
        }
        disk.sync_dir(root)?;
        tidy(&disk, &incoming, &parked)?;
        let used = listing::total_len(&segments)? + listing::total_len(&parked)?;
        let space = Space {
            disk: disk.clone(),
            root: root.to_owned(),
            quota: config.quota,
            reserve: config.reserve,
            uploads_max: config.uploads_max,
            counts: Mutex::new(Counts { used, ..Counts::default() }),
        };
        Ok(Self {
            incoming,
            objects: LocalReader::of_segments(segments, Hop::default(), disk.clone()),
            parked,
            refused,
            damaged,
            directories: Directories::new(root.to_owned(), disk.clone()),
            disk,
            space: Arc::new(space),
            placing: Mutex::new(()),
            next_incoming: AtomicU64::new(0),
            lock,
        })
    }

    fn path_of(&self, key: &Key) -> PathBuf {
        self.objects.path_of(key)
    }

    fn path_of_parked(&self, parked: &Parked) -> PathBuf {
        self.parked.join(parked.to_string())
    }

    fn new_incoming(&self) -> PathBuf {
        let n = self.next_incoming.fetch_add(1, Ordering::Relaxed);
        self.incoming.join(format!("{}-{n}", self.lock.opened))
    }

    /// Gives the synced file at `from` the name `to`, durably. `new_bytes` is what it adds to the space in use: its
    /// length, or 0 if it was counted before.
    fn place(&self, from: &Path, to: &Path, new_bytes: u64) -> Result<(), StoreError> {
        let placing = self.placing();
        self.rename(from, to, new_bytes)?;
        drop(placing);
        self.directories.sync(parent(to))
    }

    /// The same for a parked upload, whose name is made up here, so that no two share it.
    fn park(&self, from: &Path, name: &ParkedName, len: u64) -> Result<Parked, StoreError> {
        let placing = self.placing();
        let mut parked = Parked::new(name.clone(), len);
        while self.disk.len(&self.path_of_parked(&parked))?.is_some() {
            parked = parked.next().ok_or_else(|| {
                StoreError::io("park another", &self.path_of_parked(&parked), io::ErrorKind::AlreadyExists.into())
            })?;
        }
        let to = self.path_of_parked(&parked);
        self.rename(from, &to, len)?;
        drop(placing);
        self.directories.sync(parent(&to))?;
        Ok(parked)
    }

    fn adopt(&self, parked: &Parked, to: &Path) -> Result<(), StoreError> {
        let from = self.path_of_parked(parked);
        if self.disk.len(&from)?.is_some() {
            self.place(&from, to, 0)?;
            return self.directories.sync(parent(&from));
        }
        // Adopted before, perhaps by a call that was cut short before it had synced.
        if self.disk.len(to)?.is_some() { self.directories.sync(parent(to)) } else { Err(StoreError::NotFound) }
    }

    /// Call it while [`placing`](Self::placing).
    fn rename(&self, from: &Path, to: &Path, new_bytes: u64) -> Result<(), StoreError> {
        let old_bytes = self.disk.len(to)?.unwrap_or(0);
        match self.disk.rename(from, to) {
            Err(error) if error.is_missing() => {
                self.directories.make(parent(to))?;
                self.disk.rename(from, to)?;
            }
            renamed => renamed?,
        }
        self.space.replaced(old_bytes, new_bytes);
        Ok(())
    }

    fn set_aside(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        let len = match self.disk.len(from) {
            Ok(None) => return Ok(()),
            Ok(Some(len)) => len,
            // What the disk cannot even look at may be moved all the same.
            Err(_) => 0,
        };
        self.place(from, to, 0)?;
        self.space.replaced(len, 0);
        self.directories.sync(parent(from))
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        let _placing = self.placing();
        let bytes = self.disk.len(path)?.unwrap_or(0);
        self.disk.remove(path)?;
        self.space.replaced(bytes, 0);
        self.directories.prune(parent(path))
    }

    fn placing(&self) -> MutexGuard<'_, ()> {
        self.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().expect("every name of ours is in a directory")
}

/// The claim to a directory. The system lets go of it when the process ends, however it ends. The file says the pid
/// and how often the directory was opened.
#[derive(Debug)]
struct Lock {
    _file: File,
    /// Sets the names in `incoming/` apart from those that an earlier user of this process may still be removing.
    opened: u64,
}

impl Lock {
    fn take(root: &Path) -> Result<Self, OpenError> {
        let path = root.join("lock");
        let failed = |error| StoreError::io("use the lock file", &path, error);
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(failed)?;
        let locked = file.try_lock();
        let mut text = String::new();
        let said = (&mut file).take(64).read_to_string(&mut text).map(|_| text.lines().map(str::parse::<u64>));
        let mut said = said.map_err(failed)?.map(Result::ok);
        let (pid, opened) = (said.next().flatten(), said.next().flatten());
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { dir: root.to_owned(), pid }),
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        let opened = opened.map_or(0, |before| before.wrapping_add(1));
        let text = format!("{}\n{opened}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all_at(text.as_bytes(), 0)).map_err(failed)?;
        Ok(Self { _file: file, opened })
    }
}

/// Nothing in `incoming` was ever acknowledged, and nobody else is receiving: we hold the lock. Adopting leaves empty
/// directories in `parked`.
fn tidy(disk: &Disk, incoming: &Path, parked: &Path) -> Result<(), StoreError> {
    listing::each(incoming, |leftover| disk.remove(leftover))?;
    listing::each(parked, |dir| disk.remove_dir_if_empty(dir).map(drop))
}

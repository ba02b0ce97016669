//! A directory of objects that any number of processes and machines write to, without a lock: names of what is on its
//! way are random, a rename decides, and directories are never removed, so that one that was durable stays so.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Key};
use bytes::Bytes;
use futures_util::StreamExt;

use super::directories::Directories;
use super::reader::LocalReader;
use super::{listing, parent};
use crate::blob::Blob;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::hop::Hop;
use crate::store::{Listed, Listing, Store};

/// How many calls may be at work at a time: threads that would hang if the file system did.
const CALLS_MAX: usize = 64;
/// How long one call may take: it writes or reads at most a piece.
const CALL_MAX: Duration = Duration::from_secs(30);
/// How much is collected before it is written, in bytes.
const PIECE_LEN: usize = 512 << 10;
/// What somebody was writing this long ago is not going to be finished.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// The directory. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SharedDirectory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    incoming: PathBuf,
    objects: LocalReader,
    disk: Disk,
    directories: Directories,
    hop: Hop,
    /// Sets the names of what this process writes apart from those of all others.
    writer: u128,
    next: AtomicU64,
}

impl SharedDirectory {
    /// Uses `root`, which need not be there yet. `writer` is a random number.
    pub(crate) fn new(root: &Path, writer: u128) -> Self {
        let (disk, hop) = (Disk::default(), Hop::limited(root.display().to_string(), CALLS_MAX, CALL_MAX));
        Self(Arc::new(Shared {
            root: root.to_owned(),
            incoming: root.join("incoming"),
            objects: LocalReader::of_segments(root.join("segments"), hop.clone(), disk.clone()),
            directories: Directories::new(root.to_owned(), disk.clone()),
            disk,
            hop,
            writer,
            next: AtomicU64::new(0),
        }))
    }

    /// Makes sure that it can be written to, and removes what was left half-written long ago.
    pub(crate) async fn prepare(&self) -> Result<(), StoreError> {
        let shared = self.0.clone();
        self.0.hop.run("prepare the directory", move || shared.prepare()).await
    }

    /// Runs one step of a write on another thread.
    async fn step<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = self.0.clone();
        self.0.hop.run("write", move || work(&shared)).await
    }
}

#[async_trait]
impl Store for SharedDirectory {
    async fn put(&self, key: &Key, blob: Blob) -> Result<(), StoreError> {
        let (expected, mut bytes) = (blob.len(), blob.into_stream());
        let mut writing = Writing::new(self.0.clone());
        let (mut pieces, mut collected, mut len) = (Vec::new(), 0, 0);
        while let Some(piece) = bytes.next().await {
            let piece = piece?;
            (collected, len) = (collected + piece.len(), len + piece.len() as u64);
            pieces.push(piece);
            if collected >= PIECE_LEN {
                let pieces = std::mem::take(&mut pieces);
                writing = self.step(move |_| writing.write(&pieces).map(|()| writing)).await?;
                collected = 0;
            }
        }
        if len != expected {
            return Err(StoreError::io("take all of", &self.0.root, io::ErrorKind::UnexpectedEof.into()));
        }
        let to = self.0.objects.path_of(key);
        self.step(move |_| {
            writing.write(&pieces)?;
            writing.place(&to)
        })
        .await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        self.0.objects.read(key, range).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.0.objects.len(key).await
    }

    async fn remove(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.0.objects.path_of(key);
        self.step(move |shared| shared.disk.remove(&path)).await
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        self.0.objects.broadcasts()
    }

    fn list(&self, broadcast: BroadcastId) -> Listing<Listed> {
        self.0.objects.list(broadcast)
    }
}

impl Shared {
    fn prepare(&self) -> Result<(), StoreError> {
        let made = std::fs::create_dir_all(&self.root);
        made.map_err(|error| StoreError::io("make the directory", &self.root, error))?;
        let segments = self.root.join("segments");
        for dir in [&self.incoming, &segments] {
            self.disk.make_dir(dir)?;
        }
        self.disk.sync_dir(&self.root)?;
        // The file system's own time, by which the others are dated.
        let probe = self.new_incoming();
        let made = self.disk.create(&probe)?;
        let now = made.metadata().and_then(|made| made.modified());
        self.disk.remove(&probe)?;
        let now = now.map_err(|error| StoreError::io("look at", &probe, error))?;
        listing::each(&self.incoming, |leftover| {
            let modified = std::fs::metadata(leftover).and_then(|found| found.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > LEFTOVER_AGE) { self.disk.remove(leftover) } else { Ok(()) }
        })
    }

    fn new_incoming(&self) -> PathBuf {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.incoming.join(format!("{:032x}-{n}", self.writer))
    }
}

/// A file in `incoming/`, made when the first bytes are written. Removes itself unless it got its name.
#[derive(Debug)]
struct Writing {
    shared: Arc<Shared>,
    path: PathBuf,
    file: Option<File>,
}

impl Writing {
    fn new(shared: Arc<Shared>) -> Self {
        Self { path: shared.new_incoming(), shared, file: None }
    }

    fn write(&mut self, pieces: &[Bytes]) -> Result<(), StoreError> {
        let Self { shared, path, file } = self;
        let file = match file {
            Some(file) => file,
            none => none.insert(create(shared, path)?),
        };
        shared.disk.write(file, path, pieces)
    }

    /// Makes it durable under its name.
    fn place(mut self, to: &Path) -> Result<(), StoreError> {
        let Self { shared, path, file } = &mut self;
        if let Some(file) = file {
            shared.disk.sync_file(file, path)?;
        }
        match shared.disk.rename(path, to) {
            Err(error) if error.is_missing() => {
                shared.directories.make(parent(to))?;
                shared.disk.rename(path, to)?;
            }
            renamed => renamed?,
        }
        *file = None;
        shared.directories.sync(parent(to))
    }
}

/// The directory itself may have come only now, with its mount.
fn create(shared: &Shared, path: &Path) -> Result<File, StoreError> {
    match shared.disk.create(path) {
        Err(error) if error.is_missing() => {
            shared.prepare()?;
            shared.disk.create(path)
        }
        created => created,
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.file.take().is_some()
            && let Err(error) = self.shared.disk.remove(&self.path)
        {
            tracing::warn!(%error, "leftover of a copy stays for a day");
        }
    }
}

//! An object on its way in: bytes go to a file of no name while they are received, and get their name at the end.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use broadcast::Key;
use bytes::Bytes;
use service::{Blocking, Tasks};

use super::Local;
use super::parked::{Parked, ParkedName};
use super::space::Promise;
use crate::disk::Disk;
use crate::error::StoreError;

/// What is set aside for an upload that does not say how long it will be, in bytes.
const UNDECLARED_LEN: u64 = 1 << 20;

/// The most pieces that are collected before they are written, however small they are.
const PIECES_MAX: usize = 1024;

/// Pieces shorter than this are copied, in bytes. One that comes from a socket keeps the whole buffer that it was read
/// into, of at least 8 KiB: who sends byte by byte would fill the memory with them.
const COPIED_BELOW: usize = 4 << 10;

/// One object being received. Dropping it removes what was written.
///
/// While one piece is being written on a thread that may block, the next is collected: at most two pieces of
/// [`PIECE_LEN`](Self::PIECE_LEN), and what the last [`write`](Self::write) brought, are in memory. That is 1 MiB, or
/// twice that if the pieces come from a socket and fill their buffers by half.
#[derive(Debug)]
pub struct Upload {
    local: Arc<Local>,
    promise: Promise,
    len: u64,
    filling: Vec<Bytes>,
    filling_len: usize,
    file: FileState,
}

#[derive(Debug)]
enum FileState {
    Idle(Incoming),
    Writing(Blocking<Result<Incoming, StoreError>>),
    /// A write failed; the file is gone.
    Lost,
}

impl Upload {
    /// How much is collected before it is written, in bytes: two seconds at 2 Mbit/s, so that such a segment is written,
    /// synced and renamed in one visit to another thread.
    pub const PIECE_LEN: usize = 512 << 10;

    pub(super) fn new(local: Arc<Local>, declared: Option<u64>) -> Result<Self, StoreError> {
        let promise = local.space.promise(declared.unwrap_or(UNDECLARED_LEN))?;
        let file = Incoming { disk: local.disk.clone(), path: local.new_incoming(), file: None };
        Ok(Self { local, promise, len: 0, filling: Vec::new(), filling_len: 0, file: FileState::Idle(file) })
    }

    /// How many bytes came so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the next bytes. Waits while the piece before is still being written. An error of that piece comes out
    /// here or at the end; the upload is of no use then.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.promise.cover(self.len + bytes.len() as u64)?;
        self.len += bytes.len() as u64;
        self.filling_len += bytes.len();
        if !bytes.is_empty() {
            self.filling.push(if bytes.len() < COPIED_BELOW { Bytes::copy_from_slice(&bytes) } else { bytes });
        }
        if self.filling_len < Self::PIECE_LEN && self.filling.len() < PIECES_MAX {
            return Ok(());
        }
        let mut file = self.file().await?;
        let pieces = self.take_filling();
        self.file = FileState::Writing(Tasks::blocking(move || file.write(&pieces).map(|()| file)));
        Ok(())
    }

    /// Makes it durable under `key`. Bytes that are there already under this key are replaced. Once begun, it goes
    /// on even if nobody waits for its answer.
    pub async fn commit(self, key: &Key) -> Result<(), StoreError> {
        let to = self.local.path_of(key);
        self.finish(move |local, from, len| local.place(from, &to, len)).await
    }

    /// Makes it durable before it has a key, see [`LocalStore::adopt`](super::LocalStore::adopt).
    pub async fn park(self, name: &ParkedName) -> Result<Parked, StoreError> {
        let name = name.clone();
        self.finish(move |local, from, len| local.park(from, &name, len)).await
    }

    /// One hop to another thread for all that is left to do.
    async fn finish<T: Send + 'static>(
        mut self,
        place: impl FnOnce(&Local, &Path, u64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut file = self.file().await?;
        let (pieces, local, len) = (self.take_filling(), self.local.clone(), self.len);
        let done = Tasks::blocking(move || {
            file.write(&pieces)?;
            // Frees the memory while the disk works.
            drop(pieces);
            file.sync()?;
            let placed = place(&local, &file.path, len)?;
            file.placed();
            Ok(placed)
        });
        done.await.map_err(|error| self.full(error))
    }

    /// The file, when nobody is writing to it. Until it is put back, the upload counts as lost.
    async fn file(&mut self) -> Result<Incoming, StoreError> {
        if let FileState::Writing(writing) = &mut self.file {
            self.file = match writing.await {
                Ok(file) => FileState::Idle(file),
                Err(error) => {
                    self.file = FileState::Lost;
                    return Err(self.full(error));
                }
            };
        }
        match std::mem::replace(&mut self.file, FileState::Lost) {
            FileState::Idle(file) => Ok(file),
            _ => Err(StoreError::io("go on with", &self.local.incoming, io::Error::other("an earlier write failed"))),
        }
    }

    fn take_filling(&mut self) -> Vec<Bytes> {
        self.filling_len = 0;
        std::mem::take(&mut self.filling)
    }

    /// The disk may be full before the count says so: others write to it too.
    fn full(&self, error: StoreError) -> StoreError {
        match error.kind() {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                let free = self.local.space.disk_free().unwrap_or(0);
                let counts = *self.local.space.counts();
                StoreError::Full { needed: self.len, available: self.local.space.available(&counts, free) }
            }
            _ => error,
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let file = std::mem::replace(&mut self.file, FileState::Lost);
        if let FileState::Idle(file) = file
            && file.file.is_some()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            // Removing a large file takes a while. A file being written removes itself where it is.
            let _nobody_waits = Tasks::blocking(move || drop(file));
        }
    }
}

/// A file in `incoming/`, made when the first bytes are written. Removes itself unless it was renamed.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) disk: Disk,
    pub(super) path: PathBuf,
    pub(super) file: Option<File>,
}

impl Incoming {
    pub(super) fn write(&mut self, pieces: &[Bytes]) -> Result<(), StoreError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(self.disk.create(&self.path)?),
        };
        self.disk.write(file, &self.path, pieces)
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.as_ref().map_or(Ok(()), |file| self.disk.sync_file(file, &self.path))
    }

    /// It has another name now and stays.
    pub(super) fn placed(mut self) {
        self.file = None;
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.file.is_some()
            && let Err(error) = self.disk.remove(&self.path)
        {
            tracing::warn!(%error, "leftover of an upload stays until the next start");
        }
    }
}

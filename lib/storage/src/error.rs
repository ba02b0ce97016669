//! What can go wrong with a store.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why a store did not do what it was asked. Nobody's request is at fault, except for [`NotFound`](Self::NotFound).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("there is nothing under this key")]
    NotFound,
    /// The quota or the disk is used up. Sizes in bytes.
    #[error("the store is full: {needed} bytes needed, {available} available")]
    Full { needed: u64, available: u64 },
    #[error("this store is only read here")]
    ReadOnly,
    #[error("{uploads_max} uploads are open already")]
    Busy { uploads_max: usize },
    #[error("cannot {operation} {}: {source}", path.display())]
    Io { operation: &'static str, path: PathBuf, source: io::Error },
    /// A store elsewhere did not answer, or with a failure of its own.
    #[error("{store} is away: cannot {operation}")]
    Away { store: String, operation: &'static str, source: Box<dyn Error + Send + Sync> },
    /// A store elsewhere will not do this until somebody changes a setting.
    #[error("{store} refuses to {operation}: {advice}")]
    Refused { store: String, operation: &'static str, advice: &'static str, source: Box<dyn Error + Send + Sync> },
    /// Somebody else has put something under this key since it was read.
    #[error("somebody else has written here meanwhile")]
    Changed,
    /// What is under this key cannot be read, though the store it is in is there: a bad sector, or a wrong owner.
    #[error("{key} cannot be read")]
    Unreadable { key: String, source: Box<StoreError> },
    /// What is under this key is not what its digest was made of.
    #[error("{key} is damaged: its bytes are not those that it names")]
    Damaged { key: String },
}

impl StoreError {
    /// Whether the same call may succeed later, when there is room, the disk works again, the store is back, or a setting is right.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::NotFound | Self::ReadOnly | Self::Damaged { .. })
    }

    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source }
    }

    /// Whether a name that was to be used is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.kind() == Some(io::ErrorKind::NotFound)
    }

    pub(crate) fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

/// Why a directory cannot be used as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{} is used by another process{}", dir.display(), pid.map(|pid| format!(", pid {pid}")).unwrap_or_default())]
    Locked { dir: PathBuf, pid: Option<u64> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

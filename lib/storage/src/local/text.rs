//! Small texts beside the segments, for those who use a directory alone and have little to remember.

use std::fs::File;
use std::io::{self, Read};

use bytes::Bytes;
use service::Tasks;

use super::upload::Incoming;
use super::{Local, LocalStore, parent};
use crate::error::StoreError;

/// The longest text, in bytes.
const TEXT_LEN_MAX: u64 = 1 << 20;

impl LocalStore {
    /// Keeps a text under a name directly in the directory, in place of what was there. When this answers, it is durable;
    /// until then the directory has the one or the other, whole. It does not count as used. An error on a disk without
    /// room is [`StoreError::Full`].
    pub async fn keep_text(&self, name: &'static str, text: String) -> Result<(), StoreError> {
        let local = self.0.clone();
        Tasks::blocking(move || local.keep_text(name, &text)).await
    }

    /// What is kept under a name, if anything is.
    pub async fn text(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        let local = self.0.clone();
        Tasks::blocking(move || local.text(name)).await
    }
}

impl Local {
    fn keep_text(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let full = |error: StoreError| match error.kind() {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                StoreError::Full { needed: text.len() as u64, available: self.space.disk_free().unwrap_or(0) }
            }
            _ => error,
        };
        self.replace_text(name, text).map_err(full)
    }

    fn replace_text(&self, name: &str, text: &str) -> Result<(), StoreError> {
        let root = parent(&self.incoming);
        let mut file = Incoming { disk: self.disk.clone(), path: self.new_incoming(), file: None };
        file.write(&[Bytes::copy_from_slice(text.as_bytes())])?;
        file.sync()?;
        self.disk.rename(&file.path, &root.join(name))?;
        file.placed();
        self.disk.sync_dir(root)
    }

    fn text(&self, name: &str) -> Result<Option<String>, StoreError> {
        let path = parent(&self.incoming).join(name);
        let failed = |error| StoreError::io("read", &path, error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let mut text = String::new();
        let len = file.take(TEXT_LEN_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if len as u64 > TEXT_LEN_MAX {
            return Err(failed(io::ErrorKind::FileTooLarge.into()));
        }
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::disk::Disk;
    use crate::disk::crash::{Crash, Kept};
    use crate::local::StorageConfig;

    async fn open(crash: &Crash, dir: &Path) -> LocalStore {
        let disk = Disk { crash: crash.clone(), free: Some(1 << 40) };
        LocalStore::open_on(disk, dir.to_owned(), StorageConfig::default()).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_kept_is_there_again_and_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&Crash::default(), dir.path()).await;
        assert_eq!(store.text("clock").await.unwrap(), None);
        for text in ["one", "another"] {
            store.keep_text("clock", text.to_owned()).await.unwrap();
            assert_eq!(store.text("clock").await.unwrap().as_deref(), Some(text));
        }
        assert_eq!(store.usage().unwrap().used, 0);
        std::fs::write(dir.path().join("clock"), [0xff]).unwrap();
        assert!(store.text("clock").await.is_err());
        std::fs::write(dir.path().join("clock"), vec![b' '; 1 << 20 | 1]).unwrap();
        assert!(store.text("clock").await.is_err());
    }

    #[tokio::test]
    async fn a_disk_without_room_keeps_what_was_there() {
        let (dir, crash) = (tempfile::tempdir().unwrap(), Crash::default());
        let store = open(&crash, dir.path()).await;
        store.keep_text("clock", "before".to_owned()).await.unwrap();
        crash.fill_up(true);
        let said = store.keep_text("clock", "after".to_owned()).await;
        assert!(matches!(said, Err(StoreError::Full { needed: 5, .. })), "{said:?}");
        assert_eq!(store.text("clock").await.unwrap().as_deref(), Some("before"));
    }

    /// The power goes before each of its steps.
    #[tokio::test]
    async fn it_is_the_one_or_the_other_and_the_new_one_once_that_was_said() {
        for kept in [Kept::Everything, Kept::Names, Kept::Nothing] {
            for steps in 0.. {
                let (dir, crash) = (tempfile::tempdir().unwrap(), Crash::default());
                let store = open(&crash, dir.path()).await;
                store.keep_text("clock", "before".to_owned()).await.unwrap();
                crash.cut_after(steps);
                let said = store.keep_text("clock", "after".to_owned()).await;
                drop(store);
                crash.power_back(kept);
                let found = open(&crash, dir.path()).await.text("clock").await.unwrap();
                let found = found.as_deref();
                assert!(
                    found == Some("after") || said.is_err() && found == Some("before"),
                    "{kept:?} {steps} {found:?}"
                );
                if said.is_ok() {
                    assert_eq!(steps, 4);
                    break;
                }
            }
        }
    }
}

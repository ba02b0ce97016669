//! What is remembered of a directory in the spool: the run of each playlist. Durable before anything is pushed that
//! depends on it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use service::Tasks;

use super::run::Run;

#[derive(Clone, Debug)]
pub(super) struct Memory {
    file: PathBuf,
    runs: BTreeMap<String, Run>,
}

impl Memory {
    /// What `file` says, if it is there.
    pub(super) fn open(file: &Path) -> io::Result<Self> {
        let runs = match fs::read(file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { file: file.to_owned(), runs })
    }

    /// The run of a playlist, by its whole path.
    pub(super) fn run(&self, playlist: &str) -> Option<Run> {
        self.runs.get(playlist).copied()
    }

    pub(super) async fn keep(&mut self, playlist: &str, run: Run) -> io::Result<()> {
        if self.run(playlist) == Some(run) {
            return Ok(());
        }
        let mut runs = self.runs.clone();
        runs.insert(playlist.to_owned(), run);
        let (file, text) = (self.file.clone(), serde_json::to_vec(&runs)?);
        Tasks::blocking(move || write(&file, &text)).await?;
        self.runs = runs;
        Ok(())
    }
}

fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    let mut new = File::create(&unfinished)?;
    new.write_all(text)?;
    new.sync_all()?;
    fs::rename(&unfinished, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_there_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("directory.json");
        let run = Run { first: 7, at: 12, newest_ns: 1_790_000_000_123_456_789 };
        let mut memory = Memory::open(&file).expect("opened");
        assert_eq!(memory.run("/a/out.m3u8"), None);
        memory.keep("/a/out.m3u8", run).await.expect("kept");
        assert_eq!(Memory::open(&file).expect("opened").run("/a/out.m3u8"), Some(run));
        fs::write(&file, "{").expect("written");
        assert!(Memory::open(&file).is_err());
    }
}

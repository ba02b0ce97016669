//! An HLS directory that something else writes: ffmpeg to disk, Shaka Packager, GStreamer, a camera's recorder on a
//! mounted share. Each segment is pushed to the local recorder once it is whole, as a stock pusher would have done.
//!
//! It is looked at a few times a second. The kernel could tell of changes (inotify), but not of those that another
//! machine makes on a mounted share, and not without losing some when there are many: looking would be needed all the
//! same, and costs nothing beside a segment every few seconds.
//!
//! What is taken is numbered on, whatever the encoder counts; what the local log has is not taken again, so that a
//! crash at any point takes nothing twice (see [`run`]). Nothing here writes to the directory.

mod files;
mod listing;
mod memory;
mod run;
#[cfg(test)]
mod tests;
mod watched;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use service::{Clock, Tasks};
use tokio::sync::watch;
use tokio::time::Instant;

use files::Found;
use listing::{Listing, Unfit};
use memory::Memory;
use watched::{PLAYLIST_LEN_MAX, Shared, Step, Watched};

/// How often the playlists are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often it is searched for more playlists, once there is one: some packagers name a rendition as soon as they have it, and
/// others later.
const SEARCH_EVERY: Duration = Duration::from_secs(1);
/// What lasts this long is told: before, it may be on its way.
const TROUBLE_AFTER: Duration = Duration::from_secs(5);
/// The most playlists that are watched.
const PLAYLISTS_MAX: usize = 32;

/// Takes what is pushed: the local recorder.
#[async_trait]
pub trait Intake: Send + Sync + fmt::Debug {
    /// PUT of a file to a path below the push address. `written_ms` is when it was written (Unix ms), if that is not
    /// just now.
    async fn push(&self, path: &str, body: Bytes, written_ms: Option<i64>) -> Pushed;

    /// The media sequence number that the next segment of the playlist at this path would go on with, by the local log;
    /// or why that is not known yet.
    async fn next_number(&self, playlist: &str) -> Result<u64, String>;
}

/// What became of a file that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is durable.
    Taken,
    /// It will never be taken.
    Refused(String),
    /// It cannot be taken now.
    Later(String),
}

/// Why a directory cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("{playlist} {unfit}")]
    Unfit { playlist: String, unfit: Unfit },
    #[error("{playlist} cannot be published: {why}")]
    Refused { playlist: String, why: String },
    #[error("{playlist} names more than {PLAYLISTS_MAX} playlists")]
    TooMany { playlist: String },
    #[error("what the spool remembers of the directory cannot be read: {}", file.display())]
    Memory { file: PathBuf, source: io::Error },
}

/// What has come of a directory so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Why nothing is taken now, if something is amiss.
    pub trouble: Option<String>,
    /// Since it was started.
    pub taken_segments: u64,
    /// What the encoder has listed, or counted, and deleted before it was seen.
    pub lost_segments: u64,
    /// What is no media that can be published.
    pub unusable_segments: u64,
}

/// A directory that is watched.
#[derive(Debug)]
pub struct Directory {
    shared: Shared,
    /// The playlist that was asked for; otherwise the directory says.
    playlist: Option<String>,
    memory: Memory,
    watched: Vec<Watched>,
    /// How many of them the local recorder knows.
    mapped: usize,
    /// The one that was asked for names no others.
    is_complete: bool,
    /// When it was last searched for playlists.
    searched: Option<Instant>,
    /// What is waited for, and since when.
    waits: Option<(String, Instant)>,
    status: watch::Sender<Option<Source>>,
}

impl Directory {
    /// The directory and, if one is named, the playlist that an input means: a directory, or a playlist on this
    /// machine, which need not be there yet.
    pub fn place(input: &str) -> Option<(PathBuf, Option<String>)> {
        let path = Path::new(input);
        if path.is_dir() {
            return Some((path.to_owned(), None));
        }
        let name = path.file_name()?.to_str()?;
        let is_playlist = !input.contains("://") && path.extension().is_some_and(|extension| extension == "m3u8");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        (is_playlist && folder.is_dir()).then(|| (folder.to_owned(), Some(name.to_owned())))
    }

    /// Watches a directory. What is to be remembered is kept in the file `memory`, how things stand is told to `status`.
    pub fn open(
        (root, playlist): (PathBuf, Option<String>),
        memory: &Path,
        intake: Arc<dyn Intake>,
        clock: Clock,
        status: watch::Sender<Option<Source>>,
    ) -> Result<Self, DirectoryError> {
        let opened = Memory::open(memory);
        let memory = opened.map_err(|source| DirectoryError::Memory { file: memory.to_owned(), source })?;
        // A mounted directory may be away.
        let root = root.canonicalize().unwrap_or(root);
        status.send_replace(Some(Source::default()));
        Ok(Self {
            shared: Shared { root, intake, clock },
            playlist,
            memory,
            watched: Vec::new(),
            mapped: 0,
            is_complete: false,
            searched: None,
            waits: None,
            status,
        })
    }

    /// Runs until every playlist is closed (EXT-X-ENDLIST) and all that they list was taken. The future may be
    /// dropped at any point, and run again.
    pub async fn run(&mut self) -> Result<(), DirectoryError> {
        loop {
            self.take_all(false).await?;
            if self.is_over() {
                // A playlist may have been named since it was last searched.
                self.take_rest().await?;
                if self.is_over() {
                    return Ok(());
                }
            }
            self.shared.clock.sleep(LOOK_EVERY).await;
        }
    }

    /// Takes what is whole now, also of playlists that were named just now.
    pub async fn take_rest(&mut self) -> Result<(), DirectoryError> {
        self.take_all(true).await
    }

    fn is_over(&self) -> bool {
        let all = self.watched.iter().all(|watched| watched.is_over(&self.shared.root, &self.memory));
        !self.watched.is_empty() && self.mapped == self.watched.len() && all
    }

    async fn take_all(&mut self, at_once: bool) -> Result<(), DirectoryError> {
        let mut waits = self.search(at_once).await?;
        if waits.is_none() {
            waits = self.map().await?;
        }
        let mut has_moved = self.mapped == self.watched.len();
        while has_moved {
            has_moved = false;
            // Taking turns, renditions stay together.
            for nth in 0..self.watched.len() {
                match self.watched[nth].step(&self.shared, &mut self.memory).await? {
                    Step::Idle => {}
                    Step::Waits(why) => waits = Some(why),
                    step => {
                        has_moved = true;
                        self.count(nth, &step);
                    }
                }
            }
        }
        self.tell(waits);
        Ok(())
    }

    fn count(&self, nth: usize, step: &Step) {
        if let Step::Lost(count) = step {
            let playlist = self.watched[nth].path();
            tracing::error!(playlist, count, "segments are lost: the encoder deleted them before they could be taken");
        }
        self.status.send_modify(|status| {
            let status = status.get_or_insert_default();
            match step {
                Step::Taken => status.taken_segments += 1,
                Step::Lost(count) => status.lost_segments += count,
                Step::Unusable => status.unusable_segments += 1,
                Step::Idle | Step::Waits(_) => {}
            }
        });
    }

    /// What has lasted is trouble.
    fn tell(&mut self, waits: Option<String>) {
        let now = self.shared.clock.instant();
        let since = self.waits.take().filter(|(why, _)| waits.as_ref() == Some(why)).map_or(now, |(_, since)| since);
        let trouble = waits.clone().filter(|_| now - since >= TROUBLE_AFTER);
        self.waits = waits.map(|why| (why, since));
        self.status.send_if_modified(|status| {
            let status = status.get_or_insert_default();
            let news = status.trouble != trouble;
            status.trouble = trouble;
            news
        });
    }

    /// Looks for playlists to watch. Answers what is waited for.
    async fn search(&mut self, at_once: bool) -> Result<Option<String>, DirectoryError> {
        let now = self.shared.clock.instant();
        let was_there = self.searched.is_some();
        let was_just_searched = self.searched.is_some_and(|last| !self.watched.is_empty() && now - last < SEARCH_EVERY);
        if self.is_complete || (was_just_searched && !at_once) {
            return Ok(None);
        }
        self.searched = Some(now);
        let (root, playlist) = (self.shared.root.clone(), self.playlist.clone());
        let found = match Tasks::blocking(move || playlists(&root, playlist.as_deref())).await {
            Ok(found) => found,
            Err(error) => return Ok(Some(format!("{}: {error}", self.shared.root.display()))),
        };
        let (mut media, mut unfit) = (Vec::new(), None);
        for (path, text) in found {
            match listing::read(&path, &text) {
                Ok(Some(Listing::Multivariant(named))) => {
                    self.watch(&path, named, was_there)?;
                }
                Ok(Some(Listing::Media(_))) => media.push(path),
                // It will be read again.
                Ok(None) => {}
                Err(why) => unfit = Some(DirectoryError::Unfit { playlist: path, unfit: why }),
            }
        }
        if !self.watched.is_empty() {
            return Ok(None);
        }
        if media.is_empty()
            && let Some(unfit) = unfit
        {
            return Err(unfit);
        }
        match media.len() {
            0 => Ok(Some(format!("waiting for {} in {}", self.wanted(), self.shared.root.display()))),
            1 => {
                let path = media[0].clone();
                self.is_complete = self.playlist.is_some();
                self.watch(&path, media, was_there)?;
                Ok(None)
            }
            _ => Ok(Some(format!(
                "{} has several playlists, and none that names the others (EXT-X-STREAM-INF). Say which one is meant: {}",
                self.shared.root.display(),
                media.join(", ")
            ))),
        }
    }

    fn wanted(&self) -> &str {
        self.playlist.as_deref().unwrap_or("a playlist (*.m3u8)")
    }

    fn watch(&mut self, by: &str, paths: Vec<String>, is_live: bool) -> Result<(), DirectoryError> {
        for path in paths {
            if self.watched.iter().all(|watched| watched.path() != path) {
                self.watched.push(Watched::new(&path, is_live));
            }
        }
        if self.watched.len() > PLAYLISTS_MAX {
            return Err(DirectoryError::TooMany { playlist: by.to_owned() });
        }
        Ok(())
    }

    /// Tells the local recorder which playlists there are, in their order, so that their renditions are named.
    async fn map(&mut self) -> Result<Option<String>, DirectoryError> {
        if self.mapped == self.watched.len() {
            return Ok(None);
        }
        let variants = self.watched.iter().map(|watched| format!("#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n", watched.uri()));
        let text = format!("#EXTM3U\n{}", variants.collect::<String>());
        match self.shared.intake.push("headwater-directory.m3u8", text.into(), None).await {
            Pushed::Taken => {
                self.mapped = self.watched.len();
                Ok(None)
            }
            Pushed::Later(why) => Ok(Some(why)),
            Pushed::Refused(why) => {
                Err(DirectoryError::Refused { playlist: self.shared.root.display().to_string(), why })
            }
        }
    }
}

/// The playlists at the top of a directory, or the one that is asked for, with their text. Those that are being written
/// are left out.
fn playlists(root: &Path, playlist: Option<&str>) -> io::Result<Vec<(String, Bytes)>> {
    let mut names = match playlist {
        Some(playlist) => vec![playlist.to_owned()],
        None => {
            let entries = std::fs::read_dir(root)?;
            let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
            names.filter_map(io::Result::transpose).collect::<io::Result<Vec<_>>>()?
        }
    };
    names.retain(|name| name.ends_with(".m3u8"));
    names.sort();
    let mut found = Vec::new();
    for name in names.into_iter().take(PLAYLISTS_MAX) {
        if let Found::Whole(text, _) = files::read(&root.join(&name), PLAYLIST_LEN_MAX)? {
            found.push((name, text));
        }
    }
    Ok(found)
}

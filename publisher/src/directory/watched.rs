//! One media playlist of a directory, and what of it is taken next.
//!
//! A listed file is whole once its playlist was written after it. One that is newer than the playlist that lists it is
//! being written again, by an encoder that has started again and has not yet said so.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use service::{Clock, Tasks};
use tokio::time::Instant;

use super::files::{self, Found, Written};
use super::listing::{self, Entry, FileName, Listing, MediaListing};
use super::memory::Memory;
use super::run::Run;
use super::{DirectoryError, Intake, Pushed};

/// The longest segment or init section that is read, in bytes.
const FILE_LEN_MAX: u64 = 128 << 20;
/// The longest playlist that is read, in bytes: a day of one-second segments.
pub(super) const PLAYLIST_LEN_MAX: u64 = 8 << 20;
/// For how long a playlist may be written again without looking different: the coarsest file systems count 2 s.
const RACY: Duration = Duration::from_secs(2);
/// How long a listed file may not be there before it is lost. A mounted share may show a new file late.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// What need not be encoded in an address (RFC 3986, 2.3).
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What all playlists of a directory share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) root: PathBuf,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) clock: Clock,
}

/// A media playlist.
#[derive(Debug)]
pub(super) struct Watched {
    path: String,
    /// The version that was read, and when it was first seen.
    version: Option<(Written, Instant)>,
    listing: MediaListing,
    /// Whether the encoder may have started again.
    suspect: bool,
    /// The last that this run has listed, by the encoder's number.
    seen: Option<u64>,
    /// Our number of what is taken next; unknown while something may be on its way.
    next: Option<u64>,
    /// The init section that was pushed last.
    init: Option<(FileName, Written)>,
    /// Since when what is next has not been there.
    absent_since: Option<Instant>,
    /// Whether what is listed next has just been written.
    is_live: bool,
}

/// What came of looking at a playlist once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is nothing to take.
    Idle,
    Waits(String),
    Taken,
    Lost(u64),
    /// The local recorder does not take it, and never will.
    Unusable,
}

/// Why nothing was taken this time.
enum Stop {
    Waits(String),
    Fatal(DirectoryError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Waits(error.to_string())
    }
}

impl From<DirectoryError> for Stop {
    fn from(error: DirectoryError) -> Self {
        Self::Fatal(error)
    }
}

impl Watched {
    /// `is_live` if it was not there before.
    pub(super) fn new(path: &str, is_live: bool) -> Self {
        Self {
            path: path.to_owned(),
            version: None,
            listing: MediaListing::default(),
            suspect: true,
            seen: None,
            next: None,
            init: None,
            absent_since: None,
            is_live,
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Its path as an address.
    pub(super) fn uri(&self) -> String {
        self.path.split('/').map(encode).collect::<Vec<_>>().join("/")
    }

    /// Whether it is closed and all of it was taken.
    pub(super) fn is_over(&self, root: &Path, memory: &Memory) -> bool {
        let run = memory.run(&self.key(root));
        let taken = run.zip(self.next).is_some_and(|(run, next)| {
            !self.suspect && self.listing.entries.iter().all(|entry| !run.is_due(entry, next))
        });
        self.listing.closed && (taken || self.listing.entries.is_empty())
    }

    /// Its name in the memory, which may be of several directories.
    fn key(&self, root: &Path) -> String {
        root.join(&self.path).display().to_string()
    }

    /// Takes the next segment, if there is one.
    pub(super) async fn step(&mut self, shared: &Shared, memory: &mut Memory) -> Result<Step, DirectoryError> {
        match self.try_step(shared, memory).await {
            Ok(step) => Ok(step),
            Err(Stop::Waits(why)) => Ok(Step::Waits(why)),
            Err(Stop::Fatal(error)) => Err(error),
        }
    }

    async fn try_step(&mut self, shared: &Shared, memory: &mut Memory) -> Result<Step, Stop> {
        self.reread(shared).await?;
        let Some((version, _)) = self.version else { return Err(Stop::Waits(format!("waiting for {}", self.path))) };
        let Some(first) = self.listing.entries.first().map(|entry| entry.number) else { return Ok(Step::Idle) };
        let next = self.load_next(shared).await?;
        let key = self.key(&shared.root);
        let known = memory.run(&key);
        let restarted = match known {
            Some(run) => self.restarted(shared, run, next, version).await?,
            None => Some(Run { first, at: next, newest_ns: 0 }),
        };
        let run = restarted.or(known).expect("one of them is there");
        memory.keep(&key, run).await?;
        self.suspect = false;
        let listed = self.listing.entries.last().map(|entry| entry.number);
        if restarted.is_some() {
            // What was still to be taken of the run before was written over.
            let before = std::mem::replace(&mut self.seen, listed);
            let untaken =
                known.zip(before).and_then(|(run, before)| run.ours_of(before)?.checked_sub(next)?.checked_add(1));
            if let Some(count) = untaken.filter(|count| *count > 0) {
                return Ok(Step::Lost(count));
            }
        }
        self.seen = self.seen.max(listed);
        let Some(entry) = self.listing.entries.iter().find(|entry| run.is_due(entry, next)).cloned() else {
            self.is_live = true;
            return Ok(Step::Idle);
        };
        let ours = run.ours(&entry).expect("what is due has a number");
        if ours > next {
            self.next = Some(ours);
            return Ok(Step::Lost(ours - next));
        }
        self.take(shared, memory, run, &entry, version).await
    }

    /// Reads the playlist, if it was written since.
    async fn reread(&mut self, shared: &Shared) -> Result<(), Stop> {
        let (file, now) = (shared.root.join(&self.path), shared.clock.instant());
        let known = self.version;
        let found = Tasks::blocking(move || match files::stat(&file)? {
            Some(written) if known.is_some_and(|(known, since)| known == written && now - since > RACY) => Ok(None),
            _ => files::read(&file, PLAYLIST_LEN_MAX).map(Some),
        });
        let found: io::Result<_> = found.await;
        let Some(Found::Whole(text, written)) = found.map_err(|error| self.trouble(&error))? else { return Ok(()) };
        let unfit = |unfit| DirectoryError::Unfit { playlist: self.path.clone(), unfit };
        let Some(Listing::Media(listing)) = listing::read(&self.path, &text).map_err(unfit)? else { return Ok(()) };
        let last = |listing: &MediaListing| listing.entries.last().map(|entry| entry.number);
        if self.version.is_none_or(|(known, _)| known != written) {
            // One that goes on lists more.
            self.suspect |= last(&listing) <= last(&self.listing);
            self.version = Some((written, now));
        }
        self.listing = listing;
        Ok(())
    }

    async fn load_next(&mut self, shared: &Shared) -> Result<u64, Stop> {
        if let Some(next) = self.next {
            return Ok(next);
        }
        let next = shared.intake.next_number(&self.path).await.map_err(Stop::Waits)?;
        self.next = Some(next);
        Ok(next)
    }

    /// The new run, if the encoder has started again: what was taken under its number is another file now.
    async fn restarted(&self, shared: &Shared, run: Run, next: u64, version: Written) -> Result<Option<Run>, Stop> {
        if !self.suspect {
            return Ok(None);
        }
        let Some(taken) = run.last_taken(&self.listing.entries, next) else { return Ok(None) };
        let Some(written) = self.stat(shared, taken).await? else { return Ok(None) };
        if written.at_ns <= run.newest_ns {
            return Ok(None);
        }
        if written.at_ns > version.at_ns {
            return Err(self.unfinished(&taken.file));
        }
        for entry in &self.listing.entries {
            if self.stat(shared, entry).await?.is_none_or(|written| written.at_ns > run.newest_ns) {
                tracing::info!(playlist = self.path, number = entry.number, "the encoder has started again");
                return Ok(Some(Run { first: entry.number, at: next, newest_ns: run.newest_ns }));
            }
        }
        Ok(None)
    }

    async fn take(
        &mut self,
        shared: &Shared,
        memory: &mut Memory,
        run: Run,
        entry: &Entry,
        version: Written,
    ) -> Result<Step, Stop> {
        let ours = run.ours(entry).expect("what is due has a number");
        let Some((body, written)) = self.read_whole(shared, &entry.file, version).await? else {
            return self.absent(shared, entry, ours);
        };
        self.absent_since = None;
        if let Some(map) = &entry.map {
            self.push_init(shared, map, version).await?;
        }
        let newest_ns = run.newest_ns.max(written.at_ns);
        memory.keep(&self.key(&shared.root), Run { newest_ns, ..run }).await?;
        self.push(shared, &self.path, self.playlist_of(entry, ours).into_bytes(), None).await?;
        let path = self.sibling(&segment_name(&self.path, entry, ours));
        let written_ms = (!self.is_live).then_some(written.at_ms());
        // Until it is answered, nobody knows: this may be dropped meanwhile.
        self.next = None;
        let pushed = shared.intake.push(&path, body, written_ms).await;
        let step = match pushed {
            Pushed::Taken => Step::Taken,
            Pushed::Refused(why) => {
                tracing::error!(file = entry.file.written, why, "a segment is of no use, and is left out");
                Step::Unusable
            }
            Pushed::Later(why) => {
                self.is_live = false;
                return Err(Stop::Waits(why));
            }
        };
        self.next = Some(ours + 1);
        Ok(step)
    }

    /// A file that is not there may be late.
    fn absent(&mut self, shared: &Shared, entry: &Entry, ours: u64) -> Result<Step, Stop> {
        let now = shared.clock.instant();
        let since = *self.absent_since.get_or_insert(now);
        if now - since < LOST_AFTER {
            return Err(Stop::Waits(format!("{} lists {}, which is not there", self.path, entry.file.written)));
        }
        self.next = Some(ours + 1);
        Ok(Step::Lost(1))
    }

    async fn push_init(&mut self, shared: &Shared, map: &FileName, version: Written) -> Result<(), Stop> {
        let Some((body, written)) = self.read_whole(shared, map, version).await? else {
            return Err(Stop::Waits(format!("the init section {} is not there", map.written)));
        };
        if self.init.as_ref() != Some(&(map.clone(), written)) {
            self.push(shared, &self.sibling(&init_name(&self.path)), body.to_vec(), None).await?;
            self.init = Some((map.clone(), written));
        }
        Ok(())
    }

    /// Pushes what a segment needs.
    async fn push(&self, shared: &Shared, path: &str, body: Vec<u8>, written_ms: Option<i64>) -> Result<(), Stop> {
        match shared.intake.push(path, body.into(), written_ms).await {
            Pushed::Taken => Ok(()),
            Pushed::Later(why) => Err(Stop::Waits(why)),
            Pushed::Refused(why) => {
                Err(Stop::Fatal(DirectoryError::Refused { playlist: self.path.clone(), why: format!("{path}: {why}") }))
            }
        }
    }

    /// A file that was whole when its playlist was written; `None` if it is not there.
    async fn read_whole(
        &self,
        shared: &Shared,
        name: &FileName,
        version: Written,
    ) -> Result<Option<(bytes::Bytes, Written)>, Stop> {
        let (root, owned) = (shared.root.clone(), name.clone());
        let found = Tasks::blocking(move || files::read_named(&root, &owned, FILE_LEN_MAX)).await;
        match found.map_err(|error| Stop::Waits(format!("{}: {error}", name.written)))? {
            Found::Whole(body, written) if written.at_ns <= version.at_ns => Ok(Some((body, written))),
            Found::Whole(..) | Found::Changing => Err(self.unfinished(name)),
            Found::Absent => Ok(None),
            Found::TooLong => {
                let why = format!("{} has more than {} MiB", name.written, FILE_LEN_MAX >> 20);
                Err(Stop::Fatal(DirectoryError::Refused { playlist: self.path.clone(), why }))
            }
        }
    }

    async fn stat(&self, shared: &Shared, entry: &Entry) -> Result<Option<Written>, Stop> {
        let (root, name) = (shared.root.clone(), entry.file.clone());
        let found = Tasks::blocking(move || files::stat_named(&root, &name)).await;
        found.map_err(|error| Stop::Waits(format!("{}: {error}", entry.file.written)))
    }

    fn unfinished(&self, name: &FileName) -> Stop {
        let (file, playlist) = (&name.written, &self.path);
        Stop::Waits(format!(
            "{file} was written after {playlist}, which lists it: waiting until {playlist} is written again (if nothing \
             writes here any more, touch it)"
        ))
    }

    fn trouble(&self, error: &io::Error) -> Stop {
        Stop::Waits(format!("{}: {error}", self.path))
    }

    /// The path of a file beside it.
    fn sibling(&self, name: &str) -> String {
        self.path.rsplit_once('/').map_or_else(|| name.to_owned(), |(folder, _)| format!("{folder}/{name}"))
    }

    /// What a stock pusher's playlist would say of this segment, and of no other.
    fn playlist_of(&self, entry: &Entry, ours: u64) -> String {
        let map = entry.map.as_ref().map(|_| format!("#EXT-X-MAP:URI=\"{}\"\n", encode(&init_name(&self.path))));
        format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{ours}\n{}#EXTINF:1,\n{}\n",
            map.unwrap_or_default(),
            encode(&segment_name(&self.path, entry, ours)),
        )
    }
}

/// What a segment is called when it is pushed: the playlist's name and our number, so that no two are called the same.
fn segment_name(playlist: &str, entry: &Entry, ours: u64) -> String {
    let extension = entry.file.decoded.rsplit_once('.').map(|(_, extension)| extension);
    let known = ["ts", "m4s", "mp4", "cmfv", "cmfa", "aac"].into_iter().find(|known| extension == Some(known));
    format!("{}-{ours}.{}", stem(playlist), known.unwrap_or("ts"))
}

fn init_name(playlist: &str) -> String {
    format!("{}-init.mp4", stem(playlist))
}

/// A playlist's name without folder and extension.
fn stem(playlist: &str) -> &str {
    let name = playlist.rsplit_once('/').map_or(playlist, |(_, name)| name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, &ENCODED).to_string()
}

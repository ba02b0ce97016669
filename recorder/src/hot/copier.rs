//! The copier: one task that copies so many segments at a time, and commits what has been copied.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use broadcast::{BroadcastId, Event, Key, Object, RenditionName, SeqRange, SeqSet};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt};
use metadata::{COMMIT_EVENTS_MAX, Followed, MetadataError};
use storage::{Blob, Store, StoreError, verified};
use tokio::time::Instant;

use super::Hot;
use super::backoff::pause_after;
use super::finding::{Standing, standing};
use crate::recorder::Recorder;
use crate::scan::ScanError;

/// When a segment that could not be copied is tried again, if others could.
const ONE_AGAIN: Duration = Duration::from_secs(10);
/// When one that cannot be read is.
const UNREADABLE_AGAIN: Duration = Duration::from_secs(60);
/// How often a long catch-up is told of.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// A catch-up of fewer segments is told of by nobody.
const TELL_FROM: usize = 100;
/// How long the copier rests, at most, when there is nothing to do.
const COMMIT_WAIT_MAX: Duration = Duration::from_secs(60);

/// What became of one segment.
enum Copied {
    /// It is in the hot store.
    There,
    /// Somebody else made it safe.
    Safe,
    /// Not here any more, or nothing that is owed.
    Nothing,
}

type Copy = Pin<Box<dyn Future<Output = (Key, u64, Result<Copied, CopyError>)> + Send>>;
type Commit = Pin<Box<dyn Future<Output = (Vec<(Key, u64)>, SafeCommits)> + Send>>;
/// Looking for what is owed, for as long as logs may take that cannot be read: of which they could not, or why this disk
/// could not be looked at, and whether all of it was to be.
type Look = Pin<Box<dyn Future<Output = (Looked, Result<BTreeSet<BroadcastId>, ScanError>)> + Send>>;

/// What is looked at.
enum Looked {
    All,
    Some(Vec<BroadcastId>),
}

/// What became of the commits that segments are safe. A broadcast that is in none of them is committed.
#[derive(Debug, Default)]
pub(crate) struct SafeCommits {
    /// Of these it cannot be committed at all.
    refused: BTreeSet<BroadcastId>,
    /// The store could not be reached for these: a part of it may be away.
    pub(crate) unreached: BTreeMap<BroadcastId, MetadataError>,
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error("cannot copy to the hot store")]
    Store(#[from] StoreError),
    #[error("cannot read the log")]
    Metadata(#[from] MetadataError),
}

struct Copier {
    recorder: Arc<Recorder>,
    hot: Arc<Hot>,
    copies: FuturesUnordered<Copy>,
    /// Copied, and not committed yet.
    copied: Vec<(Key, u64)>,
    commit: Option<Commit>,
    /// Failures in a row, and until when nothing is tried.
    copy_failures: u32,
    copy_again: Option<Instant>,
    /// The same of each broadcast that could not be committed.
    commit_again: BTreeMap<BroadcastId, (u32, Instant)>,
    look: Option<Look>,
    /// All of this disk is to be looked at.
    look_due: bool,
    /// Whose logs could not be read when the disk was last looked at, and failures in a row, as above.
    unread: BTreeSet<BroadcastId>,
    read_failures: u32,
    read_again: Option<Instant>,
    /// Segments that failed, each with when it is tried again.
    later: Vec<(Instant, Key, u64)>,
    /// Objects here that could not be read: each is told of once. No more than are owed.
    unreadable: BTreeSet<String>,
    told: Instant,
    away: bool,
    /// How often the metadata store had been away when the disk was last looked at.
    breaks: u64,
}

impl Recorder {
    /// Starts what is done beside requests. To be called once, after the start-up scan.
    pub fn start(self: &Arc<Self>) {
        self.spawn("write documents", self.clone().write_documents());
        self.spawn("put back", self.clone().put_back_what_was_lost());
        let Some(hot) = self.hot.clone() else { return };
        let (copying, keeping) = (self.clone().copy_what_is_owed(hot.clone()), self.clone().keep_room(hot));
        self.spawn("copy to the hot store", copying);
        self.spawn("keep room", keeping);
    }

    pub(crate) fn spawn(self: &Arc<Self>, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.tasks.stop_token();
        self.tasks.spawn(name, async move {
            tokio::select! {
                biased;
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
    }

    async fn copy_what_is_owed(self: Arc<Self>, hot: Arc<Hot>) {
        let breaks = self.broadcasts.breaks();
        let told = self.clock.instant();
        let copier = Copier {
            recorder: self,
            hot,
            copies: FuturesUnordered::new(),
            copied: Vec::new(),
            commit: None,
            copy_failures: 0,
            copy_again: None,
            commit_again: BTreeMap::new(),
            look: None,
            look_due: true,
            unread: BTreeSet::new(),
            read_failures: 0,
            read_again: None,
            later: Vec::new(),
            unreadable: BTreeSet::new(),
            told,
            away: false,
            breaks,
        };
        copier.run().await;
    }

    async fn copy_one(self: Arc<Self>, hot: Arc<Hot>, key: Key) -> Result<Copied, CopyError> {
        let followed = match self.broadcasts.get(key.broadcast).await {
            Err(MetadataError::NotFound { .. }) => return Ok(Copied::Nothing),
            followed => followed?,
        };
        match standing(&followed, &key) {
            Standing::Owed => {}
            Standing::Safe if hot.work().lost.contains(&key) => {}
            Standing::Safe => return Ok(Copied::Safe),
            Standing::Nothing => return Ok(Copied::Nothing),
        }
        match self.copy_init_of(&hot, &key).await {
            Err(CopyError::Store(StoreError::NotFound)) if !self.fetch_init_of(&followed, &key).await => {
                tracing::error!(%key, "a stored segment cannot be made safe: its init section is gone from this disk");
                return Ok(Copied::Nothing);
            }
            Err(CopyError::Store(StoreError::NotFound)) => self.copy_init_of(&hot, &key).await?,
            done => done?,
        }
        match self.copy_file(&hot, &key).await {
            Err(CopyError::Store(StoreError::NotFound)) => Ok(Copied::Nothing),
            done => done.map(|()| Copied::There),
        }
    }

    /// A segment of fragmented MP4 is of no use without its init section.
    async fn copy_init_of(&self, hot: &Hot, segment: &Key) -> Result<(), CopyError> {
        let followed = self.broadcasts.get(segment.broadcast).await?;
        let Some((key, len)) = self.init_needed_by(&followed, segment) else { return Ok(()) };
        if self.inits_there.contains_key(&key) {
            return Ok(());
        }
        if hot.store.len(&key).await? != Some(len) {
            self.copy_file(hot, &key).await?;
        }
        self.inits_there.insert(key, ()).await;
        Ok(())
    }

    /// Whether the init section that a segment needs is on this disk now, because somebody else had it.
    async fn fetch_init_of(&self, followed: &Followed, key: &Key) -> bool {
        let Some((needed, _)) = self.init_needed_by(followed, key) else { return false };
        let Object::Init { rendition, digest } = &needed.object else { return false };
        self.inits.invalidate(&(key.broadcast, rendition.clone(), *digest)).await;
        self.known_init(key.broadcast, rendition, *digest).await.is_ok()
    }

    /// What is damaged here is taken out of the way: it counts as not stored here, and whoever has it is told so and may
    /// send it again.
    async fn copy_file(&self, hot: &Hot, key: &Key) -> Result<(), CopyError> {
        let blob = match self.store.read(key, None).await {
            Ok(blob) => blob,
            Err(StoreError::NotFound) => return Err(StoreError::NotFound.into()),
            Err(error) => return Err(unreadable(key, error).into()),
        };
        let done = hot.store.put(key, verified(key, readable(key, blob))).await;
        if let Err(StoreError::Damaged { .. }) = done {
            self.set_damaged_aside(key).await?;
        }
        Ok(done?)
    }

    /// Commits that these are safe: one event for each unbroken range.
    ///
    /// One broadcast that cannot be committed keeps no other waiting.
    pub(crate) async fn commit_safe(&self, segments: &[(Key, u64)]) -> SafeCommits {
        let mut done = SafeCommits::default();
        let mut ranges: BTreeMap<BroadcastId, BTreeMap<&RenditionName, SeqSet>> = BTreeMap::new();
        for (key, _) in segments {
            let Object::Segment { rendition, seq, .. } = &key.object else { continue };
            let renditions = ranges.entry(key.broadcast).or_default();
            renditions.entry(rendition).or_default().insert(SeqRange::one(*seq));
        }
        for (id, renditions) in ranges {
            let of_rendition = |(rendition, seqs): (&RenditionName, SeqSet)| {
                let rendition = rendition.clone();
                let ranges: Vec<SeqRange> = seqs.ranges().collect();
                ranges.into_iter().map(move |seqs| Event::Safe { rendition: rendition.clone(), seqs })
            };
            let events: Vec<Event> = renditions.into_iter().flat_map(of_rendition).collect();
            match self.commit_safe_of(id, &events).await {
                Ok(()) => {}
                Err(error) if error.is_retryable() => drop(done.unreached.insert(id, error)),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(%id, error, "cannot commit that segments are safe");
                    done.refused.insert(id);
                }
            }
        }
        done
    }

    async fn commit_safe_of(&self, id: BroadcastId, events: &[Event]) -> Result<(), MetadataError> {
        let followed = self.broadcasts.get(id).await?;
        for events in events.chunks(COMMIT_EVENTS_MAX) {
            followed.commit(events).await?;
        }
        self.marks.note(&followed, self.broadcasts.breaks_of(id));
        Ok(())
    }
}

impl Copier {
    async fn run(mut self) {
        loop {
            self.take_up_later();
            // What a store that forgets said was not owed may be owed after all.
            let breaks = self.recorder.broadcasts.breaks();
            self.look_due |= std::mem::replace(&mut self.breaks, breaks) != breaks || self.has_forgotten();
            self.start_look();
            self.start_copies();
            self.start_commit();
            self.tell();
            let next = self.next_try();
            let (copier, clock) = (&self.hot.copier, &self.recorder.clock);
            tokio::select! {
                biased;
                Some((key, len, copied)) = self.copies.next() => self.copied(key, len, copied),
                (segments, done) = finished(&mut self.commit) => self.committed(segments, done),
                (looked, found) = finished(&mut self.look) => self.looked(looked, found),
                () = copier.notified() => {}
                () = clock.sleep(next) => {}
            }
        }
    }

    /// Looks for what is owed: on all of this disk, or of those whose logs could not be read. Copying goes on meanwhile.
    fn start_look(&mut self) {
        let waits = self.read_again.is_some_and(|at| at > self.now());
        if self.look.is_some() || waits || !self.look_due && self.unread.is_empty() {
            return;
        }
        let (recorder, hot) = (self.recorder.clone(), self.hot.clone());
        let mut unread: Vec<_> = std::mem::take(&mut self.unread).into_iter().collect();
        self.look = Some(if std::mem::take(&mut self.look_due) {
            Box::pin(async move { (Looked::All, recorder.find_owed(&hot).await) })
        } else {
            // Another one is the first each time: those that cannot be read keep nobody else waiting.
            let first = usize::from(u16::from_le_bytes(self.recorder.random.bytes())) % unread.len();
            unread.rotate_left(first);
            Box::pin(async move {
                let found = recorder.find_owed_among(&hot, &unread).await;
                (Looked::Some(unread), found)
            })
        });
    }

    fn looked(&mut self, looked: Looked, found: Result<BTreeSet<BroadcastId>, ScanError>) {
        self.look = None;
        match (found, looked) {
            (Ok(unread), _) => self.unread = unread,
            (Err(error), looked) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for what is not safe yet");
                match looked {
                    Looked::All => self.look_due = true,
                    Looked::Some(unread) => self.unread = unread.into_iter().collect(),
                }
            }
        }
        if self.unread.is_empty() && !self.look_due {
            (self.read_failures, self.read_again) = (0, None);
        } else {
            self.read_failures = self.read_failures.saturating_add(1);
            self.read_again = Some(self.now() + pause_after(self.read_failures, &self.recorder.random));
            let broadcasts = self.unread.len();
            if self.read_failures == 1 && broadcasts > 0 {
                tracing::warn!(broadcasts, "cannot read yet what is not safe: the metadata store is away");
            }
        }
        let owed = self.hot.work().owed.len();
        if owed > 0 {
            tracing::info!(owed, "segments here are to be copied to the hot store");
        }
        self.hot.room.notify_one();
    }

    /// Whether there was more than could be remembered, and there is room for it now. What is known already stays known.
    fn has_forgotten(&self) -> bool {
        let mut work = self.hot.work();
        work.owed.len() == 0 && work.owed.take_forgot()
    }

    fn now(&self) -> Instant {
        self.recorder.clock.instant()
    }

    /// How long until time alone brings something to do.
    fn next_try(&self) -> Duration {
        let now = self.now();
        let laters = self.later.iter().map(|(at, ..)| *at);
        let commits = self.commit_again.values().map(|(_, at)| *at);
        let others = self.copy_again.into_iter().chain(self.read_again);
        let at = others.chain(commits).chain(laters).filter(|at| *at > now).min();
        at.map_or(COMMIT_WAIT_MAX, |at| at.duration_since(now))
    }

    fn take_up_later(&mut self) {
        let now = self.now();
        for (_, key, len) in self.later.extract_if(.., |(at, ..)| *at <= now) {
            self.hot.work().copy_later(key, len);
        }
    }

    /// While the store is away, it is tried with one segment.
    fn start_copies(&mut self) {
        if self.copy_again.is_some_and(|at| at > self.now()) {
            return;
        }
        let most = if self.copy_failures > 0 { 1 } else { self.recorder.config.hot.copies_max.max(1) };
        while self.copies.len() < most {
            let next = self.hot.work().owed.pop();
            let Some((key, len)) = next else { return };
            let copy = self.recorder.clone().copy_one(self.hot.clone(), key.clone());
            self.copies.push(Box::pin(async move { (key, len, copy.await) }));
        }
    }

    /// All that was copied while the commit before was under way goes with the next.
    fn start_commit(&mut self) {
        let now = self.now();
        let waits = |id: &BroadcastId| self.commit_again.get(id).is_some_and(|(_, at)| *at > now);
        if self.commit.is_some() || self.copied.iter().all(|(key, _)| waits(&key.broadcast)) {
            return;
        }
        let segments: Vec<_> = self.copied.extract_if(.., |(key, _)| !waits(&key.broadcast)).collect();
        let recorder = self.recorder.clone();
        self.commit = Some(Box::pin(async move {
            let done = recorder.commit_safe(&segments).await;
            (segments, done)
        }));
    }

    fn copied(&mut self, key: Key, len: u64, copied: Result<Copied, CopyError>) {
        let metrics = &self.recorder.metrics;
        match copied {
            Ok(Copied::There) => {
                metrics.hot_copied.inc();
                metrics.hot_bytes.inc_by(len);
                self.unreadable.remove(&key.to_string());
                self.copied.push((key, len));
                self.works_again();
            }
            Ok(Copied::Safe) => {
                self.hot.work().settled(&key);
                self.hot.work().deletable.insert(key, len);
            }
            Ok(Copied::Nothing) => self.hot.work().nothing_there(&key),
            Err(CopyError::Store(StoreError::Unreadable { key: name, source })) => {
                metrics.unreadable.inc();
                if self.unreadable.insert(name.clone()) {
                    let error = &*source as &dyn std::error::Error;
                    tracing::error!(
                        key = name,
                        error,
                        "a stored object cannot be read, so it cannot be made safe; look after this disk"
                    );
                }
                self.later.push((self.now() + UNREADABLE_AGAIN, key, len));
            }
            // It has been told of, and nothing is owed any more until it is sent again.
            Err(CopyError::Store(StoreError::Damaged { .. })) => {
                metrics.hot_failures.inc();
                self.hot.work().nothing_there(&key);
            }
            Err(error) => self.failed(key, len, &error),
        }
    }

    fn works_again(&mut self) {
        if std::mem::take(&mut self.away) {
            let owed = self.hot.work().owed.len() + self.later.len();
            tracing::info!(owed, "the hot store is back");
        }
        (self.copy_failures, self.copy_again) = (0, None);
    }

    fn failed(&mut self, key: Key, len: u64, error: &CopyError) {
        if let CopyError::Metadata(_) = error {
            self.later.push((self.now() + ONE_AGAIN, key, len));
            tracing::debug!(error = error as &dyn std::error::Error, "cannot copy yet");
            return;
        }
        self.recorder.metrics.hot_failures.inc();
        self.copy_failures = self.copy_failures.saturating_add(1);
        let (now, pause) = (self.now(), pause_after(self.copy_failures, &self.recorder.random));
        self.copy_again = Some(now + pause);
        self.later.push((now + pause.max(ONE_AGAIN.min(pause * 4)), key, len));
        let error = error as &dyn std::error::Error;
        if self.copy_failures > 1 && !std::mem::replace(&mut self.away, true) {
            tracing::warn!(error, "the hot store is away; segments are kept here and copied when it is back");
        } else {
            tracing::debug!(error, failures = self.copy_failures, "a copy to the hot store failed");
        }
    }

    fn committed(&mut self, segments: Vec<(Key, u64)>, done: SafeCommits) {
        self.commit = None;
        let now = self.now();
        let mut work = self.hot.work();
        for (key, len) in segments {
            if done.unreached.contains_key(&key.broadcast) {
                self.copied.push((key, len));
                continue;
            }
            self.commit_again.remove(&key.broadcast);
            work.settled(&key);
            if !done.refused.contains(&key.broadcast) {
                work.deletable.insert(key, len);
            }
        }
        drop(work);
        for (id, error) in done.unreached {
            let failures = self.commit_again.get(&id).map_or(1, |(failures, _)| failures.saturating_add(1));
            self.commit_again.insert(id, (failures, now + pause_after(failures, &self.recorder.random)));
            tracing::warn!(%id, error = &error as &dyn std::error::Error, "cannot commit yet that segments are safe");
        }
        self.hot.room.notify_one();
    }

    fn tell(&mut self) {
        let owed = self.hot.work().owed.len() + self.later.len() + self.copies.len();
        let metrics = &self.recorder.metrics;
        metrics.hot_owed.set(i64::try_from(owed).unwrap_or(i64::MAX));
        metrics.hot_away.set(i64::from(self.away));
        let now = self.now();
        if owed >= TELL_FROM && !self.away && now.duration_since(self.told) >= TELL_EVERY {
            self.told = now;
            let copied = metrics.hot_copied.get();
            tracing::info!(owed, copied, "catching up with the hot store");
        }
    }
}

/// This disk failed, and not the hot store.
fn unreadable(key: &Key, source: StoreError) -> StoreError {
    StoreError::Unreadable { key: key.to_string(), source: Box::new(source) }
}

fn readable(key: &Key, blob: Blob) -> Blob {
    let (len, key) = (blob.len(), key.clone());
    Blob::new(len, blob.into_stream().map_err(move |error| unreadable(&key, error)))
}

/// The answer of what runs, if something does.
async fn finished<T>(running: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match running {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
}

//! What waits to be told its number, and who waits for it: one [`Pusher`] for each broadcast that is pushed to.
//!
//! Everything that waits is durable; this is only the memory of it, and the start-up scan makes it anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, CapturedAt, Digest, RenditionName};
use bytes::Bytes;
use futures_util::StreamExt;
use inspection::KnownInit;
use media::{Container, Content, SNIFF_LEN};
use metadata::Followed;
use service::Problem;
use storage::{Blob, Parked};
use tokio::sync::{Mutex, Notify, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

use super::closed::Closed;
use super::numbering::{Named, Numbering, split_digits};
use super::{Found, Known, NotTaken, rendition_name};
use crate::capture::CaptureClock;
use crate::commit::{Durable, Source};
use crate::problems;
use crate::recorder::Recorder;
use crate::scan::{digest_of, inspect};

/// How long the memory of a pusher that has gone is kept.
const PUSHER_IDLE: Duration = Duration::from_secs(3_600);
/// Of more, those of whom nothing waits are forgotten sooner, the one that has been idle longest first.
const PUSHERS_MAX: usize = 10_000;
/// How many segments of one broadcast wait; more, and the oldest waits no longer.
const WAITING_MAX: usize = 256;
/// How many may be parked while nothing can be committed; more are refused.
const PARKED_MAX: usize = 10_000;
/// How long one that cannot be read is waited for, and with it every end; then it is set aside.
const UNREADABLE_MAX: Duration = Duration::from_secs(60);
/// How many init sections of one broadcast are held.
const HELD_INITS_MAX: usize = 64;

/// The pushers of a recorder, each with when it was last asked for. One that is in use, or of whom something waits, is not
/// forgotten.
#[derive(Debug, Default)]
pub(crate) struct Pushers(StdMutex<HashMap<BroadcastId, (Arc<Pusher>, Instant)>>);

impl Pushers {
    fn of(&self, id: BroadcastId, now: Instant) -> Arc<Pusher> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pusher, used)) = all.get_mut(&id) {
            *used = now;
            return pusher.clone();
        }
        all.retain(|_, (pusher, used)| now - *used < PUSHER_IDLE || !pusher.is_forgettable());
        if all.len() >= PUSHERS_MAX {
            let forgettable = all.iter().filter(|(_, (pusher, _))| pusher.is_forgettable());
            let oldest = forgettable.min_by_key(|(_, (_, used))| *used).map(|(id, _)| *id);
            oldest.and_then(|id| all.remove(&id));
        }
        let pusher = Arc::<Pusher>::default();
        all.insert(id, (pusher.clone(), now));
        pusher
    }
}

/// What is remembered of whoever pushes to one broadcast.
#[derive(Debug, Default)]
pub(crate) struct Pusher {
    pub(super) state: Mutex<PusherState>,
    /// Held by whoever goes through what waits, so that nothing is at hand for one and out of sight of another.
    settling: Mutex<()>,
    /// Shared by those who park something; held alone by whoever ends the broadcast, so that nothing is acknowledged
    /// that the end then leaves out.
    open: RwLock<()>,
    /// Whether somebody will try again what could not be committed.
    pub(super) retrying: AtomicBool,
    /// Whether somebody puts back what the log may have lost.
    pub(super) making_whole: AtomicBool,
    /// Whose bodies are on their way, by path, and since when: an init section may be replaced by the one that is
    /// coming.
    arriving: StdMutex<BTreeMap<String, Vec<i64>>>,
    /// Told whenever one of them has arrived, or never will.
    has_arrived: Notify,
}

/// An upload on its way, until dropped.
#[derive(Debug)]
pub(super) struct Arriving {
    pusher: Arc<Pusher>,
    path: String,
    since_ms: i64,
}

impl Pusher {
    pub(super) fn arriving(self: &Arc<Self>, path: &str, since_ms: i64) -> Arriving {
        self.lock_arriving().entry(path.to_owned()).or_default().push(since_ms);
        Arriving { pusher: self.clone(), path: path.to_owned(), since_ms }
    }

    fn is_arriving(&self, path: &str) -> bool {
        self.lock_arriving().contains_key(path)
    }

    /// Whether a body is on its way that began before `ms`.
    pub(super) fn is_arriving_since(&self, ms: i64) -> bool {
        self.lock_arriving().values().flatten().any(|since_ms| *since_ms < ms)
    }

    /// Ends when no body is on its way any more that began until `ms`.
    pub(crate) async fn until_arrived(&self, ms: i64) {
        loop {
            let arrived = self.has_arrived.notified();
            if !self.is_arriving_since(ms.saturating_add(1)) {
                return;
            }
            arrived.await;
        }
    }

    /// To be held while something is parked. Refused once the broadcast has ended.
    pub(super) async fn accepting(&self, followed: &Followed) -> Result<RwLockReadGuard<'_, ()>, Problem> {
        let accepting = self.open.read().await;
        if followed.read().is_over() {
            return Err(problems::ENDED.detail("the broadcast has ended; create another one for what follows"));
        }
        Ok(accepting)
    }

    /// Whether nobody has it at hand, and nothing waits here.
    fn is_forgettable(self: &Arc<Self>) -> bool {
        let is_idle = |state: tokio::sync::MutexGuard<'_, PusherState>| {
            state.waiting.is_empty() && state.uncommitted.is_none() && !state.owes_end
        };
        Arc::strong_count(self) == 1 && self.state.try_lock().is_ok_and(is_idle)
    }

    /// Whether one more may be parked.
    pub(super) async fn has_room(&self) -> bool {
        self.state.lock().await.waiting.len() < PARKED_MAX
    }

    /// To be held while the broadcast is ended.
    pub(crate) async fn nothing_parked(&self) -> RwLockWriteGuard<'_, ()> {
        self.open.write().await
    }

    fn lock_arriving(&self) -> MutexGuard<'_, BTreeMap<String, Vec<i64>>> {
        self.arriving.lock().expect("nobody panics while holding it")
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut arriving = self.pusher.lock_arriving();
        let Some(others) = arriving.get_mut(&self.path) else { return };
        if let Some(this) = others.iter().position(|since_ms| *since_ms == self.since_ms) {
            others.swap_remove(this);
        }
        if others.is_empty() {
            arriving.remove(&self.path);
        }
        drop(arriving);
        self.pusher.has_arrived.notify_waiters();
    }
}

#[derive(Debug, Default)]
pub(crate) struct PusherState {
    pub(super) numbering: Numbering,
    pub(super) closed: Closed,
    pub(super) clocks: BTreeMap<RenditionName, CaptureClock>,
    latest: BTreeMap<RenditionName, Latest>,
    /// Init sections by path, until a playlist says whose they are, in the order of their arrival: a pusher that starts
    /// again replaces one while segments may still wait that need it.
    inits: BTreeMap<String, Vec<HeldInit>>,
    /// In the order of their arrival.
    pub(super) waiting: Vec<Waiting>,
    /// What is durable and has its number, but could not be committed: nothing else is numbered before it.
    pub(super) uncommitted: Option<Durable>,
    /// Whether its pusher has closed its playlist, and the log could not be told.
    pub(super) owes_end: bool,
}

/// The last segment of a rendition that was given its number.
#[derive(Clone, Copy, Debug)]
struct Latest {
    arrived_ms: i64,
    /// When its init section arrived, if that is held.
    init_ms: Option<i64>,
}

#[derive(Clone, Debug)]
struct HeldInit {
    bytes: Bytes,
    digest: Digest,
    parked: Parked,
}

impl HeldInit {
    fn arrived_ms(&self) -> i64 {
        self.parked.name().arrived_ms()
    }
}

/// A parked segment whose number, or init section, is not known yet.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) parked: Parked,
    pub(super) digest: Digest,
    pub(super) container: Container,
    /// Since when its file cannot be read.
    unreadable_since: Option<Instant>,
}

impl Waiting {
    pub(super) fn new(parked: Parked, digest: Digest, container: Container) -> Self {
        Self { parked, digest, container, unreadable_since: None }
    }
}

/// What became of a waiting segment whose number is known.
enum Settled {
    Kept,
    /// Its init section is still to come.
    Waits,
    /// Its file cannot be read now.
    Unreadable(Problem),
}

impl PusherState {
    /// Tells which ones are of no use any more.
    fn hold_init(&mut self, held: HeldInit) -> Vec<HeldInit> {
        let path = held.parked.name().path().to_owned();
        self.inits.entry(path.clone()).or_default().push(held);
        let mut useless = self.superseded();
        if self.inits.values().map(Vec::len).sum::<usize>() > HELD_INITS_MAX {
            let others = self.inits.iter().filter(|(other, held)| **other != path || held.len() > 1);
            let oldest = others.min_by_key(|(_, held)| held.first().map(HeldInit::arrived_ms));
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                let held = self.inits.get_mut(&oldest).expect("it was found there");
                useless.push(held.remove(0));
                self.inits.retain(|_, held| !held.is_empty());
            }
        }
        useless
    }

    /// Takes those away that were replaced, unless something waits that may need them.
    fn superseded(&mut self) -> Vec<HeldInit> {
        if !self.waiting.is_empty() {
            return Vec::new();
        }
        self.inits.values_mut().flat_map(|held| held.drain(..held.len() - 1)).collect()
    }

    /// The init section at `path` that a segment needs which arrived at this moment: the last before it or, if it
    /// overtook all of them, the first. None that arrived before `from_ms`.
    fn init_at(&self, path: &str, arrived_ms: i64, from_ms: i64) -> Option<&HeldInit> {
        let mut held = self.inits.get(path)?.iter().filter(|held| held.arrived_ms() >= from_ms);
        held.clone().rfind(|held| held.arrived_ms() <= arrived_ms).or_else(|| held.next())
    }

    /// The earliest arrival of the init section that a segment may have: that of the segment before it or, if its pusher
    /// has started again, something that came after the former run.
    fn init_from_ms(&self, broadcast: &Broadcast, named: &Named, arrived_ms: i64) -> Option<i64> {
        let latest = self.latest.get(&named.rendition)?;
        if self.numbering.starts_again(broadcast, named, CapturedAt(arrived_ms)) {
            return Some(latest.arrived_ms.saturating_add(1));
        }
        latest.init_ms
    }

    pub(super) fn note_latest(&mut self, known: &Known, arrived_ms: i64) {
        self.latest.insert(known.named.rendition.clone(), Latest { arrived_ms, init_ms: known.init_ms });
    }

    /// What a waiting segment is: by a playlist, by its digits or, when it has waited long enough, by a guess.
    fn name(&self, waiting: &Waiting, overdue: bool) -> Option<Named> {
        let path = waiting.parked.name().path();
        let named = self.numbering.named(path).cloned().or_else(|| self.numbering.by_digits(path));
        named.or_else(|| overdue.then(|| self.guess(path)))
    }

    fn guess(&self, path: &str) -> Named {
        let folder = path.rsplit_once('/').map(|(folder, _)| folder);
        let rendition = folder.map_or_else(RenditionName::main, rendition_name);
        let number = match split_digits(path) {
            Some((_, digits)) => digits,
            None => self.numbering.next_of(&rendition),
        };
        let same_folder = |other: &&String| other.rsplit_once('/').map(|(folder, _)| folder) == folder;
        Named { rendition, number, map: self.inits.keys().rfind(same_folder).cloned() }
    }
}

impl Recorder {
    /// Whoever pushes to this broadcast.
    pub(crate) fn pusher_of(&self, id: BroadcastId) -> Arc<Pusher> {
        self.pushers.of(id, self.clock.instant())
    }

    /// Commits a segment that has just been parked if its name is known, or when it has waited long enough.
    pub(super) async fn settle_parked(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>) {
        self.metrics.parked.inc();
        self.settle(followed, pusher).await;
        self.settle_later(followed, pusher, self.config.unnamed_wait());
    }

    /// Holds an init section until it is known whose it is.
    pub(super) async fn hold_init(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        parked: Parked,
        bytes: Bytes,
        digest: Digest,
        arriving: Option<Arriving>,
    ) {
        let useless = pusher.state.lock().await.hold_init(HeldInit { bytes, digest, parked });
        drop(arriving);
        for old in useless {
            self.discard(&old.parked).await;
        }
        self.settle(followed, pusher).await;
    }

    /// An init section that a playlist names, filed under its rendition.
    async fn held_init(&self, id: BroadcastId, held: HeldInit, rendition: &RenditionName) -> Option<Arc<KnownInit>> {
        let HeldInit { bytes, digest, parked } = held;
        match self.keep_init(id, rendition, bytes, digest).await {
            Ok(known) => Some(known),
            Err(problem) => {
                tracing::warn!(%id, path = parked.name().path(), problem = %problem.to_json(), "cannot use a pushed init section");
                None
            }
        }
    }

    /// Commits every waiting segment of a broadcast that is about to end: by a guess, where nothing better is known.
    pub(crate) async fn settle_all(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
    ) -> Result<(), Problem> {
        self.settle_due(followed, pusher, i64::MAX).await
    }

    /// Commits every waiting segment whose number is known, in the order of arrival.
    pub(super) async fn settle(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>) {
        let due_ms = self.now_ms() - i64::from(self.config.unnamed_wait_ms);
        if let Err(problem) = self.settle_due(followed, pusher, due_ms).await {
            let (id, problem) = (followed.id(), problem.to_json());
            // As at each start, until the log has been looked through.
            if self.is_whole(id) {
                tracing::warn!(%id, %problem, "cannot commit what was pushed yet");
            } else {
                tracing::debug!(%id, %problem, "what was pushed waits for the log");
            }
            self.settle_when_back(followed, pusher);
        }
    }

    /// What arrived until `due_ms` waits no longer for a playlist that names it.
    async fn settle_due(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        due_ms: i64,
    ) -> Result<(), Problem> {
        let _settling = pusher.settling.lock().await;
        self.catch_up(followed, &mut *pusher.state.lock().await).await?;
        let (mut passed, mut unreadable) = (0, None);
        while let Some((waiting, named, overdue)) = self.next_ready(pusher, due_ms, &mut passed).await {
            let id = followed.id();
            match self.commit_waiting(followed, pusher, &waiting, (named, overdue)).await {
                Ok(Settled::Kept) => self.metrics.parked.dec(),
                Ok(Settled::Waits) => self.wait_on(pusher, waiting, &mut passed).await,
                // It may be about this one alone, and keeps no other waiting.
                Ok(Settled::Unreadable(problem)) => {
                    if let Some(waiting) = self.still_unreadable(waiting, &problem).await {
                        pusher.state.lock().await.waiting.insert(passed, waiting);
                        passed += 1;
                        unreadable = unreadable.or(Some(problem));
                    }
                }
                Err(problem) if problem.status().is_server_error() => {
                    pusher.state.lock().await.waiting.insert(passed, waiting);
                    return Err(problem);
                }
                Err(problem) => {
                    let path = waiting.parked.name().path();
                    tracing::warn!(%id, path, problem = %problem.to_json(), "a parked upload cannot be taken in");
                    self.metrics.parked.dec();
                    self.put_away(&waiting.parked, &problem).await;
                }
            }
        }
        let superseded = pusher.state.lock().await.superseded();
        for init in superseded {
            self.discard(&init.parked).await;
        }
        unreadable.map_or(Ok(()), Err)
    }

    /// One whose file cannot be read now; nothing, if that has been so for too long, and it is set aside.
    async fn still_unreadable(&self, mut waiting: Waiting, problem: &Problem) -> Option<Waiting> {
        let now = self.clock.instant();
        let since = *waiting.unreadable_since.get_or_insert(now);
        if now - since < UNREADABLE_MAX {
            return Some(waiting);
        }
        tracing::error!(parked = %waiting.parked, problem = %problem.to_json(), "an acknowledged upload cannot be read; it is in refused/");
        self.metrics.parked.dec();
        self.set_parked_aside(&waiting.parked).await;
        None
    }

    /// Puts a segment that cannot be used yet back in its place; the oldest of too many waits for the next start.
    async fn wait_on(&self, pusher: &Pusher, waiting: Waiting, passed: &mut usize) {
        let mut state = pusher.state.lock().await;
        if state.waiting.len() < WAITING_MAX {
            state.waiting.insert(*passed, waiting);
            *passed += 1;
            return;
        }
        drop(state);
        tracing::warn!(parked = %waiting.parked, "the init section of a pushed segment has not come");
        self.metrics.parked.dec();
    }

    /// Takes the next waiting segment that can be named, and tells whether it has waited long enough; `passed` counts
    /// those that cannot.
    async fn next_ready(&self, pusher: &Pusher, due_ms: i64, passed: &mut usize) -> Option<(Waiting, Named, bool)> {
        let mut state = pusher.state.lock().await;
        while let Some(waiting) = state.waiting.get(*passed) {
            let overdue = waiting.parked.name().arrived_ms() <= due_ms || state.waiting.len() > WAITING_MAX;
            if let Some(named) = state.name(waiting, overdue) {
                return Some((state.waiting.remove(*passed), named, overdue));
            }
            *passed += 1;
        }
        None
    }

    async fn commit_waiting(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        waiting: &Waiting,
        (named, overdue): (Named, bool),
    ) -> Result<Settled, Problem> {
        let arrived_ms = waiting.parked.name().arrived_ms();
        let known = self.with_init(followed, pusher, named, (arrived_ms, overdue)).await;
        let Some(inspector) = known.inspector(waiting.container) else { return Ok(Settled::Waits) };
        let read = self.store.read_parked(&waiting.parked).await.map_err(problems::of_store);
        let inspected = match read {
            Ok(blob) => inspect(blob, inspector).await,
            Err(problem) => Err(problem),
        };
        let inspection = match inspected {
            Ok(inspection) => inspection,
            Err(problem) if problem.status().is_server_error() => return Ok(Settled::Unreadable(problem)),
            Err(problem) => return Err(problem),
        };
        let found = Found { digest: waiting.digest, len: waiting.parked.len(), inspection, arrived_ms };
        let source = Source::Parked(waiting.parked.clone());
        self.number_and_keep(followed, pusher, &known, found, source).await.map_err(NotTaken::problem)?;
        // What was there already has left its copy behind.
        self.discard(&waiting.parked).await;
        Ok(Settled::Kept)
    }

    /// Adds the init section that a named segment needs, if it is known. A pusher that starts again sends another one
    /// to the same path, and its first segments may overtake it: they wait, until they are overdue.
    pub(super) async fn with_init(
        &self,
        followed: &Followed,
        pusher: &Pusher,
        named: Named,
        (arrived_ms, overdue): (i64, bool),
    ) -> Known {
        if named.map.as_deref().is_some_and(|path| pusher.is_arriving(path)) {
            return Known { named, init: None, init_ms: None };
        }
        let held = {
            let state = pusher.state.lock().await;
            let from_ms = state.init_from_ms(&followed.read(), &named, arrived_ms);
            let held = |from_ms| state.init_at(named.map.as_deref()?, arrived_ms, from_ms).cloned();
            match (held(from_ms.unwrap_or(i64::MIN)), held(i64::MIN)) {
                (None, Some(_)) if !overdue => return Known { named, init: None, init_ms: None },
                (None, former) => former,
                (own, _) => own,
            }
        };
        let init_ms = held.as_ref().map(HeldInit::arrived_ms);
        let held = match held {
            Some(held) => self.held_init(followed.id(), held, &named.rendition).await,
            None => None,
        };
        let init = match held {
            Some(init) => Some(init),
            None => self.stored_init(followed, &named.rendition).await,
        };
        Known { named, init, init_ms }
    }

    /// What was acknowledged and refused: what is no media at all is removed, what came too late for ever is for people to look
    /// at, and for all else the next start tries again.
    async fn put_away(&self, parked: &Parked, problem: &Problem) {
        if problem.kind() == problems::NOT_MEDIA {
            return self.discard(parked).await;
        }
        if problem.kind() != problems::ENDED && problem.kind() != problems::ABANDONED {
            return;
        }
        tracing::error!(%parked, "an acknowledged upload has no place in its broadcast; it is in refused/");
        self.set_parked_aside(parked).await;
    }

    async fn set_parked_aside(&self, parked: &Parked) {
        if let Err(error) = self.store.set_parked_aside(parked).await {
            tracing::warn!(%parked, error = &error as &dyn std::error::Error, "cannot set it aside");
        }
    }

    async fn discard(&self, parked: &Parked) {
        if let Err(error) = self.store.discard(parked).await {
            tracing::warn!(%parked, error = &error as &dyn std::error::Error, "cannot remove a parked upload");
        }
    }

    /// Takes up what an earlier run of this recorder had parked.
    pub(crate) async fn take_up_parked(self: &Arc<Self>, parked: Parked) {
        if self.portal.is_some() {
            // The portal may have to be asked about it, and that may take a while.
            return self.take_up_later(parked);
        }
        if let Err(problem) = self.try_take_up(&parked).await {
            tracing::warn!(%parked, problem = %problem.to_json(), "cannot take up a parked upload");
        }
    }

    pub(super) async fn try_take_up(self: &Arc<Self>, parked: &Parked) -> Result<(), Problem> {
        let id = parked.name().broadcast();
        self.admit_parked(id).await?;
        let followed = self.followed(id).await?;
        let pusher = self.pusher_of(id);
        let read = || async { self.store.read_parked(parked).await.map_err(problems::of_store) };
        let digest = digest_of(read().await?).await?;
        match Content::sniff(&head_of(read().await?).await?) {
            Some(Content::InitSection) => {
                let bytes = read().await?.collect().await.map_err(problems::of_store)?;
                self.hold_init(&followed, &pusher, parked.clone(), bytes, digest, None).await;
            }
            Some(Content::Segment(container)) => {
                pusher.state.lock().await.waiting.push(Waiting::new(parked.clone(), digest, container));
                self.settle_parked(&followed, &pusher).await;
            }
            None => return Err(problems::NOT_MEDIA.detail("neither MPEG-TS nor fragmented MP4")),
        }
        Ok(())
    }
}

/// The first bytes of what is stored.
async fn head_of(blob: Blob) -> Result<Vec<u8>, Problem> {
    let mut head = Vec::new();
    let mut bytes = blob.into_stream();
    while let Some(piece) = bytes.next().await {
        head.extend_from_slice(&piece.map_err(problems::of_store)?);
        if head.len() >= SNIFF_LEN {
            break;
        }
    }
    head.truncate(SNIFF_LEN);
    Ok(head)
}

#[cfg(test)]
mod tests {
    use service::Clock;

    use super::*;

    #[test]
    fn a_pusher_is_forgotten_when_it_has_gone_and_nothing_waits() {
        let (pushers, began) = (Pushers::default(), Clock::from_tokio(0).instant());
        let id = |n| BroadcastId::new(1, n);
        let _held = pushers.of(id(1), began);
        pushers.of(id(2), began).state.try_lock().expect("nobody else has it").owes_end = true;
        pushers.of(id(3), began);
        pushers.of(id(4), began + PUSHER_IDLE / 2);
        pushers.of(id(5), began + PUSHER_IDLE);
        let known = |n| pushers.0.lock().expect("nobody panics").contains_key(&id(n));
        assert_eq!([1, 2, 3, 4, 5].map(known), [true, true, false, true, true]);
    }
}

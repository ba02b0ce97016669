//! Commits what waits, as soon as it can be named and read.

use std::sync::Arc;
use std::time::Duration;

use broadcast::{BroadcastId, Digest};
use bytes::Bytes;
use futures_util::StreamExt;
use media::{Content, SNIFF_LEN};
use metadata::Followed;
use service::{Problem, ProblemKind};
use storage::{Blob, Parked};
use tokio::time::Instant;

use super::inits::{HeldInit, InitOf, Wanted, may_be_init};
use super::numbering::Named;
use super::parking::{Arriving, Pusher};
use super::waiting::{PusherState, Ready, Seen, Turn, WAITING_MAX, Waiting};
use super::{Found, Known, NotTaken};
use crate::commit::Source;
use crate::problems::{self, RETRY_LATER};
use crate::recorder::Recorder;
use crate::scan::{digest_of, inspect};

/// How long an end waits for what cannot be read; then that is set aside.
const UNREADABLE_MAX: Duration = Duration::from_secs(60);

/// What an earlier run has parked.
enum LookedAt {
    Segment(Seen),
    Init(HeldInit),
}

/// What became of a waiting segment whose number is known.
enum Settled {
    Kept,
    /// Its init section is still to come.
    Waits,
    /// Nobody could look at it yet.
    Unseen {
        init: InitOf,
    },
    /// Its file, or that of its init section, cannot be read now, or not be kept.
    Later {
        problem: Problem,
        is_itself: bool,
        init: InitOf,
    },
}

impl Recorder {
    /// Commits segments that have just been parked if their names are known, or when they have waited long enough.
    pub(super) async fn settle_parked(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>, count: usize) {
        self.metrics.parked.add(i64::try_from(count).unwrap_or(i64::MAX));
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
        let useless = pusher.state.lock().await.hold_init(HeldInit { bytes, digest, parked }, false);
        drop(arriving);
        for old in useless {
            self.discard(&old.parked).await;
        }
        self.settle(followed, pusher).await;
    }

    /// Commits every waiting segment of a broadcast that is about to end: by a guess, where nothing better is known. Tells
    /// why some of it still waits, if that is not for something to come.
    pub(crate) async fn settle_all(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
    ) -> Result<Option<Problem>, Problem> {
        let settled = self.settle_due(followed, pusher, i64::MAX).await;
        if !matches!(settled, Ok(None)) {
            self.settle_when_back(followed, pusher);
        }
        settled
    }

    /// Commits every waiting segment whose number is known, in the order of arrival.
    pub(super) async fn settle(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>) {
        let due_ms = self.now_ms() - i64::from(self.config.unnamed_wait_ms);
        match self.settle_due(followed, pusher, due_ms).await {
            Ok(None) => return,
            // That was said of each when it was first seen.
            Ok(Some(_)) => {}
            Err(problem) => {
                let (id, problem) = (followed.id(), problem.to_json());
                // As at each start, until the log has been looked through.
                if self.is_whole(id) {
                    tracing::warn!(%id, %problem, "cannot commit what was pushed yet");
                } else {
                    tracing::debug!(%id, %problem, "what was pushed waits for the log");
                }
            }
        }
        self.settle_when_back(followed, pusher);
    }

    /// What has waited since `due_ms` waits no longer for a playlist that names it. What is being committed goes on waiting
    /// until it is: meanwhile nobody may take it for lost. Tells why some of it still waits, if that is not for something to
    /// come.
    async fn settle_due(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        due_ms: i64,
    ) -> Result<Option<Problem>, Problem> {
        let _settling = pusher.settling.lock().await;
        self.catch_up(followed, &mut *pusher.state.lock().await).await?;
        let mut unsettled = self.look_at_unseen(followed.id(), pusher).await.err();
        let (id, mut at) = (followed.id(), 0);
        let unseen = pusher.state.lock().await.unseen_paths();
        let mut coming = [pusher.arriving_paths(), self.paths_of_strangers(id), unseen].concat();
        coming.retain(|path| may_be_init(path));
        loop {
            let next = pusher.state.lock().await.next_turn(&followed.read(), &mut at, due_ms, &coming);
            let Some(ready) = next else { break };
            match self.commit_waiting(followed, pusher, &ready).await {
                Ok(Settled::Kept) => self.metrics.parked.dec(),
                Ok(Settled::Waits) => {
                    // It holds up nobody any longer.
                    if ready.overdue {
                        self.pass_over(followed, pusher, &ready, &InitOf::Unknown).await?;
                    }
                    self.wait_on(pusher, &mut at).await;
                }
                Ok(Settled::Unseen { init }) => {
                    self.pass_over(followed, pusher, &ready, &init).await?;
                    at += 1;
                }
                // It may be about this one alone, and keeps no other waiting.
                Ok(Settled::Later { problem, is_itself, init }) => {
                    let mut state = pusher.state.lock().await;
                    if problem.kind() == problems::FULL {
                        state.waiting[at].unreadable_since = None;
                    } else {
                        self.note_unreadable(&mut state.waiting[at], is_itself);
                    }
                    drop(state);
                    self.pass_over(followed, pusher, &ready, &init).await?;
                    unsettled = unsettled.or(Some(problem));
                    at += 1;
                }
                Err(problem) if problem.status().is_server_error() => return Err(problem),
                Err(problem) => {
                    if problem.kind() == ProblemKind::NOT_FOUND {
                        // It may have its place already, and nothing have come of that: then it is found there.
                        self.marks.forget(id);
                        self.make_whole(followed, pusher);
                    }
                    let Waiting { parked, .. } = self.take_out(pusher, at).await;
                    let path = parked.name().path();
                    tracing::warn!(%id, path, problem = %problem.to_json(), "a parked upload cannot be taken in");
                    self.put_away(&parked, &problem).await;
                }
            }
        }
        let mut state = pusher.state.lock().await;
        let superseded = state.superseded();
        if unsettled.is_none() {
            state.end_waits_since = None;
        }
        drop(state);
        for init in superseded {
            self.discard(&init.parked).await;
        }
        Ok(unsettled)
    }

    /// Looks at what an earlier run has parked. Fails if any of it cannot be read; the others are seen.
    async fn look_at_unseen(&self, id: BroadcastId, pusher: &Pusher) -> Result<(), Problem> {
        let (mut at, mut unreadable) = (0, None);
        loop {
            let next = pusher.state.lock().await.waiting.get(at).cloned();
            let Some(Waiting { parked, seen, .. }) = next else { break };
            if seen.is_some() {
                at += 1;
                continue;
            }
            match self.look_into(&parked).await {
                Ok(LookedAt::Segment(seen)) => {
                    let waiting = &mut pusher.state.lock().await.waiting[at];
                    (waiting.seen, waiting.unreadable_since) = (Some(seen), None);
                    if let Turn::Passed = waiting.turn {
                        waiting.turn = Turn::ToCome;
                    }
                    at += 1;
                }
                Ok(LookedAt::Init(held)) => {
                    self.take_out(pusher, at).await;
                    let useless = pusher.state.lock().await.hold_init(held, true);
                    for old in useless {
                        self.discard(&old.parked).await;
                    }
                }
                Err(problem) if problem.status().is_server_error() => {
                    self.note_unreadable(&mut pusher.state.lock().await.waiting[at], true);
                    unreadable = unreadable.or(Some(problem));
                    at += 1;
                }
                Err(problem) => {
                    self.take_out(pusher, at).await;
                    tracing::warn!(%id, %parked, problem = %problem.to_json(), "cannot take up a parked upload");
                }
            }
        }
        unreadable.map_or(Ok(()), Err)
    }

    /// Reads what is parked.
    async fn look_into(&self, parked: &Parked) -> Result<LookedAt, Problem> {
        let read = || async { self.store.read_parked(parked).await.map_err(problems::of_store) };
        let digest = digest_of(read().await?).await?;
        match Content::sniff(&head_of(read().await?).await?) {
            Some(Content::InitSection) => {
                let bytes = read().await?.collect().await.map_err(problems::of_store)?;
                Ok(LookedAt::Init(HeldInit { bytes, digest, parked: parked.clone() }))
            }
            Some(Content::Segment(container)) => Ok(LookedAt::Segment(Seen { digest, container })),
            None => Err(problems::NOT_MEDIA.detail("neither MPEG-TS nor fragmented MP4")),
        }
    }

    fn note_unreadable(&self, waiting: &mut Waiting, is_itself: bool) {
        if waiting.unreadable_since.is_none() {
            let what = if is_itself { "an acknowledged upload" } else { "the init section of an acknowledged upload" };
            tracing::error!(parked = %waiting.parked, "{what} cannot be read; it is tried again");
        }
        waiting.unreadable_since.get_or_insert(self.clock.instant());
    }

    /// Lets an end go on that has waited long enough for what cannot be read: that is set aside.
    pub(crate) async fn set_unreadable_aside(&self, pusher: &Pusher) -> Result<(), Problem> {
        let _settling = pusher.settling.lock().await;
        let now = self.clock.instant();
        let is_over = |since: Instant| now - since >= UNREADABLE_MAX;
        let (unreadable, are_over) = {
            let mut state = pusher.state.lock().await;
            let waits_since = *state.end_waits_since.get_or_insert(now);
            let since = |waiting: &Waiting| Some((waiting.parked.clone(), waiting.unreadable_since?));
            let unreadable: Vec<_> = state.waiting.iter().filter_map(since).collect();
            let are_over = is_over(waits_since) && unreadable.iter().all(|(_, since)| is_over(*since));
            (unreadable, are_over)
        };
        let count = unreadable.len();
        for (parked, _) in unreadable {
            if !are_over || !self.set_parked_aside(&parked).await {
                let detail = format!(
                    "{count} uploads that were acknowledged cannot be read from the recorder's disk; they are tried again, and \
                     left out after {} s: end it again then",
                    UNREADABLE_MAX.as_secs()
                );
                return Err(ProblemKind::UNAVAILABLE.detail(detail).retry_after(RETRY_LATER));
            }
            tracing::error!(%parked, "an acknowledged upload cannot be read, and its broadcast ends without it; it is in refused/");
            pusher.state.lock().await.no_longer_waits(Some(&parked));
            self.metrics.parked.dec();
        }
        Ok(())
    }

    /// Goes past a segment that cannot be used yet; the oldest of too many waits for the next start.
    async fn wait_on(&self, pusher: &Pusher, at: &mut usize) {
        if pusher.state.lock().await.waiting.len() <= WAITING_MAX {
            *at += 1;
            return;
        }
        let Waiting { parked, .. } = self.take_out(pusher, *at).await;
        tracing::warn!(%parked, "the init section of a pushed segment has not come");
    }

    /// It waits no longer.
    async fn take_out(&self, pusher: &Pusher, at: usize) -> Waiting {
        self.metrics.parked.dec();
        let mut state = pusher.state.lock().await;
        let parked = state.waiting[at].parked.clone();
        state.no_longer_waits(Some(&parked)).expect("it waits")
    }

    async fn commit_waiting(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        ready: &Ready,
    ) -> Result<Settled, Problem> {
        let Ready { waiting: Waiting { parked, seen, .. }, named, behind, overdue, .. } = ready;
        let place = ready.waiting.place();
        let arrival = ready.waiting.arrival();
        let given = place.filter(|place| !matches!(place.init, InitOf::Unknown));
        let init = match given {
            Some(given) => given.init.clone(),
            None => {
                let of_state = |state: &PusherState| {
                    let (overdue, before) = (*overdue, &state.waiting[..*behind]);
                    state.init_of(&followed.read(), Wanted { named, arrival, overdue, given: place, before })
                };
                self.find_init(followed.id(), pusher, named, of_state).await
            }
        };
        let Some(seen) = seen else { return Ok(Settled::Unseen { init }) };
        let later = |problem, is_itself| Ok(Settled::Later { problem, is_itself, init: init.clone() });
        let known = match self.with_init(followed, named.clone(), init.clone()).await {
            Err(problem) => return later(problem, false),
            Ok(known) => Known { place: place.map(|place| (place.seq, place.base)), ..known },
        };
        let Some(inspector) = known.inspector(seen.container) else { return Ok(Settled::Waits) };
        let read = self.store.read_parked(parked).await.map_err(problems::of_store);
        let inspected = match read {
            Ok(blob) => inspect(blob, inspector).await,
            Err(problem) => Err(problem),
        };
        let inspection = match inspected {
            Ok(inspection) => inspection,
            Err(problem) if problem.status().is_server_error() => return later(problem, true),
            Err(problem) => return Err(problem),
        };
        let found = Found { digest: seen.digest, len: parked.len(), inspection, arrival };
        let source = Source::Parked(parked.clone());
        match self.number_and_keep(followed, pusher, &known, found, source).await {
            Err(NotTaken::Refused(problem)) if problem.status().is_server_error() => return later(problem, true),
            Err(not_taken) => return Err(not_taken.problem()),
            Ok(_) => {}
        }
        // What was there already has left its copy behind.
        self.discard(parked).await;
        Ok(Settled::Kept)
    }

    /// Goes past a segment that cannot be stored now, and gives it its place. Fails if nobody can be given one yet.
    async fn pass_over(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        ready: &Ready,
        init: &InitOf,
    ) -> Result<(), Problem> {
        if !ready.waiting.had_its_turn() {
            let mut state = pusher.state.lock().await;
            self.catch_up(followed, &mut state).await?;
            self.seen_whole(followed, pusher)?;
            state.pass_over(&followed.read(), ready, init);
        }
        Ok(())
    }

    /// Where the init section of a named segment is.
    pub(super) async fn find_init(
        &self,
        id: BroadcastId,
        pusher: &Pusher,
        named: &Named,
        of_state: impl FnOnce(&PusherState) -> InitOf,
    ) -> InitOf {
        let may_come = |path: &str| pusher.is_arriving(path) || self.has_stranger_at(id, path);
        let is_arriving = named.map.as_deref().is_some_and(may_come);
        if is_arriving { InitOf::Unknown } else { of_state(&*pusher.state.lock().await) }
    }

    /// Adds the init section that a named segment needs, if it is there. Fails if it cannot be read or kept now.
    pub(super) async fn with_init(&self, followed: &Followed, named: Named, init: InitOf) -> Result<Known, Problem> {
        let (id, rendition) = (followed.id(), &named.rendition);
        let (init, init_ms) = match init {
            InitOf::Unknown => (Ok(None), None),
            InitOf::Held(held) => {
                let init_ms = held.arrived_ms();
                (self.keep_init(id, rendition, held.bytes, held.digest).await.map(Some), Some(init_ms))
            }
            InitOf::Stored(digest) => (self.known_init(id, rendition, digest).await.map(Some), None),
        };
        let init = match init {
            Err(problem) if !problem.status().is_server_error() => {
                tracing::warn!(%id, problem = %problem.to_json(), "cannot use a pushed init section");
                None
            }
            init => init?,
        };
        Ok(Known { named, init, init_ms, place: None })
    }

    /// What was acknowledged and refused for ever is for people to look at; for all else the next start tries again.
    async fn put_away(&self, parked: &Parked, problem: &Problem) {
        if [problems::NOT_MEDIA, problems::ENDED, problems::ABANDONED].contains(&problem.kind()) {
            tracing::error!(%parked, "an acknowledged upload has no place in its broadcast; it is in refused/");
            self.set_parked_aside(parked).await;
        }
    }

    /// Whether that could be done.
    async fn set_parked_aside(&self, parked: &Parked) -> bool {
        let done = self.store.set_parked_aside(parked).await;
        if let Err(error) = &done {
            tracing::warn!(%parked, error = error as &dyn std::error::Error, "cannot set it aside");
        }
        done.is_ok()
    }

    async fn discard(&self, parked: &Parked) {
        if let Err(error) = self.store.discard(parked).await {
            tracing::warn!(%parked, error = &error as &dyn std::error::Error, "cannot remove a parked upload");
        }
    }

    /// Takes up all that an earlier run of this recorder had parked of a broadcast: what is not there yet would be taken for
    /// lost.
    pub(crate) async fn take_up_parked(self: &Arc<Self>, id: BroadcastId, parked: Vec<Parked>) {
        // The portal may have to be asked about it, and that may take a while.
        let taken_up = if self.portal.is_some() { None } else { Some(self.try_take_up(id, &parked).await) };
        match taken_up {
            Some(Ok(())) => {}
            Some(Err(problem)) if !problem.status().is_server_error() => {
                let (count, problem) = (parked.len(), problem.to_json());
                tracing::warn!(%id, count, %problem, "cannot take up parked uploads");
            }
            _ => parked.into_iter().for_each(|parked| self.take_up_later(parked)),
        }
    }

    /// Fails if nobody can say whether they may be taken in. From then on they wait, whether they can be read or not.
    pub(super) async fn try_take_up(self: &Arc<Self>, id: BroadcastId, parked: &[Parked]) -> Result<(), Problem> {
        self.admit_parked(id).await?;
        let (followed, pusher) = (self.followed(id).await?, self.pusher_of(id));
        {
            // Whoever is at work has not looked at them.
            let _settling = pusher.settling.lock().await;
            pusher.state.lock().await.waiting.extend(parked.iter().cloned().map(Waiting::unseen));
        }
        self.settle_parked(&followed, &pusher, parked.len()).await;
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

//! What a pusher sends while the metadata store is away. It is durable and acknowledged with 202, because nobody will
//! send it again, and committed once the store is back.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use broadcast::BroadcastId;
use http::StatusCode;
use metadata::Followed;
use service::{BodyReader, Problem, ProblemKind};
use storage::{Parked, ParkedName};

use super::Pushed;
use super::parking::Pusher;
use super::waiting::PusherState;
use crate::commit::not_a_name;
use crate::intake::{Kind, drain, take_in};
use crate::problems::{self, RETRY_SOON};
use crate::recorder::Recorder;

/// How often it is tried whether the store is back.
const RETRY: Duration = Duration::from_secs(2);

/// Parked uploads of broadcasts about which the store could not be asked, in the order of arrival. What they take is
/// bounded by the storage's quota.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    waiting: Mutex<Waiting>,
    /// Held by whoever takes one up, so that nobody takes it up twice.
    taking_up: tokio::sync::Mutex<()>,
}

/// How many there may be; more are refused.
const STRANGERS_MAX: usize = 100_000;

#[derive(Debug, Default)]
struct Waiting {
    parked: VecDeque<Parked>,
    /// Whether somebody sees to them.
    attended: bool,
}

impl Strangers {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of one broadcast, in the order in which their requests began.
    fn of(&self, id: BroadcastId) -> Vec<Parked> {
        let waiting = self.lock();
        let mut of_it: Vec<_> =
            waiting.parked.iter().filter(|parked| parked.name().broadcast() == id).cloned().collect();
        of_it.sort_by_key(|parked| parked.name().arrived_ms());
        of_it
    }

    fn any(&self, is_it: impl Fn(&ParkedName) -> bool) -> bool {
        self.lock().parked.iter().any(|parked| is_it(parked.name()))
    }

    fn remove(&self, taken_up: &[Parked]) {
        let taken_up: BTreeSet<String> = taken_up.iter().map(ToString::to_string).collect();
        self.lock().parked.retain(|parked| !taken_up.contains(&parked.to_string()));
    }

    /// Lets those of other broadcasts go first.
    fn postpone(&self, id: BroadcastId) {
        let mut waiting = self.lock();
        let (of_it, others): (Vec<_>, Vec<_>) =
            waiting.parked.drain(..).partition(|parked| parked.name().broadcast() == id);
        waiting.parked.extend(others.into_iter().chain(of_it));
    }

    /// The broadcast to see to next; nobody does any more when there is none.
    fn attend(&self) -> Option<BroadcastId> {
        let mut waiting = self.lock();
        let first = waiting.parked.front().map(|parked| parked.name().broadcast());
        waiting.attended = first.is_some();
        first
    }
}

impl Recorder {
    /// Takes in what is pushed to a broadcast that the store could not be asked about. The token is valid, so there is
    /// such a broadcast.
    pub(super) async fn take_from_stranger(
        self: &Arc<Self>,
        id: BroadcastId,
        pushed: Pushed,
        mut body: BodyReader,
    ) -> Result<Response, Problem> {
        let name = ParkedName::new(id, pushed.arrived_ms, &pushed.path).map_err(not_a_name)?;
        if self.strangers.lock().parked.len() >= STRANGERS_MAX {
            return Err(ProblemKind::UNAVAILABLE.detail("too much waits for the metadata store").retry_after(RETRY));
        }
        let _arriving = self.pusher_of(id).arriving(&pushed.path, pushed.arrived_ms);
        let arrived = match take_in(&self.store, &mut body, None, |_| Ok(None)).await {
            Ok(arrived) => arrived,
            Err(problem) => {
                drain(&mut body).await;
                return Err(problem);
            }
        };
        let status = if matches!(arrived.kind, Kind::Init(_)) { StatusCode::CREATED } else { StatusCode::ACCEPTED };
        let parked = arrived.upload.park(&name).await.map_err(problems::of_store)?;
        self.metrics.segments.with_label_values(&["parked"]).inc();
        self.take_up_later(parked);
        Ok(status.into_response())
    }

    /// Takes up what is parked as soon as it can be.
    pub(super) fn take_up_later(self: &Arc<Self>, parked: Parked) {
        let unattended = {
            let mut waiting = self.strangers.lock();
            waiting.parked.push_back(parked);
            !std::mem::replace(&mut waiting.attended, true)
        };
        if unattended {
            let recorder = self.clone();
            self.until_stopped("take up what came while the store was away", async move {
                recorder.take_up_strangers().await;
            });
        }
    }

    async fn take_up_strangers(self: &Arc<Self>) {
        while let Some(id) = self.strangers.attend() {
            if self.take_up_strangers_of(id).await.is_err() {
                // It may be about this broadcast alone.
                self.strangers.postpone(id);
                self.clock.sleep(RETRY).await;
            }
        }
    }

    pub(super) fn has_strangers_of(&self, id: BroadcastId) -> bool {
        self.strangers.any(|name| name.broadcast() == id)
    }

    pub(super) fn paths_of_strangers(&self, id: BroadcastId) -> Vec<String> {
        self.strangers.of(id).iter().map(|parked| parked.name().path().to_owned()).collect()
    }

    pub(super) fn has_stranger_at(&self, id: BroadcastId, path: &str) -> bool {
        self.strangers.any(|name| name.broadcast() == id && name.path() == path)
    }

    /// Takes up all that waits of one broadcast. Fails if it may be possible later.
    pub(crate) async fn take_up_strangers_of(self: &Arc<Self>, id: BroadcastId) -> Result<(), Problem> {
        let _taking_up = self.strangers.taking_up.lock().await;
        loop {
            let all = self.strangers.of(id);
            if all.is_empty() {
                return Ok(());
            }
            match self.try_take_up(id, &all).await {
                Err(problem) if problem.status().is_server_error() => return Err(problem),
                Err(problem) => {
                    let (count, problem) = (all.len(), problem.to_json());
                    tracing::warn!(%id, count, %problem, "cannot take up parked uploads");
                }
                Ok(()) => {}
            }
            self.strangers.remove(&all);
        }
    }

    /// Brings log and memory to the same state: commits what is durable and could not be committed, and reads what
    /// others have committed. Nothing can be numbered before.
    pub(super) async fn catch_up(
        self: &Arc<Self>,
        followed: &Followed,
        state: &mut PusherState,
    ) -> Result<(), Problem> {
        if let Some(durable) = &state.uncommitted {
            match self.commit_durable(followed, durable).await {
                Err(problem) if problem.status().is_server_error() => return Err(problem),
                Err(problem) => {
                    let key = &durable.key;
                    tracing::warn!(%key, problem = %problem.to_json(), "a pushed segment cannot be taken in");
                }
                Ok(_) => {}
            }
            state.uncommitted = None;
        }
        followed.refresh().await.map_err(problems::of_metadata)?;
        self.tell_owed_end(followed, state).await
    }

    /// Tells that its pusher has closed its playlist, if that is still to be told.
    pub(super) async fn tell_owed_end(
        self: &Arc<Self>,
        followed: &Followed,
        state: &mut PusherState,
    ) -> Result<(), Problem> {
        if state.owes_end {
            self.hint_end(followed).await?;
            state.owes_end = false;
        }
        Ok(())
    }

    /// Tries again, after a while, to commit what waits.
    pub(super) fn settle_later(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>, after: Duration) {
        let (recorder, followed, pusher) = (self.clone(), followed.clone(), pusher.clone());
        self.until_stopped("commit a parked upload", async move {
            recorder.clock.sleep(after).await;
            recorder.settle(&followed, &pusher).await;
        });
    }

    /// The same, once for all that fails while the store is away.
    pub(super) fn settle_when_back(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>) {
        if pusher.retrying.swap(true, Ordering::Relaxed) {
            return;
        }
        let (recorder, followed, pusher) = (self.clone(), followed.clone(), pusher.clone());
        self.until_stopped("commit what came while the store was away", async move {
            recorder.clock.sleep(RETRY).await;
            pusher.retrying.store(false, Ordering::Relaxed);
            recorder.settle(&followed, &pusher).await;
        });
    }

    /// Fails if the log may have lost something: nothing can be numbered before that is put back, and it is seen to.
    pub(super) fn seen_whole(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>) -> Result<(), Problem> {
        if self.is_whole(followed.id()) {
            return Ok(());
        }
        self.make_whole(followed, pusher);
        let problem = ProblemKind::UNAVAILABLE.detail("what its log may have lost is looked for first");
        Err(problem.retry_after(RETRY_SOON))
    }

    /// Puts back what the log may have lost, once for all that wait for it, and then numbers them.
    pub(super) fn make_whole(self: &Arc<Self>, followed: &Arc<Followed>, pusher: &Arc<Pusher>) {
        if pusher.making_whole.swap(true, Ordering::Relaxed) {
            return;
        }
        let (recorder, followed, pusher) = (self.clone(), followed.clone(), pusher.clone());
        self.until_stopped("make the log of a pusher's broadcast whole", async move {
            let id = followed.id();
            loop {
                if let Err(error) = recorder.put_back(id).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%id, error, "cannot see whether the log of what is pushed is whole");
                }
                if recorder.is_whole(id) {
                    break;
                }
                recorder.clock.sleep(RETRY).await;
            }
            pusher.making_whole.store(false, Ordering::Relaxed);
            recorder.settle(&followed, &pusher).await;
        });
    }

    fn until_stopped(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.tasks.stop_token();
        self.tasks.spawn(name, async move {
            tokio::select! {
                biased;
                () = work => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

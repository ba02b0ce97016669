//! The one thread that writes, and the queue before it. Whatever queued up while the disk was busy becomes one
//! transaction; nobody is answered before it is on the disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use broadcast::{BroadcastId, EventIndex, StoreTime};
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use service::{Clock, Tasks};
use tokio::sync::{mpsc, oneshot};

use super::horizon::Horizon;
use super::rules;
use super::schema::Locked;
use crate::batch::{Entry, PutBack};
use crate::error::MetadataError;
use crate::store::{Expect, Limits, Outcome};
use crate::watches::Watches;
use crate::writes::Writes;

/// The most calls that wait for the disk; others wait for a place in the queue.
const QUEUE_LEN_MAX: usize = 1_024;
/// The most calls in one transaction.
const GROUP_LEN_MAX: usize = 256;

/// The way to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    tasks: Tasks,
    writes: Writes,
    /// Instead of the thread: whoever asks does the work.
    #[cfg(feature = "simulation")]
    here: Option<std::sync::Mutex<Thread>>,
}

#[derive(Debug)]
enum Message {
    Work(Work),
    Stop,
}

#[derive(Debug)]
struct Work {
    id: BroadcastId,
    job: Job,
    answer: oneshot::Sender<Result<Vec<Outcome>, MetadataError>>,
}

#[derive(Debug)]
enum Job {
    Open { body: Vec<u8> },
    Commit { entries: Vec<Entry>, expect: Expect },
    PutBack(PutBack),
    Change(Change),
}

/// A change of something other than a log. It keeps its answer by itself, for when the transaction is on the disk.
struct Change(Box<MakeChange>);

type MakeChange = dyn Fn(&Connection, StoreTime) -> Result<(), MetadataError> + Send;

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Change")
    }
}

/// What a call gets when the thread has ended.
#[derive(Debug, thiserror::Error)]
#[error("the store was shut down")]
struct ShutDown;

impl Writer {
    pub(super) fn start(
        file: Locked,
        limits: Limits,
        clock: Clock,
        watches: Arc<Watches>,
        horizon: Arc<Horizon>,
    ) -> Self {
        let (queue, messages) = mpsc::channel(QUEUE_LEN_MAX);
        let tasks = Tasks::new();
        let thread = Thread { file, limits, watches, horizon };
        let writes = Writes::new(clock);
        #[cfg(feature = "simulation")]
        if service::is_simulated() {
            return Self { queue, tasks, writes, here: Some(std::sync::Mutex::new(thread)) };
        }
        tasks.spawn("sqlite writer", Tasks::blocking(move || thread.run(messages)));
        Self {
            queue,
            tasks,
            writes,
            #[cfg(feature = "simulation")]
            here: None,
        }
    }

    /// Opens a log; the time of its first entry.
    pub(super) async fn open(&self, id: BroadcastId, body: Vec<u8>) -> Result<StoreTime, MetadataError> {
        match self.run(id, Job::Open { body }).await?[..] {
            [Outcome::Appended { at, .. }] => Ok(at),
            ref other => unreachable!("a log was opened with {other:?}"),
        }
    }

    pub(super) async fn commit(
        &self,
        id: BroadcastId,
        entries: Vec<Entry>,
        expect: Expect,
    ) -> Result<Vec<Outcome>, MetadataError> {
        self.run(id, Job::Commit { entries, expect }).await
    }

    /// Changes something other than a log, at the date that it is given.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl Fn(&Connection, StoreTime) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, MetadataError> {
        let answer = Arc::new(Mutex::new(None));
        let kept = answer.clone();
        let change = Change(Box::new(move |db, now| {
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(change(db, now)?);
            Ok(())
        }));
        // Of no broadcast: nobody waits for it.
        self.run(BroadcastId::new(0, 0), Job::Change(change)).await?;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(answer.expect("a change that was made has left its answer"))
    }

    pub(super) async fn put_back(&self, id: BroadcastId, put_back: PutBack) -> Result<(), MetadataError> {
        self.run(id, Job::PutBack(put_back)).await.map(drop)
    }

    /// Finishes what is queued and ends the thread.
    pub(super) async fn shutdown(&self) {
        // If it fails, the thread has ended already.
        let _ = self.queue.send(Message::Stop).await;
        self.tasks.shutdown().await;
    }

    /// The failure of the last transaction, if that was lately.
    pub(super) fn health(&self) -> Result<(), MetadataError> {
        #[cfg(feature = "simulation")]
        if self.here.is_some() {
            return self.writes.health();
        }
        if self.queue.is_closed() { Err(MetadataError::unavailable(ShutDown)) } else { self.writes.health() }
    }

    async fn run(&self, id: BroadcastId, job: Job) -> Result<Vec<Outcome>, MetadataError> {
        let done = self.send(id, job).await;
        self.writes.note(&done);
        done
    }

    async fn send(&self, id: BroadcastId, job: Job) -> Result<Vec<Outcome>, MetadataError> {
        let (answer, answered) = oneshot::channel();
        let work = Work { id, job, answer };
        #[cfg(feature = "simulation")]
        if let Some(here) = &self.here {
            here.lock().expect("nothing panics while it is held").group(vec![work]);
            return answered.await.map_err(|_| MetadataError::unavailable(ShutDown))?;
        }
        let message = Message::Work(work);
        self.queue.send(message).await.map_err(|_| MetadataError::unavailable(ShutDown))?;
        answered.await.map_err(|_| MetadataError::unavailable(ShutDown))?
    }
}

#[derive(Debug)]
struct Thread {
    file: Locked,
    limits: Limits,
    watches: Arc<Watches>,
    horizon: Arc<Horizon>,
}

impl Thread {
    fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(first) = messages.blocking_recv() {
            let rest = std::iter::from_fn(|| messages.try_recv().ok());
            let mut stop = false;
            let mut work = |message| match message {
                Message::Work(work) => Some(work),
                Message::Stop => {
                    stop = true;
                    None
                }
            };
            let group = std::iter::once(first).chain(rest).take(GROUP_LEN_MAX).map_while(&mut work).collect();
            self.group(group);
            if stop {
                return;
            }
        }
    }

    /// Does all of `works` in one transaction, then answers them.
    fn group(&mut self, works: Vec<Work>) {
        let done = self.transact(&works, self.horizon.date());
        if !done.as_ref().is_err_and(may_come_to_light) {
            self.horizon.settle();
        }
        match done {
            Ok(results) => self.answer(works, results),
            Err(error) => {
                let error = MetadataError::from(error);
                tracing::warn!(error = &error as &dyn std::error::Error, calls = works.len(), "transaction failed");
                let results = vec![Err(error); works.len()];
                self.answer(works, results);
            }
        }
    }

    fn transact(
        &mut self,
        works: &[Work],
        now: StoreTime,
    ) -> rusqlite::Result<Vec<Result<Vec<Outcome>, MetadataError>>> {
        let mut transaction = self.file.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut results = Vec::with_capacity(works.len());
        for work in works {
            // What one call did before it failed is undone without harm to the others.
            let part = transaction.savepoint()?;
            let result = match &work.job {
                Job::Open { body } => rules::open(&part, work.id, body, now),
                Job::Commit { entries, expect } => rules::commit(&part, work.id, entries, *expect, self.limits, now),
                Job::PutBack(put_back) => rules::put_back(&part, work.id, put_back, now),
                Job::Change(change) => change.0(&part, now).map(|()| Vec::new()),
            };
            if result.is_ok() {
                part.commit()?;
            } else {
                part.finish()?;
            }
            results.push(result);
        }
        transaction.commit()?;
        Ok(results)
    }

    /// Answers all callers, then wakes those who wait: a caller may tell them what they would read otherwise.
    fn answer(&self, works: Vec<Work>, results: Vec<Result<Vec<Outcome>, MetadataError>>) {
        let mut lens = BTreeMap::new();
        for (work, result) in works.into_iter().zip(results) {
            if let Some(len) = result.as_ref().ok().and_then(|outcomes| new_len(outcomes)) {
                lens.insert(work.id, len);
            }
            // A caller that is gone needs no answer.
            let _ = work.answer.send(result);
        }
        for (id, len) in lens {
            self.watches.wake(id, Some(len));
        }
    }
}

/// How long a log is after a commit that appended to it.
fn new_len(outcomes: &[Outcome]) -> Option<EventIndex> {
    outcomes.iter().rev().find_map(|outcome| match outcome {
        Outcome::Appended { index, .. } => Some(EventIndex(index.0 + 1)),
        _ => None,
    })
}

/// Whether what failed may be whole in the write-ahead log all the same: if this process ends before the next
/// transaction overwrites it there, whoever opens the file takes it for a commit, of the date that it has.
fn may_come_to_light(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_the_disk_may_have_taken_may_come_to_light() {
        let failures = [
            (ffi::SQLITE_IOERR_FSYNC, true),
            (ffi::SQLITE_IOERR_WRITE, true),
            (ffi::SQLITE_FULL, false),
            (ffi::SQLITE_BUSY, false),
            (ffi::SQLITE_CONSTRAINT_COMMITHOOK, false),
        ];
        for (code, expected) in failures {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(may_come_to_light(&error), expected, "{error}");
        }
    }
}

//! The one place that starts tasks. A component owns its [`Tasks`]: they end with it, and a panic in one is loud.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one component.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: CancellationToken,
    aborted: CancellationToken,
}

impl Tasks {
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts `task`. It should end soon after [`stopping`](Self::stopping) does.
    #[expect(clippy::disallowed_methods, reason = "the place where tasks are started")]
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (failed, aborted) = (self.failed.clone(), self.aborted.clone());
        self.tracker.spawn(async move {
            let mut task = tokio::spawn(task);
            let ended = tokio::select! {
                biased;
                ended = &mut task => ended,
                () = aborted.cancelled() => return task.abort(),
            };
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!(task = name, "task panicked");
                failed.cancel();
            }
        });
    }

    /// Runs `work` on a thread where it may block. It starts at once, and ends even if nobody waits for its answer.
    pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
        #[cfg(feature = "simulation")]
        if crate::simulation::is_simulated() {
            return Blocking(Work::Done(Some(work())));
        }
        Blocking(Work::Borrowed(tokio::task::spawn_blocking(work)))
    }

    /// Ends when the component is asked to stop.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Ends if one of the tasks panics.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    /// A token that is cancelled when the component is asked to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks all tasks to stop and waits until they have.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Ends all tasks where they are, as the end of the process would, those that are started later too.
    pub fn abort(&self) {
        self.aborted.cancel();
    }
}

/// The answer of a borrowed thread, see [`Tasks::blocking`]. A panic there is a panic here.
#[derive(Debug)]
#[must_use = "an error would be lost"]
pub struct Blocking<T>(Work<T>);

#[derive(Debug)]
enum Work<T> {
    Borrowed(JoinHandle<T>),
    /// Done where it was asked for; `None` once it was told.
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "only simulations do so"))]
    Done(Option<T>),
}

impl<T> Unpin for Blocking<T> {}

impl<T> Future for Blocking<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let borrowed = match &mut self.0 {
            Work::Borrowed(borrowed) => borrowed,
            Work::Done(done) => return Poll::Ready(done.take().expect("a future is not polled after its end")),
        };
        match ready!(Pin::new(borrowed).poll(cx)) {
            Ok(value) => Poll::Ready(value),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going down; nobody is left to see the answer.
                Err(_) => Poll::Pending,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_the_tasks() {
        let tasks = Tasks::new();
        let (done, finished) = tokio::sync::oneshot::channel();
        let stop = tasks.stop_token();
        tasks.spawn("waits", async move {
            stop.cancelled().await;
            done.send(()).expect("the test listens");
        });
        tasks.shutdown().await;
        assert!(finished.await.is_ok());
    }

    #[tokio::test]
    async fn aborted_tasks_end_where_they_are() {
        let tasks = Tasks::new();
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        tasks.spawn("waits for ever", async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        tokio::task::yield_now().await;
        tasks.abort();
        assert!(dropped.await.is_err());
        tasks.shutdown().await;
    }

    #[tokio::test]
    async fn a_panic_is_loud() {
        let tasks = Tasks::new();
        tasks.spawn("fails", async { panic!("on purpose") });
        tasks.failed().await;
    }

    #[tokio::test]
    async fn blocking_work_starts_before_anybody_waits() {
        let (done, finished) = tokio::sync::oneshot::channel();
        let _nobody_waits = Tasks::blocking(move || done.send(7));
        assert_eq!(finished.await, Ok(7));
    }
}

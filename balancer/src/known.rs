//! What a balancer knows of the nodes: the list of the metadata store, read again every second. While the store is away,
//! the last list holds: nobody can renew then, and whoever was alive is the best guess.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metadata::{Nodes, Registered, Role};
use service::Clock;
use tokio::time::Instant;

use crate::predictions::Predictions;
use crate::rank::{Candidate, Question, rank};

/// How often the list is read.
const READ_EVERY: Duration = Duration::from_secs(1);

/// The nodes. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    nodes: Arc<dyn Nodes>,
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` before the store was reached for the first time.
    list: Option<List>,
    predictions: Predictions,
}

#[derive(Debug)]
struct List {
    nodes: Vec<Registered>,
    read_at: Instant,
    /// Whether the last attempt to read it again failed.
    store_is_away: bool,
}

impl Known {
    pub(crate) fn new(nodes: Arc<dyn Nodes>, clock: Clock) -> Self {
        Self { nodes, clock, state: Arc::default() }
    }

    /// Reads the list for ever.
    pub(crate) async fn keep_reading(&self) {
        loop {
            self.read().await;
            self.clock.sleep(READ_EVERY).await;
        }
    }

    pub(crate) async fn read(&self) {
        let nodes = self.nodes.nodes().await;
        let mut state = self.state();
        match nodes {
            Ok(nodes) => {
                state.predictions.heard(&nodes);
                state.list = Some(List { nodes, read_at: self.clock.instant(), store_is_away: false });
            }
            Err(error) => {
                if let Some(list) = &mut state.list
                    && !std::mem::replace(&mut list.store_is_away, true)
                {
                    let (error, nodes) = (&error as &dyn std::error::Error, list.nodes.len());
                    tracing::warn!(error, nodes, "cannot read the nodes; the last list holds");
                }
            }
        }
    }

    /// Those that are alive at this moment. `None` if nobody could be asked yet.
    pub(crate) fn alive(&self) -> Option<Vec<Registered>> {
        Some(self.state().list.as_ref()?.at(self.clock.instant()))
    }

    /// The recorders that are alive, best first for whoever asks, who is taken to go to the first.
    pub(crate) fn route(&self, question: &Question) -> Option<Vec<Registered>> {
        let now = self.clock.instant();
        let mut state = self.state();
        let State { list, predictions } = &mut *state;
        let alive = list.as_ref()?.at(now);
        let recorders = alive.iter().filter(|registered| registered.node.role == Role::Recorder);
        let candidate = |registered| Candidate { registered, predicted: predictions.of(&registered.node.name) };
        let candidates: Vec<_> = recorders.map(candidate).collect();
        let ranked: Vec<_> = rank(&candidates, question).into_iter().cloned().collect();
        if let Some(first) = ranked.first() {
            predictions.assigned(question.broadcast, first);
        }
        Some(ranked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn at(&self, now: Instant) -> Vec<Registered> {
        let passed = if self.store_is_away { Duration::ZERO } else { now.duration_since(self.read_at) };
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let later = |registered: &Registered| Registered {
            age_ms: registered.age_ms.saturating_add(passed_ms),
            expires_in_ms: registered.expires_in_ms.saturating_sub(passed_ms),
            ..registered.clone()
        };
        self.nodes.iter().map(later).filter(|registered| registered.expires_in_ms > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use metadata::{MetadataError, Node, NodeName};

    use super::*;
    use crate::rank::tests::{broadcast, recorder};

    /// A store that can be away.
    #[derive(Debug, Default)]
    struct Store {
        is_away: AtomicBool,
    }

    fn away() -> MetadataError {
        MetadataError::Unavailable(Arc::from(Box::<dyn std::error::Error + Send + Sync>::from("away")))
    }

    #[async_trait]
    impl Nodes for Store {
        async fn register(&self, _: &Node, _: Duration) -> Result<(), MetadataError> {
            Err(away())
        }

        async fn nodes(&self) -> Result<Vec<Registered>, MetadataError> {
            if self.is_away.load(Ordering::Relaxed) { Err(away()) } else { Ok(vec![recorder("a")]) }
        }

        async fn forget(&self, _: &NodeName) -> Result<(), MetadataError> {
            Err(away())
        }

        async fn agree(&self, _: &str, _: &str) -> Result<String, MetadataError> {
            Err(away())
        }

        async fn agreed(&self, _: &str) -> Result<Option<String>, MetadataError> {
            Err(away())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_store_is_away_the_last_list_holds() {
        let store = Arc::new(Store { is_away: AtomicBool::new(true) });
        let known = Known::new(store.clone(), Clock::from_tokio(0));
        known.read().await;
        assert!(known.alive().is_none(), "nobody knows yet");
        store.is_away.store(false, Ordering::Relaxed);
        known.read().await;
        store.is_away.store(true, Ordering::Relaxed);
        known.read().await;
        tokio::time::advance(Duration::from_secs(3_600)).await;
        known.read().await;
        let question = Question { broadcast: broadcast(1), publisher: None, broadcast_bytes_per_s: 1 };
        assert_eq!(known.route(&question).unwrap().len(), 1);
        // If it is only slow to be read again, time counts.
        store.is_away.store(false, Ordering::Relaxed);
        known.read().await;
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(known.route(&question).unwrap().len(), 0);
    }
}

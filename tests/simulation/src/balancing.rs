//! The balancer: the real one, over a registry in which each machine renews itself as long as it answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use balancer::{Balancer, BalancerConfig, Deps, Geo};
use broadcast::StoreTime;
use metadata::{Level, Load, MetadataError, NodeName, NodeState, Registered, Role};
use prometheus::Registry;
use service::{Clock, Tasks};
use tokio::time::Instant;

use crate::network::lock;
use crate::node::{DISK_FREE, Nodes, OWNER_KEY, token_key};
use crate::store::{SharedStore, unavailable};

/// What it is called on the network.
pub(crate) const BALANCER: &str = "balancer";
/// How often a machine renews its registration, and for how long that holds.
const RENEWS_EVERY: Duration = Duration::from_secs(3);
const LASTS: Duration = Duration::from_secs(10);

/// A balancer for these machines. It has no state that a crash could lose.
pub(crate) async fn start(nodes: &Nodes, store: &Arc<SharedStore>, clock: &Clock, tasks: &Tasks) -> Router {
    let registered =
        Heartbeats { nodes: nodes.clone(), store: store.clone(), clock: clock.clone(), heard: Mutex::default() };
    let deps = Deps {
        nodes: Arc::new(registered),
        geo: Geo::default(),
        clock: clock.clone(),
        tasks: tasks.clone(),
        registry: &Registry::new(),
        tokens: token_key(),
        owner_key: OWNER_KEY.parse().expect("a key"),
        unadvertised: None,
    };
    let balancer = Balancer::start(BalancerConfig::default(), deps).await.expect("a registry of its own");
    balancer.router()
}

/// The registry, which hears from each machine that serves.
#[derive(Debug)]
struct Heartbeats {
    nodes: Nodes,
    store: Arc<SharedStore>,
    clock: Clock,
    heard: Mutex<BTreeMap<String, Instant>>,
}

impl Heartbeats {
    fn listen(&self, now: Instant) -> BTreeMap<String, Instant> {
        let mut heard = lock(&self.heard);
        for node in self.nodes.all() {
            let last = heard.get(&node.name).copied();
            let is_due = last.is_none_or(|last| now.duration_since(last) >= RENEWS_EVERY);
            if is_due && node.serving_since().is_some() {
                heard.insert(node.name.clone(), now);
            }
        }
        heard.retain(|_, last| now.duration_since(*last) < LASTS);
        heard.clone()
    }
}

#[async_trait]
impl metadata::Nodes for Heartbeats {
    async fn register(&self, _: &metadata::Node, _: Duration) -> Result<(), MetadataError> {
        Err(unavailable("machines are heard here without it"))
    }

    async fn nodes(&self) -> Result<Vec<Registered>, MetadataError> {
        if self.store.away.is() {
            return Err(unavailable("cannot be reached"));
        }
        let now = self.clock.instant();
        let registered = |(name, last): (String, Instant)| {
            let age = now.duration_since(last);
            let age_ms = millis(age);
            Registered {
                node: node(&name),
                renewed_at: StoreTime(self.clock.now_ms() - age_ms),
                age_ms,
                expires_in_ms: millis(LASTS.saturating_sub(age)),
            }
        };
        Ok(self.listen(now).into_iter().map(registered).collect())
    }

    async fn forget(&self, _: &NodeName) -> Result<(), MetadataError> {
        Ok(())
    }

    async fn agree(&self, _: &str, offer: &str) -> Result<String, MetadataError> {
        Ok(offer.to_owned())
    }

    async fn agreed(&self, _: &str) -> Result<Option<String>, MetadataError> {
        Ok(None)
    }
}

fn node(name: &str) -> metadata::Node {
    metadata::Node {
        name: name.parse().expect("a name"),
        role: Role::Recorder,
        url: format!("http://{name}"),
        region: None,
        place: None,
        state: NodeState::Serving,
        load: Load { free: DISK_FREE, level: Level::default(), ..Load::default() },
        version: "simulated".to_owned(),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

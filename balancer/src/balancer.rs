//! One balancer: what it was given, and its routes.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use broadcast::TokenKey;
use metadata::{NodeName, Nodes};
use prometheus::Registry;
use serde::Deserialize;
use service::{Clock, OwnerKey, Tasks};

use crate::api;
use crate::geo::Geo;
use crate::known::Known;
use crate::metrics::Metrics;
use crate::proxies::Network;

/// How a balancer behaves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BalancerConfig {
    /// How long a publisher goes by a route before it asks again, in seconds.
    pub route_ttl_s: u32,
    /// The most recorders in a route.
    pub route_len_max: usize,
    /// Proxies of ours, whose X-Forwarded-For is believed: addresses, or networks such as `10.0.0.0/8`.
    pub trusted_proxies: Vec<Network>,
    /// How much of a recorder's network a new broadcast is taken to need, in bytes per second.
    pub broadcast_bytes_per_s: u64,
}

impl Default for BalancerConfig {
    fn default() -> Self {
        Self { route_ttl_s: 30, route_len_max: 8, trusted_proxies: Vec::new(), broadcast_bytes_per_s: 500_000 }
    }
}

/// What a balancer is built from.
#[derive(Debug)]
pub struct Deps<'a> {
    pub nodes: Arc<dyn Nodes>,
    pub geo: Geo,
    pub clock: Clock,
    pub tasks: Tasks,
    pub registry: &'a Registry,
    pub tokens: TokenKey,
    pub owner_key: OwnerKey,
    /// The node in this process, if nobody has said by which address it is reached: then whoever asks is told the one by
    /// which it has asked.
    pub unadvertised: Option<NodeName>,
}

/// A balancer. Its task is one of those it was given.
#[derive(Debug)]
pub struct Balancer {
    pub(crate) config: BalancerConfig,
    pub(crate) known: Known,
    pub(crate) geo: Geo,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) tokens: TokenKey,
    pub(crate) owner_key: OwnerKey,
    pub(crate) unadvertised: Option<NodeName>,
}

impl Balancer {
    /// Reads the nodes, if the store is there, and again and again from here on.
    pub async fn start(config: BalancerConfig, deps: Deps<'_>) -> Result<Arc<Self>, prometheus::Error> {
        let known = Known::new(deps.nodes, deps.clock.clone());
        known.read().await;
        let (reader, stop) = (known.clone(), deps.tasks.stop_token());
        deps.tasks.spawn("read the nodes", async move {
            tokio::select! {
                () = reader.keep_reading() => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(Arc::new(Self {
            config,
            known,
            geo: deps.geo,
            clock: deps.clock,
            metrics: Metrics::new(deps.registry)?,
            tokens: deps.tokens,
            owner_key: deps.owner_key,
            unadvertised: deps.unadvertised,
        }))
    }

    /// What publishers and the owner ask of a balancer.
    pub fn router(self: &Arc<Self>) -> Router {
        let routes = Router::new().route("/v1/publish/{id}/route", get(api::route)).route("/v1/nodes", get(api::nodes));
        routes.with_state(self.clone())
    }
}

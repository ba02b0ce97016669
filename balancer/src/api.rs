//! What is asked of a balancer over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::{IntoResponse, Response};
use broadcast::{BroadcastId, Scope, TokenError};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use metadata::{NodeState, Registered, Role};
use serde::Serialize;
use service::{Problem, ProblemKind, base_url, bearer, unauthorized};
use utoipa::{OpenApi, ToSchema};

use crate::balancer::Balancer;
use crate::rank::Question;

/// No recorder is registered.
const NO_RECORDER: ProblemKind =
    ProblemKind::new(StatusCode::SERVICE_UNAVAILABLE, "no-recorder", "No recorder is there to publish to");
/// When to ask again then: about as long as one takes to register.
const COME_BACK: Duration = Duration::from_secs(2);

/// Where to publish to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Route {
    /// Best first. Whoever is refused by one, or gets no answer, goes to the next at once.
    recorders: Vec<Recorder>,
    /// For how long this holds, in seconds; then ask again.
    ttl_s: u32,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recorder {
    /// What comes before `/ingest/`.
    url: String,
    /// Its name.
    node: String,
    region: Option<String>,
}

/// To which recorders to publish, best first: those that are near, have capacity and room, and are well. The same for one
/// broadcast as long as nothing changes. Any recorder takes any segment.
#[utoipa::path(
    get, path = "/v1/publish/{id}/route", tag = "publishing",
    params(("id" = String, Path, description = "The broadcast")),
    responses((status = 200, body = Route), (status = 401), (status = 403), (status = 503, description = "No recorder is registered")),
    security(("publish_token" = []))
)]
pub(crate) async fn route(
    State(balancer): State<Arc<Balancer>>,
    Path(id): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let broadcast: BroadcastId = id.parse().map_err(|error| ProblemKind::NOT_FOUND.detail(error))?;
    balancer.authorize_publisher(&headers, broadcast)?;
    let sender = crate::proxies::sender(peer.ip(), &headers, &balancer.config.trusted_proxies);
    let publisher = balancer.geo.place(sender);
    let broadcast_bytes_per_s = balancer.config.broadcast_bytes_per_s;
    let ranked = balancer.known.route(&Question { broadcast, publisher, broadcast_bytes_per_s }).unwrap_or_default();
    if ranked.is_empty() {
        let detail = "no recorder has registered lately; start one with `headwater recorder`";
        return Err(NO_RECORDER.detail(detail).retry_after(COME_BACK));
    }
    balancer.metrics.routes.inc();
    balancer.metrics.placed.inc_by(u64::from(publisher.is_some()));
    balancer.metrics.recorders.set(i64::try_from(ranked.len()).unwrap_or(i64::MAX));
    let recorder = |Registered { node, .. }: Registered| Recorder {
        url: if balancer.unadvertised.as_ref() == Some(&node.name) { base_url(&headers) } else { node.url },
        node: node.name.to_string(),
        region: node.region,
    };
    let recorders = ranked.into_iter().take(balancer.config.route_len_max.max(1)).map(recorder).collect();
    let route = Route { recorders, ttl_s: balancer.config.route_ttl_s };
    Ok(([(CACHE_CONTROL, "no-store")], Json(route)).into_response())
}

/// The nodes that are alive.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeList {
    nodes: Vec<NodeShown>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NodeShown {
    name: String,
    /// `recorder` or `edge`.
    role: &'static str,
    /// `serving`, `unready`, `draining`; or `late`, if it has missed heartbeats.
    state: &'static str,
    url: String,
    region: Option<String>,
    /// Degrees.
    lat: Option<f64>,
    lon: Option<f64>,
    /// Of all its processors, from 0 to 1.
    cpu: f64,
    /// How much of the time its disk is at work, from 0 to 1.
    disk: f64,
    network_bytes_per_s: u64,
    network_capacity_bytes_per_s: u64,
    open_uploads: u32,
    free_bytes: u64,
    version: String,
    /// When it last said so, in milliseconds ago.
    age_ms: i64,
}

/// Every node that is registered, by name.
#[utoipa::path(
    get, path = "/v1/nodes", tag = "nodes",
    responses((status = 200, body = NodeList), (status = 401), (status = 503)),
    security(("owner_key" = []))
)]
pub(crate) async fn nodes(
    State(balancer): State<Arc<Balancer>>,
    headers: HeaderMap,
) -> Result<Json<NodeList>, Problem> {
    balancer.owner_key.authorize(&headers)?;
    let unknown = || ProblemKind::UNAVAILABLE.detail("the nodes are not known yet").retry_after(COME_BACK);
    let nodes = balancer.known.alive().ok_or_else(unknown)?.into_iter().map(shown).collect();
    Ok(Json(NodeList { nodes }))
}

fn shown(registered: Registered) -> NodeShown {
    let standing = crate::rank::Standing::of(&registered);
    let Registered { node, age_ms, .. } = registered;
    NodeShown {
        name: node.name.to_string(),
        role: match node.role {
            Role::Recorder => "recorder",
            Role::Edge => "edge",
        },
        state: match node.state {
            _ if standing == crate::rank::Standing::Late => "late",
            NodeState::Serving => "serving",
            NodeState::Unready => "unready",
            NodeState::Draining => "draining",
        },
        url: node.url,
        region: node.region,
        lat: node.place.map(|place| place.lat),
        lon: node.place.map(|place| place.lon),
        cpu: node.load.cpu,
        disk: node.load.disk,
        network_bytes_per_s: node.load.network,
        network_capacity_bytes_per_s: node.load.network_capacity,
        open_uploads: node.load.open_uploads,
        free_bytes: node.load.free,
        version: node.version,
        age_ms,
    }
}

impl Balancer {
    /// Lets through who holds a publish token of this broadcast, and the owner, as the ingest API does.
    fn authorize_publisher(&self, headers: &HeaderMap, id: BroadcastId) -> Result<(), Problem> {
        let given =
            bearer(headers).ok_or_else(|| unauthorized("send the publish token as `Authorization: Bearer TOKEN`"))?;
        if self.owner_key.is(given) {
            return Ok(());
        }
        let now_secs = self.clock.now_ms().div_euclid(1000);
        match self.tokens.check(given, Scope::Publish, now_secs) {
            Ok(claims) if claims.sub == id => Ok(()),
            Ok(_) => Err(ProblemKind::FORBIDDEN.detail("the token is of another broadcast")),
            Err(error @ TokenError::WrongScope { .. }) => Err(ProblemKind::FORBIDDEN.detail(error)),
            Err(error @ (TokenError::Invalid | TokenError::Expired)) => Err(unauthorized(error)),
        }
    }
}

/// The part of the API that a balancer answers for.
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(route, nodes))]
    struct Api;
    Api::openapi()
}

#[cfg(test)]
mod tests;

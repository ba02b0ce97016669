//! What an HTTP server counts.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The counters of one server. Clones share them.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    /// Answers, by route, method and class of status (`2xx`).
    requests: IntCounterVec,
    /// From the end of a request's head to the end of its answer, by route and method.
    durations: HistogramVec,
    /// Handlers that panicked and were answered for with a 500.
    pub(crate) panics: IntCounter,
    /// Connections open now.
    pub(crate) connections: IntGauge,
    /// Bytes read from connections.
    pub(crate) received: IntCounter,
    /// Bytes written to connections.
    pub(crate) sent: IntCounter,
    /// Connections that the peer reset while what it had sent was still being served.
    pub(crate) resets: IntCounter,
}

/// From a cached playlist to a segment over a bad network, in seconds.
const DURATIONS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

impl HttpMetrics {
    /// Registers the counters. `server` tells the servers of one process apart.
    pub fn register(registry: &Registry, server: &str) -> Result<Self, prometheus::Error> {
        let opts =
            |name: &str, help: &str| Opts::new(format!("headwater_http_{name}"), help).const_label("server", server);
        let counter = |name, help| IntCounter::with_opts(opts(name, help));
        let requests = opts("requests_total", "Requests answered, by route, method and class of status.");
        let durations =
            HistogramOpts::from(opts("request_duration_seconds", "From a request's head to its answer's end."));
        let connections = opts("connections", "Connections that are open now.");
        let metrics = Self {
            requests: IntCounterVec::new(requests, &["route", "method", "status"])?,
            durations: HistogramVec::new(durations.buckets(DURATIONS.to_vec()), &["route", "method"])?,
            panics: counter("handler_panics_total", "Requests answered 500 because their handler panicked.")?,
            connections: IntGauge::with_opts(connections)?,
            received: counter("received_bytes_total", "Bytes read from connections.")?,
            sent: counter("sent_bytes_total", "Bytes written to connections.")?,
            resets: counter("resets_total", "Connections that the peer reset before it had read all answers.")?,
        };
        registry.register(Box::new(metrics.requests.clone()))?;
        registry.register(Box::new(metrics.durations.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        for counter in [&metrics.panics, &metrics.received, &metrics.sent, &metrics.resets] {
            registry.register(Box::new(counter.clone()))?;
        }
        Ok(metrics)
    }

    /// How many connections are open now.
    pub fn connections_open(&self) -> i64 {
        self.connections.get()
    }

    pub(crate) fn answered(&self, route: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = known(method);
        let class = ["1xx", "2xx", "3xx", "4xx", "5xx"].get(usize::from(status.as_u16() / 100) - 1).unwrap_or(&"other");
        self.requests.with_label_values(&[route, method, class]).inc();
        self.durations.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }
}

/// Others could be made up without end.
fn known(method: &Method) -> &str {
    let known = [&Method::GET, &Method::HEAD, &Method::OPTIONS, &Method::PUT, &Method::POST, &Method::DELETE];
    if known.contains(&method) { method.as_str() } else { "other" }
}

/// Which route answered, as an extension of the response: what metrics and logs say instead of the path, which may
/// hold a token. Answers without one count as `other`.
#[derive(Clone, Debug)]
pub struct RouteName(pub Arc<str>);

/// Puts a [`RouteName`] on each answer of a route of `router`.
pub fn with_route_names(router: Router) -> Router {
    router.layer(axum::middleware::from_fn(name_route))
}

async fn name_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| RouteName(path.as_str().into()));
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

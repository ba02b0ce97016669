//! Is the process alive, can it serve, and what has it counted: `/healthz`, `/readyz`, `/metrics`.
//!
//! Components say by themselves whether they are ready; what happens when one is not is for whoever asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus::{Registry, TextEncoder};
use serde::Serialize;

/// Whether one component can do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// Why not.
    NotReady(String),
}

/// What must be ready for the process to serve. Clones share it.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<&'static str, Check>>>);

type Check = Arc<dyn Fn() -> Readiness + Send + Sync>;

impl Health {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a component that says when it is ready. It is not until it says so. A name used again replaces the first.
    pub fn component(&self, name: &'static str) -> Component {
        let state = Arc::new(Mutex::new(Readiness::NotReady("starting".to_owned())));
        let component = Component(state.clone());
        self.check(name, move || lock(&state).clone());
        component
    }

    /// Adds a component that is asked. `check` is called at each request and must be cheap: it looks at a state that
    /// somebody else keeps, and never waits.
    pub fn check(&self, name: &'static str, check: impl Fn() -> Readiness + Send + Sync + 'static) {
        lock(&self.0).insert(name, Arc::new(check));
    }

    /// What is not ready, and why.
    pub fn not_ready(&self) -> BTreeMap<&'static str, String> {
        let checks = lock(&self.0).clone();
        let reason = |(name, check): (_, Check)| match check() {
            Readiness::Ready => None,
            Readiness::NotReady(why) => Some((name, why)),
        };
        checks.into_iter().filter_map(reason).collect()
    }

    /// `/healthz`: 200 while the process lives. `/readyz`: 200, or 503 with `{"ready": false, "not_ready": {name: why}}`.
    /// `/metrics`: what `registry` holds, in Prometheus' text format 0.0.4.
    pub fn router(&self, registry: Registry) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "alive\n" }))
            .route("/readyz", get(readyz).with_state(self.clone()))
            .route("/metrics", get(metrics).with_state(registry))
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(lock(&self.0).keys()).finish()
    }
}

/// The switch of one component of [`Health`].
#[derive(Clone, Debug)]
pub struct Component(Arc<Mutex<Readiness>>);

impl Component {
    pub fn ready(&self) {
        *lock(&self.0) = Readiness::Ready;
    }

    pub fn not_ready(&self, why: impl Into<String>) {
        *lock(&self.0) = Readiness::NotReady(why.into());
    }
}

/// These states are whole after every change, so a panic elsewhere has not spoilt them.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Serialize)]
struct Report {
    ready: bool,
    not_ready: BTreeMap<&'static str, String>,
}

async fn readyz(State(health): State<Health>) -> Response {
    let not_ready = health.not_ready();
    let ready = not_ready.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Report { ready, not_ready })).into_response()
}

async fn metrics(State(registry): State<Registry>) -> Response {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn get_text(router: &Router, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_names_what_is_missing() {
        let health = Health::new();
        let router = health.router(Registry::new());
        assert_eq!(get_text(&router, "/readyz").await, (200, r#"{"ready":true,"not_ready":{}}"#.to_owned()));
        let store = health.component("store");
        health.check("metadata", || Readiness::NotReady("away".to_owned()));
        let expected = r#"{"ready":false,"not_ready":{"metadata":"away","store":"starting"}}"#;
        assert_eq!(get_text(&router, "/readyz").await, (503, expected.to_owned()));
        health.check("metadata", || Readiness::Ready);
        store.ready();
        assert_eq!(get_text(&router, "/readyz").await.0, 200);
        store.not_ready("disk full");
        assert_eq!(health.not_ready(), BTreeMap::from([("store", "disk full".to_owned())]));
        assert_eq!(get_text(&router, "/healthz").await, (200, "alive\n".to_owned()));
    }

    #[tokio::test]
    async fn metrics_are_prometheus_text() {
        let registry = Registry::new();
        let counter = prometheus::IntCounter::new("things_total", "Things.").unwrap();
        registry.register(Box::new(counter.clone())).unwrap();
        counter.inc_by(3);
        let (status, text) = get_text(&Health::new().router(registry), "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("# TYPE things_total counter\nthings_total 3\n"), "{text}");
    }
}

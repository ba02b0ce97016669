//! One request from its head to the end of its answer: handed to the service, counted, logged; panics caught.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::ConnectInfo;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, LOCATION};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::{Service, ServiceExt};

use super::Server;
use super::activity::Activity;
use super::connection::{Connection, Safety};
use super::request_body::RequestBody;
use crate::clock::Clock;
use crate::metrics::{HttpMetrics, RouteName};
use crate::problem::{self, ProblemKind};

/// The service as one connection sees it.
pub(super) struct Handler<S> {
    service: S,
    peer: SocketAddr,
    safety: Safety,
    activity: Arc<Activity>,
    metrics: HttpMetrics,
    clock: Clock,
}

impl<S> Handler<S> {
    /// Requests come like this.
    pub(super) fn of(self, safety: Safety) -> Self {
        Self { safety, ..self }
    }

    /// Whether whoever asks should do so by https: all but those on this machine, whom nobody can overhear.
    fn should_be_safer(&self) -> bool {
        self.safety == Safety::Declined && !self.peer.ip().to_canonical().is_loopback()
    }
}

impl<S: Clone> Handler<S> {
    pub(super) fn new(server: &Server<S>, connection: &Connection) -> Self {
        Self {
            service: server.service.clone(),
            peer: connection.peer,
            safety: Safety::None,
            activity: connection.activity.clone(),
            metrics: server.metrics.clone(),
            clock: server.clock.clone(),
        }
    }
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Handler<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: From<Bytes> + Send + 'static,
{
    type Response = Response<Answer<B>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.request_began(request.version());
        let mut request = RequestBody::of(request, &self.activity);
        let mut account = Account {
            method: request.method().clone(),
            route: None,
            // What stands if nobody waits for the answer any more (nginx' "client closed request").
            status: StatusCode::from_u16(499).expect("three digits"),
            began: self.clock.instant(),
            peer: self.peer,
            activity: self.activity.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
        };
        if self.should_be_safer() {
            let answer = by_https(&request);
            account.status = answer.status();
            return Box::pin(async move { Ok(answer.map(|body| Answer { body, _account: account })) });
        }
        if self.safety == Safety::Tls {
            request.headers_mut().insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        }
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = AssertUnwindSafe(self.service.clone().oneshot(request)).catch_unwind();
        Box::pin(async move {
            let mut response = answer.await.unwrap_or_else(|_| Ok(account.panicked()))?;
            if !account.activity.can_go_on() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            account.status = response.status();
            account.route = response.extensions().get::<RouteName>().cloned();
            Ok(response.map(|body| Answer { body, _account: account }))
        })
    }
}

/// How we reach the service is told as proxies tell it.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where the same is safely. The method stays (RFC 9110, 15.4.9).
fn by_https<T, B: From<Bytes>>(request: &Request<T>) -> Response<B> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut response = Response::new(B::from(Bytes::from_static(b"This server speaks https.\n")));
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::try_from(format!("https://{host}{path}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// What is counted of one request when its answer has ended, or is dropped.
struct Account {
    method: Method,
    route: Option<RouteName>,
    status: StatusCode,
    began: Instant,
    peer: SocketAddr,
    activity: Arc<Activity>,
    metrics: HttpMetrics,
    clock: Clock,
}

impl Account {
    fn panicked<B: From<Bytes>>(&self) -> Response<B> {
        tracing::error!(method = %self.method, peer = %self.peer, "handler panicked");
        self.metrics.panics.inc();
        let document = problem::Problem::from(ProblemKind::INTERNAL).to_json().to_string();
        let mut response = Response::new(B::from(document.into()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
        response
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let now = self.clock.instant();
        let took = now.duration_since(self.began);
        let route = self.route.as_ref().map_or("other", |route| &route.0);
        self.activity.request_ended(now);
        self.metrics.answered(route, &self.method, self.status, took);
        let (method, peer, status, ms) = (&self.method, self.peer, self.status.as_u16(), took.as_millis());
        tracing::debug!(%method, route, status, ms, %peer, "request");
    }
}

/// An answer's body, which keeps the account open.
pub(super) struct Answer<B> {
    body: B,
    _account: Account,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Poll::Ready(ready!(Pin::new(&mut self.body).poll_frame(cx)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

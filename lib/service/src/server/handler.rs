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
use super::connection::Connection;
use super::request_body::RequestBody;
use super::secure::Speaks;
use crate::clock::Clock;
use crate::metrics::{HttpMetrics, RouteName};
use crate::problem::{self, ProblemKind};

/// The service as one connection sees it.
pub(super) struct Handler<S> {
    service: S,
    speaks: Speaks,
    peer: SocketAddr,
    activity: Arc<Activity>,
    metrics: HttpMetrics,
    clock: Clock,
}

impl<S: Clone> Handler<S> {
    pub(super) fn new(server: &Server<S>, connection: &Connection) -> Self {
        Self {
            service: server.service.clone(),
            speaks: Speaks::Http,
            peer: connection.peer,
            activity: connection.activity.clone(),
            metrics: server.metrics.clone(),
            clock: server.clock.clone(),
        }
    }

    /// For a client that speaks so.
    pub(super) fn that(self, speaks: Speaks) -> Self {
        Self { speaks, ..self }
    }
}

/// How the service knows that a request came over TLS: as it would behind a proxy.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

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
        if self.speaks == Speaks::HttpInstead && !self.peer.ip().to_canonical().is_loopback() {
            let mut response = instead(&request);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            account.status = response.status();
            return Box::pin(async move { Ok(response.map(|body| Answer { body, _account: account })) });
        }
        if self.speaks == Speaks::Https {
            request.headers_mut().entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("https"));
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

/// Where TLS is spoken and this request came without, from another machine: who only looks is sent to the same address with TLS. Who sends
/// something is told, and nothing of it is taken, so that nobody sends secrets in the clear for long without noticing.
fn instead<B: From<Bytes>, R>(request: &Request<R>) -> Response<B> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let secure = host.and_then(|host| HeaderValue::try_from(format!("https://{host}{path}")).ok());
    let only_looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(secure) = secure.filter(|_| only_looks) {
        let mut response = Response::new(B::from(Bytes::new()));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response.headers_mut().insert(LOCATION, secure);
        return response;
    }
    let problem = ProblemKind::BAD_REQUEST.detail("this address speaks TLS: begin it with https://");
    let mut response = Response::new(B::from(problem.to_json().to_string().into()));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_is_sent_on_and_who_sends_is_told() {
        let answer = |method: &str, host: &str| {
            let request = Request::builder().method(method).uri("/watch/x?y=1").header(HOST, host).body(()).unwrap();
            let response: Response<Bytes> = instead(&request);
            let location = response.headers().get(LOCATION).map(|location| location.to_str().unwrap().to_owned());
            (response.status().as_u16(), location)
        };
        let there = Some("https://live.example:8443/watch/x?y=1".to_owned());
        assert_eq!(answer("GET", "live.example:8443"), (307, there.clone()));
        assert_eq!(answer("HEAD", "live.example:8443"), (307, there));
        assert_eq!(answer("PUT", "live.example:8443"), (400, None));
        assert_eq!(answer("GET", ""), (400, None));
    }
}

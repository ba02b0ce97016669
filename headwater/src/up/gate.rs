//! The way in. It is there from the first moment and tells of the health of the process; requests get through once
//! there is somebody to answer them.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderValue;
use http::Request;
use http::header::CACHE_CONTROL;
use http_body::Body;
use playlist::Front;
use service::{Problem, ProblemKind, with_problems, with_route_names};
use tower::Service;

/// When to come back to a process that is starting.
const COME_BACK: Duration = Duration::from_secs(2);

/// Closed at first. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    closed: Router,
    open: OnceLock<Open>,
}

/// What is behind the gate.
#[derive(Clone, Debug)]
pub(crate) enum Open {
    /// Nearly everything that viewers ask for is under /hls/: it goes around the router.
    WithPlaylists(Front),
    WithoutPlaylists(Router),
}

impl Gate {
    /// While it is closed, `health` answers, and for everything else a 503 does.
    pub(crate) fn closed(health: Router) -> Self {
        let closed = with_route_names(with_problems(health.fallback(async || starting())));
        Self(Arc::new(Inner { closed, open: OnceLock::new() }))
    }

    /// Lets requests through from here on.
    pub(crate) fn open(&self, behind: Open) {
        self.0.open.set(behind).expect("it is opened once");
    }
}

fn starting() -> Problem {
    let problem = ProblemKind::UNAVAILABLE.detail("this server is starting: /readyz says what it waits for");
    problem.retry_after(COME_BACK).header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

impl<B> Service<Request<B>> for Gate
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is behind it always is.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.0.open.get() {
            Some(Open::WithPlaylists(front)) => front.clone().call(request),
            Some(Open::WithoutPlaylists(router)) => Box::pin(router.clone().call(request)),
            None => Box::pin(self.0.closed.clone().call(request)),
        }
    }
}

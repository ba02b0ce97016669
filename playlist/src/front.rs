//! Playlists and segments before everybody else: they are nearly all of what viewers ask for.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use http::Request;
use http_body::Body;
use tower::Service;

use crate::playlists::{Playlists, peer};

/// [`Playlists`] for what is under `/hls/`, a router for the rest: see [`Playlists::before`].
#[derive(Clone, Debug)]
pub struct Front {
    pub(crate) playlists: Playlists,
    pub(crate) router: Router,
}

impl<B> Service<Request<B>> for Front
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.router, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !request.uri().path().starts_with("/hls/") {
            return Box::pin(self.router.call(request));
        }
        let playlists = self.playlists.clone();
        let (request, _) = request.into_parts();
        let peer = peer(&request.extensions);
        Box::pin(async move { Ok(playlists.answer(&request.method, &request.uri, &request.headers, peer).await) })
    }
}

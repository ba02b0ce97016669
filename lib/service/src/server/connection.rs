//! One connection from its first byte to its last: served, watched for its patience, and ended when the server stops.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::secure::{Speaks, Stream};
use super::stream::PatientStream;
use super::{BoxError, OnTasks, ServeConfig, Server};
use crate::clock::Clock;
use crate::metrics::HttpMetrics;
use crate::tls::Tls;

pub(super) struct Connection {
    stream: PatientStream,
    pub(super) peer: SocketAddr,
    pub(super) activity: Arc<Activity>,
    config: ServeConfig,
    metrics: HttpMetrics,
    clock: Clock,
}

impl Connection {
    pub(super) fn new<S>(socket: TcpStream, peer: SocketAddr, server: &Server<S>) -> Self {
        let Server { config, metrics, clock, .. } = server;
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot turn off Nagle's algorithm");
        }
        let activity = Arc::new(Activity::new(clock.instant()));
        let stream = PatientStream::new(socket, activity.clone(), metrics.clone(), clock.clone());
        metrics.connections.inc();
        Self { stream, peer, activity, config: config.clone(), metrics: metrics.clone(), clock: clock.clone() }
    }

    pub(super) async fn serve<H, B>(
        self,
        builder: &auto::Builder<OnTasks>,
        tls: Option<Tls>,
        handler: impl FnOnce(Speaks) -> H,
        stop: CancellationToken,
    ) where
        H: hyper::service::Service<Request<Incoming>, Response = Response<B>>,
        H::Future: Send + 'static,
        H::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Self { stream, peer, activity, config, metrics, clock } = self;
        let _open = Open(metrics);
        let look_every = Duration::from_secs(config.head_timeout_secs.max(1));
        let opened = tokio::select! {
            biased;
            opened = Stream::open(stream, tls) => opened,
            () = stop.cancelled() => return,
            () = clock.sleep(look_every) => return tracing::debug!(%peer, "no handshake"),
        };
        let (stream, speaks) = match opened {
            Ok(opened) => opened,
            Err(error) => return tracing::debug!(%peer, %error, "the handshake failed"),
        };
        if speaks == Speaks::Https {
            activity.shook_hands(clock.instant());
        }
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), handler(speaks)));
        let mut next_look = clock.instant() + look_every;
        let mut grace_ends: Option<Instant> = None;
        loop {
            let wake = grace_ends.map_or(next_look, |ends| ends.min(next_look));
            tokio::select! {
                ended = connection.as_mut() => {
                    return ended.unwrap_or_else(|error| tracing::debug!(%peer, error, "connection failed"));
                }
                () = stop.cancelled(), if grace_ends.is_none() => {
                    connection.as_mut().graceful_shutdown();
                    grace_ends = Some(clock.instant() + Duration::from_secs(config.grace_secs));
                }
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = clock.instant();
            if grace_ends.is_some_and(|ends| ends <= now) {
                return tracing::debug!(%peer, "connection dropped, the grace period is over");
            }
            if let Some(overdue) = activity.overdue(now, &config) {
                return tracing::debug!(%peer, ?overdue, "connection dropped");
            }
            next_look = now + look_every;
        }
    }
}

/// Counts an open connection until it is dropped.
struct Open(HttpMetrics);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

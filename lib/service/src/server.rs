//! The HTTP server: HTTP/1.1 with keep-alive and pipelining, and HTTP/2, on one port, with or without TLS.
//!
//! It knows of connections, limits and stopping. What is answered is the service's matter; how bodies are read is
//! [`BodyReader`](crate::BodyReader)'s.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper_util::server::conn::auto;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::Service;

use crate::clock::Clock;
use crate::metrics::HttpMetrics;
use crate::tasks::Tasks;
use crate::tls::Tls;

use connection::Connection;
use handler::Handler;

mod activity;
mod connection;
mod handler;
mod request_body;
mod secure;
mod stream;

pub use request_body::RequestBody;

#[cfg(test)]
mod tests;

/// What a server's clients may cost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Connections open at a time. More wait in the listener's queue.
    pub connections_max: usize,
    /// The longest head of a request, in bytes; at least 8192. It is also the most that is read at once.
    pub head_bytes_max: usize,
    /// How long a head may take from its first byte to its last. Checked as often as this, so it may be twice as long. Also
    /// how long the handshake of TLS may take.
    pub head_timeout_secs: u64,
    /// How long a connection may rest between requests. Publishers rest for as long as a segment takes.
    pub idle_timeout_secs: u64,
    /// How long a client may leave an answer unread without taking a byte of it.
    pub write_timeout_secs: u64,
    /// When stopping: how long requests that have begun may take to end.
    pub grace_secs: u64,
    /// Requests at a time on one HTTP/2 connection.
    pub streams_max: u32,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            head_bytes_max: 64 << 10,
            head_timeout_secs: 10,
            idle_timeout_secs: 120,
            write_timeout_secs: 60,
            grace_secs: 20,
            streams_max: 128,
        }
    }
}

/// HTTP/2 flow control: what a client may send ahead on one stream, and on all of a connection, in bytes.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// How long to wait when no connection can be accepted, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections are taken, and whether they speak TLS.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    pub fn new(socket: TcpListener, tls: Option<Tls>) -> Self {
        Self { socket, tls }
    }
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self::new(socket, None)
    }
}

type BoxError = Box<dyn Error + Send + Sync>;

/// Serves `service`, an axum router for one, until `tasks` are asked to stop: then no more connections are taken,
/// each one ends after the request it is at, and what has not ended after the grace period is dropped.
///
/// Handlers find the peer's address as axum's `ConnectInfo<SocketAddr>`. One that panics is answered for with a 500. One
/// that answers before it has read all of an HTTP/1 request's body ends the connection, and the answer says so.
///
/// With TLS, handlers find `X-Forwarded-Proto: https`, unless somebody between us and the client has said otherwise.
/// Programs on this machine, whom nobody overhears, may speak plain HTTP there too; everybody else is sent to `https://`.
pub fn serve<S, B>(
    listener: impl Into<Listener>,
    service: S,
    config: ServeConfig,
    metrics: HttpMetrics,
    tasks: &Tasks,
    clock: Clock,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + From<Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let places = Arc::new(Semaphore::new(config.connections_max));
    let Listener { socket, tls } = listener.into();
    let server =
        Server { service, builder: builder(&config, tasks), tls, config, metrics, tasks: tasks.clone(), clock };
    tasks.spawn("http accept", accept_all(socket, server, places));
}

#[derive(Clone)]
struct Server<S> {
    service: S,
    builder: auto::Builder<OnTasks>,
    tls: Option<Tls>,
    config: ServeConfig,
    metrics: HttpMetrics,
    tasks: Tasks,
    clock: Clock,
}

async fn accept_all<S, B>(listener: TcpListener, server: Server<S>, places: Arc<Semaphore>)
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + From<Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let stop = server.tasks.stop_token();
    loop {
        let place_and_connection = async {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            both = place_and_connection => both,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = Connection::new(stream, peer, &server);
                let (handler, stop) = (Handler::new(&server, &connection), stop.clone());
                let (builder, tls) = (server.builder.clone(), server.tls.clone());
                server.tasks.spawn("http connection", async move {
                    connection.serve(&builder, tls, |speaks| handler.that(speaks), stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                server.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(config: &ServeConfig, tasks: &Tasks) -> auto::Builder<OnTasks> {
    let mut builder = auto::Builder::new(OnTasks(tasks.clone()));
    builder
        .http1()
        // A client that has sent all it has and closes is still owed the work, if not the answer.
        .half_close(true)
        // hyper's own also counts the rest between two requests; ours is in `activity`.
        .header_read_timeout(None)
        .max_buf_size(config.head_bytes_max.max(8192));
    builder
        .http2()
        .max_concurrent_streams(config.streams_max)
        .max_header_list_size(u32::try_from(config.head_bytes_max).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// hyper starts a task for each HTTP/2 stream.
#[derive(Clone, Debug)]
struct OnTasks(Tasks);

impl<F> hyper::rt::Executor<F> for OnTasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn("http stream", async move {
            future.await;
        });
    }
}

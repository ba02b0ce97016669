//! The one connection of a store to its Redis, for all calls and all messages. One task keeps it up: it connects,
//! asks to be told of the broadcasts that somebody waits for, and starts again when the connection is lost.
//!
//! Everything goes over one connection because commands are answered in their order and messages come between them
//! (RESP3), so nobody needs a connection in which to wait.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use broadcast::BroadcastId;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, PushInfo, PushKind, RedisError, RedisResult, ServerErrorKind, Value};
use service::{Clock, Tasks};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::RedisConfig;
use super::address::Finder;
use super::keys;
use super::server_clock::ServerClock;
use crate::error::MetadataError;
use crate::watches::Watches;

/// How long a new connection may take, with all that belongs to it.
const CONNECT_MS_MAX: Duration = Duration::from_secs(2);
/// The most calls that wait to be sent at once; others wait for a place.
const SEND_QUEUE_LEN_MAX: usize = 1_000;

/// The connection, while there is one.
#[derive(Debug)]
pub(super) struct Link {
    up: watch::Receiver<Result<Up, Away>>,
    breaks: Arc<AtomicU64>,
    wait: Duration,
    clock: Clock,
    tasks: Tasks,
}

/// A connection that works, as far as anybody knows.
#[derive(Clone, Debug)]
struct Up {
    connection: MultiplexedConnection,
    /// Cancelled by the first who finds out that it does not.
    lost: CancellationToken,
}

impl Link {
    pub(super) fn start(
        finder: Finder,
        config: &RedisConfig,
        clock: Clock,
        watches: Arc<Watches>,
        server_clock: Arc<ServerClock>,
    ) -> Self {
        let (up, receiver) = watch::channel(Err(Away::default()));
        let tasks = Tasks::new();
        let breaks = Arc::<AtomicU64>::default();
        let (config_, clock_, breaks_) = (config.clone(), clock.clone(), breaks.clone());
        let keeper = Keeper { finder, config: config_, clock: clock_, watches, server_clock, up, breaks: breaks_ };
        let stop = tasks.stop_token();
        tasks.spawn("redis link", async move {
            tokio::select! {
                () = keeper.run() => {}
                () = stop.cancelled() => {}
            }
        });
        Self { up: receiver, breaks, wait: config.call_wait, clock, tasks }
    }

    /// Makes one call, once there is a connection, if that is soon.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, MetadataError> {
        let mut up = self.up().await?;
        call(&mut up.connection).await.map_err(|error| {
            if is_of_connection(&error) {
                up.lost.cancel();
            }
            error.into()
        })
    }

    pub(super) async fn shutdown(&self) {
        self.tasks.shutdown().await;
    }

    async fn up(&self) -> Result<Up, MetadataError> {
        let mut up = self.up.clone();
        tokio::select! {
            biased;
            up = up.wait_for(|up| up.as_ref().is_ok_and(Up::works)) => {
                let up = up.map_err(|_| MetadataError::unavailable(Away::default()))?;
                up.clone().map_err(MetadataError::unavailable)
            }
            () = self.clock.sleep(self.wait) => Err(MetadataError::unavailable(self.away().unwrap_or_default())),
        }
    }

    /// How many times the connection was lost.
    pub(super) fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::SeqCst)
    }

    /// Whether there is a connection, as far as anybody knows.
    pub(super) fn health(&self) -> Result<(), MetadataError> {
        self.away().map_or(Ok(()), |away| Err(MetadataError::unavailable(away)))
    }

    fn away(&self) -> Option<Away> {
        match &*self.up.borrow() {
            Ok(up) if up.works() => None,
            Ok(_) => Some(Away::default()),
            Err(away) => Some(away.clone()),
        }
    }
}

impl Up {
    fn works(&self) -> bool {
        !self.lost.is_cancelled()
    }
}

/// What a call gets while there is no connection.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("not connected to redis{}", why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
struct Away {
    /// `None` if nothing was tried yet. Told above and not as a source, since it tells its own source again.
    why: Option<RedisError>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.stop_token().cancel();
    }
}

/// The task behind a [`Link`].
struct Keeper {
    finder: Finder,
    config: RedisConfig,
    clock: Clock,
    watches: Arc<Watches>,
    server_clock: Arc<ServerClock>,
    up: watch::Sender<Result<Up, Away>>,
    breaks: Arc<AtomicU64>,
}

impl Keeper {
    async fn run(mut self) {
        let mut was_up = true;
        loop {
            let lost = match self.connect().await {
                Ok(up) => {
                    tracing::info!(address = %self.config.address, "connected to redis");
                    was_up = true;
                    self.serve(up).await
                }
                Err(error) => error,
            };
            let away = Away { why: Some(lost.clone()) };
            self.up.send_modify(|up| *up = Err(away));
            self.breaks.fetch_add(1, Ordering::SeqCst);
            self.watches.set_all_unheard();
            // Once for each time that it goes away, not for each attempt.
            if std::mem::replace(&mut was_up, false) {
                let error = &lost as &dyn std::error::Error;
                tracing::warn!(address = %self.config.address, error, "no connection to redis");
            }
            self.clock.sleep(self.config.reconnect_pause).await;
        }
    }

    async fn connect(&mut self) -> RedisResult<Up> {
        let lost = CancellationToken::new();
        let (watches, token) = (self.watches.clone(), lost.clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MS_MAX))
            .set_response_timeout(Some(self.config.answer_wait))
            .set_pipeline_buffer_size(SEND_QUEUE_LEN_MAX)
            .set_push_sender(move |push| {
                pushed(&push, &watches, &token);
                Ok::<_, std::convert::Infallible>(())
            });
        let connect = async {
            let client = self.finder.find().await?;
            let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            // Before anybody reads over it: what is read is judged by this server's time.
            self.server_clock.ask(&mut connection).await.map(|()| connection)
        };
        tokio::select! {
            connection = connect => Ok(Up { connection: connection?, lost }),
            () = self.clock.sleep(CONNECT_MS_MAX) => Err(timed_out()),
        }
    }

    /// Keeps a connection until it is lost; why it was.
    async fn serve(&self, mut up: Up) -> RedisError {
        self.up.send_modify(|now| *now = Ok(up.clone()));
        let lost = up.lost.clone();
        tokio::select! {
            error = self.listen(&mut up.connection) => error,
            () = lost.cancelled() => (ErrorKind::Io, "the connection was lost").into(),
        }
    }

    /// Hears of all that somebody waits for, until there is an error.
    async fn listen(&self, connection: &mut MultiplexedConnection) -> RedisError {
        let mut heard = HashSet::new();
        loop {
            let mut tick = pin!(self.clock.sleep(self.config.time_every));
            let error = loop {
                if let Err(error) = self.hear(connection, &mut heard).await {
                    break Some(error);
                }
                tokio::select! {
                    () = self.watches.unheard() => {}
                    () = &mut tick => break self.tidy(connection, &mut heard).await.err(),
                }
            };
            if let Some(error) = error {
                return error;
            }
        }
    }

    /// Subscribes to what is waited for and not heard of yet.
    async fn hear(&self, connection: &mut MultiplexedConnection, heard: &mut HashSet<BroadcastId>) -> RedisResult<()> {
        let unheard = self.watches.list_unheard();
        let new = unheard.iter().copied().filter(|id| heard.insert(*id)).map(keys::channel).collect::<Vec<_>>();
        if !new.is_empty() {
            connection.subscribe(new).await?;
        }
        unheard.into_iter().for_each(|id| self.watches.set_heard(id));
        Ok(())
    }

    /// Lets go of what nobody waits for any more, and sees whether the server is still there, and what its time is.
    async fn tidy(&self, connection: &mut MultiplexedConnection, heard: &mut HashSet<BroadcastId>) -> RedisResult<()> {
        let idle = heard.extract_if(|id| !self.watches.is_watched(*id)).map(keys::channel).collect::<Vec<_>>();
        if !idle.is_empty() {
            connection.unsubscribe(idle).await?;
        }
        self.server_clock.ask(connection).await
    }
}

/// Takes what the server, or the library, says without being asked.
fn pushed(push: &PushInfo, watches: &Watches, lost: &CancellationToken) {
    match (&push.kind, &push.data[..]) {
        (PushKind::Disconnection, _) => lost.cancel(),
        (PushKind::Message, [Value::BulkString(channel), ..]) => {
            if let Some(id) = keys::of_channel(channel) {
                watches.wake(id, None);
            }
        }
        _ => {}
    }
}

/// Whether a call failed for want of a connection: it can be made again when there is one.
pub(super) fn is_away(error: &MetadataError) -> bool {
    let MetadataError::Unavailable(source) = error else { return false };
    source.is::<Away>() || source.downcast_ref().is_some_and(is_of_connection)
}

/// Whether an error says something about the connection, or about the server's being the right one, rather than
/// about what was asked.
fn is_of_connection(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly};
    match error.kind() {
        ErrorKind::Server(kind) => matches!(kind, BusyLoading | ClusterDown | MasterDown | ReadOnly),
        kind => kind == ErrorKind::Io,
    }
}

fn timed_out() -> RedisError {
    (ErrorKind::Io, "no connection in time").into()
}

impl From<RedisError> for MetadataError {
    fn from(error: RedisError) -> Self {
        let of_another_kind = matches!(error.kind(), ErrorKind::Parse | ErrorKind::UnexpectedReturnType);
        if of_another_kind || error.code() == Some("WRONGTYPE") {
            Self::corrupt("an answer of redis", error)
        } else {
            Self::unavailable(error)
        }
    }
}

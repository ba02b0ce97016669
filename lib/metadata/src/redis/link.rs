//! The one connection to a server, for all calls and all messages, and what is known of the server by it. One task keeps
//! it up: it connects, asks to be told of the broadcasts that somebody waits for, and starts again when the connection
//! is lost. Which server has what is not known here: see [`servers`](super::servers).
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

use super::address::Finder;
use super::keys;
use super::server_clock::ServerClock;
use super::{RedisConfig, RedisMetrics};
use crate::error::MetadataError;
use crate::watches::Watches;
use crate::writes::Writes;

/// How long a new connection may take, with all that belongs to it.
pub(super) const CONNECT_MS_MAX: Duration = Duration::from_secs(2);
/// The most calls that wait to be sent at once; others wait for a place.
const SEND_QUEUE_LEN_MAX: usize = 1_000;

/// The connection, while there is one.
#[derive(Debug)]
pub(super) struct Link {
    /// Its address, as people read it.
    pub(super) name: String,
    pub(super) watches: Arc<Watches>,
    pub(super) server_clock: Arc<ServerClock>,
    /// The commits that went over it.
    pub(super) writes: Writes,
    up: watch::Receiver<Result<Up, Away>>,
    breaks: Arc<AtomicU64>,
    tasks: Tasks,
}

/// A connection that works, as far as anybody knows.
#[derive(Clone, Debug)]
pub(super) struct Up {
    pub(super) connection: MultiplexedConnection,
    /// Cancelled by the first who finds out that it does not.
    pub(super) lost: CancellationToken,
}

/// What every link is made with.
#[derive(Clone, Debug)]
pub(super) struct LinkSettings {
    pub(super) config: RedisConfig,
    pub(super) clock: Clock,
    pub(super) metrics: RedisMetrics,
    /// Is told of every connection that is made or lost.
    pub(super) changed: watch::Sender<()>,
}

impl Link {
    /// Begins to connect to `server`, which is called `name` in what people read.
    pub(super) fn start(server: Finder, name: String, settings: &LinkSettings) -> Self {
        let LinkSettings { config, clock, metrics, changed } = settings.clone();
        let (up, receiver) = watch::channel(Err(Away::default()));
        let tasks = Tasks::new();
        let breaks = Arc::<AtomicU64>::default();
        let watches = Arc::new(Watches::unheard_at_first());
        let server_clock = Arc::new(ServerClock::new(clock.clone(), metrics));
        let writes = Writes::new(clock.clone());
        let keeper = Keeper {
            finder: server,
            name: name.clone(),
            config,
            clock,
            watches: watches.clone(),
            server_clock: server_clock.clone(),
            up,
            breaks: breaks.clone(),
            changed,
        };
        let stop = tasks.stop_token();
        tasks.spawn("redis link", async move {
            tokio::select! {
                () = keeper.run() => {}
                () = stop.cancelled() => {}
            }
        });
        Self { name, watches, server_clock, writes, up: receiver, breaks, tasks }
    }

    /// The connection, if there is one.
    pub(super) fn up_now(&self) -> Result<Up, Away> {
        match &*self.up.borrow() {
            Ok(up) if up.works() => Ok(up.clone()),
            Ok(_) => Err(Away::default()),
            Err(away) => Err(away.clone()),
        }
    }

    /// The connection, once there is one.
    pub(super) async fn up(&self) -> Result<Up, Away> {
        let mut up = self.up.clone();
        up.wait_for(|up| up.as_ref().is_ok_and(Up::works)).await.map_err(|_| Away::default())?.clone()
    }

    pub(super) async fn shutdown(&self) {
        self.tasks.shutdown().await;
    }

    /// How many times the connection was lost.
    pub(super) fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::SeqCst)
    }

    /// Whether there is a connection over which commits can be made, as far as anybody knows.
    pub(super) fn health(&self) -> Result<(), MetadataError> {
        self.up_now().map_err(MetadataError::unavailable)?;
        self.writes.health()
    }
}

impl Up {
    fn works(&self) -> bool {
        !self.lost.is_cancelled()
    }

    /// Looks at what became of a call: it may say something about the connection.
    pub(super) fn note<T>(&self, answer: &RedisResult<T>) {
        if answer.as_ref().is_err_and(is_of_connection) {
            self.lost.cancel();
        }
    }
}

/// What a call gets while there is no connection.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("not connected to redis{}", why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub(super) struct Away {
    /// `None` if nothing was tried yet. Told above and not as a source, since it tells its own source again.
    pub(super) why: Option<RedisError>,
}

impl From<Away> for RedisError {
    fn from(away: Away) -> Self {
        (ErrorKind::Io, "no connection", away.to_string()).into()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.stop_token().cancel();
    }
}

/// The task behind a [`Link`].
struct Keeper {
    finder: Finder,
    name: String,
    config: RedisConfig,
    clock: Clock,
    watches: Arc<Watches>,
    server_clock: Arc<ServerClock>,
    up: watch::Sender<Result<Up, Away>>,
    breaks: Arc<AtomicU64>,
    changed: watch::Sender<()>,
}

impl Keeper {
    async fn run(mut self) {
        let mut was_up = true;
        loop {
            let lost = match self.connect().await {
                Ok(up) => {
                    tracing::info!(address = %self.name, "connected to redis");
                    was_up = true;
                    self.serve(up).await
                }
                Err(error) => error,
            };
            let away = Away { why: Some(lost.clone()) };
            self.up.send_modify(|up| *up = Err(away));
            // Once for each time that it goes away, not for each attempt.
            if std::mem::replace(&mut was_up, false) {
                self.breaks.fetch_add(1, Ordering::SeqCst);
                self.watches.set_all_unheard();
                self.changed.send_replace(());
                let error = &lost as &dyn std::error::Error;
                tracing::warn!(address = %self.name, error, "no connection to redis");
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
        self.changed.send_replace(());
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

/// Whether a call failed for want of a connection to who has the keys: it can be made again when there is one.
pub(super) fn is_away(error: &MetadataError) -> bool {
    let MetadataError::Unavailable(source) = error else { return false };
    let is_away = |error: &RedisError| is_of_connection(error) || is_elsewhere(error);
    source.is::<Away>() || source.downcast_ref().is_some_and(is_away)
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

/// Whether a node of a cluster refused a call because another has the keys, or is about to, or nobody has.
pub(super) fn is_elsewhere(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, ClusterDown, Moved, TryAgain};
    matches!(error.kind(), ErrorKind::Server(Moved | Ask | TryAgain | ClusterDown))
}

pub(super) fn timed_out() -> RedisError {
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

//! The way of one call to the server that has its keys, through whatever a cluster does meanwhile: a call that is sent
//! elsewhere goes there.
//!
//! A refusal of a cluster comes before anything was done, and so the call can be made again: `MOVED` (another has the
//! slot), `ASK` (the key is on its way to another, and may have arrived), `TRYAGAIN` (some of the keys have), `CLUSTERDOWN`.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value};
use tokio::time::Instant;

use super::cluster;
use super::link::{Link, is_elsewhere};
use super::servers::Known;
use super::slot::Slot;

/// How often a call is sent elsewhere before it pauses each time: more than once or twice is not in order.
const AT_ONCE_MAX: u32 = 3;
/// How long it pauses.
const PAUSE: Duration = Duration::from_millis(20);

/// The connection that a call is made over. Its clones go their own ways.
#[derive(Clone)]
pub(super) struct Route {
    known: Arc<Known>,
    slot: Slot,
    /// When it is given up.
    until: Instant,
    /// Who is asked instead of who has the slot. Until it refuses: what a script needs is brought there too.
    asked: Option<Arc<Link>>,
    /// Who answered last.
    at: Option<Arc<Link>>,
    turns: u32,
}

impl Route {
    pub(super) fn new(known: Arc<Known>, slot: Slot, until: Instant) -> Self {
        Self { known, slot, until, asked: None, at: None, turns: 0 }
    }

    async fn request(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        loop {
            match self.attempt(cmd).await {
                Err(error) if self.may_turn(&error) => self.turn(&error).await?,
                answer => return answer,
            }
        }
    }

    async fn attempt(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        let (link, mut up) = match &self.asked {
            Some(link) => (link.clone(), self.known.up_of(link, self.until).await?),
            None => self.known.up(self.slot, self.until).await?,
        };
        self.at = Some(link);
        let answer = match self.asked {
            Some(_) => asking(&mut up.connection, cmd).await,
            // A refusal comes as a value.
            None => up.connection.req_packed_command(cmd).await.and_then(Value::extract_error),
        };
        up.note(&answer);
        answer
    }

    /// Whether the call may be made again after this.
    fn may_turn(&self, error: &RedisError) -> bool {
        let is_cluster = self.known.seeds.is_some();
        is_cluster && is_elsewhere(error) && self.known.settings.clock.instant() < self.until
    }

    async fn turn(&mut self, error: &RedisError) -> RedisResult<()> {
        self.turns += 1;
        self.asked = None;
        let there = error.redirect_node().map(|(address, _)| {
            let at = self.at.as_ref().map_or("", |link| &link.name);
            cluster::resolve(address, at)
        });
        match (error.kind(), there) {
            (ErrorKind::Server(ServerErrorKind::Moved), Some(there)) => self.known.give(self.slot, &there)?,
            (ErrorKind::Server(ServerErrorKind::Ask), Some(there)) => self.asked = Some(self.known.link_to(&there)?),
            _ => self.turns = self.turns.max(AT_ONCE_MAX + 1),
        }
        if self.turns > AT_ONCE_MAX {
            self.known.settings.clock.sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// A command about a slot that this server is about to get. One request, so that no other comes in between.
async fn asking(connection: &mut MultiplexedConnection, cmd: &Cmd) -> RedisResult<Value> {
    let mut both = redis::pipe();
    both.cmd("ASKING").add_command(cmd.clone());
    let mut answers = connection.req_packed_commands(&both, 1, 1).await?;
    answers.pop().unwrap_or_default().extract_error()
}

impl ConnectionLike for Route {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.request(cmd))
    }

    /// Refused: of several commands, some may be sent elsewhere and others not. A script is what does several things.
    fn req_packed_commands<'a>(&'a mut self, _: &'a Pipeline, _: usize, _: usize) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async { Err((ErrorKind::Client, "a pipeline has no route: use a script").into()) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

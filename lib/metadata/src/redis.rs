//! The store of a fleet: a Redis server, or several watched by Sentinels. What its keys hold is said in [`keys`].
//!
//! A commit is one script, and so atomic and one round trip. Those who wait are told over the same connection that
//! something was appended (PUBLISH, by the script), and read it; after a loss of the connection all of them look
//! again, since messages may have been missed.
//!
//! Entries are dated by the server's clock. It is asked for its time when a connection is made, and regularly; what it
//! said is carried on here, so that nothing depends on this machine's clock. The clocks of servers that take over from
//! each other must agree to within the clock margin of the views: what one has called settled, the other must not
//! date.
//!
//! Redis must keep everything it is given: `maxmemory-policy noeviction`, its default. What a loss of Redis takes with
//! it, the recorders commit again.

mod address;
mod commit;
mod keys;
mod link;
mod metrics;
mod nodes;
mod outbox;
mod server_clock;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, EventIndex, LogEntry, Opened, StoreTime};
use service::Clock;

use crate::batch;
use crate::error::MetadataError;
use crate::store::{Expect, Known, LIST_MAX, Limits, Metadata, Outcome, READ_MAX};
use crate::watches::Watches;
use crate::writes::Writes;

use address::Finder;
use commit::Scripts;
use link::Link;
use server_clock::ServerClock;

pub use address::{RedisAddress, RedisAddressError};
pub use metrics::RedisMetrics;

/// How to talk to the Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    pub address: RedisAddress,
    /// How long a call waits for a connection while there is none.
    pub call_wait: Duration,
    /// How long a call waits for its answer.
    pub answer_wait: Duration,
    /// How long to wait before connecting again.
    pub reconnect_pause: Duration,
    /// How often the server is asked for its time, which also shows whether it is still there.
    pub time_every: Duration,
}

impl RedisConfig {
    pub fn new(address: RedisAddress) -> Self {
        Self {
            address,
            call_wait: Duration::from_millis(500),
            answer_wait: Duration::from_secs(2),
            reconnect_pause: Duration::from_millis(100),
            time_every: Duration::from_secs(5),
        }
    }
}

/// The store in a Redis.
#[derive(Debug)]
pub struct Redis {
    link: Link,
    scripts: Scripts,
    node_scripts: nodes::Scripts,
    limits: Limits,
    watches: Arc<Watches>,
    writes: Writes,
    server_clock: Arc<ServerClock>,
}

impl Redis {
    /// Begins to connect. The server need not be there: calls get `Unavailable` until it is.
    pub fn start(
        config: &RedisConfig,
        limits: Limits,
        clock: Clock,
        metrics: RedisMetrics,
    ) -> Result<Self, RedisAddressError> {
        let finder = Finder::new(&config.address).map_err(RedisAddressError)?;
        let watches = Arc::new(Watches::unheard_at_first());
        let server_clock = Arc::new(ServerClock::new(clock.clone(), metrics));
        let writes = Writes::new(clock.clone());
        let link = Link::start(finder, config, clock, watches.clone(), server_clock.clone());
        let node_scripts = nodes::Scripts::new();
        Ok(Self { link, scripts: Scripts::new(), node_scripts, limits, watches, writes, server_clock })
    }

    /// Ends the connection. Calls that come later get `Unavailable`.
    pub async fn shutdown(&self) {
        self.link.shutdown().await;
    }
}

#[async_trait]
impl Metadata for Redis {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        let event = Event::Opened(opened.clone());
        let body = batch::opened(&event)?;
        let made: Option<String> = self
            .link
            .call(async |redis| {
                let made = self.scripts.open.key(keys::log(id)).arg(&body[..]).invoke_async(redis).await?;
                // Also for one that was there: whoever made it may not have come so far.
                let () = redis::cmd("ZADD").arg(keys::BROADCASTS).arg(0).arg(id.to_string()).query_async(redis).await?;
                Ok(made)
            })
            .await?;
        let made = made.ok_or(MetadataError::AlreadyOpened { id })?;
        let (index, at) = commit::entry_id(&made).ok_or_else(|| not_an_entry(id, &made))?;
        Ok(LogEntry { index, at, event })
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        let entries = batch::check(events)?;
        let call = commit::call(&self.scripts.commit, id, &entries, expect, self.limits);
        let answer: Result<Vec<Vec<u8>>, _> = self.link.call(async |redis| call.invoke_async(redis).await).await;
        // A connection that was lost is the link's to tell of, for as long as there is none.
        if !answer.as_ref().is_err_and(link::is_away) {
            self.writes.note(&answer);
        }
        commit::outcomes(id, &answer?)
    }

    async fn put_back(&self, id: BroadcastId, entries: &[LogEntry]) -> Result<(), MetadataError> {
        let Some(first) = entries.first() else { return Ok(()) };
        let checked = batch::check_put_back(entries)?;
        let call = commit::call_again(&self.scripts.commit, id, first.index, &checked);
        let answer: Vec<Vec<u8>> = self
            .link
            .call(async |redis| {
                let answer = call.invoke_async(redis).await?;
                let () = redis::cmd("ZADD").arg(keys::BROADCASTS).arg(0).arg(id.to_string()).query_async(redis).await?;
                Ok(answer)
            })
            .await?;
        commit::outcomes(id, &answer).map(drop)
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let (mut range, mut newest) = (redis::cmd("XRANGE"), redis::cmd("XREVRANGE"));
        let max = max.min(READ_MAX);
        range.arg(keys::log(id)).arg(format!("{}-0", from.0)).arg("+").arg("COUNT").arg(max);
        newest.arg(keys::log(id)).arg("+").arg("-").arg("COUNT").arg(1);
        // Both are on their way before the first answer comes.
        let (entries, newest): (Vec<RawEntry>, Vec<RawEntry>) = self
            .link
            .call(async |redis| {
                let mut same = redis.clone();
                tokio::try_join!(range.query_async(redis), newest.query_async(&mut same))
            })
            .await?;
        let (newest, _) = newest.first().ok_or(MetadataError::NotFound { id })?;
        let (last, _) = commit::entry_id(newest).ok_or_else(|| not_an_entry(id, newest))?;
        if from > last.next() {
            return Err(MetadataError::Lost { len: last.next() });
        }
        entries.into_iter().map(|(entry, (_, body))| read_entry(id, &entry, &body)).collect()
    }

    async fn wait_beyond(&self, id: BroadcastId, known: Known<'_>, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let mut watch = self.watches.watch(id);
        let breaks = self.link.breaks();
        loop {
            watch.heard().await;
            match self.read(id, known(), max.max(1)).await {
                Ok(entries) if entries.is_empty() && self.link.breaks() == breaks => {}
                // Connected again, the link says that it hears, and so wakes us.
                Err(error) if link::is_away(&error) => {}
                done => return done,
            }
            watch.woken().await;
        }
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        let mut range = redis::cmd("ZRANGE");
        let after = after.map_or("+".to_owned(), |id| format!("({id}"));
        range.arg(keys::BROADCASTS).arg(after).arg("-").arg("BYLEX").arg("REV");
        range.arg("LIMIT").arg(0).arg(max.min(LIST_MAX));
        let ids: Vec<String> = self.link.call(async |redis| range.query_async(redis).await).await?;
        let id = |text: String| {
            text.parse().map_err(|source| MetadataError::corrupt(format!("the broadcast id {text:?}"), source))
        };
        ids.into_iter().map(id).collect()
    }

    fn horizon(&self) -> Option<StoreTime> {
        self.server_clock.now()
    }

    fn breaks(&self) -> u64 {
        self.link.breaks()
    }

    fn health(&self) -> Result<(), MetadataError> {
        self.link.health().and_then(|()| self.writes.health())
    }
}

/// The id of an entry, and its one field.
type RawEntry = (String, (Vec<u8>, Vec<u8>));

fn read_entry(id: BroadcastId, entry: &str, body: &[u8]) -> Result<LogEntry, MetadataError> {
    let (index, at) = commit::entry_id(entry).ok_or_else(|| not_an_entry(id, entry))?;
    let event = Event::decode(body)
        .map_err(|source| MetadataError::corrupt(format!("event {} of broadcast {id}", index.0), source))?;
    Ok(LogEntry { index, at, event })
}

fn not_an_entry(id: BroadcastId, entry: &str) -> MetadataError {
    MetadataError::corrupt(format!("an entry of broadcast {id}"), format!("its id is {entry:?}"))
}

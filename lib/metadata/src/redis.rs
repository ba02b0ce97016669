//! The store of a fleet: a Redis server, several watched by Sentinels, or a Redis Cluster. What its keys hold is said in
//! [`keys`].
//!
//! A commit is one script, and so atomic and one round trip. Those who wait are told over the same connection that
//! something was appended (PUBLISH, by the script), and read it; after a loss of the connection all of them look
//! again, since messages may have been missed.
//!
//! In a cluster, each broadcast is at the primary that has its slot, and so is whoever waits for it; the list of
//! broadcasts, the nodes, what is agreed on and the outbox each have one slot. Nothing is done in two slots at once. The
//! list is written after the log, and again by all who work with a broadcast ([`listing`]), so that a log that somebody
//! works with is in it whatever either server has lost.
//!
//! Entries are dated by the server's clock. It is asked for its time when a connection is made, and regularly; what it
//! said is carried on here, so that nothing depends on this machine's clock. The clocks of servers that take over from
//! each other, and those of the primaries of a cluster, must agree to within the clock margin of the views: what one has
//! called settled, the other must not date.
//!
//! Redis must keep everything it is given: `maxmemory-policy noeviction`, its default. What a loss of Redis takes with
//! it, the recorders commit again.

mod address;
mod cluster;
mod commit;
mod keys;
mod link;
mod listing;
mod metrics;
mod nodes;
mod outbox;
mod route;
mod server_clock;
mod servers;
mod slot;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, EventIndex, LogEntry, Opened, StoreTime};
use service::{Clock, Tasks};
use tokio::sync::watch;

use crate::batch;
use crate::error::MetadataError;
use crate::store::{Expect, Known, LIST_MAX, Limits, Metadata, Outcome, READ_MAX};

use address::Way;
use commit::Scripts;
use link::{Link, LinkSettings};
use listing::Listing;
use servers::Servers;
use slot::Slot;

pub use address::{RedisAddress, RedisAddressError};
pub use metrics::RedisMetrics;

/// How long one who waits looks at nothing while it cannot read.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    servers: Arc<Servers>,
    scripts: Scripts,
    node_scripts: nodes::Scripts,
    limits: Limits,
    listing: Arc<Listing>,
    tasks: Tasks,
}

impl Redis {
    /// Begins to connect. The server need not be there: calls get `Unavailable` until it is.
    pub fn start(
        config: &RedisConfig,
        limits: Limits,
        clock: Clock,
        metrics: RedisMetrics,
    ) -> Result<Self, RedisAddressError> {
        let way = Way::new(&config.address).map_err(RedisAddressError)?;
        let (changed, _) = watch::channel(());
        let servers = Arc::new(Servers::start(way, LinkSettings { config: config.clone(), clock, metrics, changed }));
        let (listing, tasks) = (Arc::<Listing>::default(), Tasks::new());
        let (kept, stop) = (listing::keep_listed(listing.clone(), servers.clone()), tasks.stop_token());
        tasks.spawn("list broadcasts", async move {
            tokio::select! {
                () = kept => {}
                () = stop.cancelled() => {}
            }
        });
        Ok(Self { servers, scripts: Scripts::new(), node_scripts: nodes::Scripts::new(), limits, listing, tasks })
    }

    /// Ends the connections. Calls that come later get `Unavailable`.
    pub async fn shutdown(&self) {
        self.tasks.shutdown().await;
        self.servers.shutdown().await;
    }

    /// Puts a broadcast into the list, or sees to it that it will be.
    async fn list_one(&self, id: BroadcastId) -> Result<(), MetadataError> {
        let add = listing::list(&[id]);
        let done = self.servers.call(listing::slot(), async |redis| add.query_async(redis).await).await;
        match done {
            Ok(()) => self.listing.listed([id]),
            Err(_) => self.listing.found(id),
        }
        done
    }

    /// Waits at the server that has the broadcast, for as long as that is `owner`.
    async fn wait_at(
        &self,
        owner: &Link,
        id: BroadcastId,
        known: Known<'_>,
        max: usize,
        breaks: u64,
    ) -> Result<Vec<LogEntry>, MetadataError> {
        let mut watch = owner.watches.watch(id);
        loop {
            watch.heard().await;
            match self.read(id, known(), max.max(1)).await {
                Ok(entries) if entries.is_empty() && self.breaks_of(id) == breaks => watch.woken().await,
                // Connected again, the link says that it hears, and so wakes us; but it may be another that is away.
                Err(error) if link::is_away(&error) => tokio::select! {
                    () = watch.woken() => {}
                    () = self.servers.clock().sleep(LOOK_AGAIN) => {}
                },
                done => {
                    if done.is_ok() {
                        self.listing.found(id);
                    }
                    return done;
                }
            }
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.tasks.stop_token().cancel();
    }
}

#[async_trait]
impl Metadata for Redis {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        let event = Event::Opened(opened.clone());
        let body = batch::opened(&event)?;
        let mut open = self.scripts.open.key(keys::log(id));
        open.arg(&body[..]);
        let made: Option<String> =
            self.servers.call(Slot::of(id), async |redis| open.invoke_async(redis).await).await?;
        // Also one that was there: whoever made it may not have come so far.
        self.list_one(id).await?;
        let made = made.ok_or(MetadataError::AlreadyOpened { id })?;
        let (index, at) = commit::entry_id(&made).ok_or_else(|| not_an_entry(id, &made))?;
        Ok(LogEntry { index, at, event })
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        let entries = batch::check(events)?;
        let call = commit::call(&self.scripts.commit, id, &entries, expect, self.limits);
        let slot = Slot::of(id);
        let answer: Result<Vec<Vec<u8>>, _> =
            self.servers.call(slot, async |redis| call.invoke_async(redis).await).await;
        // A connection that was lost is the link's to tell of, for as long as there is none.
        if let (false, Some(owner)) = (answer.as_ref().is_err_and(link::is_away), self.servers.owner(slot)) {
            owner.writes.note(&answer);
        }
        commit::outcomes(id, &answer?)
    }

    async fn put_back(
        &self,
        id: BroadcastId,
        entries: &[LogEntry],
        unseen_until: StoreTime,
    ) -> Result<(), MetadataError> {
        if entries.is_empty() {
            return Ok(());
        }
        let checked = batch::check_put_back(entries, unseen_until)?;
        let call = commit::call_again(&self.scripts.commit, id, &checked);
        let answer: Vec<Vec<u8>> =
            self.servers.call(Slot::of(id), async |redis| call.invoke_async(redis).await).await?;
        commit::outcomes(id, &answer)?;
        match self.list_one(id).await {
            // It is listed later: a log is not kept from those who follow it because the list is away.
            Err(error) if !error.is_retryable() => Err(error),
            _ => Ok(()),
        }
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        let (mut range, mut newest) = (redis::cmd("XRANGE"), redis::cmd("XREVRANGE"));
        let max = max.min(READ_MAX);
        range.arg(keys::log(id)).arg(format!("{}-0", from.0)).arg("+").arg("COUNT").arg(max);
        newest.arg(keys::log(id)).arg("+").arg("-").arg("COUNT").arg(1);
        // Both are on their way before the first answer comes.
        let (entries, newest): (Vec<RawEntry>, Vec<RawEntry>) = self
            .servers
            .call(Slot::of(id), async |redis| {
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
        let slot = Slot::of(id);
        let breaks = self.servers.breaks(slot);
        loop {
            let owner = self.servers.owner(slot);
            let waits = async {
                match &owner {
                    Some(owner) => self.wait_at(owner, id, known, max, breaks).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = waits => return done,
                () = self.servers.moved(slot, owner.as_ref()) => {}
            }
        }
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        let mut range = redis::cmd("ZRANGE");
        let after = after.map_or("+".to_owned(), |id| format!("({id}"));
        range.arg(keys::BROADCASTS).arg(after).arg("-").arg("BYLEX").arg("REV");
        range.arg("LIMIT").arg(0).arg(max.min(LIST_MAX));
        let ids: Vec<String> = self.servers.call(listing::slot(), async |redis| range.query_async(redis).await).await?;
        let id = |text: String| {
            text.parse().map_err(|source| MetadataError::corrupt(format!("the broadcast id {text:?}"), source))
        };
        ids.into_iter().map(id).collect()
    }

    fn horizon(&self) -> Option<StoreTime> {
        self.servers.time()
    }

    fn breaks(&self) -> u64 {
        self.servers.all_breaks()
    }

    fn breaks_of(&self, id: BroadcastId) -> u64 {
        self.servers.breaks(Slot::of(id))
    }

    fn health(&self) -> Result<(), MetadataError> {
        self.servers.health()
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

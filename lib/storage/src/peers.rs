//! What is only on the disks of others: the nodes of a fleet are asked, over HTTP, for what no nearer store has.
//!
//! A segment is on one disk alone until it is in the hot store, and viewers may ask for it before. Each node answers from
//! its own disk and never asks on, so that no question goes in circles. Who the others are is told by [`Peers`].
//!
//! Bounded: so many questions at a time, each with a limit of time; a node that fails is left alone for a while.

mod asking;
#[cfg(test)]
mod tests;
mod transport;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, Claims, Key, Object, Scope, TokenKey};
use futures_util::stream::{self, StreamExt};
use http::Method;
use moka::sync::Cache;
use service::Clock;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use crate::blob::Blob;
use crate::error::StoreError;
use crate::store::{Listed, Listing, Store};
use asking::Answer;
use transport::Network;
pub use transport::{Answered, Asking, Transport};

/// For how long the list of nodes is used before it is read again.
const LIST_FOR: Duration = Duration::from_secs(1);
/// How long it may take to read it.
const LIST_MAX: Duration = Duration::from_secs(3);
/// How long it may take to be connected, and to be answered.
const CONNECT_MAX: Duration = Duration::from_secs(1);
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long all may take to say whether they have something.
const SEARCH_MAX: Duration = Duration::from_secs(6);
/// How many nodes are asked for one object at a time, and for how many objects nodes are asked at a time.
const ASKED_MAX: usize = 4;
const SEARCHES_MAX: usize = 64;
/// How long a node that failed is left alone.
const REST: Duration = Duration::from_secs(5);
/// Of how many broadcasts it is remembered who had them.
const REMEMBERED_MAX: u64 = 10_000;
/// For how long a question may be asked, by the clock of whoever is asked, in seconds: clocks differ.
const PASS_FOR_S: i64 = 300;

/// Who may have what is not here.
#[async_trait]
pub trait Peers: fmt::Debug + Send + Sync + 'static {
    /// Those that are alive now.
    async fn fleet(&self) -> Result<Fleet, Box<dyn Error + Send + Sync>>;
}

/// The other nodes.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Where each is reached: `https://r1.example.org`, without a slash at its end.
    pub urls: Vec<Arc<str>>,
    /// What all of them sign with: who asks shows that it is one of them. Without it, nobody is asked.
    pub key: Option<TokenKey>,
    /// Whether these are all there are. A registry that has forgotten some, or all, cannot tell that nobody has something.
    pub is_whole: bool,
}

/// The disks of others as one store. It is only read, and by key alone: nothing in it is listed.
#[derive(Clone, Debug)]
pub struct PeerStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    peers: Arc<dyn Peers>,
    clock: Clock,
    transport: Arc<dyn Transport>,
    /// As it was last read, and when that was.
    list: Mutex<Option<(Instant, Fleet)>>,
    /// Until when these are left alone.
    resting: std::sync::Mutex<HashMap<Arc<str>, Instant>>,
    /// Who had something of a broadcast last.
    had: Cache<BroadcastId, Arc<str>>,
    searches: Semaphore,
}

impl PeerStore {
    /// Below this, a node serves what is on its own disk, by key.
    pub const PATH: &'static str = "/v1/stored/";

    pub fn new(peers: Arc<dyn Peers>, clock: Clock) -> Self {
        Self::over(Arc::new(Network::new(CONNECT_MAX)), peers, clock)
    }

    /// The same over another network than this machine's.
    pub fn over(transport: Arc<dyn Transport>, peers: Arc<dyn Peers>, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            peers,
            clock,
            transport,
            list: Mutex::new(None),
            resting: std::sync::Mutex::default(),
            had: Cache::new(REMEMBERED_MAX),
            searches: Semaphore::new(SEARCHES_MAX),
        }))
    }
}

#[async_trait]
impl Store for PeerStore {
    async fn put(&self, _: &Key, _: Blob) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        self.0.read(key, range).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.0.len(key).await
    }

    async fn remove(&self, _: &Key) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        stream::empty().boxed()
    }

    fn list(&self, _: BroadcastId) -> Listing<Listed> {
        stream::empty().boxed()
    }
}

impl Inner {
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        // HTTP has no empty ranges.
        if let Some(empty) = range.as_ref().filter(|range| range.is_empty()) {
            let len = self.len(key).await?.ok_or(StoreError::NotFound)?;
            let at = empty.start.min(len);
            return Ok(Blob::part(len, at..at, stream::empty()));
        }
        match self.search(key, &Method::GET, range.as_ref()).await? {
            Some(Answer::Blob(blob)) => Ok(blob),
            Some(Answer::Len(len)) => Ok(Blob::part(len, len..len, stream::empty())),
            None => Err(StoreError::NotFound),
        }
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        let found = self.search(key, &Method::HEAD, None).await?;
        Ok(found.map(|answer| match answer {
            Answer::Blob(blob) => blob.object_len(),
            Answer::Len(len) => len,
        }))
    }

    /// The first answer that is none of "not here". That nobody has it is certain only if all have said so, and these are all.
    async fn search(
        &self,
        key: &Key,
        method: &Method,
        range: Option<&Range<u64>>,
    ) -> Result<Option<Answer>, StoreError> {
        if key.object == Object::Document {
            return Ok(None);
        }
        let searched = async {
            let _place = self.searches.acquire().await.expect("it is never closed");
            self.ask_around(key, method, range).await
        };
        timeout(SEARCH_MAX, searched).await.unwrap_or_else(|_| Err(away("the others did not all answer in time")))
    }

    async fn ask_around(
        &self,
        key: &Key,
        method: &Method,
        range: Option<&Range<u64>>,
    ) -> Result<Option<Answer>, StoreError> {
        let fleet = self.fleet().await?;
        let forgotten = (!fleet.is_whole).then(|| away("the registry does not know all recorders"));
        let Some(token) = fleet.key.as_ref().map(|token_key| self.pass(token_key, key.broadcast)) else {
            let unasked = (!fleet.urls.is_empty()).then(|| away("they have not agreed on a key yet"));
            return forgotten.or(unasked).map_or(Ok(None), Err);
        };
        let Order { first, others, mut failed } = self.order(fleet.urls, key.broadcast);
        let ask = |url: Arc<str>| {
            let token = &token;
            async move { (self.ask(&url, key, method, range, token).await, url) }
        };
        // Whoever had it last has the next one too, as a rule.
        let first = stream::iter(first).then(ask);
        let mut answers = std::pin::pin!(first.chain(stream::iter(others).map(ask).buffer_unordered(ASKED_MAX)));
        while let Some((answer, url)) = answers.next().await {
            match answer {
                Ok(Some(found)) => {
                    self.had.insert(key.broadcast, url);
                    return Ok(Some(found));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(node = %url, error = &error as &dyn Error, "a node does not say what is on its disk");
                    self.rest(url);
                    failed = Some(error);
                }
            }
        }
        failed.or(forgotten).map_or(Ok(None), Err)
    }

    /// As last read, or read now; while it cannot be read, the last holds.
    async fn fleet(&self) -> Result<Fleet, StoreError> {
        let mut list = self.list.lock().await;
        let now = self.clock.instant();
        if let Some((read_at, fleet)) = &*list
            && now.duration_since(*read_at) < LIST_FOR
        {
            return Ok(fleet.clone());
        }
        let read = timeout(LIST_MAX, self.peers.fleet()).await.unwrap_or_else(|_| Err("no answer in time".into()));
        let fleet = match (read, list.take()) {
            (Ok(fleet), _) => fleet,
            (Err(_), Some((_, last))) => last,
            (Err(source), None) => return Err(away(source)),
        };
        *list = Some((self.clock.instant(), fleet.clone()));
        Ok(fleet)
    }

    /// Shows that we are one of them. It is good for one broadcast, and not for long.
    fn pass(&self, key: &TokenKey, broadcast: BroadcastId) -> String {
        let exp = self.clock.now_ms().div_euclid(1_000) + PASS_FOR_S;
        key.sign(&Claims { sub: broadcast, scope: Scope::Fetch, exp: Some(exp) })
    }

    fn order(&self, urls: Vec<Arc<str>>, broadcast: BroadcastId) -> Order {
        let (now, had) = (self.clock.instant(), self.had.get(&broadcast));
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|_, until| *until > now);
        let (rests, awake): (Vec<_>, Vec<_>) = urls.into_iter().partition(|url| resting.contains_key(url));
        let (first, others) = awake.into_iter().partition(|url| Some(url) == had.as_ref());
        let failed = rests.first().map(|url| away(format!("{url} failed a moment ago")));
        Order { first, others, failed }
    }

    fn rest(&self, url: Arc<str>) {
        let until = self.clock.instant() + REST;
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).insert(url, until);
    }
}

/// Who is asked, and in which order.
struct Order {
    first: Vec<Arc<str>>,
    others: Vec<Arc<str>>,
    /// If somebody is not asked who may have it.
    failed: Option<StoreError>,
}

fn away(source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Away { store: "the fleet's recorders".to_owned(), operation: "give an object", source: source.into() }
}

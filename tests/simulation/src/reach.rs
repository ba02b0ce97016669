//! How whoever has not an object itself reaches it: in the hot store, and over the network on the disks of the recorders.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use broadcast::{Digest, Key, Object};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use service::Clock;
use storage::{Answered, Asking, Fleet, PeerStore, Peers, Store, StoreError, Tiers, Transport};

use crate::dice::Dice;
use crate::disks::Disks;
use crate::hot::HotStore;
use crate::network::Reset;
use crate::node::{Nodes, token_key};
use crate::store::SharedStore;

/// The longest that something is on its way between two machines, in milliseconds.
const WAY_MS: u64 = 20;
/// How long all has to have been well before nothing may fail any more: what failed is left alone for some seconds.
const WELL_FOR: Duration = Duration::from_secs(8);

/// The disks of all recorders but one, over a network of their own.
pub(crate) fn others(
    nodes: &Nodes,
    here: Option<&str>,
    store: &Arc<SharedStore>,
    clock: Clock,
    dice: Dice,
) -> PeerStore {
    let way = Arc::new(Way { nodes: nodes.clone(), dice });
    let peers = Registered { nodes: nodes.clone(), here: here.map(str::to_owned), store: store.clone() };
    PeerStore::over(way, Arc::new(peers), clock)
}

#[derive(Debug)]
struct Way {
    nodes: Nodes,
    dice: Dice,
}

impl Way {
    async fn pass(&self) {
        tokio::time::sleep(Duration::from_millis(self.dice.between(0, WAY_MS))).await;
    }
}

#[async_trait]
impl Transport for Way {
    async fn ask(&self, question: Asking) -> Result<Answered, Box<dyn Error + Send + Sync>> {
        let host = question.uri().host().unwrap_or_default().to_owned();
        self.pass().await;
        let served = self.nodes.serve(&host, question.map(|_| Body::empty())).ok_or(Reset)?;
        let answer = served.await.map_err(|_| Reset)?;
        self.pass().await;
        Ok(answer.map(|body| Full::new(body).map_err(|never| -> io::Error { match never {} }).boxed_unsync()))
    }
}

#[derive(Debug)]
struct Registered {
    nodes: Nodes,
    here: Option<String>,
    store: Arc<SharedStore>,
}

#[async_trait]
impl Peers for Registered {
    async fn fleet(&self) -> Result<Fleet, Box<dyn Error + Send + Sync>> {
        if self.store.away.is() {
            return Err("the metadata store cannot be reached".into());
        }
        let names = self.nodes.all().iter().map(|node| &node.name).filter(|name| Some(*name) != self.here.as_ref());
        let urls = names.map(|name| format!("http://{name}").into()).collect();
        Ok(Fleet { urls, key: Some(token_key()), is_whole: true })
    }
}

/// How a viewer reaches segments.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    nodes: Nodes,
    hot: Option<Arc<HotStore>>,
    store: Arc<SharedStore>,
    disks: Disks,
    clock: Clock,
    tiers: Tiers,
}

impl Reach {
    pub(crate) fn new(
        nodes: Nodes,
        hot: Option<Arc<HotStore>>,
        store: Arc<SharedStore>,
        disks: Disks,
        clock: Clock,
        dice: Dice,
    ) -> Self {
        let others: Arc<dyn Store> = Arc::new(others(&nodes, None, &store, clock.clone(), dice));
        let tiers = Tiers::new(hot.clone().map(|hot| hot as Arc<dyn Store>).into_iter().chain([others]).collect());
        Self { nodes, hot, store, disks, clock, tiers }
    }

    /// The same, by other dice: what it does moves nobody else.
    pub(crate) fn with_dice(&self, dice: &Dice) -> Self {
        let hot = self.hot.as_ref().map(|hot| {
            let HotStore { store, away, .. } = &**hot;
            Arc::new(HotStore { store: store.clone(), away: away.clone(), dice: dice.fork() })
        });
        let nodes = self.nodes.with_dice(dice.fork());
        Self::new(nodes, hot, self.store.clone(), self.disks.clone(), self.clock.clone(), dice.fork())
    }

    /// Fetches what is listed, or says what is wrong with that it cannot be had.
    pub(crate) async fn fetch(&self, key: &Key) -> Result<(), String> {
        let (well_before, lost_before) = (self.is_well(), self.disks.has_lost(key));
        let fetched = match self.tiers.read(key, None).await {
            Ok(blob) => blob.collect().await,
            Err(error) => Err(error),
        };
        let may = May { fail: !(well_before && self.is_well()), be_lost: lost_before || self.disks.has_lost(key) };
        judged(fetched, key, may)
    }

    fn is_well(&self) -> bool {
        let now = self.clock.instant();
        let since = self.nodes.all().iter().map(|node| node.serving_since());
        let since = since.chain(self.nodes.all().iter().map(|node| node.unreadable.back_since()));
        let mut since = since.chain(self.hot.iter().map(|hot| hot.back_since())).chain([self.store.back_since()]);
        since.all(|since| since.is_some_and(|since| now.duration_since(since) >= WELL_FOR))
    }
}

/// What may have come of a fetch.
#[derive(Clone, Copy, Debug)]
struct May {
    /// Something was not well: viewers come back.
    fail: bool,
    /// Whoever had it is gone for good: then it is sent again.
    be_lost: bool,
}

fn judged(fetched: Result<Bytes, StoreError>, key: &Key, may: May) -> Result<(), String> {
    match fetched {
        Ok(bytes) if Some(Digest::of_blake3(blake3::hash(&bytes).as_bytes())) == digest_of(key) => Ok(()),
        Ok(_) => Err("what is fetched is something else".to_owned()),
        Err(StoreError::NotFound) if may.be_lost => Ok(()),
        Err(StoreError::Damaged { .. } | StoreError::NotFound) => Err("it is nowhere".to_owned()),
        Err(_) if may.fail => Ok(()),
        Err(error) => Err(format!("all is well, and it cannot be fetched: {error}")),
    }
}

fn digest_of(key: &Key) -> Option<Digest> {
    match &key.object {
        Object::Segment { digest, .. } | Object::Init { digest, .. } => Some(*digest),
        Object::Document => None,
    }
}

#[cfg(test)]
mod tests {
    use broadcast::{BroadcastId, RenditionName};

    use super::*;

    #[test]
    fn only_what_may_fail_may_fail() {
        let good = Bytes::from_static(b"init");
        let digest = Digest::of_blake3(blake3::hash(&good).as_bytes());
        let key = Key::of_init(BroadcastId::new(1, 2), RenditionName::main(), digest);
        let away = || StoreError::Away { store: String::new(), operation: "reach it", source: "away".into() };
        let (well, ill) = (May { fail: false, be_lost: false }, May { fail: true, be_lost: false });
        let lost = May { fail: false, be_lost: true };
        let cases = [
            (Ok(good.clone()), well, true),
            (Ok(Bytes::new()), ill, false),
            (Err(StoreError::NotFound), well, false),
            (Err(StoreError::NotFound), ill, false),
            (Err(StoreError::NotFound), lost, true),
            (Err(away()), well, false),
            (Err(away()), lost, false),
            (Err(away()), ill, true),
        ];
        for (number, (fetched, may, is_fine)) in cases.into_iter().enumerate() {
            assert_eq!(judged(fetched, &key, may).is_ok(), is_fine, "{number}");
        }
    }
}

//! Whoever runs the place: looks after a metadata store that has forgotten what nobody can put back, and may end a broadcast at
//! any moment, whatever its publisher is doing.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use broadcast::{Broadcast, BroadcastId, EventIndex, State};
use http::Request;
use metadata::Metadata;
use storage::{LocalReader, Store};
use storage_sync::{RebuildOptions, Tier, rebuild};

use crate::dice::Dice;
use crate::node::{Nodes, OWNER_KEY};
use crate::store::SharedStore;
use crate::truth::Truth;
use crate::within_reach::WithinReach;

/// How long it takes until somebody looks.
const LOOKS_AFTER: Duration = Duration::from_secs(30);
const LOOKS_AGAIN: Duration = Duration::from_secs(5);
/// How long after a stock pusher or its owner has ended a broadcast it may take until it is complete: `end_grace_ms`, and a
/// minute for what cannot be read, and some.
const COMPLETES_WITHIN: Duration = Duration::from_secs(300);

/// One who is always there.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) store: Arc<SharedStore>,
    pub(crate) nodes: Nodes,
    pub(crate) truth: Truth,
}

impl Operator {
    /// `headwater rebuild --fill-in`, whenever it is wanted, once all machines are up.
    pub(crate) async fn look_after(self) {
        loop {
            self.store.wants_rebuilding.until(|wants| wants).await;
            tokio::time::sleep(LOOKS_AFTER).await;
            self.store.wants_rebuilding.change(|wants| *wants = false);
            while !self.fill_in().await {
                tokio::time::sleep(LOOKS_AGAIN).await;
            }
            self.store.rebuilt.change(|times| *times += 1);
        }
    }

    /// Whether it could be done.
    async fn fill_in(&self) -> bool {
        if self.nodes.all().iter().any(|node| node.serving_since().is_none()) {
            return false;
        }
        let hot = self.nodes.all()[0].hot.clone();
        let hot = hot.map(|hot| Tier { name: "hot", store: hot as Arc<dyn Store>, is_hot: true });
        let local = self.nodes.all().iter().map(|node| {
            let store: Arc<dyn Store> = Arc::new(LocalReader::new(&node.dir));
            Tier { name: "local", store, is_hot: false }
        });
        let tiers: Vec<Tier> = hot.into_iter().chain(local).collect();
        let done = rebuild(&*self.store, &tiers, RebuildOptions { fill_in: true }, |_| {}, |_, _, _| {}).await;
        self.truth.note(&format_args!("the operator has filled in what was forgotten: {done:?}"));
        done.is_ok()
    }

    /// What a publisher said beside its segments may have been heard by nobody who is left: its owner says the end again, and
    /// what will never come. So does the owner of one whose publisher has stayed away, and has said its end, and was refused some
    /// of it; and of one that nobody has recorded, as who has nothing does not say where it ends. Where publishers are waited for
    /// only for minutes, those minutes are over, and nobody has to say so.
    pub(crate) async fn say_what_nobody_heard(&self, id: BroadcastId, reach: Option<&WithinReach>) {
        let log = self.store.log().read(id, EventIndex(0), usize::MAX).await.unwrap_or_default();
        let (Ok(Some(broadcast)), Some(now)) = (Broadcast::replay(&log), self.store.log().horizon()) else { return };
        let gives_up = match reach {
            Some(reach) => reach.stays_away(),
            None => broadcast.closing().is_some() && self.truth.recorded_of(id).is_empty(),
        };
        let is_settled = self.store.rebuilt.get() == 0 && !gives_up;
        if is_settled || broadcast.state(now) == State::Complete {
            return;
        }
        self.say(id, "end", 0).await;
        self.say(id, "abandon", 0).await;
    }

    /// The owner of a broadcast ends it after so long, and says so until somebody has heard.
    pub(crate) async fn end(self, id: BroadcastId, after: Duration, dice: Dice) {
        tokio::time::sleep(after).await;
        while !self.say(id, "end", dice.index(self.nodes.all().len())).await {
            tokio::time::sleep(LOOKS_AGAIN).await;
        }
    }

    /// A stock pusher that has closed its playlists has ended its broadcast by that. Otherwise its owner says so, and gives up
    /// what is still waited for.
    pub(crate) async fn end_pushed(&self, id: BroadcastId, ends_itself: bool) {
        if ends_itself && !self.completes(id).await {
            self.truth.violated(format!("{id} was closed by its pusher, and does not end"));
        }
        for what in ["end", "abandon"] {
            if self.is_complete(id).await {
                return;
            }
            while !self.say(id, what, 0).await {
                tokio::time::sleep(LOOKS_AGAIN).await;
            }
            self.completes(id).await;
        }
    }

    async fn completes(&self, id: BroadcastId) -> bool {
        let completes = async {
            while !self.is_complete(id).await {
                tokio::time::sleep(LOOKS_AGAIN).await;
            }
        };
        tokio::time::timeout(COMPLETES_WITHIN, completes).await.is_ok()
    }

    async fn is_complete(&self, id: BroadcastId) -> bool {
        let log = self.store.log().read(id, EventIndex(0), usize::MAX).await.unwrap_or_default();
        let (Ok(Some(broadcast)), Some(now)) = (Broadcast::replay(&log), self.store.log().horizon()) else {
            return false;
        };
        broadcast.state(now) == State::Complete
    }

    /// Whether the recorder that was asked has done it.
    async fn say(&self, id: BroadcastId, what: &str, recorder: usize) -> bool {
        self.truth.note(&format_args!("the owner of {id} says: {what}"));
        let request = Request::post(format!("/v1/broadcasts/{id}/{what}"));
        let request = request.header("authorization", format!("Bearer {OWNER_KEY}")).body(Body::empty());
        match self.nodes.serve(&self.nodes.all()[recorder].name, request.expect("a request")) {
            Some(served) => served.await.is_ok_and(|answer| answer.status().is_success()),
            None => false,
        }
    }
}

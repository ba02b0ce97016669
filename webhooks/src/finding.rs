//! Finds the broadcasts of which something may be to tell, and starts to tell of each. The newest are looked for all the
//! time, all others now and then: ids follow the clocks of those who made them, which may be off.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broadcast::{BroadcastId, StoreTime};
use metadata::MetadataError;
use tokio::sync::Semaphore;

use crate::telling;
use crate::webhooks::{RETRY, Webhooks};

/// How often new broadcasts are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many of the newest are looked at each time.
const NEWEST: usize = 100;
/// Every how many looks all broadcasts are looked at.
const ALL_EVERY: u64 = 600;
/// How many ids are read at a time then.
const PAGE: usize = 1_000;
/// The most broadcasts that are told of at a time; others wait until one of them is complete.
const FOLLOWED_MAX: usize = 10_000;
/// The most logs that are read from their beginning at a time.
const REPLAYS_MAX: usize = 4;

/// What all who tell share.
#[derive(Debug)]
pub(crate) struct Followed {
    ids: Mutex<HashSet<BroadcastId>>,
    /// Since when somebody is told: what happened before is not.
    pub(crate) since: StoreTime,
    pub(crate) replays: Semaphore,
}

impl Followed {
    fn lock(&self) -> MutexGuard<'_, HashSet<BroadcastId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn run(webhooks: Arc<Webhooks>) {
    let since = loop {
        match webhooks.outbox.begin().await {
            Ok(since) => break since,
            Err(error) => trouble(&webhooks, &error).await,
        }
    };
    let followed = Arc::new(Followed { ids: Mutex::default(), since, replays: Semaphore::new(REPLAYS_MAX) });
    let mut was_full = false;
    for look in 0.. {
        let all = look % ALL_EVERY == 0;
        match find(&webhooks, &followed, all).await {
            Ok(full) => {
                if full && !was_full {
                    tracing::warn!(
                        FOLLOWED_MAX,
                        "too many broadcasts that have not come to their end: some wait to be told"
                    );
                }
                was_full = full;
            }
            Err(error) => trouble(&webhooks, &error).await,
        }
        webhooks.clock.sleep(LOOK_EVERY).await;
    }
}

async fn trouble(webhooks: &Webhooks, error: &MetadataError) {
    tracing::warn!(error = error as &dyn std::error::Error, "cannot look for broadcasts to tell of");
    webhooks.clock.sleep(RETRY).await;
}

/// Looks once; whether there were more than can be followed.
async fn find(webhooks: &Arc<Webhooks>, followed: &Arc<Followed>, all: bool) -> Result<bool, MetadataError> {
    let mut after = None;
    loop {
        let max = if all { PAGE } else { NEWEST };
        let page = webhooks.broadcasts.store().list(after, max).await?;
        let new: Vec<BroadcastId> = {
            let known = followed.lock();
            page.iter().copied().filter(|id| !known.contains(id)).collect()
        };
        for (id, told) in new.iter().zip(webhooks.outbox.told(&new).await?) {
            if told.is_some_and(|told| told.complete) {
                continue;
            }
            if followed.lock().len() >= FOLLOWED_MAX {
                return Ok(true);
            }
            follow(webhooks, followed, *id);
        }
        after = page.last().copied();
        if !all || page.len() < max {
            return Ok(false);
        }
    }
}

fn follow(webhooks: &Arc<Webhooks>, followed: &Arc<Followed>, id: BroadcastId) {
    followed.lock().insert(id);
    webhooks.metrics.followed.inc();
    let (teller, shared) = (webhooks.clone(), followed.clone());
    webhooks.until_stopped("tell of a broadcast", async move {
        telling::run(&teller, &shared, id).await;
        shared.lock().remove(&id);
        teller.metrics.followed.dec();
    });
}

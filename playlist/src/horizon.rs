//! Up to which moment the arrival log is known.
//!
//! A view is a function of (log, now), and what time alone changes in it, a gap above all, holds only if the log is
//! complete up to then. Somebody who follows a log is told of events a little after they were committed, and not at
//! all while the store is away. So before time changes a view, the log is read to its end; while it cannot be, time
//! stands still for the views and nothing is published that a late event would contradict.
//!
//! `now` is the store's time and never this machine's: the horizon of `metadata`, before which nothing more can come
//! that a read does not show.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use broadcast::{BroadcastId, Millis, StoreTime};
use metadata::Followed;
use moka::future::Cache;

/// Of how many broadcasts the horizon is remembered. One that is forgotten is found again by a read.
const HORIZONS_MAX: u64 = 10_000;

#[derive(Clone, Debug)]
pub(crate) struct Horizons {
    /// In milliseconds.
    known_until: Cache<BroadcastId, Arc<AtomicI64>>,
}

/// The moment for which a view may be made.
#[derive(Clone, Debug)]
pub(crate) enum Moment {
    Now(StoreTime),
    /// Nobody can say what happened since: the log cannot be read.
    Past(StandStill),
}

/// Where views stand still until somebody has read the log again.
#[derive(Clone, Debug)]
pub(crate) struct StandStill {
    at: StoreTime,
    known_until: Arc<AtomicI64>,
}

impl StandStill {
    /// Whether the log has been read since: then other views have gone on, and one that stays would be behind them.
    pub(crate) fn is_over(&self) -> bool {
        self.known_until.load(Ordering::Relaxed) > self.at.0
    }
}

impl Moment {
    pub(crate) fn at(&self) -> StoreTime {
        match self {
            Self::Now(at) | Self::Past(StandStill { at, .. }) => *at,
        }
    }
}

impl Horizons {
    pub(crate) fn new() -> Self {
        Self { known_until: Cache::new(HORIZONS_MAX) }
    }

    /// The latest moment for which the views are settled. Reads the log only if time has something to change.
    pub(crate) async fn settled(&self, followed: &Followed) -> Moment {
        let known_until = self.known_until.get_with(followed.id(), async { Arc::default() }).await;
        // Before the log is read: that is what the horizon speaks of.
        let horizon = followed.now();
        let (known, next_change) = {
            let broadcast = followed.read();
            let known = broadcast.last_at().max(StoreTime(known_until.load(Ordering::Relaxed)));
            (known, broadcast.next_change(known))
        };
        // What was published is not taken back, though the horizon may be a little earlier than it was.
        let now = horizon.max(known);
        if next_change.is_none_or(|at| now < at) {
            return Moment::Now(now);
        }
        match followed.refresh().await {
            Ok(()) => {
                known_until.fetch_max(now.0, Ordering::Relaxed);
                Moment::Now(now)
            }
            Err(error) => {
                let (id, error) = (followed.id(), &error as &dyn std::error::Error);
                tracing::warn!(%id, error, "the log cannot be read: its views stand still");
                Moment::Past(StandStill { at: known, known_until })
            }
        }
    }

    /// How long views stand still before the log is tried again.
    pub(crate) const RETRY: Millis = Millis(1000);
}

//! Somebody who watches a broadcast all the time, and forgets nothing: each playlist must follow from the one before,
//! and whatever it lists must be there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, EventIndex, Extent, Key, RenditionName, Seq, StoreTime, View};
use metadata::{Metadata, READ_MAX, Sqlite};
use testkit::hls;

use crate::disks::Disks;
use crate::truth::Truth;

/// How often the live playlist is looked at, and how seldom the longer ones are.
const LOOK_EVERY: Duration = Duration::from_millis(1_500);
const LOOKS_PER_LONG: u64 = 64;

/// One who watches.
pub(crate) struct Viewer {
    id: BroadcastId,
    log: Arc<Sqlite>,
    disks: Disks,
    truth: Truth,
    broadcast: Option<Broadcast>,
    seen: BTreeMap<&'static str, String>,
    looks: u64,
    fetched: Seq,
}

impl Viewer {
    pub(crate) fn new(id: BroadcastId, log: Arc<Sqlite>, disks: Disks, truth: Truth) -> Self {
        Self { id, log, disks, truth, broadcast: None, seen: BTreeMap::new(), looks: 0, fetched: Seq(0) }
    }

    /// Watches until nothing changes any more, or for ever.
    pub(crate) async fn watch(mut self) {
        while !self.look().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether it is over.
    async fn look(&mut self) -> bool {
        // First the time, then the log: what is settled by then is in it.
        let Some(now) = self.log.horizon() else { return false };
        if let Err(what) = self.read_on().await {
            self.truth.violated(format!("the log of {} cannot be folded: {what}", self.id));
            return true;
        }
        let Some(broadcast) = self.broadcast.take() else { return false };
        self.looks += 1;
        self.check(&broadcast, "live", View::Live, now);
        self.fetch_what_is_new(&broadcast);
        let over = broadcast.state(now) == broadcast::State::Complete;
        if over || self.looks.is_multiple_of(LOOKS_PER_LONG) {
            self.check(&broadcast, "dvr", View::Dvr, now);
            self.check(&broadcast, "catch-up", View::CatchUp { from: Seq(0) }, now);
        }
        if over {
            self.check(&broadcast, "vod", View::Vod, now);
        }
        self.broadcast = Some(broadcast);
        over
    }

    async fn read_on(&mut self) -> Result<(), String> {
        loop {
            let next = self.broadcast.as_ref().map_or(EventIndex(0), Broadcast::next_index);
            let entries = self.log.read(self.id, next, READ_MAX).await.map_err(|error| error.to_string())?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in &entries {
                match &mut self.broadcast {
                    Some(broadcast) => broadcast.apply(entry).map_err(|error| error.to_string())?,
                    none => *none = Some(Broadcast::open(entry).map_err(|error| error.to_string())?),
                }
            }
        }
    }

    fn check(&mut self, broadcast: &Broadcast, name: &'static str, view: View, now: StoreTime) {
        let Ok(shown) = broadcast.view(&RenditionName::main(), view, Extent::Whole, now) else {
            if self.seen.contains_key(name) {
                self.truth.violated(format!("the {name} playlist of {} is gone", self.id));
            }
            return;
        };
        let Some(before) = self.seen.insert(name, shown.text.clone()) else { return };
        if before == shown.text {
            return;
        }
        let judged = hls::transition(&before, &shown.text).err().unwrap_or_default();
        let formed = hls::well_formed(&shown.text).err().unwrap_or_default();
        for violation in judged.into_iter().chain(formed).take(1) {
            self.truth.violated(format!("the {name} playlist of {}: {violation}", self.id));
        }
    }

    /// Rule 2 of the views.
    fn fetch_what_is_new(&mut self, broadcast: &Broadcast) {
        let Some(main) = broadcast.rendition(&RenditionName::main()) else { return };
        let newest = main.segments().next_back().map_or(Seq(0), |segment| segment.seq.next());
        for segment in main.segments().filter(|segment| segment.seq >= self.fetched) {
            if !self.disks.hold(&Key::of_segment(self.id, segment)) {
                self.truth.violated(format!("{} {} is listed, and nobody has it", self.id, segment.seq));
            }
        }
        self.fetched = self.fetched.max(newest);
    }
}

//! Somebody who watches a broadcast all the time, and forgets nothing: each playlist must follow from the one before,
//! and whatever it lists must be there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, EventIndex, Extent, Key, LogEntry, RenditionName, Seq, StoreTime, View};
use metadata::{Metadata, READ_MAX};
use testkit::hls;

use crate::disks::Disks;
use crate::store::SharedStore;
use crate::truth::Truth;

/// How often the live playlist is looked at, and how seldom the longer ones are.
const LOOK_EVERY: Duration = Duration::from_millis(1_500);
const LOOKS_PER_LONG: u64 = 64;
/// For how many looks the store may know less than it did: a few minutes, as machines and the way to it fail too.
const FORGOTTEN_LOOKS_MAX: u32 = 400;

/// One who watches.
pub(crate) struct Viewer {
    id: BroadcastId,
    store: Arc<SharedStore>,
    disks: Disks,
    truth: Truth,
    broadcast: Option<Broadcast>,
    last: Option<LogEntry>,
    breaks: u64,
    /// How many looks in a row the store knew less than was seen before.
    forgotten: u32,
    seen: BTreeMap<&'static str, String>,
    looks: u64,
    fetched: Seq,
}

impl Viewer {
    pub(crate) fn new(id: BroadcastId, store: Arc<SharedStore>, disks: Disks, truth: Truth) -> Self {
        Self {
            id,
            store,
            disks,
            truth,
            broadcast: None,
            last: None,
            breaks: 0,
            forgotten: 0,
            seen: BTreeMap::new(),
            looks: 0,
            fetched: Seq(0),
        }
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
        let Some(now) = self.store.log().horizon() else { return false };
        if let Err(what) = self.read_on().await {
            self.truth.violated(format!("the log of {} cannot be folded: {what}", self.id));
            return true;
        }
        if self.forgotten > 0 {
            return false;
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
        let log = self.store.log();
        if self.breaks != self.store.breaks()
            && let Some(last) = &self.last
        {
            match log.read(self.id, last.index, 1).await.map(|found| found.first().cloned()) {
                Ok(Some(found)) if found == *last => {}
                // It went on without what was lost: what is shown from here on is shown under other addresses.
                Ok(Some(_)) => self.begin_again(),
                _ if self.forgotten > FORGOTTEN_LOOKS_MAX => return Err("what it forgot is not put back".to_owned()),
                _ => {
                    self.forgotten += 1;
                    return Ok(());
                }
            }
        }
        (self.breaks, self.forgotten) = (self.store.breaks(), 0);
        loop {
            let next = self.broadcast.as_ref().map_or(EventIndex(0), Broadcast::next_index);
            let entries = log.read(self.id, next, READ_MAX).await.map_err(|error| error.to_string())?;
            let Some(last) = entries.last() else { return Ok(()) };
            self.last = Some(last.clone());
            for entry in &entries {
                match &mut self.broadcast {
                    Some(broadcast) => broadcast.apply(entry).map_err(|error| error.to_string())?,
                    none => *none = Some(Broadcast::open(entry).map_err(|error| error.to_string())?),
                }
            }
        }
    }

    fn is_safe(&self, broadcast: &Broadcast, seq: Seq) -> bool {
        broadcast.safe(&RenditionName::main()).is_some_and(|safe| safe.contains(seq))
    }

    fn begin_again(&mut self) {
        self.truth.note(&format_args!("the viewer of {} begins again", self.id));
        (self.broadcast, self.last, self.fetched) = (None, None, Seq(0));
        self.seen.clear();
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
            // Whoever had it may be gone for good: then it is sent again.
            let may_be_lost = self.disks.may_lose() && !self.is_safe(broadcast, segment.seq);
            if !may_be_lost && !self.disks.hold(&Key::of_segment(self.id, segment)) {
                self.truth.violated(format!("{} {} is listed, and nobody has it", self.id, segment.seq));
            }
        }
        self.fetched = self.fetched.max(newest);
    }
}

//! The shell around the pure parts: follows the local log, begins what the policy plans, takes in what comes of it,
//! says what the local log says, deletes what is safe. One task; all that it waits for, it waits for in one place.

mod arrivals;
mod flight;
mod landing;
mod noting;
mod routing;
mod showing;
mod talking;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use broadcast::{Broadcast, BroadcastId, CapturedAt, Event, EventIndex, Key, LogEntry, Millis, Segment, SeqSet};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use metadata::{Metadata, MetadataError, READ_MAX};
use serde::Deserialize;
use service::{Clock, Random};
use storage::{LocalStore, Store};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::guide::Guide;
use crate::held::Held;
use crate::ledger::{Ledger, SegmentName};
use crate::link::Link;
use crate::offset::Offset;
use crate::policy::{Class, PolicyConfig, Situation, plan};
use crate::remote::{Remote, RemoteError, RemoteStatus};
use crate::route::{RecorderUrl, Route};
use crate::status::Status;
use crate::times::{DatedBy, Times};
use flight::{Flight, Landed, OnTheirWay};
use noting::{Noted, Noting};
use routing::Routing;
use talking::Talk;

/// How long to wait before the local log is read again after an error.
const LOG_RETRY: Duration = Duration::from_secs(1);
/// How often it is looked whether time alone has changed something.
const TICK: Duration = Duration::from_millis(250);
/// For how many of the largest segments there should always be room in the spool.
const ROOM_SEGMENTS: u32 = 4;
/// There should always be as much as this: an encoder that does not say how long a segment is has a mebibyte set aside.
const ROOM_MIN: u64 = 4 << 20;

/// How the uplink behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UplinkConfig {
    pub policy: PolicyConfig,
    /// How long an upload may take to be acknowledged beside what its bytes take, in milliseconds.
    pub answer_max_ms: u32,
    /// The slowest link that is waited for, in bytes per second.
    pub bytes_per_s_min: u32,
    /// How long a recorder may take to say what it has, in milliseconds.
    pub probe_max_ms: u32,
    /// For how long what has arrived may be neither safe nor at the recorder that is asked before it is sent again, in
    /// milliseconds: whoever has it may be gone for good.
    pub send_again_after_ms: u32,
    /// How often a recorder is asked what it has, in milliseconds.
    pub ask_every_ms: u32,
    /// How many bytes of segments stay here once they are safe; beyond it, the oldest are deleted.
    pub keep_bytes: u64,
}

impl Default for UplinkConfig {
    fn default() -> Self {
        Self {
            policy: PolicyConfig::default(),
            answer_max_ms: 8_000,
            bytes_per_s_min: 4_000,
            probe_max_ms: 2_500,
            send_again_after_ms: 60_000,
            ask_every_ms: 10_000,
            keep_bytes: 1 << 30,
        }
    }
}

/// What an uplink works with.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where the local recorder keeps its logs.
    pub metadata: Arc<dyn Metadata>,
    /// Where it keeps its segments.
    pub store: LocalStore,
    pub remote: Arc<dyn Remote>,
    /// Where to ask for recorders; if nobody knows there, they are the recorders.
    pub recorders: Vec<RecorderUrl>,
    /// Recorders that were named in an earlier run: asked too where to send, if nobody answers there.
    pub remembered: Vec<RecorderUrl>,
    pub clock: Clock,
    pub random: Random,
}

/// Why an uplink gives up. All that was recorded stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    #[error("the recorder at {recorder} {error}")]
    Remote { recorder: RecorderUrl, error: RemoteError },
    #[error("the local log cannot be read")]
    Log(#[source] MetadataError),
    #[error("the local log is not one")]
    NotALog(#[from] broadcast::LogError),
    /// All else is safe, and the broadcast has ended.
    #[error("{segments} cannot be read from the spool, or not as recorded: {why}")]
    Unreadable { segments: String, why: String },
}

/// One broadcast on its way to the recorders.
#[derive(Debug)]
pub struct Uplink {
    id: BroadcastId,
    deps: Deps,
    config: UplinkConfig,
    began: Instant,
    broadcast: Broadcast,
    ledger: Ledger,
    guide: Guide,
    /// Empty until the guide was told.
    route: Route,
    link: Link,
    offset: Offset,
    times: Times,
    noted: Noted,
    /// Where in the local log each segment is.
    places: BTreeMap<SegmentName, EventIndex>,
    flights: Vec<Flight>,
    next_flight: u64,
    /// How often an upload of this segment was given up because nothing moved.
    given_up: BTreeMap<SegmentName, u32>,
    held: Held,
    /// How many live segments are on their way: while any is, the bodies of missing ones pause.
    live_on_its_way: Arc<OnTheirWay>,
    there: There,
    asked_ms: Option<i64>,
    /// What may have arrived in a request that broke off.
    unsure: BTreeSet<SegmentName>,
    /// What is at another recorder alone, and since when that is known.
    elsewhere: BTreeMap<SegmentName, i64>,
    kept_bytes: u64,
    status: watch::Sender<Status>,
}

/// What is known of the other side.
#[derive(Debug, Default)]
struct There {
    status: Option<RemoteStatus>,
    abandoned: BTreeMap<broadcast::RenditionName, SeqSet>,
    recorder: Option<RecorderUrl>,
    trouble: Option<String>,
    latency_ms: Option<i64>,
}

impl Uplink {
    /// Takes up a broadcast whose local log has been opened.
    pub async fn new(id: BroadcastId, deps: Deps, config: UplinkConfig) -> Result<Self, UplinkError> {
        let mut log = deps.metadata.read(id, EventIndex(0), READ_MAX).await.map_err(UplinkError::Log)?;
        let first = log.first().ok_or(UplinkError::Log(MetadataError::NotFound { id }))?;
        let mut uplink = Self {
            id,
            config,
            began: deps.clock.instant(),
            broadcast: Broadcast::open(first)?,
            ledger: Ledger::default(),
            guide: Guide::new(deps.recorders.clone(), deps.remembered.clone()),
            route: Route::default(),
            link: Link::default(),
            offset: Offset::default(),
            times: Times::unread(),
            noted: Noted::default(),
            places: BTreeMap::new(),
            flights: Vec::new(),
            next_flight: 0,
            given_up: BTreeMap::new(),
            held: Held::default(),
            live_on_its_way: Arc::default(),
            there: There::default(),
            asked_ms: None,
            unsure: BTreeSet::new(),
            elsewhere: BTreeMap::new(),
            kept_bytes: 0,
            status: watch::Sender::new(Status::default()),
            deps,
        };
        uplink.take_read(noting::read(&uplink.deps.store).await);
        log.remove(0);
        // All of it, before what is there is compared with it.
        while !log.is_empty() {
            uplink.take_entries(&log, |times, at, ended, _| times.earlier(at, ended))?;
            let next = uplink.broadcast.next_index();
            log = uplink.deps.metadata.read(id, next, READ_MAX).await.map_err(UplinkError::Log)?;
        }
        Ok(uplink)
    }

    /// How things stand, from now on.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Runs until the broadcast has ended and all of it is safe, or nothing can be done any more: what cannot be read is
    /// waited for until then, and for ten minutes at least. Dropping the future is a crash: it may be run again.
    pub async fn run(mut self) -> Result<(), UplinkError> {
        let mut landing: FuturesUnordered<BoxFuture<'static, Landed>> = FuturesUnordered::new();
        let (mut talk, mut routing): (Option<Talk>, Option<Routing>) = (None, None);
        let mut noting: Option<Noting> = None;
        let mut log = self.wait_for_log();
        loop {
            self.begin(&mut landing);
            noting = noting.or_else(|| self.next_noting());
            talk = talk.or_else(|| self.next_talk());
            routing = routing.or_else(|| self.next_routing());
            self.show();
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            tokio::select! {
                biased;
                entries = &mut log => {
                    self.take_log(entries).await?;
                    log = self.wait_for_log();
                }
                done = noting::at_work(&mut noting) => {
                    noting = None;
                    self.take_noted(done);
                }
                Some(landed) = landing.next() => self.take_landed(landed)?,
                (recorder, talked) = talking::at_work(&mut talk) => {
                    talk = None;
                    self.take_talk(recorder, talked)?;
                }
                (balancer, answer) = routing::at_work(&mut routing) => {
                    routing = None;
                    self.take_routing(&balancer, answer)?;
                }
                () = self.deps.clock.sleep(TICK) => {}
            }
            self.delete_what_is_not_kept().await;
        }
    }

    fn now_ms(&self) -> i64 {
        millis(self.deps.clock.instant().duration_since(self.began))
    }

    /// By what everything is dated here: it goes on when somebody sets the clock, and while this machine sleeps.
    fn running(&self) -> CapturedAt {
        CapturedAt(self.deps.clock.running_ms())
    }

    fn jitter(&self) -> f64 {
        f64::from(u16::from_le_bytes(self.deps.random.bytes())) / f64::from(u16::MAX)
    }

    fn wait_for_log(&self) -> BoxFuture<'static, Result<Vec<LogEntry>, MetadataError>> {
        let (metadata, id, next) = (self.deps.metadata.clone(), self.id, self.broadcast.next_index());
        Box::pin(async move { metadata.wait(id, next, READ_MAX).await })
    }

    async fn take_log(&mut self, entries: Result<Vec<LogEntry>, MetadataError>) -> Result<(), UplinkError> {
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) if error.is_retryable() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the local log");
                self.deps.clock.sleep(LOG_RETRY).await;
                return Ok(());
            }
            Err(error) => return Err(UplinkError::Log(error)),
        };
        let clocks = self.clocks();
        self.take_entries(&entries, |times, at, ended, dated_by| times.recorded(at, ended, dated_by, clocks))
    }

    /// What was recorded, and how it is dated.
    fn take_entries(
        &mut self,
        entries: &[LogEntry],
        date: impl Fn(&mut Times, EventIndex, CapturedAt, DatedBy),
    ) -> Result<(), UplinkError> {
        for entry in entries {
            if let Event::Stored(segment) = &entry.event {
                let dated_by = self.dated_by(segment);
                date(&mut self.times, entry.index, segment.captured_end(), dated_by);
            }
            self.broadcast.apply(entry)?;
            if let Event::Stored(segment) = &entry.event {
                self.kept_bytes += segment.len;
                self.places.insert(SegmentName::of(segment), entry.index);
                let captured_at = self.times.in_running_time(segment.captured_at, self.clocks());
                self.ledger.recorded(segment, captured_at);
            }
        }
        Ok(())
    }

    fn dated_by(&self, segment: &Segment) -> DatedBy {
        let before = self.broadcast.renditions().iter().filter_map(|rendition| rendition.segments().next_back());
        DatedBy::of(segment, before.filter_map(|before| Some((*self.places.get(&SegmentName::of(before))?, &**before))))
    }

    /// Begins what is due. Nothing is sent before it is known what is there, and noted when it was captured.
    fn begin(&mut self, landing: &mut FuturesUnordered<BoxFuture<'static, Landed>>) {
        if self.there.status.is_none() || self.offset.get().is_none() || !self.is_noted() {
            return;
        }
        let unsure = self.unsure.iter().chain(self.held_back()).cloned().collect();
        let in_flight: Vec<_> = self.flights.iter().map(Flight::in_flight).collect();
        let starts = plan(
            &Situation {
                now: self.running(),
                now_ms: self.now_ms(),
                ledger: &self.ledger,
                in_flight: &in_flight,
                unsure: &unsure,
                route: &self.route,
                bytes_per_s: self.link.bytes_per_s(),
            },
            &self.config.policy,
        );
        for start in starts {
            let (flight, landed) = self.take_off(start);
            self.flights.push(flight);
            landing.push(landed);
        }
        self.count_live();
    }

    /// What is left alone for now, whichever recorder there is.
    fn held_back(&self) -> impl Iterator<Item = &SegmentName> {
        self.held.resting(self.now_ms()).chain(self.ahead_of_time())
    }

    /// What waits for its time.
    fn ahead_of_time(&self) -> impl Iterator<Item = &SegmentName> {
        let owed = self.held.looks_ahead().then(|| self.ledger.owed()).into_iter().flatten();
        owed.filter(|name| self.ahead(name).is_some_and(|ahead| self.held.lies_ahead(ahead)))
    }

    /// How far a segment lies ahead of the recorders' clock.
    fn ahead(&self, name: &SegmentName) -> Option<Millis> {
        let segment = self.broadcast.rendition(&name.rendition)?.segment(name.seq)?;
        let theirs = self.running() + self.offset.get()?;
        Some(segment.captured_at + self.times.get(*self.places.get(name)?)? - theirs)
    }

    fn count_live(&self) {
        let live = self.flights.iter().filter(|flight| flight.class == Class::Live).count();
        self.live_on_its_way.set(live);
    }

    async fn delete_what_is_not_kept(&mut self) {
        while self.kept_bytes > self.config.keep_bytes || self.is_short_of_room() {
            let Some(name) = self.ledger.deletable().cloned() else { return };
            let rendition = self.broadcast.rendition(&name.rendition);
            let segment = rendition.and_then(|rendition| rendition.segment(name.seq)).expect("it was recorded");
            let (key, len) = (Key::of_segment(self.id, segment), segment.len);
            if let Err(error) = self.deps.store.remove(&key).await {
                tracing::warn!(%key, error = &error as &dyn std::error::Error, "cannot delete what is safe");
                return;
            }
            self.kept_bytes -= len;
            self.ledger.deleted(&name);
        }
    }

    /// Whether the spool may soon refuse what is recorded.
    fn is_short_of_room(&self) -> bool {
        let wanted = (self.ledger.largest_len() * u64::from(ROOM_SEGMENTS)).max(ROOM_MIN);
        self.deps.store.usage().is_ok_and(|usage| usage.available < wanted)
    }

    fn answer_max(&self, bytes: u64) -> Duration {
        let carrying = bytes * 1000 / u64::from(self.config.bytes_per_s_min.max(1));
        Duration::from_millis(u64::from(self.config.answer_max_ms) + carrying)
    }
}

async fn within<T>(
    clock: &Clock,
    limit: Duration,
    work: impl Future<Output = Result<T, RemoteError>>,
) -> Result<T, RemoteError> {
    tokio::select! {
        biased;
        done = work => done,
        () = clock.sleep(limit) => Err(RemoteError::Stalled(limit)),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

//! The servers of a store, and which of them has what: one that has everything, or the primaries of a cluster, which
//! share the slots. Calls are made here; where they go is changed by what a cluster says ([`cluster`](super::cluster)).
//!
//! A slot that goes to another primary has a break, as if the connection had been lost: nobody can tell from here whether
//! it was moved or whether a replica took over, which may not have had everything.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use broadcast::StoreTime;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use service::{Clock, Tasks};
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::{Finder, Seeds, Way};
use super::cluster::{self, View};
use super::link::{Away, Link, LinkSettings, Up};
use super::route::Route;
use super::slot::{SLOTS, Slot};
use crate::error::MetadataError;

/// The servers of a store. The tasks behind them end when this is dropped.
#[derive(Debug)]
pub(super) struct Servers {
    known: Arc<Known>,
    tasks: Tasks,
}

impl Servers {
    pub(super) fn start(way: Way, settings: LinkSettings) -> Self {
        let tasks = Tasks::new();
        let known = Known { map: RwLock::new(Map::new()), settings, seeds: None };
        let known = match way {
            Way::One(server) => known.with_one(server),
            Way::Cluster(seeds) => Known { seeds: Some(seeds), ..known },
        };
        let known = Arc::new(known);
        if known.seeds.is_some() {
            let (watched, stop) = (known.clone(), tasks.stop_token());
            tasks.spawn("redis cluster", async move {
                tokio::select! {
                    () = cluster::keep_known(&watched) => {}
                    () = stop.cancelled() => {}
                }
            });
        }
        Self { known, tasks }
    }

    /// Makes one call, of keys in one slot, once there is a connection to who has it, if that is soon.
    pub(super) async fn call<T>(
        &self,
        slot: Slot,
        call: impl AsyncFnOnce(&mut Route) -> RedisResult<T>,
    ) -> Result<T, MetadataError> {
        let until = self.known.settings.clock.instant() + self.known.settings.config.call_wait;
        // Here, so that the reason is told as it is.
        self.known.up(slot, until).await.map_err(MetadataError::unavailable)?;
        let mut route = Route::new(self.known.clone(), slot, until);
        call(&mut route).await.map_err(|error| self.known.explain(error))
    }

    /// Who has a slot, if that is known.
    pub(super) fn owner(&self, slot: Slot) -> Option<Arc<Link>> {
        self.known.read().owner(slot)
    }

    /// Ends when not `owner` has the slot, but another.
    pub(super) async fn moved(&self, slot: Slot, owner: Option<&Arc<Link>>) {
        let is_moved = || self.known.read().owner(slot).as_ref().map(Arc::as_ptr) != owner.map(Arc::as_ptr);
        let mut changed = self.known.settings.changed.subscribe();
        // The sender is with us.
        let _ = changed.wait_for(|()| is_moved()).await;
    }

    /// Tells of each change: of a connection, or of who has what.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.known.settings.changed.subscribe()
    }

    /// How many times a slot was away, or went to another server.
    pub(super) fn breaks(&self, slot: Slot) -> u64 {
        self.known.read().breaks(slot)
    }

    /// The same of all together.
    pub(super) fn all_breaks(&self) -> u64 {
        let map = self.known.read();
        map.moves + map.links.values().map(|link| link.breaks()).sum::<u64>()
    }

    /// The time of the server whose clock is furthest behind, of those that have something and were reached.
    pub(super) fn time(&self) -> Option<StoreTime> {
        self.known.read().links.values().filter_map(|link| link.server_clock.now()).min()
    }

    /// Whether there is one at least that can be used: what cannot be kept on the others says so itself.
    pub(super) fn health(&self) -> Result<(), MetadataError> {
        let map = self.known.read();
        let mut health = Err(MetadataError::unavailable(map.nobody.clone()));
        for link in map.links.values() {
            health = link.health();
            if health.is_ok() {
                break;
            }
        }
        health
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.known.settings.clock
    }

    pub(super) async fn shutdown(&self) {
        self.tasks.shutdown().await;
        let links: Vec<_> = self.known.read().links.values().cloned().collect();
        for link in links {
            link.shutdown().await;
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.tasks.stop_token().cancel();
    }
}

/// What is known of the servers, and all that is needed to reach them.
#[derive(Debug)]
pub(super) struct Known {
    map: RwLock<Map>,
    pub(super) settings: LinkSettings,
    /// If they are a cluster.
    pub(super) seeds: Option<Seeds>,
}

/// Who has what.
#[derive(Debug)]
struct Map {
    slots: Vec<Place>,
    /// Who has something, by address; and who will soon, since somebody was sent there.
    links: HashMap<String, Arc<Link>>,
    /// How many breaks there were that the links do not count.
    moves: u64,
    /// Why it is not known who has a slot.
    nobody: Away,
}

/// One slot.
#[derive(Clone, Debug, Default)]
struct Place {
    owner: Option<Arc<Link>>,
    /// How many breaks it had before it went there.
    breaks_before: u64,
}

impl Map {
    fn new() -> Self {
        let slots = vec![Place::default(); SLOTS.into()];
        Self { slots, links: HashMap::new(), moves: 0, nobody: Away::default() }
    }

    fn owner(&self, slot: Slot) -> Option<Arc<Link>> {
        self.slots[slot.index()].owner.clone()
    }

    fn breaks(&self, slot: Slot) -> u64 {
        let Place { owner, breaks_before } = &self.slots[slot.index()];
        breaks_before + owner.as_ref().map_or(0, |owner| owner.breaks())
    }

    /// Whether that was news. What it counts goes up, whoever had how many breaks.
    fn give(&mut self, slot: Slot, owner: Option<&Arc<Link>>) -> bool {
        let breaks = self.breaks(slot);
        let place = &mut self.slots[slot.index()];
        let is_new = place.owner.as_ref().map(Arc::as_ptr) != owner.map(Arc::as_ptr);
        if is_new {
            *place = Place { owner: owner.cloned(), breaks_before: breaks + 1 };
        }
        is_new
    }

    /// Forgets the links of those who have nothing.
    fn forget_idle(&mut self) {
        let owners: HashSet<_> =
            self.slots.iter().filter_map(|place| Some(Arc::as_ptr(place.owner.as_ref()?))).collect();
        let idle = self.links.extract_if(|_, link| !owners.contains(&Arc::as_ptr(link)));
        self.moves += idle.map(|(_, link)| link.breaks()).sum::<u64>();
    }
}

impl Known {
    fn with_one(self, server: Finder) -> Self {
        let name = self.settings.config.address.to_string();
        let link = Arc::new(Link::start(server, name.clone(), &self.settings));
        let mut map = self.write();
        map.slots.fill(Place { owner: Some(link.clone()), breaks_before: 0 });
        map.links.insert(name, link);
        drop(map);
        self
    }

    /// A connection to who has the slot, and who that is, if there is one before `until`.
    pub(super) async fn up(&self, slot: Slot, until: Instant) -> Result<(Arc<Link>, Up), Away> {
        let mut changed = self.settings.changed.subscribe();
        let left = until.saturating_duration_since(self.settings.clock.instant());
        let found = async {
            loop {
                changed.borrow_and_update();
                let owner = self.read().owner(slot);
                if let Some((link, up)) = owner.and_then(|link| link.up_now().ok().map(|up| (link, up))) {
                    return (link, up);
                }
                // The sender is with us.
                let _ = changed.changed().await;
            }
        };
        tokio::select! {
            biased;
            found = found => Ok(found),
            () = self.settings.clock.sleep(left) => Err(self.away(slot)),
        }
    }

    /// The connection of this link, if there is one before `until`.
    pub(super) async fn up_of(&self, link: &Link, until: Instant) -> Result<Up, Away> {
        let clock = &self.settings.clock;
        tokio::select! {
            biased;
            up = link.up() => up,
            () = clock.sleep(until.saturating_duration_since(clock.instant())) => link.up_now(),
        }
    }

    /// Why there is no connection to who has the slot.
    fn away(&self, slot: Slot) -> Away {
        let map = self.read();
        let away = map.owner(slot).map_or_else(|| Err(map.nobody.clone()), |link| link.up_now().map(drop));
        away.err().unwrap_or_default()
    }

    /// The link to the node of a cluster at this address; a new one if there is none.
    pub(super) fn link_to(&self, address: &str) -> RedisResult<Arc<Link>> {
        self.link_in(&mut self.write(), address)
    }

    fn link_in(&self, map: &mut Map, address: &str) -> RedisResult<Arc<Link>> {
        if let Some(link) = map.links.get(address) {
            return Ok(link.clone());
        }
        let seeds = self.seeds.as_ref().ok_or_else(not_a_cluster)?;
        let server = Finder::Server(seeds.node(address)?);
        let link = Arc::new(Link::start(server, address.to_owned(), &self.settings));
        map.links.insert(address.to_owned(), link.clone());
        Ok(link)
    }

    /// A node has said that another has this slot.
    pub(super) fn give(&self, slot: Slot, address: &str) -> RedisResult<()> {
        let mut map = self.write();
        let link = self.link_in(&mut map, address)?;
        let is_new = map.give(slot, Some(&link));
        map.moves += u64::from(is_new);
        drop(map);
        if is_new {
            self.settings.changed.send_replace(());
        }
        Ok(())
    }

    /// A node has said who has what.
    pub(super) fn believe(&self, view: &View) -> RedisResult<()> {
        let mut map = self.write();
        let mut owners: Vec<Option<Arc<Link>>> = vec![None; SLOTS.into()];
        for share in &view.shares {
            let link = self.link_in(&mut map, &share.primary)?;
            owners[share.first.index()..=share.last.index()].fill(Some(link));
        }
        let mut is_new = false;
        for (number, owner) in (0..SLOTS).zip(&owners) {
            let slot = Slot::try_from(number).expect("less than there are");
            is_new |= map.give(slot, owner.as_ref());
        }
        map.nobody = Away { why: Some((ErrorKind::Io, "no node of the cluster has the slot").into()) };
        map.moves += u64::from(is_new);
        map.forget_idle();
        drop(map);
        if is_new {
            self.settings.changed.send_replace(());
        }
        Ok(())
    }

    /// Nobody could say who has what.
    pub(super) fn nobody_knows(&self, why: RedisError) {
        self.write().nobody = Away { why: Some(why) };
    }

    /// The connections there are, by address, and whether there is none to one who has something.
    pub(super) fn connections(&self) -> (Vec<(String, Up)>, bool) {
        let map = self.read();
        let up = |(address, link): (&String, &Arc<Link>)| Some((address.clone(), link.up_now().ok()?));
        let connections: Vec<_> = map.links.iter().filter_map(up).collect();
        let is_away = map.links.is_empty() || connections.len() < map.links.len();
        (connections, is_away)
    }

    fn explain(&self, error: RedisError) -> MetadataError {
        let is_moved = matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask));
        if is_moved && self.seeds.is_none() { MetadataError::unavailable(not_a_cluster()) } else { error.into() }
    }

    /// Each change is whole before anything can panic.
    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_a_cluster() -> RedisError {
    let text = "this redis is one node of a cluster: give its address as redis+cluster://HOST:PORT";
    (ErrorKind::InvalidClientConfig, text).into()
}

//! This process as a node among others: it registers in the metadata store with its load, renews that every few seconds,
//! says when it is about to stop, and is forgotten when it has.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use metadata::{Level, Load, MetadataError, Node, NodeName, NodeState, Nodes, Role};
use recorder::Recorder;
use service::{Clock, Health, Machine, Random, Tasks};
use storage::LocalStore;

use crate::config::{Config, NodeConfig};
use crate::secrets::{self, Agreed};

/// How much sooner or later than it is due a renewal may come, so that those of a fleet do not come together.
const JITTER: f64 = 0.2;

/// A registered node. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Registration(Arc<Inner>);

/// What a node does that shows in its load.
#[derive(Debug)]
pub(super) struct Duties {
    pub(super) recorder: Arc<Recorder>,
    pub(super) store: LocalStore,
    /// What the metadata store should have, and may lose.
    pub(super) agreed: Vec<Agreed>,
}

#[derive(Debug)]
struct Inner {
    nodes: Arc<dyn Nodes>,
    name: NodeName,
    url: String,
    config: NodeConfig,
    duties: Duties,
    health: Health,
    measured: Mutex<Measured>,
    draining: AtomicBool,
    /// So that each trouble is told once.
    was_told: AtomicBool,
    keys_differ: AtomicBool,
}

#[derive(Debug)]
struct Measured {
    machine: Machine,
    level: Level,
}

/// What this node is called.
pub(super) fn name(config: &Config, random: &Random) -> anyhow::Result<NodeName> {
    if let Some(name) = &config.node.name {
        return Ok(name.clone());
    }
    let path = config.data.join("node-name");
    let made = || format!("{}-{:04x}", host_name(), u16::from_le_bytes(random.bytes()));
    let name = secrets::node_name(&config.data, made)?;
    name.parse().with_context(|| format!("{}: correct it, or remove it and get another", path.display()))
}

/// What this machine is called, as far as that can be in a name.
fn host_name() -> String {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy();
    let first = host.split('.').next().unwrap_or_default();
    first.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').take(40).collect()
}

impl Registration {
    /// Registers, and renews that until the tasks are told to stop.
    pub(super) fn start(
        config: &Config,
        name: NodeName,
        address: SocketAddr,
        duties: Duties,
        nodes: Arc<dyn Nodes>,
        health: Health,
        (clock, random, tasks): (&Clock, &Random, &Tasks),
    ) -> Self {
        let url = config.advertised().map(str::to_owned);
        let registration = Self(Arc::new(Inner {
            nodes,
            name,
            url: url.unwrap_or_else(|| format!("{}://{}", config.scheme(), super::shown_as(address).best())),
            config: config.node.clone(),
            duties,
            health,
            measured: Mutex::new(Measured {
                machine: Machine::new(&config.data, clock.clone()),
                level: Level::default(),
            }),
            draining: AtomicBool::new(false),
            was_told: AtomicBool::new(false),
            keys_differ: AtomicBool::new(false),
        }));
        tracing::info!(name = %registration.0.name, url = registration.0.url, "this node");
        let (renewed, stop, clock, random) = (registration.clone(), tasks.stop_token(), clock.clone(), random.clone());
        tasks.spawn("register this node", async move {
            let renews = async {
                loop {
                    renewed.0.renew().await;
                    clock.sleep(renewed.0.next_in(&random)).await;
                }
            };
            tokio::select! {
                () = renews => {}
                () = stop.cancelled() => {}
            }
        });
        registration
    }

    /// Says that this node is about to stop, so that nobody else is sent to it.
    pub(super) async fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.renew().await;
    }

    /// It has stopped. If the store is away, the registration expires by itself.
    pub(super) async fn forget(&self) {
        let _ = self.0.nodes.forget(&self.0.name).await;
    }
}

impl Inner {
    async fn renew(&self) {
        let renewed = self.try_renew().await;
        let was_told = self.was_told.swap(renewed.is_err(), Ordering::Relaxed);
        if let Err(error) = renewed
            && !was_told
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot register this node; trying again");
        }
    }

    async fn try_renew(&self) -> Result<(), MetadataError> {
        self.nodes.register(&self.node(), self.config.time_to_live).await?;
        let differ = secrets::put_back(&self.duties.agreed, &*self.nodes).await?;
        if !self.keys_differ.swap(!differ.is_empty(), Ordering::Relaxed) && !differ.is_empty() {
            tracing::error!(
                keys = ?differ,
                "the metadata store lost these keys and holds others now, by a node that was new to this fleet: remove them \
                 from its directory and from the store (HDEL hw:agreed), and start it again"
            );
        }
        Ok(())
    }

    fn node(&self) -> Node {
        let state = match self.draining.load(Ordering::Relaxed) {
            true => NodeState::Draining,
            false if self.health.not_ready().is_empty() => NodeState::Serving,
            false => NodeState::Unready,
        };
        Node {
            name: self.name.clone(),
            role: Role::Recorder,
            url: self.url.clone(),
            region: self.config.region.clone(),
            place: self.config.place,
            state,
            load: self.load(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn load(&self) -> Load {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let machine = measured.machine.measure();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate that is not negative")]
        let mut load = Load {
            cpu: machine.cpu,
            disk: machine.disk,
            network: machine.network as u64,
            network_capacity: self.config.network_capacity.unwrap_or(machine.network_capacity),
            open_uploads: u32::try_from(self.duties.recorder.open_uploads()).unwrap_or(u32::MAX),
            // What cannot be told counts as none.
            free: self.duties.store.usage().map_or(0, |usage| usage.available),
            level: Level::default(),
        };
        measured.level = measured.level.follow(load.utilization());
        load.level = measured.level;
        load
    }

    fn next_in(&self, random: &Random) -> Duration {
        let drawn = f64::from(u16::from_le_bytes(random.bytes())) / f64::from(u16::MAX);
        self.config.renew_every.mul_f64(1.0 + JITTER * (2.0 * drawn - 1.0))
    }
}

//! The wiring: which roles run in this process, on what, and in which order everything starts and stops.

mod fleet;
mod gate;
mod keys;
mod metadata_store;
mod node;
mod parts;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use anyhow::{Context, bail};
use metadata::Broadcasts;
use prometheus::Registry;
use service::{Clock, Component, Health, HttpMetrics, Listener, Random, Readiness, Tasks};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config};
use crate::secrets;
use crate::tls::Certificate;
pub(crate) use fleet::disks;
use gate::Gate;
pub(crate) use metadata_store::MetadataStore;
use node::Registration;
use parts::{Built, Parts};

/// Which roles a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    recorder: bool,
    balancer: bool,
    playlist: bool,
    webhooks: bool,
}

impl Roles {
    const NONE: Self = Self { recorder: false, balancer: false, playlist: false, webhooks: false };
    pub(crate) const ALL: Self = Self { recorder: true, balancer: true, playlist: true, webhooks: true };
    /// With a balancer, so that a publisher that was told of one recorder can ask it for the others.
    pub(crate) const RECORDER: Self = Self { recorder: true, balancer: true, ..Self::NONE };
    pub(crate) const BALANCER: Self = Self { balancer: true, ..Self::NONE };
    pub(crate) const PLAYLIST: Self = Self { playlist: true, ..Self::NONE };
    pub(crate) const WEBHOOKS: Self = Self { webhooks: true, ..Self::NONE };
}

pub(crate) fn run(config: Config, roles: Roles) -> anyhow::Result<()> {
    if roles != Roles::ALL && config.metadata.is_none() {
        bail!("a role by itself shares its metadata with the others: give --metadata redis://HOST:PORT");
    }
    service::init_telemetry(config.log_format, &config.log)?;
    config::trust_also(config.tls_ca.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(Process::start(config, roles))?;
    // What still blocks a thread now has had its grace.
    runtime.shutdown_background();
    Ok(())
}

/// Everything that runs, in the order in which it has to stop.
struct Process {
    /// The listener and the requests at work.
    intake: Tasks,
    /// What the roles do beside requests.
    background: Tasks,
    metadata: MetadataStore,
    gate: Gate,
    /// Not ready until the gate is open.
    start_up: Component,
    health: Health,
    registry: Registry,
    clock: Clock,
    address: SocketAddr,
    scheme: &'static str,
    /// Of a certificate that nobody vouches for.
    fingerprint: Option<String>,
    /// Once it takes segments.
    node: OnceLock<Registration>,
}

impl Process {
    async fn start(config: Config, roles: Roles) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let process = Self::listen(&config).await?;
        let failed = {
            let mut ends = std::pin::pin!(async {
                tokio::select! {
                    _ = interrupt.recv() => false,
                    _ = terminate.recv() => false,
                    () = process.background.failed() => true,
                    () = process.intake.failed() => true,
                }
            });
            tokio::select! {
                failed = &mut ends => failed,
                owner = process.open(&config, roles) => {
                    process.announce(owner?.as_ref());
                    ends.await
                }
            }
        };
        tracing::info!("stopping");
        tokio::select! {
            () = process.stop() => {}
            _ = interrupt.recv() => bail!("stopped at once by a second signal"),
            _ = terminate.recv() => bail!("stopped at once by a second signal"),
        }
        if failed { bail!("stopped because a task panicked; the log says where") } else { Ok(()) }
    }

    /// Takes the address, and tells there of the health of the process and nothing else.
    async fn listen(config: &Config) -> anyhow::Result<Self> {
        let (clock, registry, health) = (Clock::system(), Registry::new(), Health::new());
        let (intake, background) = (Tasks::new(), Tasks::new());
        std::fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;
        let certificate = Certificate::open(config, &clock)?;
        let tls = certificate.as_ref().map(Certificate::tls);
        let fingerprint = certificate.as_ref().and_then(Certificate::fingerprint_to_compare);
        certificate.map(|certificate| certificate.keep(clock.clone(), &background)).transpose()?;
        let metadata = MetadataStore::open(config, &clock, &registry).await?;
        let logs = metadata.logs();
        health.check("metadata", move || readiness(logs.health()));
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
        let (address, start_up) = (listener.local_addr()?, health.component("start-up"));
        let gate = Gate::closed(health.router(registry.clone()));
        let metrics = HttpMetrics::register(&registry, "main")?;
        let listener = Listener::new(listener, tls);
        service::serve(listener, gate.clone(), config.server.clone(), metrics, &intake, clock.clone());
        tracing::info!(%address, "listening");
        Ok(Self {
            intake,
            background,
            metadata,
            gate,
            start_up,
            health,
            registry,
            clock,
            address,
            scheme: config.scheme(),
            fingerprint,
            node: OnceLock::new(),
        })
    }

    /// Starts the roles and opens the gate. The owner key is one that may have to be shown.
    async fn open(&self, config: &Config, roles: Roles) -> anyhow::Result<Option<secrets::Kept>> {
        let random = Random::system();
        let parts = Parts {
            config,
            nodes: self.metadata.nodes(),
            broadcasts: Broadcasts::new(self.metadata.logs(), self.background.clone(), self.clock.clone()),
            outbox: self.metadata.outbox(),
            clock: &self.clock,
            random: random.clone(),
            registry: &self.registry,
            health: &self.health,
            start_up: &self.start_up,
            background: &self.background,
        };
        let Built { behind_gate, owner_key, node } = parts.build(roles).await?;
        self.gate.open(behind_gate);
        self.start_up.ready();
        if let Some((name, duties)) = node {
            let (nodes, health) = (self.metadata.nodes(), self.health.clone());
            let shell = (&self.clock, &random, &self.background);
            let node = Registration::start(config, name, self.address, duties, nodes, health, shell);
            self.node.set(node).expect("it is opened once");
        }
        Ok(owner_key)
    }

    /// Others are told first. No new requests; those at work end or are cut off after their grace; then what runs beside
    /// them; then what they wrote to. The store needs no closing: what it acknowledged is durable.
    async fn stop(&self) {
        if let Some(node) = self.node.get() {
            node.drain().await;
        }
        self.intake.shutdown().await;
        self.background.shutdown().await;
        if let Some(node) = self.node.get() {
            node.forget().await;
        }
        self.metadata.shutdown().await;
    }

    fn announce(&self, owner: Option<&secrets::Kept>) {
        tracing::info!(address = %self.address, "serving");
        let mut out = std::io::stdout();
        let shown = owner.filter(|key| key.is_new || out.is_terminal());
        let fragment = shown.map(|key| format!("#owner-key={}", key.text)).unwrap_or_default();
        let (Shown { here, elsewhere }, scheme) = (shown_as(self.address), self.scheme);
        // Nobody may be listening.
        let _ = writeln!(out, "Headwater is up. Publish and watch: {scheme}://{here}/{fragment}");
        if let Some(elsewhere) = elsewhere {
            let _ = writeln!(out, "From other machines: {scheme}://{elsewhere}/{fragment}");
        }
        if let Some(fingerprint) = &self.fingerprint {
            let _ = writeln!(
                out,
                "Browsers warn that nobody vouches for it. Go on if the certificate they show is this one, by SHA-256:\n{fingerprint}"
            );
        }
        let _ = out.flush();
    }
}

/// The addresses that a person can open.
struct Shown {
    here: SocketAddr,
    elsewhere: Option<SocketAddr>,
}

impl Shown {
    /// By which others reach this machine, if they can.
    fn best(&self) -> SocketAddr {
        self.elsewhere.unwrap_or(self.here)
    }
}

/// Nobody can open `0.0.0.0`: it stands for all addresses of this machine.
fn shown_as(listening: SocketAddr) -> Shown {
    let port = listening.port();
    let (here, any): (IpAddr, IpAddr) = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST.into(), ip.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST.into(), ip.into()),
        _ => return Shown { here: listening, elsewhere: None },
    };
    let elsewhere = own_address(any).filter(|own| !own.is_loopback()).map(|own| SocketAddr::new(own, port));
    Shown { here: SocketAddr::new(here, port), elsewhere }
}

/// By which address others reach this machine: the one from which it would reach them. Nothing is sent.
fn own_address(any: IpAddr) -> Option<IpAddr> {
    // For documentation only (RFC 5737, RFC 3849): nobody has them.
    let somebody: IpAddr = match any {
        IpAddr::V4(_) => Ipv4Addr::new(192, 0, 2, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0)).ok()?;
    socket.connect((somebody, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Ready, or not for this reason and its causes.
fn readiness(health: Result<(), impl std::error::Error + Send + Sync + 'static>) -> Readiness {
    health.map_or_else(|error| Readiness::NotReady(format!("{:#}", anyhow::Error::from(error))), |()| Readiness::Ready)
}

//! The wiring: which roles run in this process, on what, and in which order everything stops.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::Router;
use metadata::{Broadcasts, Limits, Metadata, Redis, RedisConfig, RedisMetrics, Sqlite};
use playlist::Playlists;
use prometheus::Registry;
use recorder::{OwnerKey, Recorder};
use service::{Clock, Health, HttpMetrics, Random, Tasks, cors_for_publishers, with_problems, with_route_names};
use storage::{LocalReader, LocalStore, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;
use crate::{docs, pages, secrets};

/// Which roles a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    recorder: bool,
    playlist: bool,
}

impl Roles {
    pub(crate) const ALL: Self = Self { recorder: true, playlist: true };
    pub(crate) const RECORDER: Self = Self { recorder: true, playlist: false };
    pub(crate) const PLAYLIST: Self = Self { recorder: false, playlist: true };
}

pub(crate) fn run(config: Config, roles: Roles) -> anyhow::Result<()> {
    if roles != Roles::ALL && config.metadata.is_none() {
        bail!("a role by itself shares its metadata with the others: give --metadata redis://HOST:PORT");
    }
    service::init_telemetry(config.log_format, &config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    runtime.block_on(Process::start(config, roles))?;
    // What still blocks a thread now has had its grace.
    runtime.shutdown_background();
    Ok(())
}

/// Where the arrival logs are.
#[derive(Clone, Debug)]
enum MetadataStore {
    Embedded(Arc<Sqlite>),
    Shared(Arc<Redis>),
}

impl MetadataStore {
    async fn open(config: &Config, clock: &Clock, registry: &Registry) -> anyhow::Result<Self> {
        match &config.metadata {
            Some(address) => {
                let (settings, metrics) = (RedisConfig::new(address.clone()), RedisMetrics::register(registry)?);
                let redis = Redis::start(&settings, Limits::default(), clock.clone(), metrics);
                Ok(Self::Shared(Arc::new(redis.context("metadata")?)))
            }
            None => {
                let path = config.data.join("metadata.sqlite");
                let sqlite = Sqlite::open(&path, Limits::default(), clock.clone()).await;
                Ok(Self::Embedded(Arc::new(sqlite.with_context(|| format!("cannot open {}", path.display()))?)))
            }
        }
    }

    fn logs(&self) -> Arc<dyn Metadata> {
        match self {
            Self::Embedded(sqlite) => sqlite.clone(),
            Self::Shared(redis) => redis.clone(),
        }
    }

    async fn shutdown(&self) {
        match self {
            Self::Embedded(sqlite) => sqlite.shutdown().await,
            Self::Shared(redis) => redis.shutdown().await,
        }
    }
}

/// Everything that runs, in the order in which it has to stop.
struct Process {
    /// The listener and the requests at work.
    intake: Tasks,
    /// What the roles do beside requests.
    background: Tasks,
    metadata: MetadataStore,
    address: SocketAddr,
}

impl Process {
    async fn start(config: Config, roles: Roles) -> anyhow::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (process, owner) = Self::build(config, roles).await?;
        process.announce(owner.as_ref());
        let failed = tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => false,
            () = process.background.failed() => true,
            () = process.intake.failed() => true,
        };
        tracing::info!("stopping");
        tokio::select! {
            () = process.stop() => {}
            _ = interrupt.recv() => bail!("stopped at once by a second signal"),
            _ = terminate.recv() => bail!("stopped at once by a second signal"),
        }
        if failed { bail!("stopped because a task panicked; the log says where") } else { Ok(()) }
    }

    async fn build(config: Config, roles: Roles) -> anyhow::Result<(Self, Option<secrets::Kept>)> {
        let (clock, random) = (Clock::system(), Random::system());
        std::fs::create_dir_all(&config.data).with_context(|| format!("cannot make {}", config.data.display()))?;
        let (intake, background, registry) = (Tasks::new(), Tasks::new(), Registry::new());
        let metadata = MetadataStore::open(&config, &clock, &registry).await?;
        let broadcasts = Broadcasts::new(metadata.logs(), background.clone(), clock.clone());
        let parts = Parts { config: &config, clock: &clock, random, registry: &registry, background: &background };
        let Routes { router, playlists, owner_key } = parts.routes(roles, broadcasts).await?;
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", config.listen))?;
        let address = listener.local_addr()?;
        let metrics = HttpMetrics::register(&registry, "main")?;
        let limits = config.server.clone();
        match playlists {
            // Nearly everything that is asked for is under /hls/: it goes around the router.
            Some(playlists) => service::serve(listener, playlists.before(router), limits, metrics, &intake, clock),
            None => service::serve(listener, router, limits, metrics, &intake, clock),
        }
        Ok((Self { intake, background, metadata, address }, owner_key))
    }

    /// No new requests; those at work end or are cut off after their grace; then what runs beside them; then what
    /// they wrote to. The store needs no closing: what it acknowledged is durable.
    async fn stop(&self) {
        self.intake.shutdown().await;
        self.background.shutdown().await;
        self.metadata.shutdown().await;
    }

    fn announce(&self, owner: Option<&secrets::Kept>) {
        tracing::info!(address = %self.address, "serving");
        let mut out = std::io::stdout();
        let shown = owner.filter(|key| key.is_new || out.is_terminal());
        let fragment = shown.map(|key| format!("#owner-key={}", key.text)).unwrap_or_default();
        // Nobody may be listening.
        let _ = writeln!(out, "Headwater is up. Publish and watch: http://{}/{fragment}", self.address);
        let _ = out.flush();
    }
}

/// The key that was given, or the kept one, which may have to be shown.
fn owner_key(config: &Config, random: &Random) -> anyhow::Result<(OwnerKey, Option<secrets::Kept>)> {
    if let Some(key) = &config.owner_key {
        return Ok((key.clone(), None));
    }
    let kept = secrets::owner_key(&config.data, random)?;
    let key = kept.text.parse().with_context(|| format!("{}", config.data.join("owner-key").display()))?;
    Ok((key, Some(kept)))
}

/// What the roles are built from.
struct Parts<'a> {
    config: &'a Config,
    clock: &'a Clock,
    random: Random,
    registry: &'a Registry,
    background: &'a Tasks,
}

/// What is served.
struct Routes {
    router: Router,
    /// Everything under `/hls/`.
    playlists: Option<Playlists>,
    /// If it is one that may have to be shown.
    owner_key: Option<secrets::Kept>,
}

impl Parts<'_> {
    async fn routes(&self, roles: Roles, broadcasts: Broadcasts) -> anyhow::Result<Routes> {
        let health = Health::new();
        let ready = health.component("start-up scan");
        let mut router = Router::new();
        let mut openapi = Vec::new();
        let mut shown = None;
        // One process writes to a directory; others may read from it.
        let mut store: Arc<dyn Store> = Arc::new(LocalReader::new(&self.config.data));
        if roles.recorder {
            let local = LocalStore::open(&self.config.data, self.config.storage.clone()).await?;
            let (owner_key, kept) = owner_key(self.config, &self.random)?;
            let recorder = self.recorder(&broadcasts, &local, owner_key)?;
            let report = recorder.scan().await.context("the start-up scan failed")?;
            tracing::info!(?report, "looked through the local store");
            router = router.merge(recorder.router().layer(cors_for_publishers()));
            openapi.push(recorder::openapi());
            (store, shown) = (Arc::new(local), kept);
        }
        let playlists = roles.playlist.then(|| self.playlists(broadcasts, store)).transpose()?;
        if playlists.is_some() {
            openapi.push(playlist::openapi());
        }
        ready.ready();
        let router = router.merge(pages::router()).merge(docs::router(&docs::document(openapi)));
        let router = with_route_names(with_problems(router.merge(health.router(self.registry.clone()))));
        Ok(Routes { router, playlists, owner_key: shown })
    }

    fn recorder(
        &self,
        broadcasts: &Broadcasts,
        store: &LocalStore,
        owner_key: OwnerKey,
    ) -> anyhow::Result<Arc<Recorder>> {
        let deps = recorder::Deps {
            broadcasts: broadcasts.clone(),
            store: store.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            tasks: self.background.clone(),
            registry: self.registry,
            tokens: secrets::token_key(&self.config.data, &self.random)?,
            owner_key,
            public_url: self.config.public_url.clone(),
        };
        Ok(Recorder::build(self.config.recorder.clone(), deps)?)
    }

    fn playlists(&self, broadcasts: Broadcasts, store: Arc<dyn Store>) -> anyhow::Result<Playlists> {
        let (clock, registry, config) = (self.clock.clone(), self.registry, self.config.playlist);
        Ok(Playlists::new(playlist::Deps { broadcasts, store, clock, registry, config })?)
    }
}

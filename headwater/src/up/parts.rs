//! The roles, built from their parts, and what is served of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use balancer::{Balancer, Geo};
use broadcast::TokenKey;
use metadata::{Broadcasts, NodeName, Nodes, Outbox};
use playlist::Playlists;
use prometheus::Registry;
use recorder::{Recorder, ScanError, Viewers};
use service::{
    Clock, Component, Health, Random, Readiness, Tasks, cors_for_publishers, with_problems, with_route_names,
};
use storage::{HotStore, LocalReader, LocalStore, Store, StoreError, Tiers};
use webhooks::Webhooks;

use super::fleet;
use super::gate::Open;
use super::keys::Keys;
use super::node::{self, Duties};
use super::readiness;
use crate::config::Config;
use crate::pages::Site;
use crate::{docs, pages, secrets};

/// With less room than this for new segments, in bytes, others should be sent them: a few of the longest.
const SPACE_MIN: u64 = 64 << 20;
/// How often a store that is away is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What the roles are built from.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) nodes: Arc<dyn Nodes>,
    pub(super) broadcasts: Broadcasts,
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) clock: &'a Clock,
    pub(super) random: Random,
    pub(super) registry: &'a Registry,
    pub(super) health: &'a Health,
    pub(super) start_up: &'a Component,
    pub(super) background: &'a Tasks,
}

/// What came of it.
pub(super) struct Built {
    pub(super) behind_gate: Open,
    /// If it is one that may have to be shown.
    pub(super) owner_key: Option<secrets::Kept>,
    /// If others are to know of it.
    pub(super) node: Option<(NodeName, Duties)>,
}

impl Parts<'_> {
    pub(super) async fn build(&self, roles: super::Roles) -> anyhow::Result<Built> {
        let mut router = Router::new();
        let mut openapi = Vec::new();
        let (mut node, mut shown) = (None, None);
        // One process writes to a directory; others may read from it.
        let mut near: Arc<dyn Store> = Arc::new(LocalReader::new(&self.config.data));
        let hot = self.hot().await?;
        let mut others = self.others(None, None);
        if roles.recorder || roles.balancer || roles.webhooks {
            let keys = self.keys().await?;
            if roles.recorder {
                let local = LocalStore::open(&self.config.data, self.config.storage.clone()).await?;
                self.watch_space(&local);
                let name = node::name(self.config, &self.random)?;
                others = self.others(Some(&name), Some(&keys.token));
                let recorder = self.recorder(&local, [hot.clone(), others.clone()], &name, &keys)?;
                self.scan(&recorder).await?;
                recorder.start();
                router = router.merge(recorder.router().layer(cors_for_publishers()));
                openapi.push(recorder::openapi());
                near = Arc::new(local.clone());
                node = Some((name, Duties { recorder, store: local, agreed: keys.agreed.clone() }));
            }
            if roles.balancer {
                let name = node.as_ref().map(|(name, _)| name);
                router = router.merge(self.balancer(&keys, name).await?.router().layer(cors_for_publishers()));
                openapi.push(balancer::openapi());
            }
            if roles.webhooks {
                let webhooks = self.webhooks(&keys)?;
                webhooks.start();
                router = router.merge(webhooks.router());
                openapi.push(webhooks::openapi());
            }
            shown = keys.shown;
        }
        let store = Arc::new(Tiers::new([near].into_iter().chain(hot).chain(others).collect()));
        let playlists = roles.playlist.then(|| self.playlists(store)).transpose()?;
        if let Some(playlists) = &playlists {
            openapi.push(playlist::openapi());
            if let Some((_, duties)) = &node {
                let audience = playlists.audience().clone();
                duties.recorder.tell_viewers(Viewers::new(move |id| audience.of(id)));
            }
        }
        let router = router.merge(pages::router(self.site())).merge(docs::router(&docs::document(openapi)));
        let router = with_route_names(with_problems(router.merge(self.health.router(self.registry.clone()))));
        let behind_gate = match playlists {
            Some(playlists) => Open::WithPlaylists(playlists.before(router)),
            None => Open::WithoutPlaylists(router),
        };
        Ok(Built { behind_gate, owner_key: shown, node })
    }

    /// Begins again when the metadata store was away and has come back.
    async fn scan(&self, recorder: &Arc<Recorder>) -> anyhow::Result<()> {
        self.start_up.not_ready("looking through the local store");
        loop {
            match recorder.scan().await {
                Ok(report) => {
                    tracing::info!(?report, "looked through the local store");
                    return Ok(());
                }
                Err(ScanError::Metadata(error)) if error.is_retryable() => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the start-up scan waits for the metadata store");
                    self.start_up.not_ready("waiting for the metadata store, to look through the local store");
                    self.metadata_is_well().await;
                }
                Err(error) => return Err(error).context("the start-up scan failed"),
            }
        }
    }

    pub(super) async fn metadata_is_well(&self) {
        while self.broadcasts.store().health().is_err() {
            self.clock.sleep(LOOK_AGAIN).await;
        }
    }

    /// The hot store. It may be away: then it is told, and what is recorded waits for it here.
    async fn hot(&self) -> anyhow::Result<Option<Arc<dyn Store>>> {
        let Some(url) = &self.config.hot else {
            if self.config.metadata.is_some() && self.config.recorder.stored_is_safe {
                tracing::warn!(
                    "without a hot store, what is recorded is only on the machine that took it in: give --hot"
                );
            }
            return Ok(None);
        };
        let hot = HotStore::open(url, std::env::vars(), &self.random).context("the hot store")?;
        match hot.probe().await {
            Ok(()) => tracing::info!(hot = %url, "the hot store is there"),
            // Taking in goes before everything else.
            Err(error @ StoreError::Refused { .. }) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the hot store cannot be used; what is recorded waits for it on this disk");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the hot store is away; what is recorded waits for it on this disk");
            }
        }
        Ok(Some(Arc::new(hot)))
    }

    /// The disks of the other recorders, if there may be any.
    fn others(&self, here: Option<&NodeName>, key: Option<&TokenKey>) -> Option<Arc<dyn Store>> {
        self.config.metadata.as_ref()?;
        Some(fleet::disks(self.nodes.clone(), here.cloned(), key.cloned(), self.clock))
    }

    fn watch_space(&self, store: &LocalStore) {
        let (store, needed) = (store.clone(), SPACE_MIN.min(self.config.recorder.segment_len_max));
        self.health.check("storage", move || match store.usage() {
            Ok(usage) if usage.available >= needed => Readiness::Ready,
            Ok(usage) => Readiness::NotReady(format!("{} bytes are left, less than {needed}", usage.available)),
            Err(error) => readiness(Err(error)),
        });
    }

    fn recorder(
        &self,
        store: &LocalStore,
        [hot, others]: [Option<Arc<dyn Store>>; 2],
        name: &NodeName,
        keys: &Keys,
    ) -> anyhow::Result<Arc<Recorder>> {
        let mut config = self.config.recorder.clone();
        if self.config.metadata.is_some() {
            // Where there may be others, the log says which of them it was.
            config.node.get_or_insert_with(|| name.to_string());
        }
        let deps = recorder::Deps {
            broadcasts: self.broadcasts.clone(),
            store: store.clone(),
            hot,
            others,
            clock: self.clock.clone(),
            random: self.random.clone(),
            tasks: self.background.clone(),
            registry: self.registry,
            tokens: keys.token.clone(),
            owner_key: keys.owner.clone(),
            public_url: self.config.public_url.clone(),
        };
        Ok(Recorder::build(config, deps)?)
    }

    async fn balancer(&self, keys: &Keys, here: Option<&NodeName>) -> anyhow::Result<Arc<Balancer>> {
        let (given, folder) = (self.config.geo.clone(), self.config.data.join("geo"));
        let geo = Tasks::blocking(move || if given.is_empty() { Geo::found_in(&folder) } else { Geo::open(&given) });
        let deps = balancer::Deps {
            nodes: self.nodes.clone(),
            geo: geo.await?,
            clock: self.clock.clone(),
            tasks: self.background.clone(),
            registry: self.registry,
            tokens: keys.token.clone(),
            owner_key: keys.owner.clone(),
            unadvertised: here.filter(|_| self.config.advertised().is_none()).cloned(),
        };
        Ok(Balancer::start(self.config.balancer.clone(), deps).await?)
    }

    fn playlists(&self, store: Arc<dyn Store>) -> anyhow::Result<Playlists> {
        let (broadcasts, clock) = (self.broadcasts.clone(), self.clock.clone());
        let (registry, config) = (self.registry, self.config.playlist);
        Ok(Playlists::new(playlist::Deps { broadcasts, store, clock, registry, config })?)
    }

    fn site(&self) -> Site {
        Site { broadcasts: self.broadcasts.clone(), public_url: self.config.public_url.clone() }
    }

    fn webhooks(&self, keys: &Keys) -> anyhow::Result<Arc<Webhooks>> {
        let deps = webhooks::Deps {
            broadcasts: self.broadcasts.clone(),
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            tasks: self.background.clone(),
            registry: self.registry,
            owner_key: keys.owner.clone(),
        };
        Ok(Webhooks::build(self.config.webhooks.clone(), deps)?)
    }
}

//! The roles, built from their parts, and what is served of them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use metadata::Broadcasts;
use playlist::Playlists;
use prometheus::Registry;
use recorder::{Recorder, ScanError};
use service::{
    Clock, Component, Health, OwnerKey, Random, Readiness, Tasks, cors_for_publishers, with_problems, with_route_names,
};
use storage::{LocalReader, LocalStore, Store};

use super::gate::Open;
use super::readiness;
use crate::config::Config;
use crate::{docs, pages, secrets};

/// With less room than this for new segments, in bytes, others should be sent them: a few of the longest.
const SPACE_MIN: u64 = 64 << 20;
/// How often a store that is away is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What the roles are built from.
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) broadcasts: Broadcasts,
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
}

impl Parts<'_> {
    pub(super) async fn build(&self, roles: super::Roles) -> anyhow::Result<Built> {
        let mut router = Router::new();
        let mut openapi = Vec::new();
        let mut shown = None;
        // One process writes to a directory; others may read from it.
        let mut store: Arc<dyn Store> = Arc::new(LocalReader::new(&self.config.data));
        if roles.recorder {
            let local = LocalStore::open(&self.config.data, self.config.storage.clone()).await?;
            self.watch_space(&local);
            let (owner_key, kept) = self.owner_key()?;
            let recorder = self.recorder(&local, owner_key)?;
            self.scan(&recorder).await?;
            router = router.merge(recorder.router().layer(cors_for_publishers()));
            openapi.push(recorder::openapi());
            (store, shown) = (Arc::new(local), kept);
        }
        let playlists = roles.playlist.then(|| self.playlists(store)).transpose()?;
        if playlists.is_some() {
            openapi.push(playlist::openapi());
        }
        let router = router.merge(pages::router()).merge(docs::router(&docs::document(openapi)));
        let router = with_route_names(with_problems(router.merge(self.health.router(self.registry.clone()))));
        let behind_gate = match playlists {
            Some(playlists) => Open::WithPlaylists(playlists.before(router)),
            None => Open::WithoutPlaylists(router),
        };
        Ok(Built { behind_gate, owner_key: shown })
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

    async fn metadata_is_well(&self) {
        while self.broadcasts.store().health().is_err() {
            self.clock.sleep(LOOK_AGAIN).await;
        }
    }

    fn watch_space(&self, store: &LocalStore) {
        let (store, needed) = (store.clone(), SPACE_MIN.min(self.config.recorder.segment_len_max));
        self.health.check("storage", move || match store.usage() {
            Ok(usage) if usage.available >= needed => Readiness::Ready,
            Ok(usage) => Readiness::NotReady(format!("{} bytes are left, less than {needed}", usage.available)),
            Err(error) => readiness(Err(error)),
        });
    }

    fn recorder(&self, store: &LocalStore, owner_key: OwnerKey) -> anyhow::Result<Arc<Recorder>> {
        let deps = recorder::Deps {
            broadcasts: self.broadcasts.clone(),
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

    fn playlists(&self, store: Arc<dyn Store>) -> anyhow::Result<Playlists> {
        let (broadcasts, clock) = (self.broadcasts.clone(), self.clock.clone());
        let (registry, config) = (self.registry, self.config.playlist);
        Ok(Playlists::new(playlist::Deps { broadcasts, store, clock, registry, config })?)
    }

    /// The key that was given, or the kept one, which may have to be shown.
    fn owner_key(&self) -> anyhow::Result<(OwnerKey, Option<secrets::Kept>)> {
        if let Some(key) = &self.config.owner_key {
            return Ok((key.clone(), None));
        }
        let kept = secrets::owner_key(&self.config.data, &self.random)?;
        let key = kept.text.parse().with_context(|| format!("{}", self.config.data.join("owner-key").display()))?;
        Ok((key, Some(kept)))
    }
}

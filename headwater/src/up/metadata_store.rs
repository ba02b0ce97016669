//! Where the arrival logs are: in a file of this process, or in a Redis that it shares.

use std::sync::Arc;

use anyhow::Context;
use metadata::{Limits, Metadata, Nodes, Outbox, Redis, RedisConfig, RedisMetrics, Sqlite};
use prometheus::Registry;
use service::Clock;

use crate::config::Config;

/// The store, as what it has to be closed as.
#[derive(Clone, Debug)]
pub(crate) enum MetadataStore {
    Embedded(Arc<Sqlite>),
    Shared(Arc<Redis>),
}

impl MetadataStore {
    pub(crate) async fn open(config: &Config, clock: &Clock, registry: &Registry) -> anyhow::Result<Self> {
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

    pub(crate) fn logs(&self) -> Arc<dyn Metadata> {
        match self {
            Self::Embedded(sqlite) => sqlite.clone(),
            Self::Shared(redis) => redis.clone(),
        }
    }

    pub(crate) fn nodes(&self) -> Arc<dyn Nodes> {
        match self {
            Self::Embedded(sqlite) => sqlite.clone(),
            Self::Shared(redis) => redis.clone(),
        }
    }

    pub(super) fn outbox(&self) -> Arc<dyn Outbox> {
        match self {
            Self::Embedded(sqlite) => sqlite.clone(),
            Self::Shared(redis) => redis.clone(),
        }
    }

    pub(crate) async fn shutdown(&self) {
        match self {
            Self::Embedded(sqlite) => sqlite.shutdown().await,
            Self::Shared(redis) => redis.shutdown().await,
        }
    }
}

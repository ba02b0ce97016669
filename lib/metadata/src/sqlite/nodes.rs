//! The registry of nodes of a store that one process has for itself. It is in memory: nobody else could read it, and
//! nothing of it holds for longer than the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use broadcast::StoreTime;

use super::Sqlite;
use crate::error::MetadataError;
use crate::nodes::{self, NODES_MAX, Node, NodeName, Nodes, Registered};

#[derive(Debug, Default)]
pub(super) struct Registry {
    records: Mutex<BTreeMap<NodeName, Record>>,
    agreed: Mutex<BTreeMap<String, String>>,
}

#[derive(Debug)]
struct Record {
    node: Node,
    renewed: StoreTime,
    expires: StoreTime,
}

impl Registry {
    /// Those that are alive.
    fn alive(&self, now: StoreTime) -> MutexGuard<'_, BTreeMap<NodeName, Record>> {
        let mut records = lock(&self.records);
        records.retain(|_, record| record.expires > now);
        records
    }
}

#[async_trait]
impl Nodes for Sqlite {
    async fn register(&self, node: &Node, time_to_live: Duration) -> Result<(), MetadataError> {
        nodes::encode(node)?;
        let renewed = self.horizon.now();
        let expires = StoreTime(renewed.0.saturating_add(i64::try_from(time_to_live.as_millis()).unwrap_or(i64::MAX)));
        let record = Record { node: node.clone(), renewed, expires };
        self.registry.alive(renewed).insert(node.name.clone(), record);
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<Registered>, MetadataError> {
        let now = self.horizon.now();
        let registered = |Record { node, renewed, expires }: &Record| Registered {
            node: node.clone(),
            renewed_at: *renewed,
            age_ms: now.0 - renewed.0,
            expires_in_ms: expires.0 - now.0,
        };
        Ok(self.registry.alive(now).values().take(NODES_MAX).map(registered).collect())
    }

    async fn forget(&self, name: &NodeName) -> Result<(), MetadataError> {
        self.registry.alive(self.horizon.now()).remove(name);
        Ok(())
    }

    async fn agree(&self, name: &str, offer: &str) -> Result<String, MetadataError> {
        let mut agreed = lock(&self.registry.agreed);
        Ok(agreed.entry(name.to_owned()).or_insert_with(|| offer.to_owned()).clone())
    }

    async fn agreed(&self, name: &str) -> Result<Option<String>, MetadataError> {
        Ok(lock(&self.registry.agreed).get(name).cloned())
    }
}

/// These maps are whole after every change, so a panic elsewhere has not spoilt them.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The registry of nodes in a Redis. What the keys hold is said in [`keys`](super::keys).

use std::time::Duration;

use async_trait::async_trait;
use broadcast::StoreTime;
use redis::{FromRedisValue, Script, ScriptInvocation};

use super::slot::Slot;
use super::{Redis, keys};
use crate::error::MetadataError;
use crate::nodes::{self, NODES_MAX, Node, NodeName, Nodes, Registered};

/// The scripts, with their hashes.
#[derive(Debug)]
pub(super) struct Scripts {
    register: Script,
    list: Script,
    forget: Script,
    agree: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            register: Script::new(include_str!("register.lua")),
            list: Script::new(include_str!("nodes.lua")),
            forget: Script::new(include_str!("forget.lua")),
            agree: Script::new(include_str!("agree.lua")),
        }
    }
}

#[async_trait]
impl Nodes for Redis {
    async fn register(&self, node: &Node, time_to_live: Duration) -> Result<(), MetadataError> {
        let mut call = self.node_scripts.register.key(keys::NODES);
        let millis = u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX);
        call.key(keys::NODES_UNTIL).arg(node.name.as_str()).arg(nodes::encode(node)?).arg(millis);
        self.run(keys::NODES, &call).await
    }

    async fn nodes(&self) -> Result<Vec<Registered>, MetadataError> {
        let mut call = self.node_scripts.list.key(keys::NODES);
        call.key(keys::NODES_UNTIL).arg(NODES_MAX);
        let answer: Vec<Vec<u8>> = self.run(keys::NODES, &call).await?;
        read(&answer)
    }

    async fn forget(&self, name: &NodeName) -> Result<(), MetadataError> {
        let mut call = self.node_scripts.forget.key(keys::NODES);
        call.key(keys::NODES_UNTIL).arg(name.as_str());
        self.run(keys::NODES, &call).await
    }

    async fn agree(&self, name: &str, offer: &str) -> Result<String, MetadataError> {
        let mut call = self.node_scripts.agree.key(keys::AGREED);
        call.arg(name).arg(offer);
        self.run(keys::AGREED, &call).await
    }

    async fn agreed(&self, name: &str) -> Result<Option<String>, MetadataError> {
        let get = redis::Cmd::hget(keys::AGREED, name);
        self.servers.call(Slot::of_key(keys::AGREED), async |redis| get.query_async(redis).await).await
    }
}

impl Redis {
    /// Calls a script whose keys are in the slot of `key`.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        key: &str,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, MetadataError> {
        self.servers.call(Slot::of_key(key), async |redis| call.invoke_async(redis).await).await
    }
}

/// The nodes in the script's answer, by name.
fn read(answer: &[Vec<u8>]) -> Result<Vec<Registered>, MetadataError> {
    let unreadable = || MetadataError::corrupt("the list of nodes", "not what the script answers");
    let (now, rest) = answer.split_first().ok_or_else(unreadable)?;
    let now = millis(now).ok_or_else(unreadable)?;
    let mut alive = Vec::with_capacity(rest.len() / 2);
    for pair in rest.chunks_exact(2) {
        let space = pair[1].iter().position(|byte| *byte == b' ').ok_or_else(unreadable)?;
        let (renewed, body) = (millis(&pair[1][..space]).ok_or_else(unreadable)?, &pair[1][space + 1..]);
        let expires_in_ms = millis(&pair[0]).ok_or_else(unreadable)? - now;
        let (renewed_at, age_ms) = (StoreTime(renewed), now - renewed);
        alive.extend(nodes::decode(body).map(|node| Registered { node, renewed_at, age_ms, expires_in_ms }));
    }
    alive.sort_by(|one, other| one.node.name.cmp(&other.node.name));
    Ok(alive)
}

/// A score may be written as a number with an exponent.
fn millis(text: &[u8]) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "times are far below what is exact")]
    str::from_utf8(text).ok()?.parse::<f64>().ok().map(|number| number as i64)
}

//! The registry of nodes in a Redis. What the keys hold is said in [`keys`](super::keys).

use std::time::Duration;

use async_trait::async_trait;
use broadcast::StoreTime;
use redis::Script;

use super::{Redis, keys};
use crate::error::MetadataError;
use crate::nodes::{self, NODES_MAX, Node, NodeName, Nodes, Registered};

/// The scripts, with their hashes.
#[derive(Debug)]
pub(super) struct Scripts {
    register: Script,
    list: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self { register: Script::new(include_str!("register.lua")), list: Script::new(include_str!("nodes.lua")) }
    }
}

#[async_trait]
impl Nodes for Redis {
    async fn register(&self, node: &Node, time_to_live: Duration) -> Result<(), MetadataError> {
        let mut call = self.node_scripts.register.key(keys::NODES);
        let millis = u64::try_from(time_to_live.as_millis()).unwrap_or(u64::MAX);
        call.key(keys::NODES_UNTIL).arg(node.name.as_str()).arg(nodes::encode(node)?).arg(millis);
        self.link.call(async |redis| call.invoke_async(redis).await).await
    }

    async fn nodes(&self) -> Result<Vec<Registered>, MetadataError> {
        let mut call = self.node_scripts.list.key(keys::NODES);
        call.key(keys::NODES_UNTIL).arg(NODES_MAX);
        let answer: Vec<Vec<u8>> = self.link.call(async |redis| call.invoke_async(redis).await).await?;
        read(&answer)
    }

    async fn forget(&self, name: &NodeName) -> Result<(), MetadataError> {
        let mut both = redis::pipe();
        both.atomic().hdel(keys::NODES, name.as_str()).ignore().zrem(keys::NODES_UNTIL, name.as_str()).ignore();
        self.link.call(async |redis| both.query_async(redis).await).await
    }

    async fn agree(&self, name: &str, offer: &str) -> Result<String, MetadataError> {
        let mut both = redis::pipe();
        both.atomic().hset_nx(keys::AGREED, name, offer).ignore().hget(keys::AGREED, name);
        let (agreed,) = self.link.call(async |redis| both.query_async(redis).await).await?;
        Ok(agreed)
    }

    async fn agreed(&self, name: &str) -> Result<Option<String>, MetadataError> {
        let get = redis::Cmd::hget(keys::AGREED, name);
        self.link.call(async |redis| get.query_async(redis).await).await
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

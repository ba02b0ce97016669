//! The keys that this process works with: its own on one machine, the fleet's where the metadata store is shared.

use anyhow::Context;
use broadcast::TokenKey;
use metadata::MetadataError;
use service::OwnerKey;

use super::parts::Parts;
use crate::secrets::{self, Agreed, Kept};

pub(super) struct Keys {
    pub(super) token: TokenKey,
    pub(super) owner: OwnerKey,
    /// The owner key, if it is one that may have to be shown.
    pub(super) shown: Option<Kept>,
    /// What the metadata store should have.
    pub(super) agreed: Vec<Agreed>,
}

impl Parts<'_> {
    /// Waits while the metadata store is away, if it has the keys.
    pub(super) async fn keys(&self) -> anyhow::Result<Keys> {
        loop {
            let error = match self.try_keys().await {
                Ok(keys) => return Ok(keys),
                Err(error) => error,
            };
            if !error.downcast_ref().is_some_and(MetadataError::is_retryable) {
                return Err(error);
            }
            tracing::warn!("the start waits for the metadata store: {error:#}");
            self.start_up.not_ready("waiting for the metadata store, which has the keys of this fleet");
            self.metadata_is_well().await;
        }
    }

    async fn try_keys(&self) -> anyhow::Result<Keys> {
        let (dir, random) = (&self.config.data, &self.random);
        let is_shared = self.config.metadata.is_some();
        let mut agreed = Vec::new();
        let token = if is_shared {
            let (token, in_store) = secrets::shared_token_key(dir, random, &*self.nodes).await?;
            agreed.push(in_store);
            token
        } else {
            secrets::token_key(dir, random)?
        };
        if let Some(owner) = &self.config.owner_key {
            return Ok(Keys { token, owner: owner.clone(), shown: None, agreed });
        }
        let kept = if is_shared {
            let (kept, in_store) = secrets::shared_owner_key(dir, random, &*self.nodes).await?;
            agreed.push(in_store);
            kept
        } else {
            secrets::owner_key(dir, random)?
        };
        let owner = kept.text.parse().with_context(|| format!("{}", dir.join("owner-key").display()))?;
        Ok(Keys { token, owner, shown: Some(kept), agreed })
    }
}

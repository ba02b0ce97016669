//! How many watch, if somebody in this process knows: a recorder shows it to nobody.

use std::fmt;
use std::sync::Arc;

use broadcast::BroadcastId;

/// Tells how many watch a broadcast now.
#[derive(Clone)]
pub struct Viewers(Arc<dyn Fn(BroadcastId) -> u64 + Send + Sync>);

impl Viewers {
    pub fn new(count: impl Fn(BroadcastId) -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(count))
    }

    pub(crate) fn of(&self, id: BroadcastId) -> u64 {
        self.0(id)
    }
}

impl fmt::Debug for Viewers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Viewers")
    }
}

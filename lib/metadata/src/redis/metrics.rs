//! What the store in a Redis measures.

use prometheus::{Gauge, Registry};

/// The measurements of one store. Clones share them.
#[derive(Clone, Debug)]
pub struct RedisMetrics {
    /// This machine's clock less the server's when it was last asked for its time, in seconds. In a cluster, that of the
    /// primary that was asked last.
    pub(super) clock_offset: Gauge,
}

impl RedisMetrics {
    /// Fails if the registry has these metrics already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "This machine's clock less that of the Redis, in seconds, when it was last asked";
        let clock_offset = Gauge::new("headwater_metadata_clock_offset_seconds", help)?;
        registry.register(Box::new(clock_offset.clone()))?;
        Ok(Self { clock_offset })
    }
}

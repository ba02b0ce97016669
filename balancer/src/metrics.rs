//! What an operator can watch of a balancer.

use prometheus::{IntCounter, IntGauge, Registry};

/// The metrics of one balancer.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// `headwater_balancer_routes_total`: routes given to publishers.
    pub(crate) routes: IntCounter,
    /// `headwater_balancer_placed_total`: those of them whose publisher's place was known.
    pub(crate) placed: IntCounter,
    /// `headwater_balancer_recorders`: recorders in the last route.
    pub(crate) recorders: IntGauge,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            routes: IntCounter::new("headwater_balancer_routes_total", "Routes given to publishers.")?,
            placed: IntCounter::new(
                "headwater_balancer_placed_total",
                "Routes given to publishers whose place was known.",
            )?,
            recorders: IntGauge::new("headwater_balancer_recorders", "Recorders that were alive at the last route.")?,
        };
        registry.register(Box::new(metrics.routes.clone()))?;
        registry.register(Box::new(metrics.placed.clone()))?;
        registry.register(Box::new(metrics.recorders.clone()))?;
        Ok(metrics)
    }
}

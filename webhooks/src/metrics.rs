//! What an operator can watch of the telling.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// The metrics of one process that tells.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// `headwater_webhooks_messages_total{type}`: messages filed, each for at least one endpoint.
    pub(crate) messages: IntCounterVec,
    /// `headwater_webhooks_attempts_total{outcome}`: attempts to deliver: delivered, failed, dead.
    pub(crate) attempts: IntCounterVec,
    /// `headwater_webhooks_attempt_seconds`: how long receivers take to answer.
    pub(crate) attempt_seconds: Histogram,
    /// `headwater_webhooks_forgotten_total`: dead letters that were forgotten because there were too many.
    pub(crate) forgotten: IntCounter,
    /// `headwater_webhooks_waiting{endpoint}`: letters that wait to be delivered, by the host of the endpoint.
    pub(crate) waiting: IntGaugeVec,
    /// `headwater_webhooks_dead{endpoint}`: dead letters.
    pub(crate) dead: IntGaugeVec,
    /// `headwater_webhooks_followed`: broadcasts of which something may still be to tell.
    pub(crate) followed: IntGauge,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = |name: &str, help: &str| Opts::new(format!("headwater_webhooks_{name}"), help);
        let seconds = HistogramOpts::from(opts("attempt_seconds", "How long receivers take to answer."));
        let metrics = Self {
            messages: IntCounterVec::new(opts("messages_total", "Messages filed, by type."), &["type"])?,
            attempts: IntCounterVec::new(opts("attempts_total", "Attempts to deliver, by outcome."), &["outcome"])?,
            attempt_seconds: Histogram::with_opts(seconds.buckets(vec![0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0]))?,
            forgotten: IntCounter::with_opts(opts("forgotten_total", "Dead letters forgotten: there were too many."))?,
            waiting: IntGaugeVec::new(opts("waiting", "Letters that wait to be delivered."), &["endpoint"])?,
            dead: IntGaugeVec::new(opts("dead", "Letters that could not be delivered."), &["endpoint"])?,
            followed: IntGauge::with_opts(opts("followed", "Broadcasts of which something may still be to tell."))?,
        };
        for counters in [&metrics.messages, &metrics.attempts] {
            registry.register(Box::new(counters.clone()))?;
        }
        for gauges in [&metrics.waiting, &metrics.dead] {
            registry.register(Box::new(gauges.clone()))?;
        }
        registry.register(Box::new(metrics.attempt_seconds.clone()))?;
        registry.register(Box::new(metrics.forgotten.clone()))?;
        registry.register(Box::new(metrics.followed.clone()))?;
        Ok(metrics)
    }
}

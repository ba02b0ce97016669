//! What an operator can watch of a recorder.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The metrics of one recorder.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// `headwater_recorder_segments_total{outcome}`: segments received, by what became of them: stored, duplicate,
    /// conflict, refused, parked.
    pub(crate) segments: IntCounterVec,
    /// `headwater_recorder_segment_bytes_total`: bytes of segments stored.
    pub(crate) bytes: IntCounter,
    /// `headwater_recorder_commit_seconds`: from the last byte of a segment to its acknowledgement.
    pub(crate) commit_seconds: Histogram,
    /// `headwater_recorder_parked`: durable segments that wait to be told which number they have.
    pub(crate) parked: IntGauge,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let segments = Opts::new("headwater_recorder_segments_total", "Segments received, by what became of them.");
        let commit = HistogramOpts::new(
            "headwater_recorder_commit_seconds",
            "From the last byte of a segment to its acknowledgement.",
        )
        .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5]);
        let metrics = Self {
            segments: IntCounterVec::new(segments, &["outcome"])?,
            bytes: IntCounter::new("headwater_recorder_segment_bytes_total", "Bytes of segments stored.")?,
            commit_seconds: Histogram::with_opts(commit)?,
            parked: IntGauge::new(
                "headwater_recorder_parked",
                "Durable segments that wait to be told which number they have.",
            )?,
        };
        registry.register(Box::new(metrics.segments.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.commit_seconds.clone()))?;
        registry.register(Box::new(metrics.parked.clone()))?;
        Ok(metrics)
    }
}

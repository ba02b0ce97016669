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
    /// `headwater_recorder_hot_owed`: segments here that are not in the hot store yet; at least, when they are very many.
    pub(crate) hot_owed: IntGauge,
    /// `headwater_recorder_hot_away`: 1 while the hot store cannot be used.
    pub(crate) hot_away: IntGauge,
    /// `headwater_recorder_hot_copied_total`: segments copied to the hot store.
    pub(crate) hot_copied: IntCounter,
    /// `headwater_recorder_hot_copied_bytes_total`: bytes of these.
    pub(crate) hot_bytes: IntCounter,
    /// `headwater_recorder_hot_failures_total`: copies that failed, and are tried again.
    pub(crate) hot_failures: IntCounter,
    /// `headwater_recorder_hot_deleted_total`: segments deleted from this disk because they are safe.
    pub(crate) hot_deleted: IntCounter,
    /// `headwater_recorder_damaged_total`: objects on this disk that were not what their names say; they are in `damaged/`.
    pub(crate) damaged: IntCounter,
    /// `headwater_recorder_unreadable_total`: attempts to copy an object that this disk could not read; it stays, and is tried
    /// again.
    pub(crate) unreadable: IntCounter,
    /// `headwater_recorder_put_back_total`: segments that the log had lost, or never been told of, and that the stores had.
    pub(crate) put_back: IntCounter,
    /// `headwater_recorder_looked_through_total`: times that all broadcasts here were compared with the metadata store, at
    /// the start and after each of its breaks.
    pub(crate) looked_through: IntCounter,
    /// `headwater_recorder_authorizations_total{answer}`: questions to the portal, by its answer: yes, no, nothing.
    pub(crate) authorizations: IntCounterVec,
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
        let authorizations =
            Opts::new("headwater_recorder_authorizations_total", "Questions to the portal, by its answer.");
        let metrics = Self {
            authorizations: IntCounterVec::new(authorizations, &["answer"])?,
            segments: IntCounterVec::new(segments, &["outcome"])?,
            bytes: IntCounter::new("headwater_recorder_segment_bytes_total", "Bytes of segments stored.")?,
            commit_seconds: Histogram::with_opts(commit)?,
            parked: IntGauge::new(
                "headwater_recorder_parked",
                "Durable segments that wait to be told which number they have.",
            )?,
            hot_owed: IntGauge::new(
                "headwater_recorder_hot_owed",
                "Segments here that are not in the hot store yet; at least, when they are very many.",
            )?,
            hot_away: IntGauge::new("headwater_recorder_hot_away", "1 while the hot store cannot be used.")?,
            hot_copied: IntCounter::new("headwater_recorder_hot_copied_total", "Segments copied to the hot store.")?,
            hot_bytes: IntCounter::new(
                "headwater_recorder_hot_copied_bytes_total",
                "Bytes of segments copied to the hot store.",
            )?,
            hot_failures: IntCounter::new(
                "headwater_recorder_hot_failures_total",
                "Copies to the hot store that failed, and are tried again.",
            )?,
            hot_deleted: IntCounter::new(
                "headwater_recorder_hot_deleted_total",
                "Segments deleted from this disk because they are safe.",
            )?,
            damaged: IntCounter::new(
                "headwater_recorder_damaged_total",
                "Objects on this disk that were not what their names say; they are in damaged/.",
            )?,
            unreadable: IntCounter::new(
                "headwater_recorder_unreadable_total",
                "Attempts to copy an object that this disk could not read; it stays, and is tried again.",
            )?,
            looked_through: IntCounter::new(
                "headwater_recorder_looked_through_total",
                "Times that all broadcasts here were compared with the metadata store.",
            )?,
            put_back: IntCounter::new(
                "headwater_recorder_put_back_total",
                "Segments that the log had lost, or never been told of, and that the stores had.",
            )?,
        };
        registry.register(Box::new(metrics.segments.clone()))?;
        registry.register(Box::new(metrics.authorizations.clone()))?;
        registry.register(Box::new(metrics.bytes.clone()))?;
        registry.register(Box::new(metrics.commit_seconds.clone()))?;
        registry.register(Box::new(metrics.parked.clone()))?;
        for gauge in [&metrics.hot_owed, &metrics.hot_away] {
            registry.register(Box::new(gauge.clone()))?;
        }
        let hot = [&metrics.hot_copied, &metrics.hot_bytes, &metrics.hot_failures, &metrics.hot_deleted];
        for counter in
            hot.into_iter().chain([&metrics.damaged, &metrics.unreadable, &metrics.put_back, &metrics.looked_through])
        {
            registry.register(Box::new(counter.clone()))?;
        }
        Ok(metrics)
    }
}

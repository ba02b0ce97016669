//! What a playlist server counts.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::address::{List, ObjectName};
use broadcast::View;

/// What an answer consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Multivariant,
    Live,
    Dvr,
    CatchUp,
    Vod,
    Segment,
    Init,
}

impl Kind {
    const WORDS: [&str; 7] = ["multivariant", "live", "dvr", "catchup", "vod", "segment", "init"];

    pub(crate) fn of_list(list: &List) -> Self {
        match list {
            List::Multivariant(_) => Self::Multivariant,
            List::Media { view, .. } => match view {
                View::Live => Self::Live,
                View::Dvr => Self::Dvr,
                View::CatchUp { .. } => Self::CatchUp,
                View::Vod => Self::Vod,
            },
        }
    }

    pub(crate) fn of_object(object: ObjectName) -> Self {
        match object {
            ObjectName::Segment { .. } => Self::Segment,
            ObjectName::Init { .. } => Self::Init,
        }
    }
}

/// One counter for each [`Kind`], found without a look-up.
#[derive(Debug)]
pub(crate) struct ByKind([IntCounter; Kind::WORDS.len()]);

impl ByKind {
    fn new(registry: &Registry, name: &str, help: &str) -> Result<Self, prometheus::Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), &["kind"])?;
        registry.register(Box::new(counters.clone()))?;
        Ok(Self(Kind::WORDS.map(|kind| counters.with_label_values(&[kind]))))
    }

    pub(crate) fn of(&self, kind: Kind) -> &IntCounter {
        &self.0[kind as usize]
    }
}

#[derive(Debug)]
pub(crate) struct Metrics {
    /// Answers with content, from a cache or not.
    pub(crate) answers: ByKind,
    /// Bytes of content handed to the connection.
    pub(crate) bytes: ByKind,
    /// Playlists made. Against `answers`: how well the cache works.
    pub(crate) renders: ByKind,
    pub(crate) render_seconds: Histogram,
    /// Requests that wait for a playlist to grow.
    pub(crate) waiters: IntGauge,
    /// Requests that were refused because too many wait.
    pub(crate) waiters_refused: IntCounter,
    /// Requests that waited in vain.
    pub(crate) waits_in_vain: IntCounter,
    /// Objects that the log lists and the store did not give. Anything but 0 wants a person.
    pub(crate) objects_lost: IntCounter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone())).map(|()| counter)
        };
        let buckets = prometheus::exponential_buckets(0.000_02, 4.0, 9)?;
        let render_seconds =
            HistogramOpts::new("headwater_playlist_render_seconds", "Time to make a playlist").buckets(buckets);
        let render_seconds = Histogram::with_opts(render_seconds)?;
        let waiters = IntGauge::new("headwater_playlist_waiters", "Requests that wait for a playlist to grow")?;
        registry.register(Box::new(render_seconds.clone()))?;
        registry.register(Box::new(waiters.clone()))?;
        Ok(Self {
            answers: ByKind::new(registry, "headwater_playlist_answers_total", "Answers with content")?,
            bytes: ByKind::new(registry, "headwater_playlist_sent_bytes_total", "Bytes of content sent")?,
            renders: ByKind::new(registry, "headwater_playlist_renders_total", "Playlists made")?,
            render_seconds,
            waiters,
            waiters_refused: counter("headwater_playlist_waiters_refused_total", "Requests refused: too many wait")?,
            waits_in_vain: counter("headwater_playlist_waits_in_vain_total", "Requests that waited in vain")?,
            objects_lost: counter("headwater_playlist_objects_lost_total", "Listed objects that the store has not")?,
        })
    }
}

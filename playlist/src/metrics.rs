//! What a playlist server counts.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::address::{List, ObjectName, StillOf};
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
    Still,
    Poster,
}

impl Kind {
    pub(crate) const COUNT: usize = 9;
    const WORDS: [&str; Self::COUNT] =
        ["multivariant", "live", "dvr", "catchup", "vod", "segment", "init", "still", "poster"];

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

    pub(crate) fn of_still(of: &StillOf) -> Self {
        match of {
            StillOf::Segment { .. } => Self::Still,
            StillOf::Poster => Self::Poster,
        }
    }
}

/// One counter for each [`Kind`], found without a look-up.
#[derive(Clone, Debug)]
pub(crate) struct ByKind([IntCounter; Kind::COUNT]);

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

#[derive(Clone, Debug)]
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
    /// Pictures that were asked for and not at hand, by what came of it.
    pub(crate) stills: IntCounterVec,
    /// Time to make a picture, without the wait for its turn.
    pub(crate) still_seconds: Histogram,
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
        let still_seconds = HistogramOpts::new("headwater_playlist_still_seconds", "Time to make a picture")
            .buckets(prometheus::exponential_buckets(0.02, 2.0, 10)?);
        let still_seconds = Histogram::with_opts(still_seconds)?;
        let stills = Opts::new("headwater_playlist_stills_total", "Pictures not at hand, by what came of it");
        let stills = IntCounterVec::new(stills, &["outcome"])?;
        registry.register(Box::new(still_seconds.clone()))?;
        registry.register(Box::new(stills.clone()))?;
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
            stills,
            still_seconds,
            objects_lost: counter("headwater_playlist_objects_lost_total", "Listed objects that the store has not")?,
        })
    }
}

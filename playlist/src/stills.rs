//! Pictures of segments: each made once by an ffmpeg of its own, a few at a time, and kept in memory.
//!
//! What decodes foreign bytes must not be able to take the server with it, so that is done in another process; see
//! `docs/design/web.md`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use broadcast::{BroadcastId, Container, RenditionName, Seq};
use bytes::Bytes;
use futures_util::Stream;
use moka::Expiry;
use moka::future::Cache;
use service::{Clock, Filter, FilterError, FilterLimits};
use storage::StoreError;
use tokio::sync::Semaphore;

use crate::address::Width;
use crate::config::StillsConfig;
use crate::metrics::Metrics;

/// The largest picture, in bytes.
const LEN_MAX: usize = 4 << 20;
/// What a picture takes beside its bytes, roughly, in bytes.
const OVERHEAD: usize = 200;
/// How long a segment is said to have no picture when ffmpeg made none of it: the machine may have been busy.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// Which picture. A segment never changes, and so neither does its picture.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StillKey {
    pub(crate) id: BroadcastId,
    pub(crate) rendition: RenditionName,
    pub(crate) seq: Seq,
    pub(crate) width: Width,
}

/// For whom it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A page or a chat that shows the broadcast: one picture, and nothing in its place.
    Poster,
    /// A viewer who looks where to go: as many as there are segments.
    Preview,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Still {
    Picture(Bytes),
    /// Nothing can be seen in it.
    Nothing,
    /// Nobody knows: it cost more than it may.
    TooMuch,
    /// Nobody knows: ffmpeg failed.
    Failed,
}

/// Why there is no picture, for reasons that are not the segment's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StillError {
    #[error("more than {max} pictures are asked for at once")]
    Busy { max: usize },
    #[error("ffmpeg is not installed on this server: install it (apt-get install ffmpeg)")]
    NotInstalled,
    #[error("the segment cannot be read")]
    Store(#[source] StoreError),
    #[error("ffmpeg cannot be run")]
    Io(#[source] std::io::Error),
}

#[derive(Debug)]
pub(crate) struct Stills {
    config: StillsConfig,
    made: Cache<StillKey, Still>,
    places: Semaphore,
    /// Of the places, those that previews may take: a poster does not wait for them, if there are places enough.
    preview_places: Semaphore,
    posters: Turns,
    previews: Turns,
    metrics: Metrics,
    clock: Clock,
}

/// Of those who are at work and those who wait for a place.
#[derive(Debug)]
struct Turns(Semaphore);

impl Turns {
    fn new(config: &StillsConfig) -> Self {
        Self(Semaphore::new(config.at_once_max + config.waiting_max))
    }
}

impl Stills {
    pub(crate) fn new(config: StillsConfig, metrics: Metrics, clock: Clock) -> Self {
        let weigh = |_: &StillKey, still: &Still| {
            let len = if let Still::Picture(jpeg) = still { jpeg.len() } else { 0 };
            u32::try_from(len + OVERHEAD).unwrap_or(u32::MAX)
        };
        let made = Cache::builder().max_capacity(config.cache_bytes_max).weigher(weigh);
        Self {
            made: made.expire_after(WhenUnknown).build(),
            places: Semaphore::new(config.at_once_max),
            preview_places: Semaphore::new(config.at_once_max.saturating_sub(1).max(1)),
            posters: Turns::new(&config),
            previews: Turns::new(&config),
            config,
            metrics,
            clock,
        }
    }

    /// The picture, at hand or made of `input`, once for all who ask at the time.
    pub(crate) async fn get<S>(
        &self,
        key: StillKey,
        purpose: Purpose,
        container: Container,
        input: impl Future<Output = Result<S, StoreError>> + Send,
    ) -> Result<Still, Arc<StillError>>
    where
        S: Stream<Item = Result<Bytes, StoreError>> + Send,
    {
        let filter = self.filter(container, key.width);
        let made = async { self.counted(self.make_in_turn(purpose, filter, input).await) };
        self.made.try_get_with(key, made).await
    }

    fn counted(&self, made: Result<Still, StillError>) -> Result<Still, StillError> {
        let outcome = match &made {
            Ok(Still::Picture(_)) => "made",
            Ok(Still::Nothing) => "nothing",
            Ok(Still::TooMuch) => "too_much",
            Err(StillError::Busy { .. }) => "busy",
            Ok(Still::Failed) | Err(_) => "failed",
        };
        self.metrics.stills.with_label_values(&[outcome]).inc();
        made
    }

    async fn make_in_turn<S>(
        &self,
        purpose: Purpose,
        filter: Filter,
        input: impl Future<Output = Result<S, StoreError>> + Send,
    ) -> Result<Still, StillError>
    where
        S: Stream<Item = Result<Bytes, StoreError>> + Send,
    {
        let busy = || StillError::Busy { max: self.config.waiting_max };
        let Turns(turns) = if purpose == Purpose::Poster { &self.posters } else { &self.previews };
        let _turn = turns.try_acquire().map_err(|_| busy())?;
        let never = "the semaphore is never closed";
        let _preview = match purpose {
            Purpose::Poster => None,
            Purpose::Preview => Some(self.preview_places.acquire().await.expect(never)),
        };
        let _place = self.places.acquire().await.expect(never);
        let started = self.clock.instant();
        let made = filter.run(&self.clock, input.await.map_err(StillError::Store)?).await;
        self.metrics.still_seconds.observe(started.elapsed().as_secs_f64());
        match made {
            Ok(jpeg) if jpeg.is_empty() => Ok(Still::Nothing),
            Ok(jpeg) => Ok(Still::Picture(jpeg)),
            Err(FilterError::NotInstalled { .. }) => Err(StillError::NotInstalled),
            Err(FilterError::Io { source, .. }) => Err(StillError::Io(source)),
            Err(FilterError::Input(error)) => Err(StillError::Store(error)),
            Err(error @ (FilterError::TooSlow(_) | FilterError::TooLong(_))) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a picture costs more than it may");
                Ok(Still::TooMuch)
            }
            Err(FilterError::Failed { said, .. }) => {
                tracing::debug!(said, "ffmpeg makes no picture of a segment");
                Ok(Still::Failed)
            }
        }
    }

    fn filter(&self, container: Container, width: Width) -> Filter {
        let time_max = Duration::from_millis(self.config.time_ms_max.into());
        let container = match container {
            Container::Ts => media::Container::MpegTs,
            Container::M4s => media::Container::Fmp4,
        };
        let arguments = media::still_arguments(container, width.pixels()).into_iter().map(Into::into).collect();
        let limits = FilterLimits {
            time_max,
            cpu_max: time_max,
            memory_bytes_max: self.config.memory_bytes_max,
            answer_len_max: LEN_MAX,
        };
        Filter { program: "ffmpeg".into(), arguments, limits }
    }
}

/// What nobody knows is tried again, later.
struct WhenUnknown;

impl Expiry<StillKey, Still> for WhenUnknown {
    fn expire_after_create(&self, _: &StillKey, still: &Still, _: Instant) -> Option<Duration> {
        matches!(still, Still::TooMuch | Still::Failed).then_some(TRY_AGAIN)
    }
}

//! Finished playlists: made once for each change, however many ask.
//!
//! A finished playlist holds until its log grows or until the moment at which time alone changes it. Whether it does
//! is two loads and a look at the clock, so that a playlist that thousands ask for costs about as much as a file.

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use broadcast::{BroadcastId, EventIndex, StoreTime, TargetDuration};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderMap, HeaderValue};
use service::ETag;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::address::List;
use crate::config::Config;
use crate::headers::{self, Lifetime};
use crate::horizon::StandStill;
use crate::render::{Absence, Page};

/// How long a finished playlist is kept that nobody asks for.
const IDLE: Duration = Duration::from_secs(300);
/// What a finished playlist takes beside its body, roughly, in bytes.
const OVERHEAD: usize = 2048;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) id: BroadcastId,
    pub(crate) list: List,
    pub(crate) coding: Coding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Coding {
    Identity,
    Gzip,
}

/// A playlist ready to be sent, or the reason why there is none.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: Result<Sheet, Absence>,
    pub(crate) freshness: Freshness,
}

/// A playlist ready to be sent.
pub(crate) struct Sheet {
    pub(crate) body: Bytes,
    pub(crate) etag: ETag,
    pub(crate) facts: Facts,
    /// The headers of a 200 to a request that polls, and to one that waited.
    pub(crate) polled: HeaderMap,
    pub(crate) awaited: HeaderMap,
}

/// What there is to know of a playlist, whatever its coding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) last_msn: Option<u64>,
    /// The media sequence number that a delta update goes on with.
    skipped_to: Option<u64>,
    /// In a Multivariant Playlist a guess until it is known.
    pub(crate) target: TargetDuration,
    pub(crate) is_final: bool,
}

impl Facts {
    /// Whether one who has the entries before `msn` learns all from it: more may have come at once than a delta update tells.
    pub(crate) fn follow_on(&self, msn: u64) -> bool {
        self.skipped_to.is_none_or(|skipped_to| skipped_to <= msn)
    }
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheet").field("facts", &self.facts).field("len", &self.body.len()).finish_non_exhaustive()
    }
}

/// Until when a finished playlist is what would be made anew.
#[derive(Clone, Debug)]
pub(crate) enum Freshness {
    Forever,
    /// As long as the log does not grow, and until time changes it.
    While {
        log: watch::Receiver<EventIndex>,
        until: Option<StoreTime>,
    },
    /// While the log cannot be read: until it grows or has been read, and until that is tried again.
    Still {
        log: watch::Receiver<EventIndex>,
        until: StoreTime,
        still: StandStill,
    },
}

impl Freshness {
    pub(crate) fn holds_at(&self, now: StoreTime) -> bool {
        match self {
            Self::Forever => true,
            // An error means that nobody follows the log any more.
            Self::While { log, until } => {
                until.is_none_or(|until| now < until) && matches!(log.has_changed(), Ok(false))
            }
            Self::Still { log, until, still } => {
                now < *until && !still.is_over() && matches!(log.has_changed(), Ok(false))
            }
        }
    }
}

/// The target duration that headers assume before the first segment.
const TARGET_GUESS: u32 = 2;

impl Sheet {
    pub(crate) fn new(page: Page, config: &Config) -> Self {
        let digest = Sha256::digest(page.text.as_bytes());
        let tag = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let Page { text, last_msn, skipped_to, target, is_final, next_change: _ } = page;
        let target = target.unwrap_or_else(|| TargetDuration::new(TARGET_GUESS));
        let facts = Facts { last_msn, skipped_to, target, is_final };
        Self::assemble(text.into(), ETag::strong(&tag), facts, None, config)
    }

    /// The same, compressed. A tag stands for one sequence of bytes (RFC 9110, 8.8.3.3), so it has one of its own.
    pub(crate) fn gzip(&self, config: &Config) -> Self {
        let mut encoder = GzEncoder::new(Vec::with_capacity(self.body.len() / 4), Compression::new(4));
        let written = encoder.write_all(&self.body).and_then(|()| encoder.finish());
        let body = written.expect("writing to memory does not fail");
        let tag = self.etag.to_header();
        let tag = tag.to_str().unwrap_or_default().trim_matches('"');
        Self::assemble(body.into(), ETag::strong(&format!("{tag}-gz")), self.facts, Some(GZIP), config)
    }

    fn assemble(body: Bytes, etag: ETag, facts: Facts, coding: Option<HeaderValue>, config: &Config) -> Self {
        let mut polled = headers::common();
        polled.insert(CONTENT_TYPE, headers::PLAYLIST);
        polled.insert(CONTENT_LENGTH, body.len().into());
        polled.insert(ETAG, etag.to_header());
        polled.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(coding) = coding {
            polled.insert(CONTENT_ENCODING, coding);
        }
        let mut awaited = polled.clone();
        let immutable = Lifetime::Immutable { secs: config.immutable_max_age_s };
        let lifetimes = match facts.last_msn {
            _ if facts.is_final => [immutable; 2],
            Some(_) => [Lifetime::Polled(facts.target), Lifetime::Awaited(facts.target)],
            None => [Lifetime::Checked; 2],
        };
        lifetimes[0].set(&mut polled);
        lifetimes[1].set(&mut awaited);
        Self { body, etag, facts, polled, awaited }
    }

    /// The headers of a 304 (RFC 9110, 15.4.5): those of the 200 without what describes the content.
    pub(crate) fn not_modified(headers: &HeaderMap) -> HeaderMap {
        let mut headers = headers.clone();
        for described in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING] {
            headers.remove(described);
        }
        headers
    }
}

const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// The finished playlists of a server.
#[derive(Clone, Debug)]
pub(crate) struct PlaylistCache(moka::future::Cache<CacheKey, Arc<Finished>>);

impl PlaylistCache {
    pub(crate) fn new(bytes_max: u64) -> Self {
        let weigh = |_: &CacheKey, finished: &Arc<Finished>| {
            let body = finished.outcome.as_ref().map_or(0, |sheet| sheet.body.len());
            u32::try_from(body + OVERHEAD).unwrap_or(u32::MAX)
        };
        Self(moka::future::Cache::builder().max_capacity(bytes_max).weigher(weigh).time_to_idle(IDLE).build())
    }

    pub(crate) async fn get(&self, key: &CacheKey, now: StoreTime) -> Option<Arc<Finished>> {
        self.0.get(key).await.filter(|finished| finished.freshness.holds_at(now))
    }

    /// What is there if it still holds, or else what `make` makes, once for all who ask at the time.
    pub(crate) async fn get_or_make(
        &self,
        key: &CacheKey,
        now: impl Fn() -> StoreTime + Send + Sync,
        make: impl Future<Output = Arc<Finished>> + Send,
    ) -> Arc<Finished> {
        let stale = |finished: &Arc<Finished>| !finished.freshness.holds_at(now());
        self.0.entry_by_ref(key).or_insert_with_if(make, stale).await.into_value()
    }
}

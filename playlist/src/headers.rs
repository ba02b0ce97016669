//! What the headers of our answers say, in one place.
//!
//! Lifetimes follow RFC 8216bis, appendix B: six target durations for the answer to a blocking reload, half a target
//! duration for a playlist that is polled. Errors live shorter than it advises: a cache that holds the absence of a
//! segment for seconds keeps viewers from a segment that has arrived meanwhile.

use broadcast::TargetDuration;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ALLOW, CACHE_CONTROL,
};
use http::{HeaderMap, HeaderValue};

pub(crate) const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
pub(crate) const MPEG_TS: HeaderValue = HeaderValue::from_static("video/mp2t");
pub(crate) const MP4_SEGMENT: HeaderValue = HeaderValue::from_static("video/iso.segment");
pub(crate) const MP4: HeaderValue = HeaderValue::from_static("video/mp4");
pub(crate) const JPEG: HeaderValue = HeaderValue::from_static("image/jpeg");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const ANY: HeaderValue = HeaderValue::from_static("*");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("accept-ranges, age, content-length, content-range, date, etag, retry-after");
/// How long a browser may remember the answer to a preflight: a day, in seconds.
const PREFLIGHT_MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// What every answer has: any page may play what it can address. The same for every origin, so that no cache has to
/// keep one copy for each.
pub(crate) fn common() -> HeaderMap {
    HeaderMap::from_iter([(ACCESS_CONTROL_ALLOW_ORIGIN, ANY), (ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED)])
}

/// The answer to OPTIONS, and to a preflight (Fetch, 3.2.2).
pub(crate) fn preflight(request: &HeaderMap) -> HeaderMap {
    let mut headers = common();
    headers.insert(ALLOW, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE);
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers
}

pub(crate) fn allowed_methods() -> HeaderValue {
    METHODS
}

/// How long caches may keep an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// A Multivariant Playlist that may name other addresses at any time, and is asked for seldom.
    Checked,
    /// A playlist that was polled.
    Polled(TargetDuration),
    /// A playlist that was waited for: its address names what it holds.
    Awaited(TargetDuration),
    /// For ever, or as long as this.
    Immutable { secs: u32 },
    /// Until it may have come.
    Absent { secs: u32 },
}

impl Lifetime {
    pub(crate) fn set(self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, self.cache_control());
    }

    pub(crate) fn cache_control(self) -> HeaderValue {
        let text = match self {
            Self::Checked => "public, no-cache".to_owned(),
            Self::Polled(target) => format!("public, max-age={}", (target.secs() / 2).max(1)),
            Self::Awaited(target) => format!("public, max-age={}", 6 * target.secs()),
            Self::Immutable { secs } => format!("public, max-age={secs}, immutable"),
            Self::Absent { secs } => format!("public, max-age={secs}"),
        };
        HeaderValue::try_from(text).expect("digits and ASCII words")
    }
}

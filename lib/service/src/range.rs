//! The Range header (RFC 9110, 14.2): one part of a representation.
//!
//! Several ranges at once are ignored, as the RFC allows, and so is anything malformed: the whole is sent. Sending is
//! the handler's matter.

use std::ops::Range;

use http::header::{IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue};

use crate::conditional::ETag;

/// What a request asks for of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedRange {
    Whole,
    /// Not empty and within the representation: answer 206 with [`content_range`].
    Part(Range<u64>),
    /// Answer 416 with [`content_range_unsatisfied`].
    Unsatisfiable,
}

impl RequestedRange {
    /// Reads the Range header of a GET for a representation of `len` bytes. `etag` is compared with If-Range.
    pub fn of(headers: &HeaderMap, len: u64, etag: Option<&ETag>) -> Self {
        let current = headers.get(IF_RANGE).is_none_or(|given| etag.is_some_and(|etag| etag.is_strongly(given)));
        match headers.get(RANGE).and_then(|range| range.to_str().ok()) {
            Some(range) if current => parse(range, len).unwrap_or(Self::Whole),
            _ => Self::Whole,
        }
    }
}

/// The Content-Range of a 206.
pub fn content_range(part: &Range<u64>, len: u64) -> HeaderValue {
    header(format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1)))
}

/// The Content-Range of a 416.
pub fn content_range_unsatisfied(len: u64) -> HeaderValue {
    header(format!("bytes */{len}"))
}

fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits and ASCII punctuation")
}

fn parse(range: &str, len: u64) -> Option<RequestedRange> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let part = match (number(first)?, number(last)?) {
        (None, None) => return None,
        (None, Some(suffix)) => len.saturating_sub(suffix)..len,
        (Some(first), None) => first..len,
        (Some(first), Some(last)) if last < first => return None,
        (Some(first), Some(last)) => first..len.min(last.saturating_add(1)),
    };
    Some(if part.is_empty() { RequestedRange::Unsatisfiable } else { RequestedRange::Part(part) })
}

/// `None` if it is no number at all, `Some(None)` if it is not there. Numbers beyond 2^64 count as 2^64.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|b| b.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, len: u64, expected: RequestedRange) {
        let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_str(range).unwrap())]);
        assert_eq!(RequestedRange::of(&headers, len, None), expected, "{range} of {len}");
    }

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        use RequestedRange::{Part, Unsatisfiable, Whole};
        for (range, part) in [
            ("bytes=0-499", 0..500),
            ("bytes=500-999", 500..1000),
            ("bytes=-500", 500..1000),
            ("bytes=9-", 9..1000),
            ("bytes=0-0", 0..1),
            ("BYTES=999-99999999999999999999999", 999..1000),
            ("bytes=-99999", 0..1000),
            ("bytes=0-", 0..1000),
        ] {
            check(range, 1000, Part(part));
        }
        for range in ["bytes=1000-", "bytes=1000-1001", "bytes=-0"] {
            check(range, 1000, Unsatisfiable);
        }
        for range in ["", "bytes", "bytes=", "bytes=-", "bytes=2-1", "bytes=a-b", "bytes=+1-2", "lines=1-2"] {
            check(range, 1000, Whole);
        }
        check("bytes=0-1,4-5", 1000, Whole);
        check("bytes=0-", 0, Unsatisfiable);
    }

    #[test]
    fn if_range_wants_the_same_bytes() {
        let etag = ETag::strong("a");
        for (if_range, expected) in [
            ("\"a\"", RequestedRange::Part(0..1)),
            ("\"b\"", RequestedRange::Whole),
            ("W/\"a\"", RequestedRange::Whole),
            ("Wed, 21 Oct 2026 07:28:00 GMT", RequestedRange::Whole),
        ] {
            let mut headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-0"))]);
            headers.insert(IF_RANGE, HeaderValue::from_static(if_range));
            assert_eq!(RequestedRange::of(&headers, 9, Some(&etag)), expected, "{if_range}");
        }
    }

    #[test]
    fn content_ranges_read_well() {
        assert_eq!(content_range(&(2..5), 9), "bytes 2-4/9");
        assert_eq!(content_range_unsatisfied(9), "bytes */9");
    }
}

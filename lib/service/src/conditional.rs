//! Entity tags and the requests that depend on them (RFC 9110, 8.8.3 and 13.1.2).

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};

/// An entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(HeaderValue);

impl ETag {
    /// For a representation that is the same byte for byte. Characters of `tag` that a tag cannot have become `_`.
    pub fn strong(tag: &str) -> Self {
        Self::of("\"", tag)
    }

    /// For one that means the same.
    pub fn weak(tag: &str) -> Self {
        Self::of("W/\"", tag)
    }

    fn of(open: &str, tag: &str) -> Self {
        let allowed = |c: char| c.is_ascii_graphic() && c != '"';
        let tag: String = tag.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        Self(HeaderValue::try_from(format!("{open}{tag}\"")).expect("visible ASCII is a header value"))
    }

    /// For the ETag header.
    pub fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// Whether a GET with these headers should be answered 304: If-None-Match lists this tag, by weak comparison.
    pub fn is_known_to(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|list| list.to_str().ok());
        lists.into_iter().any(|list| list.trim() == "*" || tags(list).any(|tag| tag == self.opaque()))
    }

    /// Strong comparison with one tag.
    pub(crate) fn is_strongly(&self, given: &HeaderValue) -> bool {
        *given == self.0 && self.0.as_bytes().starts_with(b"\"")
    }

    /// What is between the quotes.
    fn opaque(&self) -> &str {
        let text = self.0.to_str().unwrap_or_default();
        tags(text).next().unwrap_or_default()
    }
}

/// The opaque parts of a list of tags. A comma may be part of a tag, so quotes decide.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    list.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_compares_weakly() {
        let known = |etag: &ETag, list: &str| {
            etag.is_known_to(&HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(list).unwrap())]))
        };
        for etag in [ETag::strong("a,b"), ETag::weak("a,b")] {
            for list in ["\"a,b\"", "W/\"a,b\"", "\"x\", W/\"a,b\"", "\"x\",\"a,b\",\"y\"", "*", " * "] {
                assert!(known(&etag, list), "{list}");
            }
            for list in ["", "a,b", "\"a\"", "\"b\"", "\"x\", \"y\"", "\"", ", "] {
                assert!(!known(&etag, list), "{list}");
            }
            assert!(!etag.is_known_to(&HeaderMap::new()));
        }
    }

    #[test]
    fn tags_stay_within_their_quotes() {
        assert_eq!(ETag::strong("a\"b\r\nä").to_header(), "\"a_b___\"");
        assert_eq!(ETag::weak("").to_header(), "W/\"\"");
    }
}

//! Who owns an installation: its owner key; how keys and tokens are sent; by which address a sender reaches us. What a token allows is decided elsewhere.

use std::fmt;
use std::str::FromStr;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::problem::{Problem, ProblemKind};

/// The secret of whoever owns this installation: 16 to 128 visible ASCII characters.
#[derive(Clone)]
pub struct OwnerKey(Box<str>);

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerKey(secret)")
    }
}

impl FromStr for OwnerKey {
    type Err = OwnerKeyError;

    fn from_str(text: &str) -> Result<Self, OwnerKeyError> {
        let fits = (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(OwnerKeyError) }
    }
}

/// A text that is no owner key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an owner key has 16 to 128 visible ASCII characters, without spaces")]
pub struct OwnerKeyError;

impl OwnerKey {
    pub fn is(&self, given: &str) -> bool {
        // Digests of equal length, so that the time it takes says nothing about the key.
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(given.as_bytes())
    }

    /// Lets the owner through.
    pub fn authorize(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let given = bearer(headers).ok_or_else(|| unauthorized("send the owner key as `Authorization: Bearer KEY`"))?;
        if self.is(given) { Ok(()) } else { Err(unauthorized("this is not the owner key")) }
    }
}

/// The key or token that a request brings (RFC 6750, 2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// How whoever sent a request reaches us, by what it says itself: `http://host:port`.
pub fn base_url(headers: &HeaderMap) -> String {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = header("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let host = header("x-forwarded-host").or_else(|| header("host")).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// A 401 that says how to come back (RFC 6750, 3).
pub fn unauthorized(detail: impl fmt::Display) -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"headwater\"");
    ProblemKind::UNAUTHORIZED.detail(detail).header(WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(authorization: &str) -> HeaderMap {
        [(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())].into_iter().collect()
    }

    #[test]
    fn only_the_owner_is_let_through() {
        let key: OwnerKey = "0123456789abcdef".parse().unwrap();
        assert!(key.authorize(&sent("bearer 0123456789abcdef")).is_ok());
        for wrong in ["Bearer 0123456789abcdee", "Basic 0123456789abcdef", "0123456789abcdef", "Bearer "] {
            let problem = key.authorize(&sent(wrong)).unwrap_err();
            assert_eq!(problem.status(), 401, "{wrong}");
        }
        assert!(key.authorize(&HeaderMap::new()).is_err());
        assert!(!format!("{key:?}").contains("0123"));
    }

    #[test]
    fn a_key_is_neither_short_nor_long_nor_has_spaces() {
        for wrong in ["short", "0123456789 abcdef", "0123456789äbcdef", &"k".repeat(129)] {
            assert!(wrong.parse::<OwnerKey>().is_err(), "{wrong}");
        }
    }
}

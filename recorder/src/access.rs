//! Who may do what: the owner key administers, a publish token publishes to one broadcast.

use std::fmt;
use std::str::FromStr;

use broadcast::{BroadcastId, Claims, Scope, TokenError};
use http::HeaderMap;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use service::{Problem, ProblemKind};
use sha2::{Digest, Sha256};

use crate::recorder::Recorder;

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
    fn is(&self, given: &str) -> bool {
        // Digests of equal length, so that the time it takes says nothing about the key.
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(given.as_bytes())
    }
}

impl Recorder {
    /// Lets the owner through.
    pub(crate) fn authorize_owner(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let given = bearer(headers).ok_or_else(|| unauthorized("send the owner key as `Authorization: Bearer KEY`"))?;
        if self.owner_key.is(given) { Ok(()) } else { Err(unauthorized("this is not the owner key")) }
    }

    /// Lets through who holds a publish token of this broadcast, and the owner.
    pub(crate) fn authorize_publisher(&self, headers: &HeaderMap, id: BroadcastId) -> Result<(), Problem> {
        let given =
            bearer(headers).ok_or_else(|| unauthorized("send the publish token as `Authorization: Bearer TOKEN`"))?;
        if self.owner_key.is(given) {
            return Ok(());
        }
        let claims = self.publish_claims(given)?;
        if claims.sub == id { Ok(()) } else { Err(ProblemKind::FORBIDDEN.detail("the token is of another broadcast")) }
    }

    /// What a publish token says, wherever it was found.
    pub(crate) fn publish_claims(&self, token: &str) -> Result<Claims, Problem> {
        let now_secs = self.clock.now_ms().div_euclid(1000);
        self.tokens.check(token, Scope::Publish, now_secs).map_err(|error| match error {
            TokenError::WrongScope { .. } => ProblemKind::FORBIDDEN.detail(error),
            TokenError::Invalid | TokenError::Expired => unauthorized(&error.to_string()),
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn unauthorized(detail: &str) -> Problem {
    let challenge = http::HeaderValue::from_static("Bearer realm=\"headwater\"");
    ProblemKind::UNAUTHORIZED.detail(detail).header(WWW_AUTHENTICATE, challenge)
}

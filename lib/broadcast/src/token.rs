//! Publish and watch tokens: who holds one may publish to, or watch, one broadcast. Signed, so that any node can
//! check one by itself (JWT, RFC 7519, with HS256).
//!
//! The time is passed in; who is given a token, and when, is not decided here.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::ids::BroadcastId;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Publish,
    Watch,
    /// To be told by a node what is on its disk: for the other nodes of its fleet.
    Fetch,
}

impl Scope {
    fn verb(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Watch => "watch",
            Self::Fetch => "fetch from one node to another",
        }
    }
}

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The broadcast.
    pub sub: BroadcastId,
    pub scope: Scope,
    /// Seconds since the Unix epoch after which it is void; without it, never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
}

/// The secret with which one installation signs and checks its tokens.
#[derive(Clone)]
pub struct TokenKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(secret)")
    }
}

impl TokenKey {
    /// The longest token that is looked at, in bytes.
    pub const TOKEN_LEN_MAX: usize = 1024;

    pub fn new(secret: &[u8; 32]) -> Self {
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }

    pub fn sign(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .expect("plain claims and an HMAC key always encode")
    }

    /// What `token` says, if it is ours, for `scope`, and not void at `now_secs` (seconds since the Unix epoch).
    pub fn check(&self, token: &str, scope: Scope, now_secs: i64) -> Result<Claims, TokenError> {
        if token.len() > Self::TOKEN_LEN_MAX {
            return Err(TokenError::Invalid);
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.required_spec_claims.clear();
        // The library would read the wall clock; the time is ours to give.
        rules.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.decoding, &rules);
        let claims = decoded.map_err(|_| TokenError::Invalid)?.claims;
        if claims.exp.is_some_and(|exp| exp <= now_secs) {
            return Err(TokenError::Expired);
        }
        if claims.scope != scope {
            return Err(TokenError::WrongScope { scope });
        }
        Ok(claims)
    }
}

/// The broadcast that a token claims to be of, for those who hold it and cannot check it.
pub fn token_subject(token: &str) -> Option<BroadcastId> {
    if token.len() > TokenKey::TOKEN_LEN_MAX {
        return None;
    }
    Some(jsonwebtoken::dangerous::insecure_decode::<Claims>(token).ok()?.claims.sub)
}

/// Why a token does not open the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("this is not a token of this installation")]
    Invalid,
    #[error("the token has expired")]
    Expired,
    #[error("the token does not allow to {}", scope.verb())]
    WrongScope { scope: Scope },
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn claims(exp: Option<i64>) -> Claims {
        Claims { sub: BroadcastId::new(1, 2), scope: Scope::Publish, exp }
    }

    #[test]
    fn a_token_opens_what_it_says_until_it_expires() {
        let key = TokenKey::new(&[1; 32]);
        let token = key.sign(&claims(Some(NOW + 1)));
        assert_eq!(key.check(&token, Scope::Publish, NOW), Ok(claims(Some(NOW + 1))));
        assert_eq!(key.check(&token, Scope::Publish, NOW + 1), Err(TokenError::Expired));
        assert_eq!(key.check(&token, Scope::Watch, NOW), Err(TokenError::WrongScope { scope: Scope::Watch }));
        assert_eq!(key.check(&key.sign(&claims(None)), Scope::Publish, i64::MAX), Ok(claims(None)));
    }

    #[test]
    fn a_forged_token_opens_nothing() {
        let key = TokenKey::new(&[1; 32]);
        let token = key.sign(&claims(None));
        let unsigned = "eyJhbGciOiJub25lIn0.e30.";
        let other = TokenKey::new(&[2; 32]).sign(&claims(None));
        for forged in ["", "a.b.c", unsigned, &other, &token[..token.len() - 2], &"x".repeat(2000)] {
            assert_eq!(key.check(forged, Scope::Publish, NOW), Err(TokenError::Invalid), "{forged}");
        }
    }
}

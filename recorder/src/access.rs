//! Who may do what: the owner key administers, a publish token publishes to one broadcast.

use broadcast::{BroadcastId, Claims, Scope, TokenError};
use http::HeaderMap;
use service::{Problem, ProblemKind, bearer, unauthorized};

use crate::recorder::Recorder;

impl Recorder {
    /// Lets the owner through.
    pub(crate) fn authorize_owner(&self, headers: &HeaderMap) -> Result<(), Problem> {
        self.owner_key.authorize(headers)
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

    /// Whether it is the owner who asks.
    pub(crate) fn is_owner(&self, headers: &HeaderMap) -> bool {
        bearer(headers).is_some_and(|given| self.owner_key.is(given))
    }

    /// What a publish token says, wherever it was found.
    pub(crate) fn publish_claims(&self, token: &str) -> Result<Claims, Problem> {
        self.claims(token, Scope::Publish)
    }

    /// What a token says that is to allow this.
    pub(crate) fn claims(&self, token: &str, scope: Scope) -> Result<Claims, Problem> {
        let now_secs = self.clock.now_ms().div_euclid(1000);
        self.tokens.check(token, scope, now_secs).map_err(|error| match error {
            TokenError::WrongScope { .. } => ProblemKind::FORBIDDEN.detail(error),
            TokenError::Invalid | TokenError::Expired => unauthorized(error),
        })
    }
}

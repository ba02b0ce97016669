//! The portal is asked, when a publisher first appears on this recorder, whether it may publish. What it answers is
//! remembered for as long as it says, and one question is asked however many requests wait for the answer.
//!
//! The question is signed as webhooks are. A portal that does not answer takes nothing from those whom it let through
//! before.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use broadcast::{BroadcastId, RenditionName};
use http::header::{CACHE_CONTROL, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use moka::future::Cache;
use prometheus::IntCounterVec;
use serde::Deserialize;
use serde_json::json;
use service::{Clock, Problem, ProblemKind, Random, SendError, SignedAnswer, SignedClient, SigningSecret, bearer};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::recorder::Recorder;

/// How many answers are remembered.
const ANSWERS_MAX: u64 = 100_000;
/// How long a portal that does not answer is left alone about one publisher, and when that one may come back.
const LEFT_ALONE: Duration = Duration::from_secs(5);
/// The longest that an answer is remembered, whatever it says.
const REMEMBERED_MAX: Duration = Duration::from_secs(86_400);
/// How much of a reason is passed on, and of what a publisher says of itself, in bytes.
const REASON_LEN_MAX: usize = 500;

/// Whether and how the portal is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizeConfig {
    /// Where the question is sent: `https://portal.example.org/may-publish`.
    #[serde(deserialize_with = "service::http_url")]
    pub url: Uri,
    /// With which it is signed: `whsec_...`.
    #[serde(deserialize_with = "service::signing_secrets")]
    pub secrets: Vec<SigningSecret>,
    /// How long the portal may take to answer, in seconds. Publishers wait meanwhile.
    #[serde(default = "answer_max_s")]
    pub answer_max_s: u32,
    /// How long a yes is remembered that does not say it by Cache-Control: max-age, in seconds; and a no.
    #[serde(default = "yes_s")]
    pub yes_s: u32,
    #[serde(default = "no_s")]
    pub no_s: u32,
    /// What holds while the portal does not answer.
    #[serde(default)]
    pub on_error: OnError,
}

fn answer_max_s() -> u32 {
    5
}

fn yes_s() -> u32 {
    300
}

fn no_s() -> u32 {
    10
}

/// What holds while the portal does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// Broadcasts go on of which something was let through before; others are to come back.
    #[default]
    AllowKnown,
    Allow,
    Deny,
}

/// Who asks, as far as its request tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visitor {
    remote: Option<SocketAddr>,
    forwarded_for: Option<String>,
    user_agent: Option<String>,
}

impl Visitor {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).map(|value: &http::HeaderValue| shortened(value.as_bytes()));
        Self {
            remote: None,
            forwarded_for: text(http::HeaderName::from_static("x-forwarded-for")),
            user_agent: text(USER_AGENT),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
        Ok(Self { remote, ..Self::of(&parts.headers) })
    }
}

/// A publisher: who holds this token of this broadcast. `None` for what was parked by whoever it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Publisher {
    broadcast: BroadcastId,
    token: Option<[u8; 32]>,
}

/// What the portal said, and until when that holds.
#[derive(Clone, Debug)]
struct Verdict {
    said: Said,
    until: Instant,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Yes,
    No { why: String },
    Nothing { why: String },
}

/// Who asks the portal.
#[derive(Debug)]
pub(crate) struct Portal {
    config: AuthorizeConfig,
    node: Option<String>,
    client: SignedClient,
    clock: Clock,
    random: Random,
    verdicts: Cache<Publisher, Verdict>,
    /// Those of which somebody was let through.
    known: Cache<BroadcastId, ()>,
    /// Questions, by what the portal said.
    asked: IntCounterVec,
}

impl Portal {
    pub(crate) fn new(
        config: AuthorizeConfig,
        node: Option<String>,
        clock: Clock,
        random: Random,
        asked: IntCounterVec,
    ) -> Self {
        let answer_max = Duration::from_secs(config.answer_max_s.into());
        Self {
            client: SignedClient::new(clock.clone(), answer_max),
            config,
            node,
            clock,
            random,
            verdicts: Cache::new(ANSWERS_MAX),
            known: Cache::new(ANSWERS_MAX),
            asked,
        }
    }

    async fn ask(&self, who: Publisher, visitor: &Visitor, rendition: Option<&RenditionName>) -> Said {
        let now = self.clock.instant();
        let is_over = |verdict: &Verdict| verdict.until <= now;
        let broadcast = who.broadcast;
        let asked = async { self.verdict(broadcast, visitor, rendition).await };
        let entry = self.verdicts.entry(who).or_insert_with_if(asked, is_over).await;
        entry.into_value().said
    }

    async fn verdict(&self, id: BroadcastId, visitor: &Visitor, rendition: Option<&RenditionName>) -> Verdict {
        let Visitor { remote, forwarded_for, user_agent } = visitor;
        let timestamp = jiff::Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or_default();
        let question = json!({"type": "publish.authorize", "timestamp": timestamp.to_string(), "data": {
            "broadcast": id.to_string(),
            "rendition": rendition.map(RenditionName::as_str),
            "remote": remote.map(|peer| peer.ip().to_string()),
            "forwarded_for": forwarded_for,
            "user_agent": user_agent,
            "recorder": self.node,
        }});
        let message = format!("msg_authorize_{:032x}", self.random.next_u128());
        let AuthorizeConfig { url, secrets, .. } = &self.config;
        let answer = self.client.post(url, secrets, &message, question.to_string()).await;
        let (said, holds) = judge(answer, &self.config);
        let word = match &said {
            Said::Yes => {
                self.known.insert(id, ()).await;
                "yes"
            }
            Said::No { why } => {
                tracing::info!(%id, why, "the portal does not let a publisher through");
                "no"
            }
            Said::Nothing { why } => {
                tracing::warn!(%id, why, "the portal does not say whether a publisher may publish");
                "nothing"
            }
        };
        self.asked.with_label_values(&[word]).inc();
        Verdict { said, until: self.clock.instant() + holds }
    }
}

/// What an answer means, and for how long it holds.
fn judge(answer: Result<SignedAnswer, SendError>, config: &AuthorizeConfig) -> (Said, Duration) {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return (Said::Nothing { why: error.to_string() }, LEFT_ALONE),
    };
    let secs =
        |default: u32| max_age(&answer.headers).unwrap_or(Duration::from_secs(default.into())).min(REMEMBERED_MAX);
    match answer.status {
        status if status.is_success() => (Said::Yes, secs(config.yes_s)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => (Said::No { why: reason(&answer.body) }, secs(config.no_s)),
        status => (Said::Nothing { why: status.to_string() }, LEFT_ALONE),
    }
}

/// The `detail`, `reason` or `error` of a JSON document, or the text.
fn reason(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let told = ["detail", "reason", "error"].iter().find_map(|name| json[name].as_str());
    let text = told.map_or_else(|| shortened(body), |told| shortened(told.as_bytes()));
    if text.is_empty() { "the portal does not allow it".to_owned() } else { text }
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(CACHE_CONTROL)?.to_str().ok()?.to_ascii_lowercase();
    let mut directives = value.split(',').map(str::trim);
    directives.find_map(|directive| match directive {
        "no-store" | "no-cache" => Some(Duration::ZERO),
        _ => directive.strip_prefix("max-age=")?.parse().ok().map(Duration::from_secs),
    })
}

fn shortened(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text[..text.floor_char_boundary(REASON_LEN_MAX)].trim().to_owned()
}

impl Recorder {
    /// Asks the portal about whoever sent this request, unless it is the owner.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        id: BroadcastId,
        visitor: &Visitor,
        rendition: Option<&RenditionName>,
    ) -> Result<(), Problem> {
        match bearer(headers) {
            Some(token) if !self.owner_key.is(token) => self.admit_token(Some(token), id, visitor, rendition).await,
            _ => Ok(()),
        }
    }

    /// The same, about what was parked.
    pub(crate) async fn admit_parked(&self, id: BroadcastId) -> Result<(), Problem> {
        self.admit_token(None, id, &Visitor::default(), None).await
    }

    /// Fails with a 403 if the portal says no, and with a 503 if it says nothing and that counts as a no.
    pub(crate) async fn admit_token(
        &self,
        token: Option<&str>,
        id: BroadcastId,
        visitor: &Visitor,
        rendition: Option<&RenditionName>,
    ) -> Result<(), Problem> {
        let Some(portal) = &self.portal else { return Ok(()) };
        let token = token.map(|token| Sha256::digest(token.as_bytes()).into());
        match portal.ask(Publisher { broadcast: id, token }, visitor, rendition).await {
            Said::Yes => Ok(()),
            Said::No { why } => Err(ProblemKind::FORBIDDEN.detail(why)),
            Said::Nothing { why } => {
                let allowed = match portal.config.on_error {
                    OnError::Allow => true,
                    OnError::Deny => false,
                    OnError::AllowKnown => portal.known.contains_key(&id) || self.has_segments(id).await,
                };
                let detail = format!("the portal does not say whether this may be published: {why}");
                if allowed { Ok(()) } else { Err(ProblemKind::UNAVAILABLE.detail(detail).retry_after(LEFT_ALONE)) }
            }
        }
    }

    /// Whether somebody was let through before, here or elsewhere.
    async fn has_segments(&self, id: BroadcastId) -> bool {
        let followed = self.broadcasts.get(id).await;
        followed.is_ok_and(|followed| followed.read().renditions().iter().any(|rendition| rendition.bytes() > 0))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn config() -> AuthorizeConfig {
        let url = Uri::from_static("http://portal/");
        AuthorizeConfig { url, secrets: vec![], answer_max_s: 5, yes_s: 300, no_s: 10, on_error: OnError::AllowKnown }
    }

    #[test]
    fn answers_are_remembered_for_as_long_as_they_say() {
        let check = |status: u16, cache: &'static str, body: &'static str, said: Said, secs: u64| {
            let headers = [(CACHE_CONTROL, http::HeaderValue::from_static(cache))].into_iter().collect();
            let status = StatusCode::from_u16(status).unwrap();
            let answer = SignedAnswer { status, headers, body: Bytes::from(body) };
            assert_eq!(judge(Ok(answer), &config()), (said, Duration::from_secs(secs)), "{status} {cache} {body}");
        };
        let no = |why: &str| Said::No { why: why.to_owned() };
        check(204, "", "", Said::Yes, 300);
        check(200, "private, max-age=60", "", Said::Yes, 60);
        check(200, "No-Store", "", Said::Yes, 0);
        check(200, "max-age=99999999999", "", Said::Yes, 86_400);
        check(200, "max-age=soon", "", Said::Yes, 300);
        check(403, "max-age=60", r#"{"error": "paid until Friday"}"#, no("paid until Friday"), 60);
        check(401, "", " go away \n", no("go away"), 10);
        check(403, "", "", no("the portal does not allow it"), 10);
        check(302, "max-age=60", "", Said::Nothing { why: "302 Found".to_owned() }, 5);
        check(410, "", "", Said::Nothing { why: "410 Gone".to_owned() }, 5);
    }
}

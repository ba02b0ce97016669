//! What the owner asks: how the endpoints stand, the dead letters, and to try one out.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Query, State};
use http::HeaderMap;
use metadata::{DeadLetter, LETTERS_MAX, MetadataError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::{Problem, ProblemKind};
use utoipa::{OpenApi, ToSchema};

use crate::config::Endpoint;
use crate::delivery::{Attempt, judge};
use crate::message::test_body;
use crate::webhooks::Webhooks;

/// The most dead letters on one page.
const PAGE_MAX: usize = 100;
/// When to try again what failed because the store is away.
const RETRY_SOON: Duration = Duration::from_secs(2);

/// How the endpoints stand.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Endpoints {
    endpoints: Vec<EndpointState>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndpointState {
    url: String,
    /// The types of messages that it wants.
    events: Vec<&'static str>,
    /// Letters that wait to be delivered.
    waiting: u64,
    /// Letters that could not be delivered.
    dead: u64,
    /// It answered 410 Gone, and gets nothing until dead letters are sent to it again, or a test succeeds.
    disabled: bool,
    /// Whether it is in the configuration of the server that answers.
    configured: bool,
}

/// GET of the endpoints.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks",
    responses((status = 200, body = Endpoints), (status = 401)), security(("owner_key" = []))
)]
pub(crate) async fn endpoints(
    State(webhooks): State<Arc<Webhooks>>,
    headers: HeaderMap,
) -> Result<Json<Endpoints>, Problem> {
    webhooks.owner_key.authorize(&headers)?;
    let mut boxes = webhooks.outbox.mailboxes().await.map_err(problem)?;
    let mut endpoints = Vec::new();
    for endpoint in &webhooks.config.endpoints {
        let found = boxes.iter().position(|mailbox| mailbox.endpoint == endpoint.name());
        let mailbox = found.map(|at| boxes.remove(at));
        let (waiting, dead) = mailbox.as_ref().map_or((0, 0), |mailbox| (mailbox.waiting, mailbox.dead));
        let disabled = mailbox.is_some_and(|mailbox| mailbox.gone);
        let events = wanted(endpoint);
        endpoints.push(EndpointState { url: endpoint.name(), events, waiting, dead, disabled, configured: true });
    }
    let others = boxes.into_iter().filter(|mailbox| mailbox.waiting + mailbox.dead > 0);
    endpoints.extend(others.map(|mailbox| EndpointState {
        url: mailbox.endpoint,
        events: Vec::new(),
        waiting: mailbox.waiting,
        dead: mailbox.dead,
        disabled: mailbox.gone,
        configured: false,
    }));
    Ok(Json(Endpoints { endpoints }))
}

fn wanted(endpoint: &Endpoint) -> Vec<&'static str> {
    crate::Kind::ALL.iter().filter(|kind| endpoint.wants(**kind)).map(|kind| kind.word()).collect()
}

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    limit: Option<usize>,
    after: Option<u64>,
}

/// A page of dead letters, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetters {
    dead: Vec<Dead>,
    /// For `after` of the next page, if there may be one.
    next: Option<u64>,
}

/// A letter that could not be delivered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Dead {
    number: u64,
    /// `webhook-id`.
    id: String,
    r#type: String,
    broadcast: String,
    url: String,
    attempts: u32,
    /// Milliseconds since the Unix epoch.
    died_at: i64,
    /// What went wrong the last time.
    why: String,
    /// What would be sent.
    #[schema(value_type = Object)]
    body: Value,
}

impl From<DeadLetter> for Dead {
    fn from(dead: DeadLetter) -> Self {
        let DeadLetter { number, broadcast, letter, attempts, died_at, why } = dead;
        Self {
            number,
            id: letter.id,
            r#type: letter.kind,
            broadcast: broadcast.to_string(),
            url: letter.endpoint,
            attempts,
            died_at: died_at.0,
            why,
            body: serde_json::from_str(&letter.body).unwrap_or_default(),
        }
    }
}

/// GET of the dead letters.
#[utoipa::path(
    get, path = "/v1/webhooks/dead", tag = "webhooks",
    params(
        ("limit" = Option<usize>, Query, description = "1 to 100; 50 without it"),
        ("after" = Option<u64>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, body = DeadLetters), (status = 401)), security(("owner_key" = []))
)]
pub(crate) async fn dead(
    State(webhooks): State<Arc<Webhooks>>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Json<DeadLetters>, Problem> {
    webhooks.owner_key.authorize(&headers)?;
    let limit = page.limit.unwrap_or(50).clamp(1, PAGE_MAX);
    let dead = webhooks.outbox.dead(page.after, limit).await.map_err(problem)?;
    let next = dead.last().filter(|_| dead.len() == limit).map(|dead| dead.number);
    Ok(Json(DeadLetters { dead: dead.into_iter().map(Dead::from).collect(), next }))
}

/// Which dead letters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// These; at most 1000.
    #[serde(default)]
    numbers: Vec<u64>,
    /// All of this endpoint.
    #[serde(default)]
    url: Option<String>,
    /// All there are.
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Count {
    /// How many letters it was done to.
    letters: u64,
}

/// POST: sends dead letters again, with all attempts before them, and to an endpoint that was disabled, too.
#[utoipa::path(
    post, path = "/v1/webhooks/dead/resend", tag = "webhooks", request_body = Which,
    responses((status = 200, body = Count), (status = 400), (status = 401)), security(("owner_key" = []))
)]
pub(crate) async fn resend(
    State(webhooks): State<Arc<Webhooks>>,
    headers: HeaderMap,
    which: Result<Json<Which>, JsonRejection>,
) -> Result<Json<Count>, Problem> {
    webhooks.owner_key.authorize(&headers)?;
    let count = webhooks.to_dead(which, Deed::Resend).await?;
    webhooks.wake_senders();
    Ok(count)
}

/// POST: forgets dead letters.
#[utoipa::path(
    post, path = "/v1/webhooks/dead/discard", tag = "webhooks", request_body = Which,
    responses((status = 200, body = Count), (status = 400), (status = 401)), security(("owner_key" = []))
)]
pub(crate) async fn discard(
    State(webhooks): State<Arc<Webhooks>>,
    headers: HeaderMap,
    which: Result<Json<Which>, JsonRejection>,
) -> Result<Json<Count>, Problem> {
    webhooks.owner_key.authorize(&headers)?;
    webhooks.to_dead(which, Deed::Discard).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Resend,
    Discard,
}

impl Webhooks {
    /// Does it to those dead letters that there are now.
    async fn to_dead(&self, which: Result<Json<Which>, JsonRejection>, deed: Deed) -> Result<Json<Count>, Problem> {
        let Json(which) = which.map_err(|error| ProblemKind::BAD_REQUEST.detail(error.body_text()))?;
        if which.numbers.is_empty() && which.url.is_none() && !which.all {
            return Err(ProblemKind::BAD_REQUEST.detail("say which: `numbers`, the `url` of an endpoint, or `all`"));
        }
        if which.numbers.len() > LETTERS_MAX {
            return Err(ProblemKind::BAD_REQUEST.detail(format!("at most {LETTERS_MAX} numbers at a time")));
        }
        let is_meant = |dead: &DeadLetter| {
            which.all || which.numbers.contains(&dead.number) || which.url.as_ref() == Some(&dead.letter.endpoint)
        };
        let (mut letters, mut after) = (0, None);
        loop {
            let page = self.outbox.dead(after, LETTERS_MAX).await.map_err(problem)?;
            let Some(last) = page.last() else { return Ok(Json(Count { letters })) };
            after = Some(last.number);
            let meant: Vec<&DeadLetter> = page.iter().filter(|dead| is_meant(dead)).collect();
            let numbers: Vec<u64> = meant.iter().map(|dead| dead.number).collect();
            letters += match deed {
                Deed::Discard => self.outbox.discard(&numbers).await.map_err(problem)?,
                Deed::Resend => {
                    let mut urls: Vec<&str> = meant.iter().map(|dead| dead.letter.endpoint.as_str()).collect();
                    urls.sort_unstable();
                    urls.dedup();
                    // Otherwise they would be dead again at once.
                    for url in urls {
                        self.outbox.set_gone(url, false).await.map_err(problem)?;
                    }
                    self.outbox.resend(&numbers).await.map_err(problem)?
                }
            };
        }
    }
}

/// Whom to send a test message.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    /// A configured endpoint; without it, all of them.
    #[serde(default)]
    url: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tested {
    tested: Vec<Answer>,
}

/// What an endpoint answered to a test message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer {
    url: String,
    /// Whether a message like this would have been delivered.
    delivered: bool,
    status: Option<u16>,
    took_ms: u64,
    /// The beginning of its answer, or why there was none.
    said: String,
}

/// POST: sends a test message now, once, and tells what was answered.
#[utoipa::path(
    post, path = "/v1/webhooks/test", tag = "webhooks", request_body = Test,
    responses((status = 200, body = Tested), (status = 401), (status = 404, description = "No such endpoint is configured")),
    security(("owner_key" = []))
)]
pub(crate) async fn test(
    State(webhooks): State<Arc<Webhooks>>,
    headers: HeaderMap,
    wanted: Result<Json<Test>, JsonRejection>,
) -> Result<Json<Tested>, Problem> {
    webhooks.owner_key.authorize(&headers)?;
    let Json(Test { url }) = wanted.map_err(|error| ProblemKind::BAD_REQUEST.detail(error.body_text()))?;
    let is_meant = |endpoint: &&Endpoint| url.as_ref().is_none_or(|url| *url == endpoint.name());
    let meant: Vec<&Endpoint> = webhooks.config.endpoints.iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Err(ProblemKind::NOT_FOUND.detail("no such endpoint is configured here: see [[webhooks.endpoints]]"));
    }
    let tested = futures_util::future::try_join_all(meant.into_iter().map(|endpoint| webhooks.test(endpoint)));
    Ok(Json(Tested { tested: tested.await? }))
}

impl Webhooks {
    async fn test(&self, endpoint: &Endpoint) -> Result<Answer, Problem> {
        let (began, id) = (self.clock.instant(), format!("msg_test_{:032x}", self.random.next_u128()));
        let answer = self.client.post(&endpoint.url, &endpoint.secrets, &id, test_body(self.clock.now_ms())).await;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
        let said = match &answer {
            Ok(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
            Err(error) => error.to_string(),
        };
        let delivered = judge(answer) == Attempt::Delivered;
        if delivered {
            self.outbox.set_gone(&endpoint.name(), false).await.map_err(problem)?;
        }
        Ok(Answer { url: endpoint.name(), delivered, status, took_ms, said })
    }
}

fn problem(error: MetadataError) -> Problem {
    tracing::warn!(error = &error as &dyn std::error::Error, "the outbox cannot be asked");
    if error.is_retryable() {
        return ProblemKind::UNAVAILABLE.detail(error).retry_after(RETRY_SOON);
    }
    ProblemKind::INTERNAL.detail(error)
}

#[derive(OpenApi)]
#[openapi(
    paths(endpoints, dead, resend, discard, test),
    tags((name = "webhooks", description = "Who is told what happens to broadcasts, and what could not be told"))
)]
struct Documentation;

/// This crate's part of the OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Documentation::openapi()
}

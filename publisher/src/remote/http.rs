//! The publish protocol over HTTP.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{RenditionName, Seq, SeqRange, SeqSet};
use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::{Value, json};
use service::{HttpsClient, https_client};
use storage::{Blob, StoreError};

use super::bundle::{self, Outbound};
use super::{
    Acknowledged, ArrivedRange, Bundled, Outgoing, Over, Part, Remote, RemoteError, RemoteStatus, Routed, Said,
};
use crate::address::Address;
use crate::route::RecorderUrl;

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The most recorders of a route that are looked at.
const ROUTE_LEN_MAX: usize = 32;
/// The most pairs of a range that is stored and one that is safe: a broken answer must not cost more than a broadcast
/// with thousands of holes.
const RANGES_MAX: usize = 1 << 22;
/// The longest answer that is read, in bytes.
const ANSWER_LEN_MAX: usize = 8 << 20;

type BoxError = Box<dyn Error + Send + Sync>;

/// The body of a request: what cannot be read of it is an error of the spool.
pub type RequestBody = UnsyncBoxBody<Bytes, StoreError>;
/// The body of an answer.
pub type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// What carries requests to the host that each names.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<AnswerBody>, BoxError>;
}

/// Recorders that are spoken to over HTTP.
#[derive(Debug)]
pub struct HttpRemote {
    transport: Arc<dyn Transport>,
    address: Address,
}

/// Connections over TCP and TLS, kept for the next request.
#[derive(Debug)]
struct Network(HttpsClient<RequestBody>);

impl Network {
    fn new() -> Self {
        Self(https_client(CONNECT_MAX))
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: Request<RequestBody>) -> Result<Response<AnswerBody>, BoxError> {
        let response = self.0.request(request).await?;
        Ok(response.map(|body| body.map_err(io::Error::other).boxed_unsync()))
    }
}

impl HttpRemote {
    /// Publishes to the broadcast of `address`, with its token; to which recorder, each call says.
    pub fn new(address: Address) -> Self {
        Self::over(Arc::new(Network::new()), address)
    }

    /// The same over another network than this machine's.
    pub fn over(transport: Arc<dyn Transport>, address: Address) -> Self {
        Self { transport, address }
    }

    fn request(&self, method: Method, recorder: &RecorderUrl, path: &str) -> http::request::Builder {
        let url = format!("{recorder}{path}");
        Request::builder().method(method).uri(url).header("authorization", format!("Bearer {}", self.address.token))
    }

    async fn send(&self, request: http::request::Builder, body: RequestBody) -> Result<Value, RemoteError> {
        let (head, json) = self.exchange(request, body).await?;
        if head.status.is_success() { Ok(json) } else { Err(refusal(head.status, &head.headers, &json)) }
    }

    async fn exchange(
        &self,
        request: http::request::Builder,
        body: RequestBody,
    ) -> Result<(http::response::Parts, Value), RemoteError> {
        let request = request.body(body).map_err(|error| RemoteError::Unreachable { reason: error.to_string() })?;
        let response = self.transport.send(request).await.map_err(|error| unreachable(error.as_ref()))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_LEN_MAX).collect().await;
        let body = body.map_err(|error| RemoteError::Unreachable { reason: error.to_string() })?.to_bytes();
        Ok((head, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

#[async_trait]
impl Remote for HttpRemote {
    async fn route(&self, balancer: &RecorderUrl) -> Result<Option<Routed>, RemoteError> {
        let path = format!("/v1/publish/{}/route", self.address.broadcast);
        let (head, answer) = self.exchange(self.request(Method::GET, balancer, &path), empty()).await?;
        match head.status {
            // Whoever says so, there is none.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(None),
            status if status.is_success() => {
                serde_json::from_value::<Route>(answer).map_err(unexpected)?.read().map(Some)
            }
            status => Err(refusal(status, &head.headers, &answer)),
        }
    }

    async fn status(&self, recorder: &RecorderUrl) -> Result<RemoteStatus, RemoteError> {
        let request = self.request(Method::GET, recorder, &format!("/ingest/{}", self.address.broadcast));
        let answer = self.send(request, empty()).await?;
        let status: Told = serde_json::from_value(answer).map_err(unexpected)?;
        status.read()
    }

    async fn put_segment(&self, recorder: &RecorderUrl, outgoing: Outgoing) -> Result<Acknowledged, RemoteError> {
        let Outgoing { segment, captured_at, init, body } = outgoing;
        let (rendition, seq, extension) = (&segment.rendition, segment.seq, segment.container.extension());
        let path = format!("/ingest/{}/{rendition}/{seq}.{extension}", self.address.broadcast);
        let mut request = self
            .request(Method::PUT, recorder, &path)
            .header("content-length", body.len())
            .header("segment-captured-at", captured_at.0)
            .header("segment-digest", segment.digest.to_string());
        if let Some(init) = init {
            request = request.header("segment-init", init.to_string());
        }
        let answer: Stored = serde_json::from_value(self.send(request, stream(body)).await?).map_err(unexpected)?;
        if answer.digest != segment.digest.to_string() {
            return Err(RemoteError::Unexpected { detail: format!("stored {} of other bytes", answer.digest) });
        }
        Ok(Acknowledged { safe: answer.safe, closing: answer.closing })
    }

    async fn put_init(
        &self,
        recorder: &RecorderUrl,
        rendition: &RenditionName,
        bytes: Bytes,
    ) -> Result<(), RemoteError> {
        let path = format!("/ingest/{}/{rendition}/init.mp4", self.address.broadcast);
        self.send(self.request(Method::PUT, recorder, &path), full(bytes)).await.map(drop)
    }

    async fn put_bundle(&self, recorder: &RecorderUrl, parts: Vec<Part>) -> Bundled {
        let Outbound { body, len, digests } = bundle::write(parts);
        let path = format!("/ingest/{}", self.address.broadcast);
        let request = self.request(Method::PUT, recorder, &path);
        let request = request.header("content-type", bundle::MEDIA_TYPE).header("content-length", len);
        match self.exchange(request, body).await {
            Ok((head, answer)) => bundle::read(head.status, &head.headers, answer, &digests),
            Err(error) => Bundled { segments: vec![], broke: Some(error) },
        }
    }

    async fn say(&self, recorder: &RecorderUrl, said: &Said) -> Result<(), RemoteError> {
        let (what, body) = match said {
            Said::Pause => ("pause", Value::Null),
            Said::Resume => ("resume", Value::Null),
            Said::Abandon { rendition, seqs } => {
                ("abandon", json!({"rendition": rendition, "first": seqs.first, "last": seqs.last}))
            }
            Said::End { last } => ("end", json!({"last": last})),
        };
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let path = format!("/v1/broadcasts/{}/{what}", self.address.broadcast);
        let request = self.request(Method::POST, recorder, &path).header("content-type", "application/json");
        self.send(request, full(body)).await.map(drop)
    }
}

/// The answer to GET /v1/publish/{id}/route.
#[derive(Debug, Deserialize)]
struct Route {
    recorders: Vec<RouteEntry>,
    ttl_s: u32,
}

#[derive(Debug, Deserialize)]
struct RouteEntry {
    url: String,
}

impl Route {
    fn read(self) -> Result<Routed, RemoteError> {
        let is_web = |entry: &RouteEntry| entry.url.starts_with("http://") || entry.url.starts_with("https://");
        let usable = self.recorders.into_iter().filter(is_web).take(ROUTE_LEN_MAX);
        let recorders: Vec<_> = usable.map(|entry| RecorderUrl(entry.url.trim_end_matches('/').to_owned())).collect();
        if recorders.is_empty() {
            return Err(unexpected("a route without a recorder"));
        }
        Ok(Routed { recorders, ttl: Duration::from_secs(self.ttl_s.into()) })
    }
}

/// The answer to a segment.
#[derive(Debug, Deserialize)]
struct Stored {
    safe: bool,
    #[serde(default)]
    closing: bool,
    digest: String,
}

/// The answer to GET /ingest/{id}.
#[derive(Debug, Deserialize)]
struct Told {
    state: String,
    #[serde(default)]
    closing: bool,
    server_time_ms: i64,
    renditions: std::collections::BTreeMap<RenditionName, Ranges>,
}

#[derive(Debug, Deserialize)]
struct Ranges {
    stored: Vec<[u64; 2]>,
    stored_digests: Vec<String>,
    safe: Vec<[u64; 2]>,
    #[serde(default)]
    elsewhere: Vec<[u64; 2]>,
}

impl Ranges {
    fn read(&self) -> Option<Vec<ArrivedRange>> {
        let safe = set(&self.safe)?;
        let range = |(seqs, digest): (&[u64; 2], &String)| {
            let seqs = SeqRange { first: Seq(seqs[0]), last: Seq(seqs[1]) };
            Some(ArrivedRange { seqs, digest: digest.parse().ok()?, safe: safe.clone() })
        };
        if self.stored.len().saturating_mul(self.safe.len()) > RANGES_MAX {
            return None;
        }
        set(&self.stored)?;
        self.stored.iter().zip(&self.stored_digests).map(range).collect()
    }
}

impl Told {
    fn read(self) -> Result<RemoteStatus, RemoteError> {
        let elsewhere = self.renditions.iter().map(|(name, ranges)| Some((name.clone(), set(&ranges.elsewhere)?)));
        let elsewhere = elsewhere.collect::<Option<_>>();
        let renditions = self.renditions.into_iter().map(|(name, ranges)| Some((name, ranges.read()?)));
        let arrived = renditions.collect::<Option<_>>();
        let over = match self.state.as_str() {
            _ if self.closing => Over::Closing,
            "ended" | "complete" => Over::Ended,
            _ => Over::No,
        };
        Ok(RemoteStatus {
            server_time_ms: self.server_time_ms,
            paused: self.state == "paused",
            over,
            arrived: arrived.ok_or_else(|| unexpected("a range that is none"))?,
            elsewhere: elsewhere.ok_or_else(|| unexpected("a range that is none"))?,
        })
    }
}

fn set(ranges: &[[u64; 2]]) -> Option<SeqSet> {
    let mut set = SeqSet::default();
    for [first, last] in ranges {
        if first > last || *last > Seq::MAX.0 {
            return None;
        }
        set.insert(SeqRange { first: Seq(*first), last: Seq(*last) });
    }
    Some(set)
}

fn empty() -> RequestBody {
    full(Bytes::new())
}

fn full(bytes: Bytes) -> RequestBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn stream(blob: Blob) -> RequestBody {
    StreamBody::new(blob.into_stream().map_ok(Frame::data)).boxed_unsync()
}

fn unexpected(detail: impl std::fmt::Display) -> RemoteError {
    RemoteError::Unexpected { detail: detail.to_string() }
}

/// Where the trouble began is what tells most.
fn unreachable(error: &(dyn Error + 'static)) -> RemoteError {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        if let Some(store) = deeper.downcast_ref::<StoreError>() {
            return RemoteError::Unreadable { reason: store.to_string() };
        }
        cause = deeper;
    }
    RemoteError::Unreachable { reason: cause.to_string() }
}

pub(super) fn refusal(status: StatusCode, headers: &http::HeaderMap, problem: &Value) -> RemoteError {
    let text = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
    let (kind, detail) = (text("type"), text("detail"));
    let detail = if detail.is_empty() { status.to_string() } else { detail };
    // What is not one of our problems was said by somebody on the way: a proxy, or a hotel that wants a login first.
    let ours = kind.strip_prefix("/problems/").unwrap_or_default();
    match (status.as_u16(), ours) {
        (401 | 403, "unauthorized" | "forbidden") => RemoteError::Unauthorized { detail },
        (404, "not-found") => RemoteError::NoBroadcast,
        (409, "no-init-section") => RemoteError::NoInit,
        (408, _) => RemoteError::TooSlow,
        (_, "other-bytes-stored" | "ended" | "abandoned" | "not-a-media-segment" | "too-large") => {
            RemoteError::Refused { detail }
        }
        (_, "unsupported-media-type" | "too-many-renditions" | "bad-request") => RemoteError::Refused { detail },
        (_, "digest-mismatch") => RemoteError::Damaged { detail },
        (422, "unprocessable") if problem["server_time_ms"].is_i64() => RemoteError::Ahead { detail },
        (503 | 429, _) => {
            let secs = headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            RemoteError::Busy { retry_after: secs.map(Duration::from_secs), detail }
        }
        _ => RemoteError::Unexpected { detail },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        let check = |status: u16, kind: &str, expected: fn(&RemoteError) -> bool| {
            let problem = json!({"type": format!("/problems/{kind}"), "detail": "why"});
            let headers =
                [("retry-after".parse().expect("a name"), "7".parse().expect("a value"))].into_iter().collect();
            let error = refusal(StatusCode::from_u16(status).expect("a status"), &headers, &problem);
            assert!(expected(&error), "{status} {kind}: {error:?}");
        };
        check(401, "unauthorized", RemoteError::is_fatal);
        check(404, "not-found", RemoteError::is_fatal);
        check(403, "", RemoteError::is_of_the_recorder);
        check(404, "", RemoteError::is_of_the_recorder);
        check(422, "too-far-ahead", RemoteError::is_of_the_recorder);
        check(409, "no-init-section", |error| matches!(error, RemoteError::NoInit));
        check(409, "other-bytes-stored", |error| matches!(error, RemoteError::Refused { .. }));
        check(422, "not-a-media-segment", |error| matches!(error, RemoteError::Refused { .. }));
        check(422, "digest-mismatch", |error| matches!(error, RemoteError::Damaged { .. }));
        check(422, "unprocessable", |error| matches!(error, RemoteError::Unexpected { .. }));
        let ahead = json!({"type": "/problems/unprocessable", "detail": "why", "server_time_ms": 1});
        let ahead = refusal(StatusCode::UNPROCESSABLE_ENTITY, &http::HeaderMap::new(), &ahead);
        assert!(matches!(ahead, RemoteError::Ahead { .. }) && ahead.is_of_the_recorder());
        check(503, "storage-full", |error| error.retry_after() == Some(Duration::from_secs(7)));
        // What the network did to it is no reason to give it up.
        check(400, "broken-off", RemoteError::is_of_the_recorder);
        check(400, "bad-request", |error| matches!(error, RemoteError::Refused { .. }));
        check(500, "internal", RemoteError::is_of_the_recorder);
    }

    #[test]
    fn routes_are_checked() {
        let read = |route: Value| serde_json::from_value::<Route>(route).expect("a route").read();
        let routed = read(json!({"ttl_s": 30, "recorders": [
            {"url": "ftp://x", "node": "x"}, {"url": "https://a/", "node": "a", "region": null}, {"url": "http://b"},
        ]}));
        let recorders = ["https://a", "http://b"].map(|url| RecorderUrl(url.to_owned())).to_vec();
        assert_eq!(routed.ok(), Some(Routed { recorders, ttl: Duration::from_secs(30) }));
        assert!(read(json!({"ttl_s": 30, "recorders": []})).is_err());
    }

    #[test]
    fn it_is_over_when_its_owner_or_its_publisher_says_so() {
        let check = |answer: Value, expected: Over| {
            let told: Told = serde_json::from_value(answer.clone()).expect("a status");
            assert_eq!(told.read().ok().map(|status| status.over), Some(expected), "{answer}");
        };
        let told = |state: &str, closing: bool| json!({"state": state, "closing": closing, "server_time_ms": 1, "renditions": {}});
        check(told("live", false), Over::No);
        check(told("ended", true), Over::Closing);
        check(told("ended", false), Over::Ended);
        check(told("complete", false), Over::Ended);
        check(json!({"state": "ended", "server_time_ms": 1, "renditions": {}}), Over::Ended);
    }

    #[test]
    fn ranges_are_checked() {
        assert_eq!(set(&[[0, 3], [5, 5]]).map(|set| set.count()), Some(5));
        assert_eq!(set(&[[3, 0]]), None);
        assert_eq!(set(&[[0, u64::MAX]]), None);
    }
}

//! Many segments in one request: for radios that take long to wake, and for systems that let an app make few requests
//! while it is in the background.
//!
//! ```text
//! PUT /ingest/{id}        Content-Type: application/vnd.headwater.bundle
//!
//! main/12.ts CRLF
//! Content-Length: 524288 CRLF
//! Segment-Captured-At: 1790000000000 CRLF
//! CRLF
//! (524288 bytes, and at once the head of the next part)
//! ```
//!
//! Each part is taken as if it had been sent by itself, with its own headers, and is durable and committed before the next
//! is read. So a request that breaks off leaves all the parts before: whoever sent it asks what has arrived, and sends
//! the rest.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use broadcast::BroadcastId;
use http::{HeaderMap, HeaderName, HeaderValue};
use metadata::Followed;
use serde::Serialize;
use serde_json::Value;
use service::{BodyReader, Problem, ProblemKind};
use utoipa::ToSchema;

use crate::commit::not_a_name;
use crate::ingest::FileName;
use crate::portal::Visitor;
use crate::recorder::Recorder;

/// The media type of a bundle.
const MEDIA_TYPE: &str = "application/vnd.headwater.bundle";
/// The longest head of a part, in bytes.
const HEAD_LEN_MAX: usize = 4 << 10;

/// What became of the parts of a bundle, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bundled {
    parts: Vec<Part>,
}

/// What became of one part: what a request of its own would have been answered.
#[derive(Debug, Serialize, ToSchema)]
struct Part {
    /// `{rendition}/{file}`
    path: String,
    status: u16,
    /// An acknowledgement, or a problem document.
    #[schema(value_type = Object)]
    body: Value,
}

/// PUT of many segments and init sections.
#[utoipa::path(
    put, path = "/ingest/{id}", tag = "publish",
    params(("id" = String, Path, description = "The broadcast")),
    request_body(content = Vec<u8>, content_type = MEDIA_TYPE, description = "Parts, each: a line {rendition}/{file}; header lines, Content-Length among them, as for a PUT of its own; an empty line; the bytes. Lines end with CRLF"),
    responses(
        (status = 200, description = "All parts were looked at; each has its own status", body = Bundled),
        (status = 400, description = "Not a bundle, or one that broke off: the parts before are in the member parts"),
        (status = 401, description = "No valid token"), (status = 403, description = "Another broadcast's token"),
        (status = 404, description = "No such broadcast"),
        (status = 413, description = "Too large"), (status = 415, description = "Another media type"),
        (status = 503, description = "The disk is full or the metadata store away; the parts before are in the member parts"),
    ),
    security(("publish_token" = []))
)]
pub(crate) async fn upload(
    State(recorder): State<Arc<Recorder>>,
    Path(id): Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id: BroadcastId = id.parse().map_err(not_a_name)?;
    recorder.authorize_publisher(&headers, id)?;
    recorder.admit(&headers, id, &visitor, None).await?;
    if headers.get(http::header::CONTENT_TYPE).is_none_or(|sent| sent != MEDIA_TYPE) {
        return Err(ProblemKind::UNSUPPORTED.detail(format!("send a bundle as {MEDIA_TYPE}")));
    }
    let followed = recorder.followed(id).await?;
    let _open = recorder.uploads.open(id, recorder.config.uploads_per_broadcast_max)?;
    let mut body = BodyReader::new(body, recorder.config.body_limits(recorder.config.bundle_len_max))?;
    let mut parts = Vec::new();
    match recorder.take_parts(&followed, &mut body, &mut parts).await {
        Ok(()) => Ok(Json(Bundled { parts }).into_response()),
        Err(problem) => Err(problem.with("parts", serde_json::to_value(parts).unwrap_or_default())),
    }
}

impl Recorder {
    /// Takes part after part, until there are none, or nothing more can be taken at all.
    async fn take_parts(
        &self,
        followed: &Followed,
        body: &mut BodyReader,
        parts: &mut Vec<Part>,
    ) -> Result<(), Problem> {
        while let Some(head) = body.next_head(HEAD_LEN_MAX).await {
            if parts.len() == self.config.bundle_parts_max {
                let detail = format!("a bundle has at most {} parts", self.config.bundle_parts_max);
                return Err(ProblemKind::TOO_LARGE.detail(detail));
            }
            let Head { path, headers, len } = Head::parse(&head?)?;
            if len > self.config.segment_len_max {
                let detail = format!("{path} has {len} bytes, more than {}", self.config.segment_len_max);
                return Err(ProblemKind::TOO_LARGE.detail(detail));
            }
            body.begin_part(len);
            let taken = match path.split_once('/').map(|(rendition, file)| FileName::parse(rendition, file)) {
                Some(Ok(name)) => self.take_file(followed, name, &headers, body).await,
                Some(Err(problem)) => Err(problem),
                None => Err(not_a_name("name a part {rendition}/{file}")),
            };
            let (status, answer) = match taken {
                Ok((status, acknowledged)) => (status, serde_json::to_value(acknowledged).unwrap_or_default()),
                // Nor would the others fare better.
                Err(problem) if problem.status().is_server_error() || body.is_broken() => return Err(problem),
                Err(problem) => (problem.status(), problem.to_json()),
            };
            parts.push(Part { path, status: status.as_u16(), body: answer });
        }
        Ok(())
    }
}

/// What stands before the bytes of a part.
struct Head {
    path: String,
    headers: HeaderMap,
    len: u64,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let wrong = |what: &str| ProblemKind::BAD_REQUEST.detail(format!("not the head of a part: {what}"));
        let text = str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        let mut lines = text.split("\r\n").take_while(|line| !line.is_empty());
        let path = lines.next().ok_or_else(|| wrong("it has no name"))?.to_owned();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(|| wrong("a line has no colon"))?;
            let name: HeaderName = name.parse().map_err(|_| wrong("a line has no header name"))?;
            let value: HeaderValue = value.trim().parse().map_err(|_| wrong("a line has no header value"))?;
            headers.insert(name, value);
        }
        let len = headers.get(http::header::CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse().ok());
        Ok(Self { path, headers, len: len.ok_or_else(|| wrong("Content-Length is missing"))? })
    }
}

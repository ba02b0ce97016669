//! What is on this recorder's own disk, for the other nodes of its fleet: they ask for what no store that they reach has.
//!
//! Nobody is asked on, so that no question goes in circles. Not for viewers nor publishers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use broadcast::{Key, KeyError, Object, Scope};
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use service::{Problem, ProblemKind, RequestedRange, bearer, content_range, content_range_unsatisfied, unauthorized};
use storage::Store;

use crate::problems;
use crate::recorder::Recorder;

/// Where it is served.
pub(crate) const PATH: &str = "/v1/stored/{*key}";
/// There is more of it than nothing, and less than was asked for.
const UNSATISFIABLE: ProblemKind =
    ProblemKind::new(StatusCode::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "There are no such bytes");

/// GET, or HEAD, of a segment or init section that is on this recorder's own disk.
#[utoipa::path(
    get, path = "/v1/stored/{key}", tag = "internal",
    params(
        ("key" = String, Path, description = "As in the store: {broadcast}/{rendition}/{file}"),
        ("Range" = Option<String>, Header, description = "One range of bytes (RFC 9110, 14.2)"),
    ),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 206, description = "Those that were asked for", content_type = "application/octet-stream"),
        (status = 401), (status = 403),
        (status = 404, description = "It is not on this disk"),
        (status = 416, description = "It is not so long"),
        (status = 503, description = "The disk failed"),
    ),
    security(("fleet_token" = []))
)]
pub(crate) async fn get(
    State(recorder): State<Arc<Recorder>>,
    Path(key): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key: Key = key.parse().map_err(|error: KeyError| ProblemKind::NOT_FOUND.detail(error))?;
    recorder.authorize_fleet(&headers, &key)?;
    if key.object == Object::Document {
        return Err(ProblemKind::NOT_FOUND.detail("only segments and init sections are served here"));
    }
    let len = recorder.store.len(&key).await.map_err(problems::of_store)?;
    let len = len.ok_or_else(|| ProblemKind::NOT_FOUND.detail("this is not on the disk of this recorder"))?;
    let part = match RequestedRange::of(&headers, len, None) {
        // Only a GET has ranges (RFC 9110, 14.2).
        _ if method == Method::HEAD => None,
        RequestedRange::Whole => None,
        RequestedRange::Part(part) => Some(part),
        RequestedRange::Unsatisfiable => {
            let detail = format!("this has {len} bytes");
            return Err(UNSATISFIABLE.detail(detail).header(CONTENT_RANGE, content_range_unsatisfied(len)));
        }
    };
    let mut answer = HeaderMap::new();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    answer.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    answer.insert(CONTENT_LENGTH, part.as_ref().map_or(len, |part| part.end - part.start).into());
    if method == Method::HEAD {
        return Ok((StatusCode::OK, answer).into_response());
    }
    let status = match &part {
        Some(part) => {
            answer.insert(CONTENT_RANGE, content_range(part, len));
            StatusCode::PARTIAL_CONTENT
        }
        None => StatusCode::OK,
    };
    let blob = recorder.store.read(&key, part).await.map_err(problems::of_store)?;
    Ok((status, answer, Body::from_stream(blob.into_stream())).into_response())
}

impl Recorder {
    /// Lets a node of this fleet through, which can sign with its key.
    fn authorize_fleet(&self, headers: &HeaderMap, key: &Key) -> Result<(), Problem> {
        let given = bearer(headers).ok_or_else(|| unauthorized("this is for the other nodes of this fleet"))?;
        let claims = self.claims(given, Scope::Fetch)?;
        if claims.sub == key.broadcast {
            Ok(())
        } else {
            Err(ProblemKind::FORBIDDEN.detail("the token is of another broadcast"))
        }
    }
}

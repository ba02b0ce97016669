//! Errors as people and programs can read them: RFC 9457 problem documents.
//!
//! A service lists its kinds of problem as [`ProblemKind`] constants and makes one [`Problem`] of each error where it
//! answers. What its errors mean is not decided here.

use std::fmt::Display;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Map, Value};

/// One kind of problem, named for ever by its slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemKind {
    pub status: StatusCode,
    /// The last part of its `type`, `/problems/{slug}`: lower case with hyphens.
    pub slug: &'static str,
    /// The same words for each problem of this kind.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($name:ident $status:ident $slug:literal $title:literal)*) => {
        /// Kinds that every service has.
        impl ProblemKind {
            $(pub const $name: Self = Self::new(StatusCode::$status, $slug, $title);)*
        }
    };
}

kinds! {
    BAD_REQUEST BAD_REQUEST "bad-request" "The request cannot be understood"
    BROKEN_OFF BAD_REQUEST "broken-off" "The request broke off on its way"
    UNAUTHORIZED UNAUTHORIZED "unauthorized" "A valid token is needed"
    FORBIDDEN FORBIDDEN "forbidden" "This token does not allow that"
    NOT_FOUND NOT_FOUND "not-found" "There is nothing here"
    METHOD_NOT_ALLOWED METHOD_NOT_ALLOWED "method-not-allowed" "This address does not take that method"
    TIMEOUT REQUEST_TIMEOUT "timeout" "The request took too long to arrive"
    CONFLICT CONFLICT "conflict" "Something else is there already"
    TOO_LARGE PAYLOAD_TOO_LARGE "too-large" "The body is too large"
    UNSUPPORTED UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "This kind of content is not taken here"
    RANGE_NOT_SATISFIABLE RANGE_NOT_SATISFIABLE "range-not-satisfiable" "The range lies outside the content"
    UNPROCESSABLE UNPROCESSABLE_ENTITY "unprocessable" "The content is not what it should be"
    INTERNAL INTERNAL_SERVER_ERROR "internal" "The server failed"
    UNAVAILABLE SERVICE_UNAVAILABLE "unavailable" "Not possible at the moment, try again"
}

impl ProblemKind {
    pub const fn new(status: StatusCode, slug: &'static str, title: &'static str) -> Self {
        Self { status, slug, title }
    }

    /// A problem of this kind; `detail` says what is special about this one.
    pub fn detail(self, detail: impl Display) -> Problem {
        Problem { detail: Some(detail.to_string()), ..Problem::from(self) }
    }
}

/// An answer that says what went wrong.
///
/// ```json
/// {"type": "/problems/too-large", "title": "The body is too large", "status": 413, "detail": "…", "max": 1048576}
/// ```
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: Option<String>,
    members: Map<String, Value>,
    /// Boxed, so that a result with a problem in it stays small.
    headers: Box<HeaderMap>,
}

impl From<ProblemKind> for Problem {
    fn from(kind: ProblemKind) -> Self {
        Self { kind, detail: None, members: Map::new(), headers: Box::default() }
    }
}

impl Problem {
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    pub fn status(&self) -> StatusCode {
        self.kind.status
    }

    /// Adds an extension member (RFC 9457, 3.2).
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// When to try again, in whole seconds rounded up (RFC 9110, 10.2.3).
    pub fn retry_after(self, after: Duration) -> Self {
        let secs = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.header(RETRY_AFTER, HeaderValue::from(secs))
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The document itself.
    pub fn to_json(&self) -> Value {
        let mut document = self.members.clone();
        document.insert("type".to_owned(), format!("/problems/{}", self.kind.slug).into());
        document.insert("title".to_owned(), self.kind.title.into());
        document.insert("status".to_owned(), self.kind.status.as_u16().into());
        if let Some(detail) = &self.detail {
            document.insert("detail".to_owned(), detail.as_str().into());
        }
        Value::Object(document)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.kind.status;
        *response.headers_mut() = *self.headers;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// The longest text of somebody else's error that becomes a detail, in bytes.
const DETAIL_LEN_MAX: u64 = 1024;

/// Makes problem documents of the plain-text errors that axum answers by itself: no such route, method not allowed,
/// a query, path or body that its extractors refuse. Errors that have a media type of their own pass.
pub fn with_problems(router: Router) -> Router {
    router.layer(axum::middleware::map_response(problem_of_plain_error))
}

async fn problem_of_plain_error(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let is_error = parts.status.is_client_error() || parts.status.is_server_error();
    let media_type = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !is_error || media_type.is_some_and(|media_type| !media_type.starts_with(b"text/plain")) {
        return Response::from_parts(parts, body);
    }
    let mut problem = Problem { detail: short_text(body).await, ..Problem::from(kind_of(parts.status)) };
    *problem.headers = parts.headers;
    problem.headers.remove(CONTENT_LENGTH);
    let mut response = problem.into_response();
    *response.status_mut() = parts.status;
    response
}

async fn short_text(body: Body) -> Option<String> {
    let size = http_body::Body::size_hint(&body);
    if size.upper().is_none_or(|upper| upper > DETAIL_LEN_MAX) {
        return None;
    }
    let bytes = body.collect().await.ok()?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn kind_of(status: StatusCode) -> ProblemKind {
    const KINDS: [ProblemKind; 13] = [
        ProblemKind::BAD_REQUEST,
        ProblemKind::UNAUTHORIZED,
        ProblemKind::FORBIDDEN,
        ProblemKind::NOT_FOUND,
        ProblemKind::METHOD_NOT_ALLOWED,
        ProblemKind::TIMEOUT,
        ProblemKind::CONFLICT,
        ProblemKind::TOO_LARGE,
        ProblemKind::UNSUPPORTED,
        ProblemKind::RANGE_NOT_SATISFIABLE,
        ProblemKind::UNPROCESSABLE,
        ProblemKind::INTERNAL,
        ProblemKind::UNAVAILABLE,
    ];
    let known = KINDS.into_iter().find(|kind| kind.status == status);
    let other = if status.is_server_error() { ProblemKind::INTERNAL } else { ProblemKind::BAD_REQUEST };
    known.unwrap_or(ProblemKind { status, ..other })
}

#[cfg(test)]
mod tests {
    use axum::extract::{DefaultBodyLimit, Query};
    use axum::routing::{get, post};
    use http::Request;
    use http::header::ALLOW;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    async fn document(response: Response) -> Value {
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn a_problem_says_what_and_when_to_retry() {
        let problem = ProblemKind::UNAVAILABLE.detail("disk full").with("needed", 7);
        let response = problem.retry_after(Duration::from_millis(1_500)).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        let expected = json!({
            "type": "/problems/unavailable", "title": "Not possible at the moment, try again",
            "status": 503, "detail": "disk full", "needed": 7,
        });
        assert_eq!(document(response).await, expected);
    }

    #[tokio::test]
    async fn what_axum_refuses_is_a_problem_too() {
        #[derive(serde::Deserialize)]
        struct From {
            from: u64,
        }
        let router = Router::new()
            .route("/q", get(|Query(query): Query<From>| async move { query.from.to_string() }))
            .route("/b", post(|body: String| async move { body }).layer(DefaultBodyLimit::max(4)))
            .route("/p", get(|| async { ProblemKind::CONFLICT.detail("mine").into_response() }))
            .route("/teapot", get(|| async { StatusCode::IM_A_TEAPOT }));
        let router = with_problems(router);
        let cases = [
            ("GET", "/none", 404, json!({"type": "/problems/not-found"})),
            ("PUT", "/q?from=1", 405, json!({"type": "/problems/method-not-allowed"})),
            ("GET", "/q?from=x", 400, json!({"type": "/problems/bad-request"})),
            ("POST", "/b", 413, json!({"type": "/problems/too-large"})),
            ("GET", "/p", 409, json!({"detail": "mine"})),
            ("GET", "/teapot", 418, json!({"status": 418})),
        ];
        for (method, path, status, has) in cases {
            let request = Request::builder().method(method).uri(path).body(Body::from("12345")).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{method} {path}");
            assert_eq!(response.headers().contains_key(ALLOW), status == 405, "{method} {path}");
            let document = document(response).await;
            assert_eq!(document["status"], status);
            for (name, value) in has.as_object().unwrap() {
                assert_eq!(&document[name], value, "{method} {path}: {document}");
            }
        }
    }
}

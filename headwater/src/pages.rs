//! The web pages, as Vite built them into web/dist, in the binary.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use rust_embed::{Embed, EmbeddedFile};
use service::{Problem, ProblemKind};

#[derive(Embed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

/// `/`, `/watch/{id}` and what they need.
pub(crate) fn router() -> Router {
    Router::new()
        .route("/", get(|headers: HeaderMap| async move { page("index.html", &headers) }))
        .route("/watch/{id}", get(|headers: HeaderMap| async move { page("watch.html", &headers) }))
        .route("/assets/{*path}", get(asset))
}

/// An entry page: small, asked for again each time.
fn page(name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let missing = || ProblemKind::NOT_FOUND.detail("this binary was built without the web pages: run `make web` first");
    let file = Dist::get(name).ok_or_else(missing)?;
    Ok(answer(file, headers, "no-cache"))
}

/// Files that are named by their content.
async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let file = Dist::get(&format!("assets/{path}")).ok_or_else(|| ProblemKind::NOT_FOUND.detail("no such file"))?;
    Ok(answer(file, &headers, "public, max-age=31536000, immutable"))
}

fn answer(file: EmbeddedFile, request: &HeaderMap, cache: &'static str) -> Response {
    let tag: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = request.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).is_some_and(|tags| tags.contains(&tag));
    let mime = HeaderValue::from_str(file.metadata.mimetype()).unwrap_or(HeaderValue::from_static("text/plain"));
    let tag = HeaderValue::from_str(&tag).expect("hexadecimal in quotes");
    let headers = [(CONTENT_TYPE, mime), (CACHE_CONTROL, HeaderValue::from_static(cache)), (ETAG, tag)];
    match known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, file.data).into_response(),
    }
}

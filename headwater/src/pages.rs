//! The web pages, as Vite built them into web/dist, in the binary.

mod compressed;
mod head;
mod oembed;
mod policy;
mod site;

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use rust_embed::{Embed, EmbeddedFile};
use service::{Problem, ProblemKind, accepts_gzip, cors_for_viewers};

use compressed::Compressed;
use policy::Policy;
pub(crate) use site::{Site, escape};

#[derive(Embed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

/// A page: its address, its entry in web/dist, and what it may do.
#[derive(Clone, Copy)]
struct Page {
    route: &'static str,
    entry: &'static str,
    policy: Policy,
}

const PAGES: [Page; 3] = [
    Page { route: "/", entry: "index.html", policy: Policy::OWNER },
    Page { route: "/broadcasts/{id}", entry: "broadcast.html", policy: Policy::OWNER },
    Page { route: "/publish", entry: "publish.html", policy: Policy::PUBLISH },
];

/// Those whose head tells of a broadcast.
const TOLD: [Page; 2] = [
    Page { route: "/embed/{id}", entry: "embed.html", policy: Policy::EMBED },
    Page { route: "/watch/{id}", entry: "watch.html", policy: Policy::WATCH },
];

/// Named by their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Small, asked for again each time.
const ASK_AGAIN: &str = "no-cache";

/// The pages and what they need: `/assets/`, and what lies beside the entries (a manifest, a service worker, icons).
pub(crate) fn router(site: Site) -> Router {
    let oembed = get(oembed::answer).with_state(site.clone()).layer(cors_for_viewers());
    TOLD.into_iter().fold(files().route("/oembed", oembed), |router, page| {
        let site = site.clone();
        let answer = async move |Path(id): Path<String>, request: HeaderMap| told(page, &site, &id, &request).await;
        router.route(page.route, get(answer))
    })
}

/// The page, with what its head tells of the broadcast.
async fn told(page: Page, site: &Site, id: &str, request: &HeaderMap) -> Result<Response, Problem> {
    let mut headers = page.policy.headers();
    let page = Dist::get(page.entry).ok_or_else(missing)?;
    let page = String::from_utf8_lossy(&page.data);
    let shown = match id.parse() {
        Ok(id) => site.shown(id, request).await.ok(),
        Err(_) => None,
    };
    // The page itself tells viewers if there is no such broadcast.
    let page = shown.map_or_else(|| page.to_string(), |shown| head::with_head(&page, &shown));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(ASK_AGAIN));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok((headers, Html(page)).into_response())
}

fn missing() -> Problem {
    ProblemKind::NOT_FOUND.detail("this binary was built without this page: run `make web` first")
}

fn files() -> Router {
    let compressed = Arc::new(Compressed::new());
    let mut router = Router::new();
    for Page { route, entry, policy } in PAGES {
        let (compressed, headers) = (compressed.clone(), policy.headers());
        let answer = async move |request: HeaderMap| {
            let file = Dist::get(entry).ok_or_else(missing)?;
            let mut response = answer(file, &request, ASK_AGAIN, &compressed).await;
            response.headers_mut().extend(headers);
            Ok::<_, Problem>(response)
        };
        router = router.route(route, get(answer));
    }
    for path in Dist::iter().filter(|path| is_beside_entries(path)) {
        let compressed = compressed.clone();
        let route = format!("/{path}");
        let file = async move |request: HeaderMap| file(&path, &request, ASK_AGAIN, &compressed).await;
        router = router.route(&route, get(file));
    }
    let asset = async move |Path(path): Path<String>, request: HeaderMap| {
        file(&format!("assets/{path}"), &request, FOR_EVER, &compressed).await
    };
    router.route("/assets/{*path}", get(asset))
}

/// What Vite copied from web/public. A name that would mean something to the router is none.
fn is_beside_entries(path: &str) -> bool {
    !path.starts_with("assets/") && !path.ends_with(".html") && !path.contains(['{', '}', '*'])
}

async fn file(
    path: &str,
    request: &HeaderMap,
    cache: &'static str,
    compressed: &Compressed,
) -> Result<Response, Problem> {
    let file = Dist::get(path).ok_or_else(|| ProblemKind::NOT_FOUND.detail("no such file"))?;
    Ok(answer(file, request, cache, compressed).await)
}

async fn answer(file: EmbeddedFile, request: &HeaderMap, cache: &'static str, compressed: &Compressed) -> Response {
    let digest = file.metadata.sha256_hash();
    let mime = media_type(&file);
    let mut headers = HeaderMap::from_iter([
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]);
    let body = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let is_text = compressed::is_worth_it(&mime);
    let gzip = is_text && accepts_gzip(request);
    if is_text {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = if gzip { format!("\"{hex}-gz\"") } else { format!("\"{hex}\"") };
    headers.insert(ETAG, HeaderValue::from_str(&tag).expect("hexadecimal in quotes"));
    let known = request.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.contains(&tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&mime).unwrap_or(HeaderValue::from_static("text/plain")));
    if !gzip {
        return (headers, body).into_response();
    }
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    (headers, compressed.of(digest, body).await).into_response()
}

fn media_type(file: &EmbeddedFile) -> String {
    let mime = file.metadata.mimetype();
    if mime == "text/html" { "text/html; charset=utf-8".to_owned() } else { mime.to_owned() }
}

#[cfg(test)]
mod tests;

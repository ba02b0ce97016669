//! What the headers of the pages allow, whatever Vite has built.

use axum::body::Body;
use http::Request;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use tower::ServiceExt;

use super::*;

async fn get(path: &str, headers: &[(&'static str, &str)]) -> Response {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    files().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer")
}

/// The directives of a page's Content-Security-Policy that begin with one of these names.
fn directive<'a>(policy: &'a str, name: &str) -> &'a str {
    let found = policy.split("; ").find(|directive| directive.split(' ').next() == Some(name));
    found.unwrap_or_default()
}

#[test]
fn each_page_may_do_what_it_is_for_and_nothing_else() {
    for Page { route, policy, .. } in PAGES.into_iter().chain(TOLD) {
        let headers = policy.headers();
        let text = |name: &str| headers[name].to_str().expect("text").to_owned();
        let content = text("content-security-policy");
        assert!(!content.contains("unsafe-inline") && !content.contains("'unsafe-eval'"), "{route}: {content}");
        assert_eq!(directive(&content, "default-src"), "default-src 'none'", "{route}");
        let wasm = directive(&content, "script-src").contains("'wasm-unsafe-eval'");
        assert_eq!(wasm, route == "/publish", "{route}: {content}");
        let framed = directive(&content, "frame-ancestors");
        assert_eq!(framed, if route.starts_with("/embed") { "frame-ancestors *" } else { "frame-ancestors 'none'" });
        for name in ["connect-src", "media-src", "img-src"] {
            let sources = directive(&content, name);
            assert!(["'self'", "http:", "https:", "blob:"].iter().all(|from| sources.contains(from)), "{sources}");
        }
        let permissions = text("permissions-policy");
        for device in ["camera", "microphone", "screen-wake-lock"] {
            let allowed = permissions.contains(&format!("{device}=(self)"));
            assert_eq!(allowed, route == "/publish", "{route}: {permissions}");
            assert!(allowed || permissions.contains(&format!("{device}=()")), "{route}: {permissions}");
        }
        let plays = ["/embed/{id}", "/watch/{id}"].contains(&route);
        assert_eq!(permissions.contains("fullscreen=(self), picture-in-picture=(self)"), plays, "{route}");
        assert!(headers.contains_key(REFERRER_POLICY));
    }
}

#[tokio::test]
async fn a_page_is_there_exactly_if_vite_has_built_it() {
    for Page { route, entry, policy } in PAGES {
        let path = route.replace("{id}", "01kjahrq000000000000000007");
        let response = get(&path, &[]).await;
        let built = Dist::get(entry).is_some();
        assert_eq!(response.status() == StatusCode::OK, built, "{path}");
        let expected = built.then(|| policy.headers()[CONTENT_SECURITY_POLICY].clone());
        assert_eq!(response.headers().get(CONTENT_SECURITY_POLICY), expected.as_ref(), "{path}");
    }
    assert_eq!(get("/assets/none.js", &[]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get("/index.html", &[]).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_beside_the_entries_is_at_the_root() {
    for path in Dist::iter().filter(|path| is_beside_entries(path)) {
        let response = get(&format!("/{path}"), &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()[CACHE_CONTROL], ASK_AGAIN, "{path}");
    }
    for path in ["manifest.webmanifest", "service-worker.js", "icons/192.png"] {
        assert!(is_beside_entries(path), "{path}");
    }
    for path in ["publish.html", "assets/a.js", "{id}"] {
        assert!(!is_beside_entries(path), "{path}");
    }
}

fn made(bytes: &'static [u8], name: &str) -> EmbeddedFile {
    let digest = [7; 32];
    let metadata = rust_embed::Metadata::__rust_embed_new(digest, None, None, mime_of(name));
    EmbeddedFile { data: Cow::Borrowed(bytes), metadata }
}

fn mime_of(name: &str) -> &'static str {
    if name.ends_with(".js") { "text/javascript" } else { "image/png" }
}

#[tokio::test]
async fn text_is_compressed_for_those_who_like_it_and_known_by_another_tag() {
    let compressed = Compressed::new();
    let text: &'static [u8] = &[b'a'; 4000];
    let asked = |headers: &[(http::HeaderName, &str)]| {
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("text"))).collect()
    };
    let gzip = asked(&[(http::header::ACCEPT_ENCODING, "gzip")]);
    let response = answer(made(text, "a.js"), &gzip, FOR_EVER, &compressed).await;
    let tag = response.headers()[ETAG].clone();
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    assert_eq!(response.headers()[VARY], "accept-encoding");
    assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(http_body::Body::size_hint(response.body()).exact().is_some_and(|len| len < 100));
    let known = asked(&[(http::header::ACCEPT_ENCODING, "gzip"), (IF_NONE_MATCH, tag.to_str().expect("text"))]);
    assert_eq!(answer(made(text, "a.js"), &known, FOR_EVER, &compressed).await.status(), StatusCode::NOT_MODIFIED);
    let plain = answer(made(text, "a.js"), &HeaderMap::new(), FOR_EVER, &compressed).await;
    assert_ne!(plain.headers()[ETAG], tag);
    assert!(!plain.headers().contains_key(CONTENT_ENCODING));
    assert_eq!(http_body::Body::size_hint(plain.body()).exact(), Some(4000));
    let picture = answer(made(text, "a.png"), &gzip, FOR_EVER, &compressed).await;
    assert!(!picture.headers().contains_key(CONTENT_ENCODING));
}

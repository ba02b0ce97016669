//! Cross-origin requests: players and browser publishers run on anybody's pages, and authorise with tokens, never
//! with cookies, so any origin may ask.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT_RANGES, AGE, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LOCATION, RETRY_AFTER};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// How long a browser may remember the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// For what players fetch: GET, HEAD and OPTIONS.
pub fn cors_for_viewers() -> CorsLayer {
    layer(&[Method::GET, Method::HEAD, Method::OPTIONS])
}

/// For what browsers publish: every method of the publish protocol too.
pub fn cors_for_publishers() -> CorsLayer {
    layer(&[Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::POST, Method::DELETE])
}

fn layer(methods: &[Method]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods(methods.to_vec())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([ACCEPT_RANGES, AGE, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LOCATION, RETRY_AFTER])
        .max_age(MAX_AGE)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn any_page_may_ask() {
        for (cors, methods) in
            [(cors_for_viewers(), "GET,HEAD,OPTIONS"), (cors_for_publishers(), "GET,HEAD,OPTIONS,PUT,POST,DELETE")]
        {
            let router = Router::new().route("/", get(|| async { "x" })).layer(cors);
            let preflight = Request::options("/")
                .header("origin", "https://a.example")
                .header("access-control-request-method", "GET")
                .header("access-control-request-headers", "authorization,range");
            let response = router.clone().oneshot(preflight.body(Body::empty()).unwrap()).await.unwrap();
            assert!(response.status().is_success());
            assert_eq!(response.headers()["access-control-allow-methods"], methods);
            assert_eq!(response.headers()["access-control-allow-headers"], "authorization,range");
            let plain = Request::get("/").header("origin", "https://a.example").body(Body::empty()).unwrap();
            let response = router.oneshot(plain).await.unwrap();
            assert_eq!(response.headers()["access-control-allow-origin"], "*");
            let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
            assert!(["date", "etag", "content-range"].iter().all(|name| exposed.contains(name)), "{exposed}");
        }
    }
}

//! What encoders have sent and the spool could not keep. Stock encoders send nothing twice: it is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;

/// By path and query: what is sent again, and kept then, is not lost.
#[derive(Clone, Debug, Default)]
pub(super) struct NotKept(Arc<watch::Sender<BTreeSet<String>>>);

impl NotKept {
    pub(super) fn subscribe(&self) -> watch::Receiver<BTreeSet<String>> {
        self.0.subscribe()
    }

    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    fn answered(&self, address: &str, is_kept: bool) {
        self.0.send_if_modified(|not_kept| match is_kept {
            true => not_kept.remove(address),
            false => not_kept.insert(address.to_owned()),
        });
    }
}

/// Notes of each pushed file whether it was kept. A playlist is none that can be missed: the next one says the same.
pub(super) async fn note(State(not_kept): State<NotKept>, request: Request, next: Next) -> Response {
    let address = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let file = address.rsplit(['/', '=']).next().unwrap_or_default().to_owned();
    let response = next.run(request).await;
    let status = response.status();
    if !file.ends_with(".m3u8") && (status.is_success() || status.is_server_error()) {
        if status.is_server_error() {
            tracing::error!(file, %status, "the spool could not keep what the encoder has sent");
        }
        not_kept.answered(&address, status.is_success());
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn what_was_refused_and_did_not_come_again_is_counted() {
        let not_kept = NotKept::default();
        let by_body =
            async |body: String| body.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok()).unwrap();
        let layer = axum::middleware::from_fn_with_state(not_kept.clone(), note);
        let router = Router::new().fallback(by_body).layer(layer);
        let put = async |address: &str, status: u16| {
            let request = Request::put(address).body(Body::from(status.to_string())).unwrap();
            router.clone().oneshot(request).await.unwrap();
            not_kept.count()
        };
        assert_eq!(put("/push/T/out0.ts", 201).await, 0);
        assert_eq!(put("/push/T/out1.ts", 507).await, 1);
        assert_eq!(put("/push/T/out.m3u8", 507).await, 1);
        assert_eq!(put("/push/T/bad.ts", 400).await, 1);
        assert_eq!(put("/http_upload_hls?cid=T&copy=0&file=out2.ts", 503).await, 2);
        assert_eq!(put("/push/T/out1.ts", 503).await, 2);
        assert_eq!(put("/push/T/out1.ts", 202).await, 1);
    }
}

//! What encoders have sent and the spool could not keep. Stock encoders send nothing twice: it is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::watch;

/// By name: what is sent again, and kept then, is not lost.
#[derive(Clone, Debug, Default)]
pub(super) struct NotKept(Arc<watch::Sender<BTreeSet<String>>>);

impl NotKept {
    pub(super) fn subscribe(&self) -> watch::Receiver<BTreeSet<String>> {
        self.0.subscribe()
    }

    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }
}

/// Notes of each pushed file whether it was kept. A playlist is none that can be missed: the next one says the same.
pub(super) async fn note(State(not_kept): State<NotKept>, request: Request, next: Next) -> Response {
    let file = file_of(&request);
    let response = next.run(request).await;
    let status = response.status();
    if file.ends_with(".m3u8") {
        return response;
    }
    if status.is_success() {
        not_kept.0.send_if_modified(|names| names.remove(&file));
    } else if status.is_server_error() {
        tracing::error!(file, %status, "the spool could not keep what the encoder has sent");
        not_kept.0.send_if_modified(|names| names.insert(file));
    }
    response
}

/// What comes after the token, which is not to be logged: of `/push/TOKEN/FILE` or `/http_upload_hls?cid=TOKEN&…&file=FILE`.
fn file_of(request: &Request) -> String {
    let named = request.uri().query().and_then(|query| query.rsplit_once("file=")).map(|(_, file)| file);
    named.or_else(|| request.uri().path().splitn(4, '/').nth(3)).unwrap_or_default().to_owned()
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
        assert_eq!(put("/push/T/v0/out1.ts", 507).await, 1);
        assert_eq!(put("/push/T/out.m3u8", 507).await, 1);
        assert_eq!(put("/push/T/bad.ts", 400).await, 1);
        assert_eq!(put("/http_upload_hls?cid=T&copy=0&file=out2.ts", 503).await, 2);
        assert_eq!(put("/push/T/v0/out1.ts", 503).await, 2);
        assert_eq!(put("/push/T/v1/out1.ts", 202).await, 2);
        assert_eq!(put("/push/T/v0/out1.ts", 202).await, 1);
    }
}

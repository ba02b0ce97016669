//! Pushes to the spool from within this process, as a stock pusher does over the network.

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use broadcast::{BroadcastId, Seq};
use bytes::Bytes;
use http::{Request, StatusCode};
use metadata::Broadcasts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use publisher::{Intake, Pushed};
use recorder::WrittenAt;
use tower::ServiceExt;

use super::spool::Spool;

/// What need not be encoded in the path of an address (RFC 3986, 3.3), among what file names have.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The longest explanation of a refusal, in bytes.
const PROBLEM_LEN_MAX: usize = 16 << 10;

#[derive(Debug)]
pub(super) struct SpoolIntake {
    router: Router,
    push_token: String,
    broadcasts: Broadcasts,
    id: BroadcastId,
}

impl SpoolIntake {
    pub(super) fn of(spool: &Spool) -> Self {
        let (router, push_token) = (spool.router.clone(), spool.push_token.clone());
        Self { router, push_token, broadcasts: spool.broadcasts.clone(), id: spool.id }
    }

    async fn put(&self, path: &str, body: Bytes, written_ms: Option<i64>) -> Result<Pushed, String> {
        let path = utf8_percent_encode(path, &ENCODED);
        let request = Request::put(format!("/push/{}/{path}", self.push_token)).header("content-length", body.len());
        let mut request = request.body(Body::from(body)).map_err(|error| error.to_string())?;
        if let Some(written_ms) = written_ms {
            request.extensions_mut().insert(WrittenAt(written_ms));
        }
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let status = answer.status();
        if status.is_success() {
            return Ok(Pushed::Taken);
        }
        let text =
            axum::body::to_bytes(answer.into_body(), PROBLEM_LEN_MAX).await.map_err(|error| error.to_string())?;
        let why = why(&text).unwrap_or_else(|| status.to_string());
        let may_change =
            status.is_server_error() || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
        Ok(if may_change { Pushed::Later(format!("the spool: {why}")) } else { Pushed::Refused(why) })
    }
}

/// What a problem document (RFC 9457) says.
fn why(problem: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(problem).ok()?;
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    match (text("title"), text("detail")) {
        (Some(title), Some(detail)) => Some(format!("{title}: {detail}")),
        (title, detail) => title.or(detail),
    }
}

#[async_trait]
impl Intake for SpoolIntake {
    async fn push(&self, path: &str, body: Bytes, written_ms: Option<i64>) -> Pushed {
        self.put(path, body, written_ms).await.unwrap_or_else(Pushed::Later)
    }

    async fn next_number(&self, playlist: &str) -> Result<u64, String> {
        let away = |error| format!("the spool's log: {error}");
        let followed = self.broadcasts.get(self.id).await.map_err(away)?;
        followed.refresh().await.map_err(away)?;
        let broadcast = followed.read();
        let rendition = broadcast.mapped().get(playlist).and_then(|name| broadcast.rendition(name));
        let Some(rendition) = rendition else { return Ok(0) };
        let next = rendition.segments().next_back().map_or(Seq(0), |last| last.seq.next());
        // What the start-up scan has committed has its place by the same distance, and tells no number.
        let latest = rendition.segments().rev().find_map(|segment| Some((segment.seq, segment.pushed?)));
        let numbered = latest.and_then(|(seq, pushed)| (next.0 - seq.0).checked_add(pushed));
        Ok(numbered.unwrap_or(next.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_its_own_words() {
        let check = |problem: &str, told: Option<&str>| assert_eq!(why(problem.as_bytes()).as_deref(), told);
        check(r#"{"title": "no room", "detail": "7 bytes are free"}"#, Some("no room: 7 bytes are free"));
        check(r#"{"title": "no room"}"#, Some("no room"));
        check("gateway", None);
    }
}

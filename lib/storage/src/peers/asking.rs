//! One question to one node, and what its answer says.

use std::ops::Range;

use broadcast::Key;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use tokio::time::timeout;

use super::{ANSWER_MAX, Inner, PeerStore, away};
use crate::blob::Blob;
use crate::error::StoreError;
use crate::verified::verified;

/// How long a node may leave us without a byte of what it began to send.
const IDLE_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// A node has it.
#[derive(Debug)]
pub(super) enum Answer {
    Blob(Blob),
    /// How long it is: all that there is to say to a HEAD, and of a range beyond its end.
    Len(u64),
}

impl Inner {
    /// `None` if this node has it not.
    pub(super) async fn ask(
        &self,
        url: &str,
        key: &Key,
        method: &Method,
        range: Option<&Range<u64>>,
        token: &str,
    ) -> Result<Option<Answer>, StoreError> {
        let request = Request::builder().method(method).uri(format!("{url}{}{key}", PeerStore::PATH));
        let mut request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        if let Some(range) = range {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(away)?;
        let answer = timeout(ANSWER_MAX, self.transport.ask(request)).await;
        let answer = answer.map_err(|_| away(format!("{url} does not answer")))?;
        read(answer.map_err(away)?, key, method, range).map_err(|wrong| away(format!("{url}: {wrong}")))
    }
}

/// What an answer says, or what is wrong with it.
fn read<B>(
    answer: Response<B>,
    key: &Key,
    method: &Method,
    range: Option<&Range<u64>>,
) -> Result<Option<Answer>, String>
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    let headers = answer.headers();
    let no_len = || "it does not say how long the object is".to_owned();
    match (answer.status(), range) {
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (StatusCode::OK, _) if method == Method::HEAD => {
            Ok(Some(Answer::Len(content_length(headers).ok_or_else(no_len)?)))
        }
        (StatusCode::OK, None) => {
            let len = content_length(headers).ok_or_else(no_len)?;
            // The disks of others may be damaged as ours may.
            Ok(Some(Answer::Blob(verified(key, Blob::new(len, bytes(answer.into_body()))))))
        }
        (StatusCode::PARTIAL_CONTENT, Some(asked)) => {
            let (part, len) = part(headers).ok_or_else(no_len)?;
            if part.start != asked.start || part.end != asked.end.min(len) {
                return Err(format!("it sends bytes {part:?}, not {asked:?} of {len}"));
            }
            Ok(Some(Answer::Blob(Blob::part(len, part, bytes(answer.into_body())))))
        }
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => Ok(Some(Answer::Len(beyond(headers).ok_or_else(no_len)?))),
        (status, _) => Err(format!("it answers {status}")),
    }
}

/// A body whose announced length is not its length ends with an error.
fn bytes<B>(body: B) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static
where
    B: http_body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + Unpin + 'static,
{
    stream::try_unfold(body, |mut body| async move {
        loop {
            let frame = timeout(IDLE_MAX, body.frame()).await.map_err(|_| away("it stopped in the middle"))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(data) = frame.map_err(away)?.into_data() {
                return Ok(Some((data, body)));
            }
        }
    })
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `bytes 0-4/9`.
fn part(headers: &HeaderMap) -> Option<(Range<u64>, u64)> {
    let (range, len) = content_range(headers)?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let part = first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?;
    Some((part, len.parse().ok()?)).filter(|(part, len)| part.start < part.end && part.end <= *len)
}

/// `bytes */9`.
fn beyond(headers: &HeaderMap) -> Option<u64> {
    content_range(headers)?.strip_prefix("*/")?.parse().ok()
}

fn content_range(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")
}

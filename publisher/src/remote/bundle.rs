//! A bundle as it goes over HTTP: part after part, each with its head (see the recorder's PUT /ingest/{id}).

use broadcast::Digest;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::Value;

use super::http::{RequestBody, refusal};
use super::{Acknowledged, Bundled, Outgoing, Part, RemoteError};

/// The media type of a bundle.
pub(super) const MEDIA_TYPE: &str = "application/vnd.headwater.bundle";

/// What to send, and what to hold the answer against.
pub(super) struct Outbound {
    pub(super) body: RequestBody,
    pub(super) len: u64,
    /// For each part the digest of its segment; none for an init section.
    pub(super) digests: Vec<Option<Digest>>,
}

/// The bytes of a bundle.
pub(super) fn write(parts: Vec<Part>) -> Outbound {
    let digests = parts.iter().map(digest).collect();
    let pieces: Vec<_> = parts.into_iter().map(piece).collect();
    let len = pieces.iter().map(|(head, body)| head.len() as u64 + body.len()).sum();
    let pieces = stream::iter(pieces).flat_map(|(head, body)| stream::iter([Ok(head)]).chain(body.into_stream()));
    Outbound { body: StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync(), len, digests }
}

fn digest(part: &Part) -> Option<Digest> {
    match part {
        Part::Init { .. } => None,
        Part::Segment(outgoing) => Some(outgoing.segment.digest),
    }
}

fn piece(part: Part) -> (Bytes, storage::Blob) {
    match part {
        Part::Init { rendition, bytes } => {
            (format!("{rendition}/init.mp4\r\ncontent-length: {}\r\n\r\n", bytes.len()).into(), bytes.into())
        }
        Part::Segment(Outgoing { segment, captured_at, init, body }) => {
            let init = init.map(|init| format!("segment-init: {init}\r\n")).unwrap_or_default();
            let head = format!(
                "{}/{}.{}\r\ncontent-length: {}\r\nsegment-captured-at: {}\r\nsegment-digest: {}\r\n{init}\r\n",
                segment.rendition,
                segment.seq,
                segment.container.extension(),
                body.len(),
                captured_at.0,
                segment.digest,
            );
            (head.into(), body)
        }
    }
}

/// The answer to a bundle, or the part of a problem document that tells as much.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    parts: Vec<Answered>,
}

#[derive(Debug, Deserialize)]
struct Answered {
    status: u16,
    body: Value,
}

/// What an answer says of the segments of a bundle.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, answer: Value, digests: &[Option<Digest>]) -> Bundled {
    let broke = (!status.is_success()).then(|| refusal(status, headers, &answer));
    let unexpected = |detail: &str| RemoteError::Unexpected { detail: detail.to_owned() };
    let parts = match serde_json::from_value::<Answer>(answer) {
        Ok(answer) => answer.parts,
        Err(_) => return Bundled { segments: vec![], broke: broke.or_else(|| Some(unexpected("not JSON"))) },
    };
    let missing = parts.len() < digests.len() && broke.is_none();
    let of_segments = parts.into_iter().zip(digests).filter_map(|(part, digest)| Some((part, digest.as_ref()?)));
    let segments = of_segments.map(|(part, digest)| acknowledged(&part, digest)).collect();
    Bundled { segments, broke: broke.or_else(|| missing.then(|| unexpected("it tells of fewer parts than were sent"))) }
}

fn acknowledged(part: &Answered, digest: &Digest) -> Result<Acknowledged, RemoteError> {
    let status = StatusCode::from_u16(part.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !status.is_success() {
        return Err(refusal(status, &HeaderMap::new(), &part.body));
    }
    if part.body["digest"].as_str() != Some(&digest.to_string()) {
        return Err(RemoteError::Unexpected { detail: format!("stored {} of other bytes", part.body["digest"]) });
    }
    Ok(Acknowledged { safe: part.body["safe"] == true, closing: part.body["closing"] == true })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_segment_has_its_own_answer() {
        let digests = [None, Some(Digest([1; 16])), Some(Digest([2; 16])), Some(Digest([3; 16]))];
        let ok =
            |digest: u8| json!({"path": "", "status": 201, "body": {"safe": true, "digest": Digest([digest; 16])}});
        let refused = json!({"path": "", "status": 409, "body": {"type": "/problems/ended", "detail": "over"}});
        let check = |status: u16, parts: Value, segments: &[&str], broke: bool| {
            let status = StatusCode::from_u16(status).expect("a status");
            let read =
                read(status, &HeaderMap::new(), json!({"parts": parts, "type": "/problems/unavailable"}), &digests);
            let told: Vec<_> = read
                .segments
                .iter()
                .map(|segment| match segment {
                    Ok(Acknowledged { safe: true, .. }) => "safe",
                    Ok(_) => "stored",
                    Err(RemoteError::Refused { .. }) => "refused",
                    Err(_) => "error",
                })
                .collect();
            assert_eq!((told.as_slice(), read.broke.is_some()), (segments, broke));
        };
        check(200, json!([ok(0), ok(1), refused, ok(3)]), &["safe", "refused", "safe"], false);
        check(200, json!([ok(0), ok(1), ok(1), ok(3)]), &["safe", "error", "safe"], false);
        check(200, json!([ok(0), ok(1)]), &["safe"], true);
        check(503, json!([ok(0), ok(1)]), &["safe"], true);
        check(503, Value::Null, &[], true);
        check(502, json!("no"), &[], true);
    }
}

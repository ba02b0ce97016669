//! Segments and init sections: found through the log, streamed from the store.
//!
//! The log decides what there is. An object that it lists and that the store does not give is lost, or not where it
//! should be: that is told loudly, and never answered with less than the whole.

use axum::body::Body;
use axum::response::Response;
use broadcast::{Broadcast, Container, Key, StoreTime};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use prometheus::IntCounter;
use service::{ETag, Problem, RequestedRange, content_range};
use storage::{Blob, StoreError};

use crate::address::{ObjectAddress, ObjectName};
use crate::answer::{With, respond};
use crate::headers::{self, Lifetime};
use crate::metrics::Kind;
use crate::playlists::Server;

/// An object as the log lists it.
struct Listed {
    key: Key,
    /// In bytes.
    len: u64,
    etag: ETag,
    media_type: HeaderValue,
}

impl Server {
    pub(crate) async fn object(
        &self,
        address: &ObjectAddress,
        request: &HeaderMap,
        with: With,
    ) -> Result<Response, Problem> {
        let followed = self.follow(address.id).await?;
        let listed = self.listed(&followed.read(), address, followed.now())?;
        let kind = Kind::of_object(address.object);
        self.metrics.answers.of(kind).inc();
        let mut headers = headers::common();
        Lifetime::Immutable { secs: self.config.immutable_max_age_s }.set(&mut headers);
        headers.insert(ETAG, listed.etag.to_header());
        if listed.etag.is_known_to(request) {
            return Ok(respond(StatusCode::NOT_MODIFIED, headers, Body::empty()));
        }
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CONTENT_TYPE, listed.media_type.clone());
        let (status, part) = match RequestedRange::of(request, listed.len, Some(&listed.etag)) {
            // Only a GET has ranges (RFC 9110, 14.2).
            _ if with == With::HeadersOnly => (StatusCode::OK, None),
            RequestedRange::Whole => (StatusCode::OK, None),
            RequestedRange::Part(part) => (StatusCode::PARTIAL_CONTENT, Some(part)),
            RequestedRange::Unsatisfiable => return Err(self.problems.unsatisfiable(listed.len)),
        };
        if let Some(part) = &part {
            headers.insert(CONTENT_RANGE, content_range(part, listed.len));
        }
        let len = part.as_ref().map_or(listed.len, |part| part.end - part.start);
        headers.insert(CONTENT_LENGTH, len.into());
        let body = match with {
            With::HeadersOnly => Body::empty(),
            With::Content => {
                let blob = self.read(&listed, part).await?;
                Body::from_stream(counted(blob, listed.key, self.metrics.bytes.of(kind).clone()))
            }
        };
        Ok(respond(status, headers, body))
    }

    fn listed(&self, broadcast: &Broadcast, address: &ObjectAddress, now: StoreTime) -> Result<Listed, Problem> {
        let ObjectAddress { id, rendition: name, object } = address;
        let rendition = broadcast.rendition(name);
        match *object {
            ObjectName::Segment { seq, container } => {
                let Some(segment) = rendition.and_then(|rendition| rendition.segment(seq)) else {
                    let state = broadcast.state(now);
                    return Err(self.problems.no_segment(seq, state, broadcast.target_duration()));
                };
                if segment.container != container {
                    let extension = segment.container.extension();
                    return Err(self.problems.not_here(&format!("segment {seq} is at {seq}.{extension}")));
                }
                Ok(Listed {
                    key: Key::of_segment(*id, segment),
                    len: segment.len,
                    etag: ETag::strong(&segment.digest.to_string()),
                    media_type: match container {
                        Container::Ts => headers::MPEG_TS,
                        Container::M4s => headers::MP4_SEGMENT,
                    },
                })
            }
            ObjectName::Init { digest } => {
                let mut inits = rendition.into_iter().flat_map(|rendition| rendition.formats()).filter_map(|f| f.init);
                let init = inits.find(|init| init.digest == digest);
                let init = init.ok_or_else(|| self.problems.not_here("there is no such init section"))?;
                Ok(Listed {
                    key: Key::of_init(*id, name.clone(), digest),
                    len: init.len,
                    etag: ETag::strong(&digest.to_string()),
                    media_type: headers::MP4,
                })
            }
        }
    }

    /// Its bytes, as many as the log says.
    async fn read(&self, listed: &Listed, part: Option<std::ops::Range<u64>>) -> Result<Blob, Problem> {
        let key = &listed.key;
        match self.store.read(key, part).await {
            Ok(blob) if blob.object_len() == listed.len => Ok(blob),
            Ok(blob) => {
                self.metrics.objects_lost.inc();
                let (expected, found) = (listed.len, blob.object_len());
                tracing::error!(%key, expected, found, "an object has not the length that the log lists");
                Err(self.problems.wrong_length())
            }
            Err(error) => {
                if !error.is_retryable() {
                    self.metrics.objects_lost.inc();
                }
                let cause = &error as &dyn std::error::Error;
                tracing::error!(%key, error = cause, "an object that the log lists cannot be read");
                Err(self.problems.store(&error))
            }
        }
    }
}

/// The bytes on their way out. An error ends the connection before the announced length, so that nobody takes what
/// came for the whole.
fn counted(blob: Blob, key: Key, sent: IntCounter) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
    blob.into_stream().inspect(move |piece| match piece {
        Ok(piece) => sent.inc_by(piece.len() as u64),
        Err(error) => {
            let cause = error as &dyn std::error::Error;
            tracing::error!(%key, error = cause, "an object broke off while it was sent");
        }
    })
}

//! Pictures over HTTP: which segment is meant, where its bytes are, and for how long the answer holds.

use axum::body::Body;
use axum::response::Response;
use broadcast::{Broadcast, BroadcastId, Container, Key, RenditionName, Segment, Seq, TargetDuration};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, StatusCode};
use metadata::Followed;
use service::{ETag, Problem};
use storage::StoreError;

use crate::address::{StillAddress, StillOf};
use crate::answer::{With, respond};
use crate::headers::{self, Lifetime};
use crate::metrics::Kind;
use crate::playlists::Server;
use crate::stills::{Purpose, Still, StillKey};

/// A segment in which something can be seen.
struct Seen {
    rendition: RenditionName,
    seq: Seq,
    container: Container,
    etag: String,
    key: Key,
    /// In bytes.
    len: u64,
    init: Option<Key>,
}

impl Server {
    pub(crate) async fn still(
        &self,
        address: &StillAddress,
        request: &HeaderMap,
        with: With,
    ) -> Result<Response, Problem> {
        let StillAddress { id, of, width } = address;
        let followed = self.follow(*id).await?;
        let (seen, lifetime) = self.seen(*id, of, &followed)?;
        let kind = Kind::of_still(of);
        let etag = ETag::strong(&format!("{}-{}", seen.etag, width.pixels()));
        let mut headers = headers::common();
        lifetime.set(&mut headers);
        headers.insert(ETAG, etag.to_header());
        if etag.is_known_to(request) {
            self.metrics.answers.of(kind).inc();
            return Ok(respond(StatusCode::NOT_MODIFIED, headers, Body::empty()));
        }
        let key = StillKey { id: *id, rendition: seen.rendition.clone(), seq: seen.seq, width: *width };
        let purpose = match of {
            StillOf::Poster => Purpose::Poster,
            StillOf::Segment { .. } => Purpose::Preview,
        };
        let still = self.stills.get(key, purpose, seen.container, self.bytes_of(&seen)).await;
        let jpeg = match still.map_err(|error| self.problems.still(&error))? {
            Still::Picture(jpeg) => jpeg,
            Still::Nothing => return Err(self.problems.no_picture("nothing can be seen in this segment")),
            Still::Failed => return Err(self.problems.no_picture("ffmpeg makes no picture of this segment")),
            Still::TooMuch => return Err(self.problems.no_picture("a picture of this segment costs more than it may")),
        };
        self.metrics.answers.of(kind).inc();
        headers.insert(CONTENT_TYPE, headers::JPEG);
        headers.insert(CONTENT_LENGTH, jpeg.len().into());
        let body = match with {
            With::HeadersOnly => Body::empty(),
            With::Content => {
                self.metrics.bytes.of(kind).inc_by(jpeg.len() as u64);
                Body::from(jpeg)
            }
        };
        Ok(respond(StatusCode::OK, headers, body))
    }

    fn seen(&self, id: BroadcastId, of: &StillOf, followed: &Followed) -> Result<(Seen, Lifetime), Problem> {
        let broadcast = followed.read();
        let (state, target) = (broadcast.state(followed.now()), broadcast.target_duration());
        match of {
            StillOf::Segment { rendition, seq } => {
                let segment = broadcast.rendition(rendition).and_then(|rendition| rendition.segment(*seq));
                let segment = segment.ok_or_else(|| self.problems.no_segment(*seq, state, target))?;
                let seen = Seen::of(id, &broadcast, segment);
                let seen = seen.ok_or_else(|| self.problems.no_picture("this segment is sound alone"))?;
                Ok((seen, Lifetime::Immutable { secs: self.config.immutable_max_age_s }))
            }
            StillOf::Poster => {
                let seen = newest(&broadcast).and_then(|segment| Seen::of(id, &broadcast, segment));
                let seen = seen.ok_or_else(|| self.problems.no_picture_yet(state, target))?;
                // A page that refreshes it need not be newer than that.
                let target = target.unwrap_or_else(|| TargetDuration::new(2));
                Ok((seen, Lifetime::Polled(target)))
            }
        }
    }

    /// As much of the segment as is looked at, after its init section.
    async fn bytes_of(
        &self,
        seen: &Seen,
    ) -> Result<impl Stream<Item = Result<Bytes, StoreError>> + Send + use<>, StoreError> {
        let init = match &seen.init {
            Some(init) => Some(self.store.read(init, None).await?.into_stream()),
            None => None,
        };
        let part = (seen.len > self.config.stills.input_bytes_max).then_some(0..self.config.stills.input_bytes_max);
        let segment = self.store.read(&seen.key, part).await?.into_stream();
        Ok(stream::iter(init).flatten().chain(segment))
    }
}

impl Seen {
    /// `None` if there is nothing to be seen in it.
    fn of(id: BroadcastId, broadcast: &Broadcast, segment: &Segment) -> Option<Self> {
        let Segment { rendition, seq, container, digest, len, .. } = segment;
        let format = broadcast.rendition(rendition)?.format(segment.format)?;
        format.resolution?;
        Some(Self {
            rendition: rendition.clone(),
            seq: *seq,
            container: *container,
            etag: digest.to_string(),
            key: Key::of_segment(id, segment),
            len: *len,
            init: format.init.map(|init| Key::of_init(id, rendition.clone(), init.digest)),
        })
    }
}

/// The segment that was captured last of those in which something can be seen; of several renditions, the one that costs
/// least to decode.
fn newest(broadcast: &Broadcast) -> Option<&Segment> {
    let last_of = |rendition: &'_ broadcast::Rendition| {
        let format = rendition.latest_format()?;
        format.resolution.map(|resolution| u64::from(resolution.width) * u64::from(resolution.height))
    };
    let seen = broadcast.renditions().iter().filter_map(|rendition| {
        let pixels = last_of(rendition)?;
        Some((rendition.segments().next_back()?, pixels))
    });
    let newest = seen.max_by_key(|(segment, pixels)| (segment.captured_at, std::cmp::Reverse(*pixels)));
    newest.map(|(segment, _)| &**segment)
}

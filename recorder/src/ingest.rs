//! The publish protocol: segments under the numbers that their publisher gave them, any order, any recorder.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use broadcast::{
    BroadcastId, CapturedAt, Container, Digest, Event, Key, Object, RenditionName, Segment, Seq, SeqRange, SeqSet,
};
use http::{HeaderMap, StatusCode};
use inspection::{KnownInit, format_of_init};
use media::Inspector;
use metadata::{Followed, Outcome};
use serde::Serialize;
use service::{BodyReader, Problem, ProblemKind};
use storage::Store;
use utoipa::ToSchema;

use crate::capture::CaptureClock;
use crate::commit::{Candidate, Kept, Source, latest_init, no_init, not_a_name, other_bytes};
use crate::intake::{Arrived, Kind, check_digest, digest_only, sent_digest, sent_sha256, take_in};
use crate::portal::Visitor;
use crate::problems;
use crate::recorder::Recorder;

/// What is sent: a rendition, and a file name under it.
pub(crate) struct FileName {
    rendition: RenditionName,
    file: File,
}

impl FileName {
    pub(crate) fn parse(rendition: &str, file: &str) -> Result<Self, Problem> {
        Ok(Self { rendition: rendition.parse().map_err(not_a_name)?, file: File::parse(file)? })
    }
}

/// What a file name under a rendition says.
enum File {
    Segment { seq: Seq, container: Container },
    Init,
}

impl File {
    fn parse(name: &str) -> Result<Self, Problem> {
        if name == "init.mp4" {
            return Ok(Self::Init);
        }
        let parts = name.split_once('.');
        let (seq, extension) = parts.ok_or_else(|| not_a_name("name a segment {seq}.ts or {seq}.m4s"))?;
        let unsupported = || ProblemKind::UNSUPPORTED.detail(format!(".{extension} is neither .ts nor .m4s"));
        let container = Container::from_extension(extension).ok_or_else(unsupported)?;
        Ok(Self::Segment { seq: seq.parse().map_err(not_a_name)?, container })
    }
}

/// The answer to a segment or init section that is durable and committed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Acknowledged {
    /// `stored` or, if the same bytes were stored before, `duplicate`.
    outcome: &'static str,
    /// Whether the loss of this node would lose nothing. Until then, the publisher keeps its copy.
    safe: bool,
    /// The broadcast's owner has ended it: stop recording, send what there is, and say where it ends.
    closing: bool,
    /// What the bytes are known by here; of an init section, for `Segment-Init`.
    digest: String,
}

/// PUT of one segment or init section.
#[utoipa::path(
    put, path = "/ingest/{id}/{rendition}/{file}", tag = "publish",
    params(
        ("id" = String, Path, description = "The broadcast"),
        ("rendition" = String, Path, description = "1 to 64 of a-z 0-9 _ -"),
        ("file" = String, Path, description = "{seq}.ts, {seq}.m4s or init.mp4"),
        ("Segment-Captured-At" = Option<String>, Header, description = "When the first frame was captured: RFC 3339, or milliseconds since the Unix epoch"),
        ("Segment-Init" = Option<String>, Header, description = "The digest that the answer to the segment's init section told; without it, the one announced last"),
        ("Content-Digest" = Option<String>, Header, description = "sha-256=:BASE64: (RFC 9530)"),
        ("Segment-Digest" = Option<String>, Header, description = "The digest that the answer tells: the first half of BLAKE3, in hexadecimal digits; cheaper than Content-Digest"),
    ),
    responses(
        (status = 201, description = "Stored", body = Acknowledged),
        (status = 200, description = "The same bytes were stored before", body = Acknowledged),
        (status = 401, description = "No valid token"), (status = 403, description = "Another broadcast's token"),
        (status = 404, description = "No such broadcast"),
        (status = 409, description = "Other bytes are stored under this number, the broadcast ended before it, it was abandoned, its init section is missing, or it would be one rendition too many"),
        (status = 413, description = "Too large"), (status = 415, description = "Neither MPEG-TS nor fragmented MP4 by its name"),
        (status = 422, description = "Not a media segment, not the bytes of its digest, a number far ahead of all that is stored, or a time ahead of ours"),
        (status = 503, description = "The disk is full or the metadata store away; see Retry-After"),
    ),
    security(("publish_token" = []))
)]
pub(crate) async fn upload(
    State(recorder): State<Arc<Recorder>>,
    Path((id, rendition, file)): Path<(String, String, String)>,
    visitor: Visitor,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let id: BroadcastId = id.parse().map_err(not_a_name)?;
    recorder.authorize_publisher(&headers, id)?;
    let name = FileName::parse(&rendition, &file)?;
    recorder.admit(&headers, id, &visitor, Some(&name.rendition)).await?;
    let followed = recorder.followed(id).await?;
    let _open = recorder.uploads.open(id, recorder.config.uploads_per_broadcast_max)?;
    let mut body = BodyReader::new(body, recorder.config.body_limits(recorder.config.segment_len_max))?;
    let (status, acknowledged) = recorder.take_file(&followed, name, &headers, &mut body).await?;
    Ok((status, Json(acknowledged)).into_response())
}

/// Where a segment goes by its address.
struct Place {
    rendition: RenditionName,
    seq: Seq,
    container: Container,
}

impl Recorder {
    /// Takes one segment or init section.
    pub(crate) async fn take_file(
        &self,
        followed: &Followed,
        name: FileName,
        headers: &HeaderMap,
        body: &mut BodyReader,
    ) -> Result<(StatusCode, Acknowledged), Problem> {
        let FileName { rendition, file } = name;
        self.room_for(&followed.read(), [&rendition])?;
        let (kept, digest, safe) = match file {
            File::Init => {
                let (kept, digest) = self.take_init(followed, rendition, headers, body).await?;
                (kept, digest, followed.read().opened().stored_is_safe)
            }
            File::Segment { seq, container } => {
                let place = Place { rendition: rendition.clone(), seq, container };
                let (kept, digest) = self.take_segment(followed, place, headers, body).await?;
                let safe = followed.read().safe(&rendition).is_some_and(|safe| safe.contains(seq));
                (kept, digest, safe)
            }
        };
        let (status, outcome) = match kept {
            Kept::Stored => (StatusCode::CREATED, "stored"),
            Kept::Already => (StatusCode::OK, "duplicate"),
        };
        let closing = followed.read().closing().is_some();
        Ok((status, Acknowledged { outcome, safe, closing, digest: digest.to_string() }))
    }

    async fn take_segment(
        &self,
        followed: &Followed,
        place: Place,
        headers: &HeaderMap,
        body: &mut BodyReader,
    ) -> Result<(Kept, Digest), Problem> {
        let captured_at = self.captured_at(headers)?;
        self.seq_within_reach(followed, &place.rendition, place.seq)?;
        let stored = stored_at(followed, &place);
        let wanted = match &stored {
            Some(stored) => self.another_copy_wanted(followed, stored).await?,
            None => None,
        };
        if let (Some(stored), None) = (&stored, &wanted) {
            return self.compare(place.seq, stored.digest, headers, body).await;
        }
        let init = match place.container {
            Container::Ts => None,
            Container::M4s => Some(self.init_of(followed, &place.rendition, headers).await?),
        };
        let arrived = take_in(&self.store, body, sent_sha256(headers)?, |found| {
            inspector(found, place.container, init.as_deref())
        })
        .await?;
        let digest = arrived.digest;
        check_digest(sent_digest(headers)?, digest)?;
        let Arrived { upload, len, kind: Kind::Segment(inspection), .. } = arrived else {
            return Err(problems::NOT_MEDIA.detail("this is an init section: PUT it as init.mp4"));
        };
        if let (Some(stored), Some(key)) = (&stored, wanted) {
            if digest != stored.digest {
                return Err(other_bytes(place.seq, &stored.digest.to_string()));
            }
            upload.commit(&key).await.map_err(problems::of_store)?;
            self.owe(&key, len);
            let kept = Ok(Kept::Already);
            self.count(&kept);
            return Ok((kept?, digest));
        }
        let candidate = Candidate {
            rendition: place.rendition,
            seq: place.seq,
            captured_at,
            pushed: None,
            arrived_ms: self.now_ms(),
            digest,
            len,
            inspection: *inspection,
            init,
        };
        let kept = self.keep(followed, candidate, Source::Upload(upload), &mut CaptureClock::default()).await?;
        Ok((kept, digest))
    }

    /// The key under which a segment is to be kept here too: it is stored and not safe, and the node that has it may be
    /// lost. Its publisher would not send it again otherwise.
    async fn another_copy_wanted(&self, followed: &Followed, stored: &Segment) -> Result<Option<Key>, Problem> {
        let is_safe = followed.read().safe(&stored.rendition).is_some_and(|safe| safe.contains(stored.seq));
        if self.hot.is_none() || is_safe {
            return Ok(None);
        }
        let key = Key::of_segment(followed.id(), stored);
        if !self.has_whole(followed, &key, stored.len).await? {
            return Ok(Some(key));
        }
        // Its commit may have failed by what was heard, so that nobody noted it.
        self.owe(&key, stored.len);
        Ok(None)
    }

    /// Whether a segment of `len` bytes is on this disk, with the init section that it needs.
    async fn has_whole(&self, followed: &Followed, key: &Key, len: u64) -> Result<bool, Problem> {
        if self.store.len(key).await.map_err(problems::of_store)? != Some(len) {
            return Ok(false);
        }
        let Some((init, len)) = self.init_needed_by(followed, key) else { return Ok(true) };
        Ok(self.store.len(&init).await.map_err(problems::of_store)? == Some(len))
    }

    /// The init section that a listed segment needs, and its length.
    pub(crate) fn init_needed_by(&self, followed: &Followed, key: &Key) -> Option<(Key, u64)> {
        let Object::Segment { rendition, seq, .. } = &key.object else { return None };
        let broadcast = followed.read();
        let listed = broadcast.rendition(rendition)?;
        let init = listed.format(listed.segment(*seq)?.format)?.init?;
        Some((Key::of_init(key.broadcast, rendition.clone(), init.digest), init.len))
    }

    /// Of the oldest segments that are stored and not safe, those that are not on this disk.
    async fn elsewhere(&self, followed: &Followed) -> Result<BTreeMap<RenditionName, SeqSet>, Problem> {
        let mut elsewhere: BTreeMap<RenditionName, SeqSet> = BTreeMap::new();
        if self.hot.is_none() {
            return Ok(elsewhere);
        }
        let segments = not_safe(&followed.read());
        for segment in segments {
            let key = Key::of_segment(followed.id(), &segment);
            if self.has_whole(followed, &key, segment.len).await? {
                self.owe(&key, segment.len);
            } else {
                elsewhere.entry(segment.rendition.clone()).or_default().insert(SeqRange::one(segment.seq));
            }
        }
        Ok(elsewhere)
    }

    /// Takes a segment that is stored already: nothing is written, so a full disk does not matter.
    async fn compare(
        &self,
        seq: Seq,
        stored: Digest,
        headers: &HeaderMap,
        body: &mut BodyReader,
    ) -> Result<(Kept, Digest), Problem> {
        let digest = digest_only(body, sent_sha256(headers)?).await?;
        check_digest(sent_digest(headers)?, digest)?;
        let kept = if digest == stored { Ok(Kept::Already) } else { Err(other_bytes(seq, &stored.to_string())) };
        self.count(&kept);
        Ok((kept?, digest))
    }

    /// Refuses a number that no publisher can have come to.
    pub(crate) fn seq_within_reach(
        &self,
        followed: &Followed,
        rendition: &RenditionName,
        seq: Seq,
    ) -> Result<(), Problem> {
        let last = followed.read().stored(rendition).and_then(SeqSet::last).map_or(0, |last| last.0);
        let most = last + self.config.seq_ahead_max;
        if seq.0 <= most {
            return Ok(());
        }
        let detail = format!("segments are counted from 0 without gaps: after {last}, number {seq} is too far ahead");
        Err(problems::TOO_FAR_AHEAD.detail(detail).with("max", most))
    }

    async fn take_init(
        &self,
        followed: &Followed,
        rendition: RenditionName,
        headers: &HeaderMap,
        body: &mut BodyReader,
    ) -> Result<(Kept, Digest), Problem> {
        let not_init = || problems::NOT_MEDIA.detail("this is a segment, not an init section");
        let arrived = take_in(&self.store, body, sent_sha256(headers)?, |_| Err(not_init())).await?;
        let digest = arrived.digest;
        let Kind::Init(bytes) = arrived.kind else { return Err(not_init()) };
        let known = self.keep_init(followed.id(), &rendition, bytes, digest).await?;
        let events = [Event::Format(format_of_init(&rendition, &known))];
        let outcomes = followed.commit(&events).await.map_err(problems::of_metadata)?;
        self.document_after(followed, &events);
        let kept = if outcomes == [Outcome::Duplicate] { Kept::Already } else { Kept::Stored };
        Ok((kept, digest))
    }

    async fn init_of(
        &self,
        followed: &Followed,
        rendition: &RenditionName,
        headers: &HeaderMap,
    ) -> Result<Arc<KnownInit>, Problem> {
        let named: Option<Digest> = match headers.get("segment-init") {
            Some(value) => Some(value.to_str().unwrap_or_default().parse().map_err(not_a_name)?),
            None => latest_init(&followed.read(), rendition),
        };
        let digest = named.ok_or_else(|| no_init(rendition))?;
        self.known_init(followed.id(), rendition, digest)
            .await
            .map_err(|problem| if problem.status() == StatusCode::NOT_FOUND { no_init(rendition) } else { problem })
    }

    /// Segment-Captured-At: RFC 3339, or milliseconds since the Unix epoch.
    fn captured_at(&self, headers: &HeaderMap) -> Result<Option<CapturedAt>, Problem> {
        let Some(value) = headers.get("segment-captured-at") else { return Ok(None) };
        let value = value.to_str().unwrap_or_default().trim();
        let ms = match value.parse::<i64>() {
            Ok(ms) => ms,
            Err(_) => value.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).map_err(|_| {
                not_a_name(format!("Segment-Captured-At {value:?} is neither RFC 3339 nor milliseconds since 1970"))
            })?,
        };
        let latest = self.now_ms() + i64::from(self.config.clock_skew_max_s) * 1000;
        if (1..=latest).contains(&ms) {
            return Ok(Some(CapturedAt(ms)));
        }
        let detail = format!("Segment-Captured-At {value} is not between 1970 and {latest} ms: is the clock right?");
        Err(ProblemKind::UNPROCESSABLE.detail(detail).with("server_time_ms", self.now_ms()))
    }
}

fn stored_at(followed: &Followed, place: &Place) -> Option<Arc<Segment>> {
    let broadcast = followed.read();
    let stored = broadcast.rendition(&place.rendition)?.segment(place.seq)?;
    (stored.container == place.container).then(|| stored.clone())
}

/// For what was found in the body, if that is what its name promised.
fn inspector(
    found: media::Container,
    named: Container,
    init: Option<&KnownInit>,
) -> Result<Option<Inspector>, Problem> {
    match (found, named, init) {
        (media::Container::MpegTs, Container::Ts, _) => Ok(Some(Inspector::mpeg_ts())),
        (media::Container::Fmp4, Container::M4s, Some(known)) => Ok(Some(Inspector::fmp4(&known.section))),
        _ => {
            let detail = format!("named .{}, but the bytes are .{}", named.extension(), found.extension());
            Err(ProblemKind::UNSUPPORTED.detail(detail))
        }
    }
}

/// What of a broadcast has arrived: what a publisher asks after a restart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IngestStatus {
    id: String,
    /// created, live, interrupted, paused, ended or complete.
    state: &'static str,
    /// Its owner has ended it, and where it ends is open: stop recording, send what there is, and say where it ends
    /// (`POST /v1/broadcasts/{id}/end` with `last`). All of it is taken.
    closing: bool,
    /// The recorder's clock, in milliseconds since the Unix epoch: measure your offset against it.
    server_time_ms: i64,
    renditions: BTreeMap<String, RenditionStatus>,
}

/// What of one rendition has arrived. Ranges are `[first, last]`, both included.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RenditionStatus {
    stored: Vec<[u64; 2]>,
    /// Of each of these ranges, the first half of BLAKE3 over its segments' digests, in order: whether what is stored is
    /// what a publisher has sent.
    stored_digests: Vec<String>,
    /// What the publisher may delete.
    safe: Vec<[u64; 2]>,
    /// Stored, not safe, and not on this recorder's disk: if whoever has it is gone for good, only its publisher still has
    /// it, and may send it again. Of the oldest that are not safe.
    elsewhere: Vec<[u64; 2]>,
    abandoned: Vec<[u64; 2]>,
    first_missing: u64,
}

/// The most segments of a rendition that are looked for on the disk when somebody asks what has arrived.
const LOOKED_FOR_MAX: usize = 500;

/// The oldest segments that are stored and not safe.
fn not_safe(broadcast: &broadcast::Broadcast) -> Vec<Arc<Segment>> {
    let of_rendition = |rendition: &broadcast::Rendition| {
        let safe = broadcast.safe(rendition.name());
        let is_safe = |segment: &&Arc<Segment>| safe.is_some_and(|safe| safe.contains(segment.seq));
        let found = rendition.segments().filter(|segment| !is_safe(segment)).take(LOOKED_FOR_MAX);
        found.cloned().collect::<Vec<_>>()
    };
    broadcast.renditions().iter().flat_map(of_rendition).collect()
}

/// GET of what has arrived.
#[utoipa::path(
    get, path = "/ingest/{id}", tag = "publish",
    params(("id" = String, Path, description = "The broadcast")),
    responses((status = 200, body = IngestStatus), (status = 401), (status = 404)),
    security(("publish_token" = []))
)]
pub(crate) async fn status(
    State(recorder): State<Arc<Recorder>>,
    Path(id): Path<String>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Json<IngestStatus>, Problem> {
    let id: BroadcastId = id.parse().map_err(not_a_name)?;
    recorder.authorize_publisher(&headers, id)?;
    recorder.admit(&headers, id, &visitor, None).await?;
    let followed = recorder.followed(id).await?;
    followed.refresh().await.map_err(problems::of_metadata)?;
    let server_time_ms = recorder.now_ms();
    let elsewhere = recorder.elsewhere(&followed).await?;
    let broadcast = followed.read();
    let status_of = |rendition: &broadcast::Rendition| {
        let name = rendition.name();
        let (stored, safe) = (broadcast.stored(name), broadcast.safe(name));
        let status = RenditionStatus {
            first_missing: stored.map_or(0, |stored| stored.first_missing().0),
            stored: ranges(stored),
            stored_digests: stored
                .into_iter()
                .flat_map(SeqSet::ranges)
                .map(|seqs| digest_of(rendition, seqs))
                .collect(),
            safe: ranges(safe),
            elsewhere: ranges(elsewhere.get(name)),
            abandoned: ranges(broadcast.abandoned(name)),
        };
        (name.to_string(), status)
    };
    Ok(Json(IngestStatus {
        id: id.to_string(),
        state: broadcast.state(broadcast::StoreTime(server_time_ms)).word(),
        closing: broadcast.closing().is_some(),
        server_time_ms,
        renditions: broadcast.renditions().iter().map(status_of).collect(),
    }))
}

fn digest_of(rendition: &broadcast::Rendition, seqs: SeqRange) -> String {
    let digest = rendition.digest_of(seqs).expect("all of a stored range is stored");
    digest.to_string()
}

pub(crate) fn ranges(set: Option<&SeqSet>) -> Vec<[u64; 2]> {
    let pair = |range: SeqRange| [range.first.0, range.last.0];
    set.into_iter().flat_map(SeqSet::ranges).map(pair).collect()
}

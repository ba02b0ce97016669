//! The control API: creating, listing and showing broadcasts; pause, resume, end and abandon.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use broadcast::{
    Broadcast, BroadcastId, Claims, Event, LastSeq, Missing, Opened, RenditionName, Scope, Seq, SeqRange, StoreTime,
    TargetDuration,
};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use metadata::{Followed, Outcome};
use serde::{Deserialize, Serialize};
use service::{Problem, ProblemKind};
use utoipa::{OpenApi, ToSchema};

use crate::commit::not_a_name;
use crate::ending::{Said, abandon as abandoned_events};
use crate::portal::Visitor;
use crate::problems;
use crate::recorder::Recorder;
use crate::{bundle, ingest, stored};

/// The longest title, in bytes.
const TITLE_LEN_MAX: usize = 500;
/// The most broadcasts on one page of a list.
const PAGE_MAX: usize = 100;
/// The most segments that one request may abandon.
const ABANDON_MAX: u64 = 100_000;

/// What the publisher of a new broadcast decides.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    /// For people. At most 500 bytes.
    #[serde(default)]
    title: String,
    /// The longest segment that will be sent, in whole seconds; without it the first segment decides.
    #[serde(default)]
    target_duration: Option<u32>,
}

/// A new broadcast, and where to send and watch it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Created {
    id: String,
    title: String,
    publish: Publish,
    watch: Watch,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Publish {
    /// For `Authorization: Bearer`. Whoever has it can publish to this broadcast.
    token: String,
    /// PUT {ingest_url}/{rendition}/{seq}.ts
    ingest_url: String,
    /// For stock HLS pushers: {push_url}out.m3u8
    push_url: String,
    /// The same in YouTube's form, for encoders that know it.
    youtube_url: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Watch {
    page_url: String,
    multivariant_url: String,
}

/// POST of a new broadcast.
#[utoipa::path(
    post, path = "/v1/broadcasts", tag = "broadcasts", request_body = Create,
    responses((status = 201, body = Created), (status = 400), (status = 401)),
    security(("owner_key" = []))
)]
pub(crate) async fn create(
    State(recorder): State<Arc<Recorder>>,
    headers: HeaderMap,
    wanted: Result<Json<Create>, JsonRejection>,
) -> Result<Response, Problem> {
    recorder.authorize_owner(&headers)?;
    let Json(wanted) = wanted.map_err(|error| ProblemKind::BAD_REQUEST.detail(error.body_text()))?;
    let opened = recorder.opened(wanted)?;
    let now_ms = u64::try_from(recorder.clock.now_ms()).unwrap_or(0);
    let id = BroadcastId::new(now_ms, u128::from_le_bytes(recorder.random.bytes()));
    recorder.write_first_document(id, &opened).await?;
    let breaks = recorder.broadcasts.breaks_of(id);
    let entry = recorder.broadcasts.store().open(id, &opened).await.map_err(problems::of_metadata)?;
    recorder.marks.opened(id, &entry, breaks);
    recorder.document_is_due(id);
    Ok((StatusCode::CREATED, Json(recorder.addresses(id, opened.title, &headers))).into_response())
}

/// GET of where to send and watch a broadcast, as its creation answered: for another phone, or another encoder.
#[utoipa::path(
    get, path = "/v1/broadcasts/{id}/publish", tag = "broadcasts",
    params(("id" = String, Path)), responses((status = 200, body = Created), (status = 401), (status = 404)),
    security(("owner_key" = []))
)]
pub(crate) async fn publish(
    State(recorder): State<Arc<Recorder>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    recorder.authorize_owner(&headers)?;
    let id = parse_id(&id)?;
    let title = recorder.followed(id).await?.read().opened().title.clone();
    let addresses = Json(recorder.addresses(id, title, &headers));
    // It holds a secret.
    Ok(([(CACHE_CONTROL, "no-store")], addresses).into_response())
}

impl Recorder {
    fn opened(&self, wanted: Create) -> Result<Opened, Problem> {
        let Create { title, target_duration } = wanted;
        if title.len() > TITLE_LEN_MAX {
            return Err(not_a_name(format!("a title has at most {TITLE_LEN_MAX} bytes")));
        }
        if let Some(secs) = target_duration.filter(|secs| !(1..=TargetDuration::MAX).contains(secs)) {
            return Err(not_a_name(format!("target_duration is 1 to {} s, not {secs}", TargetDuration::MAX)));
        }
        let stored_is_safe = self.config.stored_is_safe && self.hot.is_none();
        Ok(Opened { title, target_duration, policy: self.config.views, stored_is_safe })
    }

    fn addresses(&self, id: BroadcastId, title: String, headers: &HeaderMap) -> Created {
        let token = self.tokens.sign(&Claims { sub: id, scope: Scope::Publish, exp: None });
        let base = self.base_url(headers);
        Created {
            id: id.to_string(),
            title,
            publish: Publish {
                ingest_url: format!("{base}/ingest/{id}"),
                push_url: format!("{base}/push/{token}/"),
                youtube_url: format!("{base}/http_upload_hls?cid={token}&copy=0&file="),
                token,
            },
            watch: Watch {
                page_url: format!("{base}/watch/{id}"),
                multivariant_url: format!("{base}/hls/{id}/index.m3u8"),
            },
        }
    }

    /// How whoever sent this request reaches us.
    fn base_url(&self, headers: &HeaderMap) -> String {
        let given = self.public_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        given.unwrap_or_else(|| service::base_url(headers))
    }
}

/// A broadcast in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Summary {
    id: String,
    title: String,
    /// created, live, interrupted, paused, ended or complete.
    state: &'static str,
    /// Milliseconds since the Unix epoch.
    created_at: i64,
    /// How much has been recorded and has arrived, in seconds.
    duration_s: f64,
    renditions: Vec<String>,
    /// How many segments were recorded, as far as is known, and have not arrived.
    missing: u64,
    /// How many have asked the playlist server of this process for something of it in the last three target durations or
    /// 15 seconds. Null where there is none: each playlist server of a fleet knows its own, as the metric
    /// `headwater_playlist_viewers`, and nobody knows those behind a cache that answers by itself.
    viewers: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    limit: Option<usize>,
    after: Option<String>,
}

/// A page of broadcasts, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List {
    broadcasts: Vec<Summary>,
    /// For `after` of the next page, if there is one.
    next: Option<String>,
}

/// GET of all broadcasts.
#[utoipa::path(
    get, path = "/v1/broadcasts", tag = "broadcasts",
    params(
        ("limit" = Option<usize>, Query, description = "1 to 100; 50 without it"),
        ("after" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses((status = 200, body = List), (status = 401)),
    security(("owner_key" = []))
)]
pub(crate) async fn list(
    State(recorder): State<Arc<Recorder>>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Json<List>, Problem> {
    recorder.authorize_owner(&headers)?;
    let limit = page.limit.unwrap_or(50).clamp(1, PAGE_MAX);
    let after = page.after.map(|after| after.parse()).transpose().map_err(not_a_name)?;
    let mut ids = recorder.broadcasts.store().list(after, limit + 1).await.map_err(problems::of_metadata)?;
    let next = (ids.len() > limit).then(|| {
        ids.truncate(limit);
        ids.last().map(ToString::to_string)
    });
    let mut broadcasts = Vec::with_capacity(ids.len());
    for id in ids {
        let followed = recorder.followed(id).await?;
        broadcasts.push(recorder.summary(id, &followed.read(), followed.now()));
    }
    Ok(Json(List { broadcasts, next: next.flatten() }))
}

impl Recorder {
    fn summary(&self, id: BroadcastId, broadcast: &Broadcast, now: StoreTime) -> Summary {
        Summary {
            id: id.to_string(),
            title: broadcast.opened().title.clone(),
            state: broadcast.state(now).word(),
            created_at: broadcast.created_at().0,
            duration_s: broadcast.duration().as_secs_f64(),
            renditions: broadcast.renditions().iter().map(|rendition| rendition.name().to_string()).collect(),
            missing: broadcast.missing_count(),
            viewers: self.viewers.get().map(|viewers| viewers.of(id)),
        }
    }

    fn details(&self, id: BroadcastId, broadcast: &Broadcast, now: StoreTime) -> Details {
        details(self.summary(id, broadcast, now), broadcast, now)
    }
}

/// All that is known of a broadcast.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Details {
    #[serde(flatten)]
    summary: Summary,
    /// In seconds; once the first segment has decided it, it never changes.
    target_duration_s: Option<u32>,
    /// Since when it is interrupted or paused, in capture time (milliseconds since the Unix epoch).
    since: Option<i64>,
    /// Until when, at the latest, what its publisher still has is waited for, since the owner has ended it (milliseconds since
    /// the Unix epoch; later if something comes).
    open_until: Option<i64>,
    /// From when until when it was recorded, as far as has arrived, in capture time (milliseconds since the Unix epoch).
    recorded: Option<[i64; 2]>,
    details: BTreeMap<String, RenditionDetails>,
}

/// All that is known of a rendition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RenditionDetails {
    codecs: Option<String>,
    resolution: Option<String>,
    segments: u64,
    bytes: u64,
    duration_s: f64,
    peak_bits_per_s: u64,
    average_bits_per_s: u64,
    /// Ranges of segments, `[first, last]`, that were recorded and have not arrived.
    missing: Vec<[u64; 2]>,
    /// The same as capture time, in milliseconds since the Unix epoch: from the end of what is before, if there is
    /// anything, until the start of what is after it, if anything is.
    missing_between: Vec<[Option<i64>; 2]>,
    abandoned: Vec<[u64; 2]>,
}

/// GET of one broadcast. Whoever may watch it may ask.
#[utoipa::path(
    get, path = "/v1/broadcasts/{id}", tag = "broadcasts",
    params(("id" = String, Path)), responses((status = 200, body = Details), (status = 404))
)]
pub(crate) async fn show(
    State(recorder): State<Arc<Recorder>>,
    Path(id): Path<String>,
) -> Result<Json<Details>, Problem> {
    let id = parse_id(&id)?;
    let followed = recorder.followed(id).await?;
    let broadcast = followed.read();
    Ok(Json(recorder.details(id, &broadcast, followed.now())))
}

fn details(summary: Summary, broadcast: &Broadcast, now: StoreTime) -> Details {
    let since = match broadcast.state(now) {
        broadcast::State::Interrupted { since } => Some(since.0),
        broadcast::State::Paused { since } => since.map(|since| since.0),
        _ => None,
    };
    let of_rendition = |rendition: &broadcast::Rendition| {
        let name = rendition.name();
        let format = rendition.latest_format();
        let missing = broadcast.missing(name);
        let before = |first| rendition.segment_before(first).map(|segment| segment.captured_end().0);
        let after = |last: Seq| rendition.segment_from(last).map(|segment| segment.captured_at.0);
        let missing_between = missing.iter().map(|range| [before(range.first), after(range.last)]).collect();
        let missing = missing.iter().map(|range| [range.first.0, range.last.0]).collect();
        let details = RenditionDetails {
            codecs: format.map(|format| format.codecs.clone()),
            resolution: format.and_then(|format| format.resolution).map(|resolution| resolution.to_string()),
            segments: broadcast.stored(name).map_or(0, broadcast::SeqSet::count),
            bytes: rendition.bytes(),
            duration_s: rendition.duration().as_secs_f64(),
            peak_bits_per_s: rendition.peak_bits_per_s(),
            average_bits_per_s: rendition.average_bits_per_s(),
            missing,
            missing_between,
            abandoned: ingest::ranges(broadcast.abandoned(name)),
        };
        (name.to_string(), details)
    };
    Details {
        summary,
        target_duration_s: broadcast.target_duration().map(TargetDuration::secs),
        since,
        open_until: broadcast.closing().map(|closing| closing.over_at().0),
        recorded: recorded(broadcast),
        details: broadcast.renditions().iter().map(of_rendition).collect(),
    }
}

/// The capture time from the first that has arrived to the last.
fn recorded(broadcast: &Broadcast) -> Option<[i64; 2]> {
    let ends = broadcast.renditions().iter().filter_map(|rendition| {
        let (first, last) = (rendition.segments().next()?, rendition.segments().next_back()?);
        Some([first.captured_at.0, last.captured_end().0])
    });
    ends.reduce(|all, one| [all[0].min(one[0]), all[1].max(one[1])])
}

/// POST: the publisher takes a break.
#[utoipa::path(
    post, path = "/v1/broadcasts/{id}/pause", tag = "publish",
    params(("id" = String, Path)), responses((status = 200, body = Details), (status = 409, description = "It has ended")),
    security(("publish_token" = []), ("owner_key" = []))
)]
pub(crate) async fn pause(state: State<Arc<Recorder>>, id: Path<String>, headers: HeaderMap) -> Answer {
    say(state, id, headers, Event::Paused).await
}

/// POST: the publisher is back.
#[utoipa::path(
    post, path = "/v1/broadcasts/{id}/resume", tag = "publish",
    params(("id" = String, Path)), responses((status = 200, body = Details), (status = 409, description = "It has ended")),
    security(("publish_token" = []), ("owner_key" = []))
)]
pub(crate) async fn resume(state: State<Arc<Recorder>>, id: Path<String>, headers: HeaderMap) -> Answer {
    say(state, id, headers, Event::Resumed).await
}

type Answer = Result<Json<Details>, Problem>;

async fn say(
    State(recorder): State<Arc<Recorder>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    event: Event,
) -> Answer {
    let followed = recorder.publishers(&id, &headers).await?;
    if followed.read().is_over() {
        return Err(over());
    }
    // Somebody may have ended it meanwhile.
    if recorder.commit_event(&followed, event).await? == Outcome::Ended {
        return Err(over());
    }
    Ok(recorder.answer(&followed))
}

fn over() -> Problem {
    problems::ENDED.detail("an ended broadcast can be neither paused nor resumed")
}

/// Where the renditions of a broadcast end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    /// The number of the last segment of each rendition. Without it, a rendition ends with what has arrived; but if it is the
    /// owner who ends the broadcast, and names none, what its publisher still has is waited for.
    #[serde(default)]
    last: BTreeMap<String, u64>,
}

/// POST: nothing new will be captured. What was captured may still arrive. When the owner says so, the publisher, who may be
/// without network, says where it ends when it hears of it.
#[utoipa::path(
    post, path = "/v1/broadcasts/{id}/end", tag = "publish", request_body = Option<End>,
    params(("id" = String, Path)), responses((status = 200, body = Details)),
    security(("publish_token" = []), ("owner_key" = []))
)]
pub(crate) async fn end(
    State(recorder): State<Arc<Recorder>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Answer {
    let followed = recorder.publishers(&id, &headers).await?;
    let End { last } = if body.is_empty() { End::default() } else { json(&body)? };
    let said: Result<Vec<LastSeq>, Problem> = last
        .iter()
        .map(|(rendition, seq)| {
            let rendition: RenditionName = rendition.parse().map_err(not_a_name)?;
            let seq = seq_within(*seq)?;
            recorder.seq_within_reach(&followed, &rendition, seq)?;
            Ok(LastSeq { rendition, seq: Some(seq), missing: Missing::Awaited })
        })
        .collect();
    let said = match said? {
        none if none.is_empty() && recorder.is_owner(&headers) => Said::ByOwner,
        said => Said::ByPublisher(recorder.without_refused(&followed.read(), said)),
    };
    let at_work = (recorder.clone(), followed.clone());
    recorder.to_its_end(async move { at_work.0.end(&at_work.1, &said).await }).await?;
    Ok(recorder.answer(&followed))
}

/// Segments that will never come; all that have not, if none are named.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Abandon {
    rendition: Option<String>,
    first: Option<u64>,
    last: Option<u64>,
}

/// POST: these segments will never come; catch-up and vod need not wait for them. If none are named, nothing more of a broadcast
/// that is over will come: only its owner says that.
#[utoipa::path(
    post, path = "/v1/broadcasts/{id}/abandon", tag = "publish", request_body = Option<Abandon>,
    params(("id" = String, Path)),
    responses((status = 200, body = Details), (status = 400), (status = 403), (status = 409)),
    security(("publish_token" = []), ("owner_key" = []))
)]
pub(crate) async fn abandon(
    State(recorder): State<Arc<Recorder>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Answer {
    let followed = recorder.publishers(&id, &headers).await?;
    let named: Abandon = if body.is_empty() { Abandon::default() } else { json(&body)? };
    let (rendition, first, last) = match named {
        Abandon { rendition: Some(rendition), first: Some(first), last: Some(last) } => (rendition, first, last),
        Abandon { rendition: None, first: None, last: None } => {
            if !recorder.is_owner(&headers) {
                return Err(ProblemKind::FORBIDDEN
                    .detail("only its owner gives up all that has not come; name rendition, first and last"));
            }
            let at_work = (recorder.clone(), followed.clone());
            recorder.to_its_end(async move { at_work.0.give_up(&at_work.1).await }).await?;
            return Ok(recorder.answer(&followed));
        }
        Abandon { .. } => return Err(not_a_name("name rendition, first and last, or none of them")),
    };
    let rendition: RenditionName = rendition.parse().map_err(not_a_name)?;
    let seqs = SeqRange { first: seq_within(first)?, last: seq_within(last)? };
    if !(1..=ABANDON_MAX).contains(&seqs.count()) {
        return Err(not_a_name(format!("first to last must name 1 to {ABANDON_MAX} segments")));
    }
    recorder.room_for(&followed.read(), [&rendition])?;
    for event in abandoned_events(&rendition, seqs) {
        recorder.commit_event(&followed, event).await?;
    }
    Ok(recorder.answer(&followed))
}

impl Recorder {
    /// The broadcast, for somebody who may publish to it.
    async fn publishers(self: &Arc<Self>, id: &str, headers: &HeaderMap) -> Result<Arc<Followed>, Problem> {
        let id = parse_id(id)?;
        self.authorize_publisher(headers, id)?;
        self.admit(headers, id, &Visitor::of(headers), None).await?;
        self.followed(id).await
    }

    fn answer(&self, followed: &Followed) -> Json<Details> {
        Json(self.details(followed.id(), &followed.read(), followed.now()))
    }
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| ProblemKind::BAD_REQUEST.detail(error))
}

fn seq_within(seq: u64) -> Result<Seq, Problem> {
    let seq = Some(Seq(seq)).filter(|seq| *seq <= Seq::MAX);
    seq.ok_or_else(|| not_a_name(format!("a segment number is at most {}", Seq::MAX)))
}

/// An id that is none is the address of nothing.
fn parse_id(id: &str) -> Result<BroadcastId, Problem> {
    id.parse().map_err(|error: broadcast::IdError| ProblemKind::NOT_FOUND.detail(error))
}

#[derive(OpenApi)]
#[openapi(
    paths(create, list, show, publish, pause, resume, end, abandon, ingest::upload, ingest::status, bundle::upload, stored::get),
    tags(
        (name = "broadcasts", description = "Creating and finding broadcasts"),
        (name = "publish", description = "Sending segments, and saying what the network cannot"),
        (name = "internal", description = "Between the nodes of a fleet; not for publishers or viewers")
    )
)]
struct Documentation;

/// This crate's part of the OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Documentation::openapi()
}

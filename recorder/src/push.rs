//! What stock HLS pushers do: ffmpeg, OBS, Shaka Packager, GStreamer scripts, browsers. They PUT or POST segments,
//! playlists and init sections in any order, ignore every answer, and never send anything twice.
//!
//! So everything that looks like media is made durable first. If its number is known by then it is committed and
//! acknowledged with 201; otherwise it is parked, answered with 202, and committed when a playlist names it or, if none
//! does, by its file name or the order of arrival.

mod away;
mod closed;
mod hint;
mod inits;
mod numbering;
mod parking;
mod settling;
mod waiting;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, Query, State};
use axum::response::{IntoResponse, Response};
use broadcast::{CapturedAt, Digest, Event, RenditionName, Seq};
use http::StatusCode;
use inspection::KnownInit;
use media::{InitSection, Inspector};
use metadata::{Expect, Followed, MetadataError, Outcome};
use serde::Deserialize;
use service::{BodyReader, Problem, ProblemKind};
use storage::{ParkedName, Upload};

use crate::commit::{Candidate, Kept, Source, not_a_name};
use crate::intake::{Arrived, Kind, drain, take_in};
use crate::portal::Visitor;
use crate::problems::{self, RETRY_SOON};
use crate::recorder::Recorder;
pub(crate) use away::Strangers;
use hint::{Hint, MediaHint, PLAYLIST_LEN_MAX, normalize};
use inits::Wanted;
use numbering::{Arrival, LATE_MAX, Named, Numbered, lost};
pub(crate) use numbering::{RESENT_MAX, is_open};
pub(crate) use parking::Pushers;
use parking::{Arriving, Pusher};
use waiting::{PusherState, Waiting};

/// How often a playlist asks for a rendition while others do the same.
const ATTEMPTS_MAX: usize = 64;
/// How many holes are given up at a time.
const LOST_MAX: usize = 8;
/// The longest body of a DELETE, in bytes. It says nothing.
const DELETE_LEN_MAX: u64 = 4096;

/// When a pushed segment was written, in milliseconds since the Unix epoch, if that was not just now. An extension of
/// requests from within this process, which may push what was written while it did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenAt(pub i64);

/// PUT or POST to `/push/{token}/{path}`.
pub(crate) async fn upload(
    State(recorder): State<Arc<Recorder>>,
    Path((token, path)): Path<(String, String)>,
    visitor: Visitor,
    written: Option<Extension<WrittenAt>>,
    body: Body,
) -> Result<Response, Problem> {
    let written = written.map(|Extension(written)| written);
    recorder.take_pushed(&token, &path, &visitor, written, body).await
}

/// The YouTube form: `/http_upload_hls?cid={token}&copy=0&file={path}`.
#[derive(Debug, Deserialize)]
pub(crate) struct YouTubeQuery {
    cid: String,
    file: String,
    /// Which of the two redundant inputs. Both end in the same broadcast.
    #[serde(default, rename = "copy")]
    _copy: u8,
}

pub(crate) async fn upload_by_query(
    State(recorder): State<Arc<Recorder>>,
    Query(query): Query<YouTubeQuery>,
    visitor: Visitor,
    body: Body,
) -> Result<Response, Problem> {
    recorder.take_pushed(&query.cid, &query.file, &visitor, None, body).await
}

/// Pushers tidy up behind themselves. What was recorded stays.
pub(crate) async fn delete(State(recorder): State<Arc<Recorder>>, body: Body) -> StatusCode {
    // ffmpeg announces a body, which is empty. Left unread, it would end the connection.
    if let Ok(mut body) = BodyReader::new(body, recorder.config.body_limits(DELETE_LEN_MAX)) {
        drain(&mut body).await;
    }
    StatusCode::OK
}

/// ffmpeg's append_list asks whether there is a playlist to go on from. There is none: it counts from 0, and we go on.
pub(crate) async fn get() -> Problem {
    ProblemKind::NOT_FOUND.detail("pushed playlists are not kept; viewers' playlists are under /hls/")
}

impl Recorder {
    async fn take_pushed(
        self: &Arc<Self>,
        token: &str,
        path: &str,
        visitor: &Visitor,
        written: Option<WrittenAt>,
        body: Body,
    ) -> Result<Response, Problem> {
        let now_ms = self.now_ms();
        let arrived_ms = written.map_or(now_ms, |WrittenAt(written_ms)| written_ms.min(now_ms));
        let id = self.publish_claims(token)?.sub;
        let path = normalize(path);
        if path.is_empty() {
            return Err(not_a_name("name the file after the token: /push/TOKEN/out.m3u8"));
        }
        let _open = self.uploads.open(id, self.config.uploads_per_broadcast_max)?;
        let admitted = self.admit_token(Some(token), id, visitor, None).await;
        if is_playlist(&path) {
            admitted?;
            let followed = self.followed(id).await?;
            let body = BodyReader::new(body, self.config.body_limits(PLAYLIST_LEN_MAX))?;
            let text = body.collect().await?;
            let (recorder, pusher) = (self.clone(), self.pusher_of(id));
            let work = async move { recorder.take_playlist(&followed, &pusher, &path, &text).await };
            return self.to_its_end(work).await;
        }
        let body = BodyReader::new(body, self.config.body_limits(self.config.segment_len_max))?;
        let pushed = Pushed { path, arrived_ms };
        match admitted {
            Ok(()) => {}
            // Nobody will send it again, so it is kept until the portal says something.
            Err(problem) if problem.status().is_server_error() => {
                return self.take_from_stranger(id, pushed, body).await;
            }
            Err(problem) => return Err(problem),
        }
        match self.broadcasts.get(id).await {
            // It goes behind those that came before it.
            Ok(_) if self.has_strangers_of(id) => self.take_from_stranger(id, pushed, body).await,
            Ok(followed) => self.take_media(&followed, &self.pusher_of(id), pushed, body).await,
            Err(MetadataError::Unavailable(_)) => self.take_from_stranger(id, pushed, body).await,
            Err(error) => Err(problems::of_metadata(error)),
        }
    }

    async fn take_media(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        pushed: Pushed,
        mut body: BodyReader,
    ) -> Result<Response, Problem> {
        let arriving = pusher.arriving(&pushed.path, self.now_ms());
        let known = self.known(followed, pusher, &pushed).await;
        let ready = known.as_ref();
        let inspector = |found| Ok(ready.and_then(|known| known.inspector(found)));
        let arrived = match take_in(&self.store, &mut body, None, inspector).await {
            Ok(arrived) => arrived,
            Err(problem) => {
                drain(&mut body).await;
                return Err(problem);
            }
        };
        let (recorder, followed, pusher) = (self.clone(), followed.clone(), pusher.clone());
        self.to_its_end(
            async move { recorder.take_arrived(&followed, &pusher, known, pushed, (arrived, arriving)).await },
        )
        .await
    }

    async fn take_arrived(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        known: Option<Known>,
        pushed: Pushed,
        (arrived, arriving): (Arrived, Arriving),
    ) -> Result<Response, Problem> {
        match arrived.kind {
            Kind::Init(_) => self.take_pushed_init(followed, pusher, (pushed, arriving), arrived).await,
            Kind::Segment(_) => {
                let known = known.expect("only what is known is inspected");
                self.keep_pushed(followed, pusher, known, pushed, arrived).await
            }
            Kind::Unseen(container) => {
                let Arrived { upload, digest, .. } = arrived;
                self.park(followed, pusher, pushed, upload, (digest, container)).await
            }
        }
    }

    /// What is known of a segment before its body has come. Nothing, while one that came before it waits: it goes first.
    async fn known(&self, followed: &Followed, pusher: &Pusher, pushed: &Pushed) -> Option<Known> {
        let named = {
            let state = pusher.state.lock().await;
            let named = state.numbering.told(&pushed.path)?;
            if state.is_held_up(&state.waiting, &named.rendition, false) {
                return None;
            }
            named
        };
        // What cannot be read now is read again when the segment is here.
        let arrival = Arrival { at: CapturedAt(pushed.arrived_ms), may_be_overtaken: false };
        let wanted = Wanted { named: &named, arrival, overdue: false, given: None, before: &[] };
        let of_state = |state: &PusherState| state.init_of(&followed.read(), wanted);
        let init = self.find_init(followed.id(), pusher, &named, of_state).await;
        self.with_init(followed, named, init).await.ok()
    }

    async fn keep_pushed(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        known: Known,
        pushed: Pushed,
        arrived: Arrived,
    ) -> Result<Response, Problem> {
        let digest = arrived.digest;
        let Arrived { upload, len, kind: Kind::Segment(inspection), .. } = arrived else {
            unreachable!("asked for segments only")
        };
        let container = inspection.container;
        let arrival = Arrival { at: CapturedAt(pushed.arrived_ms), may_be_overtaken: false };
        let found = Found { digest, len, inspection: *inspection, arrival };
        let accepting = pusher.accepting(followed).await?;
        let taken = self.number_and_keep(followed, pusher, &known, found, Source::Upload(upload)).await;
        drop(accepting);
        match taken {
            Ok(taken) => Ok(answer(taken)),
            Err(NotTaken::Away { source: Source::Upload(upload), .. }) => {
                self.park(followed, pusher, pushed, upload, (digest, container)).await
            }
            Err(not_taken) => Err(not_taken.problem()),
        }
    }

    /// Gives a pushed segment its number and commits it. One at a time for each pusher, so that numbers cannot cross.
    async fn number_and_keep(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        known: &Known,
        found: Found,
        source: Source,
    ) -> Result<Taken, NotTaken> {
        let mut state = pusher.state.lock().await;
        let parked = if let Source::Parked(parked) = &source { Some(parked.clone()) } else { None };
        if let Err(problem) = self.catch_up(followed, &mut state).await {
            return Err(NotTaken::Away { problem, source });
        }
        if let Err(problem) = self.seen_whole(followed, pusher) {
            return Err(NotTaken::Away { problem, source });
        }
        let is_refused = {
            let broadcast = followed.read();
            match source {
                // It stays where it is.
                Source::Parked(_) => broadcast.ended().is_some(),
                Source::Upload(_) => broadcast.closing().is_some(),
            }
        };
        if is_refused {
            return Err(NotTaken::Refused(problems::ENDED.detail("the broadcast ended before it")));
        }
        let arrival = found.arrival;
        let (numbered, base) = state.number_of(&followed.read(), known, found.digest, arrival);
        let (Numbered::New(seq) | Numbered::Already(seq)) = numbered;
        let candidate = known.candidate(seq, found);
        let is_noted = known.place == Some((seq, base));
        if let Some(kept) = self.kept_already(followed, &candidate) {
            let kept = kept?;
            if !is_noted {
                state.note_latest(&known.named, known.init_ms, (base, arrival));
            }
            state.no_longer_waits(parked.as_ref());
            return Ok(Taken::Kept(kept));
        }
        let clock = state.clocks.entry(known.named.rendition.clone()).or_default();
        let durable = self.make_durable(followed, &candidate, source, clock).await?;
        if !is_noted {
            state.note_latest(&known.named, known.init_ms, (base, arrival));
        }
        let hinted_at = followed.read().end_hinted_at();
        match self.commit_durable(followed, &durable).await {
            Ok(kept) => {
                state.no_longer_waits(parked.as_ref());
                if kept == Kept::Stored {
                    // It was still on its way when its playlist was closed: nothing has started again.
                    let came_before_hint = arrival.may_be_overtaken && hinted_at.is_some_and(|at| arrival.at.0 < at.0);
                    state.owes_end |= state.closed.covers(&known.named, seq) || came_before_hint;
                    self.after_stored(followed, pusher, &mut state, &known.named.rendition).await;
                }
                Ok(Taken::Kept(kept))
            }
            Err(problem) if problem.status().is_server_error() => {
                state.no_longer_waits(parked.as_ref());
                state.uncommitted = Some(durable);
                self.settle_when_back(followed, pusher);
                Ok(Taken::Later)
            }
            Err(problem) => Err(NotTaken::Refused(problem)),
        }
    }

    /// What a pusher's segment says beside what is in it.
    async fn after_stored(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        state: &mut PusherState,
        rendition: &RenditionName,
    ) {
        let mut noted = self.tell_owed_end(followed, state).await;
        if noted.is_err() {
            self.settle_when_back(followed, pusher);
        }
        let now_ms = self.now_ms();
        let have_places = state.waiting.iter().all(|waiting| waiting.place().is_some());
        let settled = have_places && !pusher.is_arriving_since(now_ms - LATE_MAX.0);
        if settled && followed.read().missing_count() > 0 {
            let lost = lost(&followed.read(), rendition, CapturedAt(now_ms));
            let lost = lost.into_iter().filter(|seqs| !state.numbering.expects_any_of(rendition, *seqs));
            for seqs in lost.take(LOST_MAX) {
                let rendition = rendition.clone();
                noted = noted.and(self.commit_event(followed, Event::Abandoned { rendition, seqs }).await.map(drop));
            }
        }
        if let Err(problem) = noted {
            tracing::warn!(id = %followed.id(), problem = %problem.to_json(), "cannot note what became of a pusher");
        }
    }

    async fn take_pushed_init(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        (pushed, arriving): (Pushed, Arriving),
        arrived: Arrived,
    ) -> Result<Response, Problem> {
        let digest = arrived.digest;
        let Kind::Init(bytes) = arrived.kind else { unreachable!("asked for init sections only") };
        if let Err(error) = InitSection::parse(&bytes) {
            return Err(problems::NOT_MEDIA.detail(error));
        }
        // Whose it is is not known before a playlist says so. As with segments, what counts is when its request began: the
        // segments of its run may begin before it is here, and never before it was begun but by overtaking it.
        let name = ParkedName::new(followed.id(), pushed.arrived_ms, &pushed.path).map_err(not_a_name)?;
        let accepting = pusher.accepting(followed).await?;
        let parked = arrived.upload.park(&name).await.map_err(problems::of_store)?;
        drop(accepting);
        self.hold_init(followed, pusher, parked, bytes, digest, Some(arriving)).await;
        Ok(StatusCode::CREATED.into_response())
    }

    async fn park(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        pushed: Pushed,
        upload: Upload,
        (digest, container): (Digest, media::Container),
    ) -> Result<Response, Problem> {
        let name = ParkedName::new(followed.id(), pushed.arrived_ms, &pushed.path).map_err(not_a_name)?;
        if !pusher.has_room().await {
            return Err(ProblemKind::UNAVAILABLE.detail("too much waits to be committed").retry_after(RETRY_SOON));
        }
        {
            let _accepting = pusher.accepting(followed).await?;
            let parked = upload.park(&name).await.map_err(problems::of_store)?;
            pusher.state.lock().await.waiting.push(Waiting::new(parked, self.now_ms(), (digest, container)));
        }
        self.metrics.segments.with_label_values(&["parked"]).inc();
        self.settle_parked(followed, pusher, 1).await;
        Ok(StatusCode::ACCEPTED.into_response())
    }

    async fn take_playlist(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        path: &str,
        text: &[u8],
    ) -> Result<Response, Problem> {
        // The first PUT of some encoders is an empty playlist; there is nothing in it to know.
        if text.is_empty() {
            return Ok(StatusCode::OK.into_response());
        }
        match hint::read(path, text).map_err(|error| ProblemKind::UNPROCESSABLE.detail(error))? {
            Hint::Multivariant(paths) => {
                for path in paths {
                    self.rendition_of(followed, &path).await?;
                }
            }
            Hint::Media(hint) => self.take_media_playlist(followed, pusher, path, &hint).await?,
        }
        Ok(StatusCode::OK.into_response())
    }

    async fn take_media_playlist(
        self: &Arc<Self>,
        followed: &Arc<Followed>,
        pusher: &Arc<Pusher>,
        path: &str,
        hint: &MediaHint,
    ) -> Result<(), Problem> {
        let rendition = self.rendition_of(followed, path).await?;
        pusher.state.lock().await.learn(&rendition, hint);
        self.settle(followed, pusher).await;
        {
            let mut state = pusher.state.lock().await;
            let base = state.base(&followed.read(), &rendition);
            state.closed.learn(&rendition, hint, base);
        }
        if hint.closed && !followed.read().state(followed.now()).is_over() {
            let mut state = pusher.state.lock().await;
            state.owes_end = true;
            if self.catch_up(followed, &mut state).await.is_err() {
                self.settle_when_back(followed, pusher);
            }
        }
        Ok(())
    }

    async fn hint_end(self: &Arc<Self>, followed: &Followed) -> Result<(), Problem> {
        self.commit_event(followed, Event::EndHinted).await?;
        self.end_after_grace(followed.id());
        Ok(())
    }

    /// The rendition that a playlist's path stands for: its folder's name; `main` for the first one without a folder,
    /// its own name for the others.
    async fn rendition_of(&self, followed: &Followed, path: &str) -> Result<RenditionName, Problem> {
        if let Some(rendition) = followed.read().mapped().get(path) {
            return Ok(rendition.clone());
        }
        for _ in 0..ATTEMPTS_MAX {
            followed.refresh().await.map_err(problems::of_metadata)?;
            let (rendition, length) = {
                let broadcast = followed.read();
                if let Some(rendition) = broadcast.mapped().get(path) {
                    return Ok(rendition.clone());
                }
                if broadcast.mapped().len() >= self.config.renditions_max {
                    return Err(problems::TOO_MANY_RENDITIONS.detail(format!("{path} would be one more")));
                }
                (new_rendition(&broadcast, path), broadcast.next_index())
            };
            let mapped = [Event::Mapped { playlist: path.to_owned(), rendition }];
            // Another playlist that comes at the same moment must not be given the same rendition.
            match self.broadcasts.store().commit(followed.id(), &mapped, Expect::Len(length)).await {
                Ok(_) => self.document_is_due(followed.id()),
                Err(MetadataError::Stale { .. }) => {}
                Err(error) => return Err(problems::of_metadata(error)),
            }
        }
        Err(ProblemKind::UNAVAILABLE.detail("playlists keep arriving; try again"))
    }

    pub(crate) async fn commit_event(&self, followed: &Followed, event: Event) -> Result<Outcome, Problem> {
        let outcomes = followed.commit(&[event]).await.map_err(problems::of_metadata)?;
        self.document_is_due(followed.id());
        Ok(outcomes[0])
    }
}

/// A pushed body, before it is known what it is.
struct Pushed {
    path: String,
    arrived_ms: i64,
}

/// A segment's number and, if it needs one, init section.
#[derive(Debug)]
struct Known {
    named: Named,
    init: Option<Arc<KnownInit>>,
    /// When that arrived, if it is held for its pusher.
    init_ms: Option<i64>,
    /// The number that it was given before it could be kept, and with it that minus the pusher's.
    place: Option<(Seq, i128)>,
}

/// What was found in a pushed segment.
struct Found {
    digest: broadcast::Digest,
    len: u64,
    inspection: media::Inspection,
    arrival: Arrival,
}

/// What became of a pushed segment that was not refused.
enum Taken {
    Kept(Kept),
    /// It is durable, and will be committed when the metadata store is back.
    Later,
}

/// Why a pushed segment was not taken.
enum NotTaken {
    /// The log could not be read, so nobody knows its number. Nothing has been done.
    Away {
        problem: Problem,
        source: Source,
    },
    Refused(Problem),
}

impl NotTaken {
    fn problem(self) -> Problem {
        let (Self::Away { problem, .. } | Self::Refused(problem)) = self;
        problem
    }
}

impl From<Problem> for NotTaken {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl Known {
    fn candidate(&self, seq: Seq, found: Found) -> Candidate {
        Candidate {
            rendition: self.named.rendition.clone(),
            seq,
            captured_at: None,
            pushed: Some(self.named.number),
            arrived_ms: found.arrival.at.0,
            digest: found.digest,
            len: found.len,
            inspection: found.inspection,
            init: self.init.clone(),
        }
    }

    /// `None` if the segment cannot be inspected yet.
    fn inspector(&self, found: media::Container) -> Option<Inspector> {
        match found {
            media::Container::MpegTs => Some(Inspector::mpeg_ts()),
            media::Container::Fmp4 => self.init.as_ref().map(|known| Inspector::fmp4(&known.section)),
        }
    }
}

fn is_playlist(path: &str) -> bool {
    let is = |extension| extension_of(path).is_some_and(|is| is.eq_ignore_ascii_case(extension));
    is("m3u8") || is("m3u")
}

fn extension_of(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(_, extension)| extension)
}

fn answer(taken: Taken) -> Response {
    match taken {
        Taken::Kept(Kept::Stored) => StatusCode::CREATED,
        Taken::Kept(Kept::Already) => StatusCode::OK,
        Taken::Later => StatusCode::ACCEPTED,
    }
    .into_response()
}

fn new_rendition(broadcast: &broadcast::Broadcast, path: &str) -> RenditionName {
    let taken = |name: &RenditionName| broadcast.mapped().values().any(|rendition| rendition == name);
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let (folder, name) = stem.rsplit_once('/').map_or((None, stem), |(folder, name)| (Some(folder), name));
    let preferred = folder.map_or_else(RenditionName::main, rendition_name);
    if !taken(&preferred) {
        return preferred;
    }
    let own = rendition_name(&folder.map_or_else(|| name.to_owned(), |folder| format!("{folder}-{name}")));
    let numbered = (2..).filter_map(|n| format!("{:.60}-{n}", own.as_str()).parse().ok());
    std::iter::once(own.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(own)
}

/// The nearest name that a rendition may have.
fn rendition_name(text: &str) -> RenditionName {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(allowed).take(RenditionName::LEN_MAX).collect();
    name.trim_start_matches('-').parse().unwrap_or_else(|_| RenditionName::main())
}

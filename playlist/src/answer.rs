//! From a request to its answer: methods, conditions, codings.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use broadcast::{BroadcastId, TargetDuration, ViewError};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, Method, StatusCode, Uri};
use service::{Problem, accepts_gzip};

use crate::address::{Address, AddressError, List, PlaylistAddress};
use crate::cache::{CacheKey, Coding, Sheet};
use crate::headers::{self, Lifetime};
use crate::metrics::Kind;
use crate::playlists::{Playlists, Server};
use crate::reload::AHEAD_MAX;

impl Playlists {
    /// Answers any request under `/hls/`; the body of the request is not looked at. `peer` is where it came from. The answer
    /// carries a [`RouteName`](service::RouteName).
    pub async fn answer(&self, method: &Method, uri: &Uri, request: &HeaderMap, peer: Option<IpAddr>) -> Response {
        let server = &*self.0;
        let query = uri.query().unwrap_or_default();
        let address = Address::parse(uri.path(), query);
        let route = address.as_ref().ok().map(|address| server.routes.of(address));
        let answer = match *method {
            Method::GET => {
                let watched = address.as_ref().ok().and_then(watched);
                let answer = server.get(address, request, With::Content).await;
                if let (Some(id), Ok(answer)) = (watched, &answer) {
                    let target = answer.extensions().get::<TargetDuration>().copied();
                    server.audience.note(id, server.audience.viewer(query, request, peer), target);
                }
                answer
            }
            Method::HEAD => server.get(address, request, With::HeadersOnly).await,
            Method::OPTIONS => Ok(respond(StatusCode::NO_CONTENT, headers::preflight(request), Body::empty())),
            _ => Err(server.problems.method()),
        };
        let mut response = answer.unwrap_or_else(|problem| problem_response(problem, method));
        if let Some(route) = route {
            response.extensions_mut().insert(route);
        }
        response
    }
}

/// The broadcast that somebody watches who asks for this. Multivariant Playlists and pictures are asked for by those who
/// only look what there is.
fn watched(address: &Address) -> Option<BroadcastId> {
    match address {
        Address::Playlist(PlaylistAddress { id, list: List::Media { .. }, .. }) => Some(*id),
        Address::Object(object) => Some(object.id),
        _ => None,
    }
}

/// Whether an answer has its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum With {
    Content,
    HeadersOnly,
}

impl Server {
    async fn get(
        &self,
        address: Result<Address, AddressError>,
        request: &HeaderMap,
        with: With,
    ) -> Result<Response, Problem> {
        match address.map_err(|error| self.problems.address(&error))? {
            Address::Playlist(address) => self.playlist(address, request, with).await,
            Address::Object(address) => Box::pin(self.object(&address, request, with)).await,
            Address::Still(address) => Box::pin(self.still(&address, request, with)).await,
            Address::Gap => {
                let lifetime = Lifetime::Immutable { secs: self.config.immutable_max_age_s };
                let problem = self.problems.not_here("nothing was recorded here: the playlist says EXT-X-GAP");
                Err(problem.header(CACHE_CONTROL, lifetime.cache_control()))
            }
        }
    }

    async fn playlist(&self, address: PlaylistAddress, request: &HeaderMap, with: With) -> Result<Response, Problem> {
        let PlaylistAddress { id, list, until_msn } = address;
        let coding = if accepts_gzip(request) { Coding::Gzip } else { Coding::Identity };
        let mut key = CacheKey { id, list, coding };
        let mut finished = match until_msn {
            Some(msn) => Box::pin(self.finished_with(&key, msn)).await?,
            None => self.finished(&key).await?,
        };
        if let (Some(msn), Ok(sheet)) = (until_msn, &finished.outcome)
            // A client asks for what it lacks next, or for a little more.
            && !sheet.facts.follow_on(msn.saturating_sub(AHEAD_MAX))
        {
            key.list = key.list.whole();
            finished = self.finished(&key).await?;
        }
        if finished.outcome.as_ref().is_err_and(|absence| absence.error == ViewError::NotBegun) {
            finished = Box::pin(self.finished_elsewhere(&key)).await?;
        }
        let sheet = finished.outcome.as_ref().map_err(|absence| self.problems.absence(absence))?;
        let kind = Kind::of_list(&key.list);
        self.metrics.answers.of(kind).inc();
        let target = sheet.facts.target;
        let headers = if until_msn.is_some() { &sheet.awaited } else { &sheet.polled };
        if sheet.etag.is_known_to(request) {
            let answer = respond(StatusCode::NOT_MODIFIED, Sheet::not_modified(headers), Body::empty());
            return Ok(of_target(answer, target));
        }
        let body = match with {
            With::Content => {
                self.metrics.bytes.of(kind).inc_by(sheet.body.len() as u64);
                Body::from(sheet.body.clone())
            }
            With::HeadersOnly => Body::empty(),
        };
        Ok(of_target(respond(StatusCode::OK, headers.clone(), body), target))
    }
}

/// With it goes how soon its viewer should ask again.
fn of_target(mut answer: Response, target: TargetDuration) -> Response {
    answer.extensions_mut().insert(target);
    answer
}

pub(crate) fn respond(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn problem_response(problem: Problem, method: &Method) -> Response {
    let mut response = problem.into_response();
    response.headers_mut().extend(headers::common());
    response.headers_mut().entry(CACHE_CONTROL).or_insert(headers::NO_STORE);
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

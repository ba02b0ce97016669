//! What goes wrong, as problem documents.

use std::time::Duration;

use broadcast::{Seq, State, TargetDuration, ViewError};
use http::StatusCode;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_RANGE};
use metadata::MetadataError;
use service::{Problem, ProblemKind, content_range_unsatisfied};
use storage::StoreError;

use crate::address::AddressError;
use crate::headers::{Lifetime, NO_STORE, allowed_methods};
use crate::render::Absence;
use crate::stills::StillError;

const NO_BROADCAST: ProblemKind =
    ProblemKind::new(StatusCode::NOT_FOUND, "no-such-broadcast", "There is no such broadcast");
const NOT_YET: ProblemKind = ProblemKind::new(StatusCode::NOT_FOUND, "not-yet", "This is still to come");
const NOT_FINISHED: ProblemKind =
    ProblemKind::new(StatusCode::NOT_FOUND, "not-finished", "The recording is not finished");
const LOST: ProblemKind =
    ProblemKind::new(StatusCode::INTERNAL_SERVER_ERROR, "object-lost", "This was stored and cannot be found");

const NO_PICTURE: ProblemKind = ProblemKind::new(StatusCode::NOT_FOUND, "no-picture", "There is no picture of this");
const NO_FFMPEG: ProblemKind =
    ProblemKind::new(StatusCode::NOT_IMPLEMENTED, "no-ffmpeg", "This server cannot make pictures");
const OVER: ProblemKind = ProblemKind::new(StatusCode::GONE, "over", "This playlist is over");

/// When to come back to something whose target duration is not known yet.
const COME_BACK: Duration = Duration::from_secs(2);

/// Makes problems; knows how long caches may keep them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problems {
    pub(crate) absent_max_age_s: u32,
}

impl Problems {
    pub(crate) fn address(self, error: &AddressError) -> Problem {
        match error {
            AddressError::Unknown => self.absent(ProblemKind::NOT_FOUND.detail(error)),
            _ => self.absent(ProblemKind::BAD_REQUEST.detail(error)),
        }
    }

    pub(crate) fn method(self) -> Problem {
        Problem::from(ProblemKind::METHOD_NOT_ALLOWED).header(ALLOW, allowed_methods())
    }

    pub(crate) fn metadata(self, error: &MetadataError) -> Problem {
        match error {
            MetadataError::NotFound { .. } => self.absent(NO_BROADCAST.detail(error)),
            error if error.is_retryable() => {
                let problem = ProblemKind::UNAVAILABLE.detail("the metadata store is away").retry_after(COME_BACK);
                passing(problem)
            }
            error => {
                tracing::error!(error = error as &dyn std::error::Error, "a broadcast cannot be read");
                passing(ProblemKind::INTERNAL.detail(error))
            }
        }
    }

    /// There is no such playlist, for now or for good.
    pub(crate) fn absence(self, absence: &Absence) -> Problem {
        let Absence { error, state, target, generation, .. } = absence;
        let problem = match error {
            ViewError::NotEnded | ViewError::Incomplete { .. } | ViewError::Closing => {
                let missing = if let ViewError::Incomplete { missing } = error { *missing } else { 0 };
                let dvr = "until then dvr has all that was shown live, and catchup all that has arrived";
                NOT_FINISHED
                    .detail(format!("{error}; {dvr}"))
                    .with("missing", missing)
                    .with("use", format!("dvr{generation}.m3u8"))
            }
            // RFC 8216bis, 6.2.1: a playlist that is removed is clearly gone. Its segments stay.
            ViewError::Over | ViewError::NotBegun => {
                let detail = format!("{error}, which the multivariant playlist names");
                OVER.detail(detail).with("use", "../index.m3u8")
            }
            error if absence.may_come() => NOT_YET.detail(format!("{error}; it will be here when it does")),
            error => ProblemKind::NOT_FOUND.detail(error),
        };
        self.coming(problem.with("state", state.word()), absence.may_come(), *target)
    }

    pub(crate) fn no_segment(self, seq: Seq, state: State, target: Option<TargetDuration>) -> Problem {
        let may_come = state != State::Complete;
        let kind = if may_come { NOT_YET } else { ProblemKind::NOT_FOUND };
        let problem = kind.detail(format!("segment {seq} has not arrived")).with("state", state.word());
        self.coming(problem, may_come, target)
    }

    pub(crate) fn not_here(self, what: &str) -> Problem {
        self.absent(ProblemKind::NOT_FOUND.detail(what))
    }

    /// RFC 8216bis, 6.2.5.2: further ahead than a client can have reason to ask.
    pub(crate) fn too_far_ahead(self, msn: u64, last_msn: u64) -> Problem {
        let detail = format!("_HLS_msn={msn} is more than two beyond the last entry");
        self.absent(ProblemKind::BAD_REQUEST.detail(detail).with("last_msn", last_msn))
    }

    pub(crate) fn waited_in_vain(self, msn: u64, target: TargetDuration) -> Problem {
        let problem = ProblemKind::UNAVAILABLE.detail(format!("entry {msn} did not come in time"));
        passing(problem.retry_after(seconds(Some(target))))
    }

    pub(crate) fn too_many_wait(self, waiters_max: usize, target: TargetDuration) -> Problem {
        let detail = "too many requests wait for playlists to grow; ask without _HLS_msn";
        let problem = ProblemKind::UNAVAILABLE.detail(detail).with("max", waiters_max);
        passing(problem.retry_after(seconds(Some(target))))
    }

    /// The log lists it, and the store did not give it.
    pub(crate) fn store(self, error: &StoreError) -> Problem {
        if error.is_retryable() {
            passing(ProblemKind::UNAVAILABLE.detail("the store did not answer").retry_after(COME_BACK))
        } else {
            passing(LOST.into())
        }
    }

    pub(crate) fn wrong_length(self) -> Problem {
        passing(LOST.into())
    }

    pub(crate) fn unsatisfiable(self, len: u64) -> Problem {
        let problem = ProblemKind::RANGE_NOT_SATISFIABLE.detail(format!("there are {len} bytes"));
        self.absent(problem.header(CONTENT_RANGE, content_range_unsatisfied(len)))
    }

    /// Nothing can be seen in it, now and for ever.
    pub(crate) fn no_picture(self, why: &str) -> Problem {
        self.absent(NO_PICTURE.detail(why))
    }

    /// Nothing has been recorded that can be seen; it may still come.
    pub(crate) fn no_picture_yet(self, state: State, target: Option<TargetDuration>) -> Problem {
        let problem = NO_PICTURE.detail("nothing has been recorded that could be seen").with("state", state.word());
        self.coming(problem, state != State::Complete, target)
    }

    pub(crate) fn still(self, error: &StillError) -> Problem {
        match error {
            StillError::Busy { max } => {
                let problem = ProblemKind::UNAVAILABLE.detail(error).with("max", *max);
                passing(problem.retry_after(COME_BACK))
            }
            StillError::NotInstalled => passing(NO_FFMPEG.detail(error)),
            StillError::Store(error) => self.store(error),
            StillError::Io(error) => {
                tracing::error!(error = error as &dyn std::error::Error, "ffmpeg cannot be run");
                passing(ProblemKind::INTERNAL.detail("ffmpeg cannot be run"))
            }
        }
    }

    fn coming(self, problem: Problem, may_come: bool, target: Option<TargetDuration>) -> Problem {
        self.absent(if may_come { problem.retry_after(seconds(target)) } else { problem })
    }

    fn absent(self, problem: Problem) -> Problem {
        let lifetime = Lifetime::Absent { secs: self.absent_max_age_s };
        problem.header(CACHE_CONTROL, lifetime.cache_control())
    }
}

/// It says something about us, and not about what was asked for.
fn passing(problem: Problem) -> Problem {
    problem.header(CACHE_CONTROL, NO_STORE)
}

fn seconds(target: Option<TargetDuration>) -> Duration {
    target.map_or(COME_BACK, |target| Duration::from_secs(target.secs().into()))
}

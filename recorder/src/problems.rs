//! What goes wrong between a publisher and the stores, as problem documents.

use std::time::Duration;

use metadata::MetadataError;
use service::{Problem, ProblemKind};
use storage::StoreError;

/// When to try again after a failure of our own.
pub(crate) const RETRY_SOON: Duration = Duration::from_secs(2);
/// When to try again when the disk is full.
pub(crate) const RETRY_LATER: Duration = Duration::from_secs(30);

/// The bytes are not those that their digest was made of.
pub(crate) const DIGEST_MISMATCH: ProblemKind =
    ProblemKind::new(http::StatusCode::UNPROCESSABLE_ENTITY, "digest-mismatch", "The bytes do not match their digest");
/// Not something that can be played.
pub(crate) const NOT_MEDIA: ProblemKind =
    ProblemKind::new(http::StatusCode::UNPROCESSABLE_ENTITY, "not-a-media-segment", "This is not a media segment");
/// A fragmented-MP4 segment came before its init section.
pub(crate) const NO_INIT: ProblemKind =
    ProblemKind::new(http::StatusCode::CONFLICT, "no-init-section", "The init section has to be sent first");
/// Another segment has this number.
pub(crate) const OTHER_BYTES: ProblemKind =
    ProblemKind::new(http::StatusCode::CONFLICT, "other-bytes-stored", "Other bytes are stored under this number");
/// The broadcast has ended before this segment.
pub(crate) const ENDED: ProblemKind = ProblemKind::new(http::StatusCode::CONFLICT, "ended", "The broadcast has ended");
/// It has not ended, and what has not come may still come.
pub(crate) const GOES_ON: ProblemKind =
    ProblemKind::new(http::StatusCode::CONFLICT, "goes-on", "The broadcast has not ended");
/// The publisher has said that this would never come.
pub(crate) const ABANDONED: ProblemKind =
    ProblemKind::new(http::StatusCode::CONFLICT, "abandoned", "This segment was abandoned");
/// One rendition more than a broadcast may have.
pub(crate) const TOO_MANY_RENDITIONS: ProblemKind =
    ProblemKind::new(http::StatusCode::CONFLICT, "too-many-renditions", "This broadcast has all the renditions it may");
/// A number that no publisher can have come to.
pub(crate) const TOO_FAR_AHEAD: ProblemKind =
    ProblemKind::new(http::StatusCode::UNPROCESSABLE_ENTITY, "too-far-ahead", "This number is too far ahead");
/// No room for more.
pub(crate) const FULL: ProblemKind =
    ProblemKind::new(http::StatusCode::SERVICE_UNAVAILABLE, "storage-full", "This recorder has no room left");

pub(crate) fn of_metadata(error: MetadataError) -> Problem {
    match error {
        MetadataError::NotFound { .. } => ProblemKind::NOT_FOUND.detail(error),
        MetadataError::AlreadyOpened { .. } | MetadataError::Stale { .. } => ProblemKind::CONFLICT.detail(error),
        MetadataError::TooMany { .. }
        | MetadataError::Refused { .. }
        | MetadataError::NodeTooLarge { .. }
        | MetadataError::TooManyLetters { .. }
        | MetadataError::LetterTooLong { .. } => ProblemKind::BAD_REQUEST.detail(error),
        MetadataError::Full { .. } => ProblemKind::CONFLICT.detail(error),
        // It is put back by whoever knows it, or by a rebuild.
        MetadataError::Unavailable(_) | MetadataError::Lost { .. } => {
            tracing::warn!(error = &error as &dyn std::error::Error, "metadata store unavailable");
            ProblemKind::UNAVAILABLE.detail(error).retry_after(RETRY_SOON)
        }
        MetadataError::Corrupt { .. } => {
            tracing::error!(error = &error as &dyn std::error::Error, "metadata store unreadable");
            ProblemKind::INTERNAL.detail(error)
        }
    }
}

pub(crate) fn of_store(error: StoreError) -> Problem {
    match error {
        StoreError::Full { needed, available } => {
            FULL.detail(error).with("needed", needed).with("available", available).retry_after(RETRY_LATER)
        }
        StoreError::Busy { .. } => ProblemKind::UNAVAILABLE.detail(error).retry_after(RETRY_SOON),
        StoreError::NotFound => ProblemKind::NOT_FOUND.detail(error),
        StoreError::Away { .. } | StoreError::Refused { .. } => {
            tracing::warn!(error = &error as &dyn std::error::Error, "hot store unavailable");
            ProblemKind::UNAVAILABLE.detail("the hot store is away").retry_after(RETRY_SOON)
        }
        StoreError::Changed => ProblemKind::UNAVAILABLE.detail(error).retry_after(RETRY_SOON),
        StoreError::Io { .. } | StoreError::Unreadable { .. } | StoreError::ReadOnly | StoreError::Damaged { .. } => {
            tracing::error!(error = &error as &dyn std::error::Error, "local storage failed");
            ProblemKind::UNAVAILABLE.detail("the recorder's disk failed").retry_after(RETRY_SOON)
        }
    }
}

//! A stored segment, read through an inspector.

use futures_util::StreamExt;
use media::{InspectError, Inspection, Inspector};
use storage::{Blob, StoreError};

/// Why a stored segment could not be inspected.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("not a media segment")]
    Media(#[from] InspectError),
}

/// Reads it to its end.
pub async fn inspect(blob: Blob, mut inspector: Inspector) -> Result<Inspection, ReadError> {
    let mut bytes = blob.into_stream();
    while let Some(piece) = bytes.next().await {
        inspector.push(&piece?)?;
    }
    Ok(inspector.finish()?)
}

//! Bytes on their way from one place to another: as a stream, of a length known beforehand.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::error::StoreError;

/// An object, or a part of one, as a stream.
pub struct Blob {
    object_len: u64,
    range: Range<u64>,
    bytes: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl Blob {
    /// A whole object. `bytes` must give `len` bytes or an error.
    pub fn new(len: u64, bytes: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static) -> Self {
        Self::part(len, 0..len, bytes)
    }

    /// The bytes `range` of an object of `object_len` bytes.
    pub fn part(
        object_len: u64,
        range: Range<u64>,
        bytes: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
    ) -> Self {
        Self { object_len, range, bytes: bytes.boxed() }
    }

    /// How many bytes the stream gives.
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Which bytes of the object these are: what was asked for, as far as the object reaches.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The length of the whole object.
    pub fn object_len(&self) -> u64 {
        self.object_len
    }

    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        self.bytes
    }

    /// All of it in memory.
    pub async fn collect(self) -> Result<Bytes, StoreError> {
        let pieces: Vec<Bytes> = self.bytes.try_collect().await?;
        match <[Bytes; 1]>::try_from(pieces) {
            Ok([only]) => Ok(only),
            Err(pieces) => Ok(pieces
                .iter()
                .fold(BytesMut::new(), |mut all, piece| {
                    all.extend_from_slice(piece);
                    all
                })
                .freeze()),
        }
    }
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Self {
        Self::new(bytes.len() as u64, stream::iter([Ok(bytes)]))
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({:?} of {})", self.range, self.object_len)
    }
}

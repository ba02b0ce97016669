//! Objects on their way out: a few large reads, each on a thread that may block.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use rustix::buffer::spare_capacity;

use crate::blob::Blob;
use crate::disk::Disk;
use crate::error::StoreError;
use crate::hop::Hop;

/// How much is read at once, in bytes: what one reader holds in memory.
const PIECE_LEN: usize = 256 << 10;

/// The file's bytes `range`, as far as it has them. Opening it and reading the first piece is one hop.
pub(super) async fn read(
    (hop, disk): (&Hop, &Disk),
    path: PathBuf,
    range: Option<Range<u64>>,
) -> Result<Blob, StoreError> {
    let disk = disk.clone();
    let open = move || {
        let mut reader = Reader::open(disk, path, range)?;
        Ok((reader.next_piece()?, reader))
    };
    let (first, reader) = hop.run("read", open).await?;
    let (len, range) = (reader.len, reader.range.clone());
    let hop = hop.clone();
    let rest = stream::try_unfold((hop, reader), |(hop, mut reader)| async move {
        if reader.left.is_empty() {
            return Ok(None);
        }
        let (piece, reader) = hop.run("read", move || Ok((reader.next_piece()?, reader))).await?;
        Ok(Some((piece, (hop, reader))))
    });
    let first = stream::iter((!first.is_empty()).then_some(Ok(first)));
    Ok(Blob::part(len, range, first.chain(rest)))
}

struct Reader {
    disk: Disk,
    path: Arc<PathBuf>,
    file: File,
    len: u64,
    range: Range<u64>,
    left: Range<u64>,
}

impl Reader {
    fn open(disk: Disk, path: PathBuf, range: Option<Range<u64>>) -> Result<Self, StoreError> {
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (found, file) = match opened {
            Ok((found, file)) if found.is_file() => (found, file),
            Ok(_) => return Err(StoreError::NotFound),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::NotFound),
            Err(error) => return Err(StoreError::io("open", &path, error)),
        };
        let len = found.len();
        let asked = range.unwrap_or(0..len);
        let start = asked.start.min(len);
        let range = start..asked.end.clamp(start, len);
        Ok(Self { disk, path: Arc::new(path), file, len, left: range.clone(), range })
    }

    fn next_piece(&mut self) -> Result<Bytes, StoreError> {
        self.disk.before_read(&self.path)?;
        let left = self.left.end - self.left.start;
        let wanted = usize::try_from(left).unwrap_or(PIECE_LEN).min(PIECE_LEN);
        let mut piece = Vec::with_capacity(wanted);
        while piece.len() < wanted {
            let at = self.left.start + piece.len() as u64;
            match rustix::io::pread(&self.file, spare_capacity(&mut piece), at) {
                Ok(0) => return Err(self.failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(self.failed(error.into())),
            }
        }
        // The allocator may have given more room than was asked for.
        piece.truncate(wanted);
        self.left.start += wanted as u64;
        Ok(piece.into())
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::io("read", &self.path, error)
    }
}

//! Files that somebody else writes: read so that what is read is what was there at one moment, or not at all.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bytes::Bytes;

use super::listing::FileName;

/// When a file was last written, by the file system, and what tells it from another of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Since the Unix epoch.
    pub(super) at_ns: i64,
    len: u64,
    inode: u64,
}

impl Written {
    fn of(metadata: &Metadata) -> Self {
        let at_ns = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { at_ns, len: metadata.len(), inode: metadata.ino() }
    }

    pub(super) fn at_ms(&self) -> i64 {
        self.at_ns.div_euclid(1_000_000)
    }
}

/// What was found under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    /// Empty, or written to while it was read.
    Changing,
    TooLong,
    Whole(Bytes, Written),
}

/// Reads a file of at most `len_max` bytes. It may still be one that its writer has not finished: this only says that
/// nobody wrote to it meanwhile.
pub(super) fn read(path: &Path, len_max: u64) -> io::Result<Found> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        opened => opened?,
    };
    let before = file.metadata()?;
    if !before.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if before.len() > len_max {
        return Ok(Found::TooLong);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
    (&mut file).take(len_max + 1).read_to_end(&mut bytes)?;
    let (read, written) = (bytes.len() as u64, Written::of(&before));
    let same = written == Written::of(&file.metadata()?) && stat(path)? == Some(written);
    Ok(if same && read == written.len && read > 0 { Found::Whole(bytes.into(), written) } else { Found::Changing })
}

/// When a file was written, if it is there.
pub(super) fn stat(path: &Path) -> io::Result<Option<Written>> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        metadata => Ok(Some(Written::of(&metadata?))),
    }
}

/// Reads what a playlist names.
pub(super) fn read_named(root: &Path, name: &FileName, len_max: u64) -> io::Result<Found> {
    match read(&root.join(&name.written), len_max)? {
        Found::Absent if name.decoded != name.written => read(&root.join(&name.decoded), len_max),
        found => Ok(found),
    }
}

/// When what a playlist names was written, if it is there.
pub(super) fn stat_named(root: &Path, name: &FileName) -> io::Result<Option<Written>> {
    match stat(&root.join(&name.written))? {
        None if name.decoded != name.written => stat(&root.join(&name.decoded)),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_and_whole_is_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a");
        assert_eq!(read(&path, 10).expect("read"), Found::Absent);
        std::fs::write(&path, "").expect("written");
        assert_eq!(read(&path, 10).expect("read"), Found::Changing);
        std::fs::write(&path, "0123456789").expect("written");
        assert!(matches!(read(&path, 10).expect("read"), Found::Whole(bytes, _) if &bytes[..] == b"0123456789"));
        assert_eq!(read(&path, 9).expect("read"), Found::TooLong);
        assert!(read(dir.path(), 9).is_err());
    }
}

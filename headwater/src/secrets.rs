//! The secrets of an installation: the owner key, and the key that tokens are signed with. Made at the first start,
//! kept in the data directory, readable by nobody else.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use broadcast::TokenKey;
use service::Random;

/// A secret in a file, and whether it was just made.
pub(crate) struct Kept {
    pub(crate) text: String,
    pub(crate) is_new: bool,
}

/// The owner key in `dir`.
pub(crate) fn owner_key(dir: &Path, random: &Random) -> anyhow::Result<Kept> {
    kept(&dir.join("owner-key"), || hex(&random.bytes::<16>()))
}

/// The token key in `dir`.
pub(crate) fn token_key(dir: &Path, random: &Random) -> anyhow::Result<TokenKey> {
    let path = dir.join("token-key");
    let text = kept(&path, || hex(&random.bytes::<32>()))?.text;
    let secret = unhex(&text).with_context(|| format!("{} does not hold 64 hexadecimal digits", path.display()))?;
    Ok(TokenKey::new(&secret))
}

/// What `path` holds, or what `make` makes, durably.
fn kept(path: &Path, make: impl FnOnce() -> String) -> anyhow::Result<Kept> {
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok(Kept { text: text.trim().to_owned(), is_new: false }),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let text = make();
    write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Kept { text, is_new: true })
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_are_nobody_elses() {
        let dir = tempfile::tempdir().expect("a directory");
        let random = Random::seeded(1);
        let first = owner_key(dir.path(), &random).expect("made");
        let second = owner_key(dir.path(), &random).expect("read");
        assert!(first.is_new && !second.is_new && first.text == second.text && first.text.len() == 32);
        let mode = std::fs::metadata(dir.path().join("owner-key")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        token_key(dir.path(), &random).expect("made");
        std::fs::write(dir.path().join("token-key"), "short").expect("written");
        assert!(token_key(dir.path(), &random).is_err());
    }
}

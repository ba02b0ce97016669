//! The secrets of an installation: the owner key, and the key that tokens are signed with. Made at the first start,
//! kept in the data directory, readable by nobody else.
//!
//! All nodes of a fleet must have the same ones: the first node's go into the metadata store, the others take them from
//! there, and all keep them in their own directories too, so that the store may lose them.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use broadcast::TokenKey;
use metadata::{MetadataError, Nodes};
use service::Random;

/// What the files are called, and the values in the store.
const OWNER_KEY: &str = "owner-key";
const TOKEN_KEY: &str = "token-key";

/// A secret in a file, and whether it was just put there.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) text: String,
    pub(crate) is_new: bool,
}

/// A secret that the store should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// The owner key in `dir`.
pub(crate) fn owner_key(dir: &Path, random: &Random) -> anyhow::Result<Kept> {
    kept(&dir.join(OWNER_KEY), || Ok(new_owner_key(random)))
}

/// The token key in `dir`.
pub(crate) fn token_key(dir: &Path, random: &Random) -> anyhow::Result<TokenKey> {
    let path = dir.join(TOKEN_KEY);
    read_token_key(&kept(&path, || Ok(new_token_key(random)))?.text, &path)
}

/// What a node was called at its first start in `dir`.
pub(crate) fn node_name(dir: &Path, make: impl FnOnce() -> String) -> anyhow::Result<String> {
    Ok(kept(&dir.join("node-name"), || Ok(make()))?.text)
}

/// What the node of `dir` is called, if it was started before.
pub(crate) fn known_node_name(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join("node-name")).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The fleet's owner key, also in `dir`. Fails with a [`MetadataError`] if the store is away.
pub(crate) async fn shared_owner_key(dir: &Path, random: &Random, nodes: &dyn Nodes) -> anyhow::Result<(Kept, Agreed)> {
    shared(dir, OWNER_KEY, || new_owner_key(random), nodes).await
}

/// The fleet's token key, also in `dir`. Fails with a [`MetadataError`] if the store is away.
pub(crate) async fn shared_token_key(
    dir: &Path,
    random: &Random,
    nodes: &dyn Nodes,
) -> anyhow::Result<(TokenKey, Agreed)> {
    let (kept, agreed) = shared(dir, TOKEN_KEY, || new_token_key(random), nodes).await?;
    Ok((read_token_key(&kept.text, &dir.join(TOKEN_KEY))?, agreed))
}

/// The fleet's token key, for a node that keeps none: `None` as long as there is none.
pub(crate) async fn agreed_token_key(nodes: &dyn Nodes) -> Result<Option<TokenKey>, Box<dyn Error + Send + Sync>> {
    let Some(text) = nodes.agreed(TOKEN_KEY).await? else { return Ok(None) };
    let secret = unhex(&text).ok_or("the metadata store's token-key is not 64 hexadecimal digits")?;
    Ok(Some(TokenKey::new(&secret)))
}

/// Puts back what the store may have lost. Says which it holds otherwise: then somebody began anew while it had lost it.
pub(crate) async fn put_back(agreed: &[Agreed], nodes: &dyn Nodes) -> Result<Vec<&'static str>, MetadataError> {
    let mut differ = Vec::new();
    for Agreed { name, value } in agreed {
        if nodes.agree(name, value).await? != *value {
            differ.push(*name);
        }
    }
    Ok(differ)
}

async fn shared(
    dir: &Path,
    name: &'static str,
    make: impl FnOnce() -> String,
    nodes: &dyn Nodes,
) -> anyhow::Result<(Kept, Agreed)> {
    let path = dir.join(name);
    let ours = read(&path)?;
    let is_new = ours.is_none();
    let ours = ours.unwrap_or_else(make);
    let text = nodes.agree(name, &ours).await?;
    let agreed = Agreed { name, value: text.clone() };
    if is_new {
        write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    } else if text != ours {
        bail!(
            "{} holds another {name} than the metadata store, so this node would not understand the others: if it should \
             join them, remove that file; if it should not, give it a metadata store of its own",
            path.display()
        );
    }
    Ok((Kept { text, is_new }, agreed))
}

fn new_owner_key(random: &Random) -> String {
    hex(&random.bytes::<16>())
}

fn new_token_key(random: &Random) -> String {
    hex(&random.bytes::<32>())
}

fn read_token_key(text: &str, path: &Path) -> anyhow::Result<TokenKey> {
    let secret = unhex(text).with_context(|| format!("{} does not hold 64 hexadecimal digits", path.display()))?;
    Ok(TokenKey::new(&secret))
}

/// The secret in PEM that `path` holds, or what `make` makes, durably.
pub(crate) fn kept_pem(path: &Path, make: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<String> {
    Ok(kept(path, make)?.text + "\n")
}

/// Durably, and all at once.
pub(crate) fn write_pem(path: &Path, text: &str) -> std::io::Result<()> {
    write(path, text.trim_end())
}

/// What `path` holds, or what `make` makes, durably.
fn kept(path: &Path, make: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<Kept> {
    if let Some(text) = read(path)? {
        return Ok(Kept { text, is_new: false });
    }
    let text = make()?;
    write(path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Kept { text, is_new: true })
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
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

    use metadata::{Limits, Sqlite};
    use service::Clock;
    use tempfile::{TempDir, tempdir};

    use super::*;

    #[test]
    fn secrets_are_made_once_and_are_nobody_elses() {
        let dir = tempdir().expect("a directory");
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

    /// A store that knows nothing yet.
    async fn store(dir: &TempDir, name: &str) -> Sqlite {
        Sqlite::open(&dir.path().join(name), Limits::default(), Clock::system()).await.expect("opened")
    }

    #[tokio::test]
    async fn a_fleet_has_one_secret_that_survives_the_store() {
        let (one, other, random) = (tempdir().expect("a directory"), tempdir().expect("another"), Random::seeded(1));
        let fleet = store(&one, "fleet").await;
        let (first, agreed) = shared_owner_key(one.path(), &random, &fleet).await.expect("made");
        let (second, _) = shared_owner_key(other.path(), &random, &fleet).await.expect("taken");
        assert!(first.is_new && second.is_new && first.text == second.text);
        assert_eq!(owner_key(other.path(), &random).expect("kept").text, first.text);

        // The store loses it, and whoever comes first puts it back.
        let lost = store(&one, "lost").await;
        assert_eq!(put_back(std::slice::from_ref(&agreed), &lost).await.expect("reached"), [""; 0]);
        let (third, _) = shared_owner_key(other.path(), &random, &lost).await.expect("the same");
        assert!(!third.is_new && third.text == first.text);

        // Another fleet.
        let strangers = store(&one, "strangers").await;
        strangers.agree(OWNER_KEY, "theirs").await.expect("made");
        assert_eq!(put_back(&[agreed], &strangers).await.expect("reached"), [OWNER_KEY]);
        let refused = shared_owner_key(one.path(), &random, &strangers).await.expect_err("it is another's");
        assert!(refused.to_string().contains("remove that file"), "{refused}");
    }
}

//! Looks into a publisher's spool from outside: it never deletes what is not safe.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use broadcast::Digest;

use crate::phone::Phone;
use crate::truth::Truth;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Watches a spool for ever. What is in `safe_dirs` is safe.
pub(crate) async fn watch(phone: Arc<Phone>, safe_dirs: Vec<PathBuf>, truth: Truth) {
    let mut deleted = BTreeSet::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        look(&phone, &safe_dirs, &truth, &mut deleted);
    }
}

fn look(phone: &Phone, safe_dirs: &[PathBuf], truth: &Truth, deleted: &mut BTreeSet<Digest>) {
    let recorded = truth.recorded_of(phone.id);
    for rendition in &phone.form.renditions {
        let of = |dir: &Path| dir.join("segments").join(phone.id.to_string()).join(rendition.as_str());
        let here = digests_in(&of(&phone.dir));
        let of_it = recorded.iter().filter(|(name, _)| name.rendition == *rendition);
        let gone: Vec<_> = of_it.filter(|(_, digest)| !here.contains(digest) && !deleted.contains(*digest)).collect();
        if gone.is_empty() {
            continue;
        }
        let safe: BTreeSet<Digest> = safe_dirs.iter().flat_map(|dir| digests_in(&of(dir))).collect();
        for (name, digest) in gone {
            if !safe.contains(digest) {
                truth.violated(format!(
                    "the spool of {} has deleted {rendition} {}, which is not safe",
                    phone.id, name.seq
                ));
            }
            deleted.insert(*digest);
        }
    }
}

/// Of the segments in a directory; see `broadcast::Key` for their names.
pub(crate) fn digests_in(dir: &Path) -> BTreeSet<Digest> {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let digest = |file: std::fs::DirEntry| {
        let name = file.file_name().into_string().ok()?;
        name.split_once('.')?.0.split('-').nth(3)?.parse().ok()
    };
    files.filter_map(digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_digests() {
        let dir = tempfile::tempdir().expect("a directory");
        let digest = Digest([7; 16]);
        for name in
            [format!("000-1-2-{digest}.ts"), format!("001-1-2-{digest}-0102030405060708.m4s"), "init-x.mp4".into()]
        {
            std::fs::write(dir.path().join(name), b"").expect("written");
        }
        assert_eq!(digests_in(dir.path()), BTreeSet::from([digest]));
        assert_eq!(digests_in(&dir.path().join("none")), BTreeSet::new());
    }
}

//! Whether stores and log agree, and if not, in what.

use std::collections::BTreeSet;

use broadcast::{Broadcast, BroadcastId, Key, Object};
use metadata::Metadata;
use serde::Serialize;
use storage::{StoreError, verified};

use crate::found::{Objects, SyncError, Tier, broadcasts_in, broadcasts_logged, log_of, objects};

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Reads every byte, too.
    pub digests: bool,
    /// Only these; all if there are none.
    pub only: Vec<BroadcastId>,
}

/// In what they do not agree, or what is to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The log lists it, and no store has it.
    Missing,
    /// The log says that it is safe, and the hot store has it not.
    NotHot,
    WrongLength,
    WrongDigest,
    /// A store has it, and the log does not list it.
    Unlisted,
    /// A store has a broadcast of which there is no log.
    NoLog,
    /// No store has a document of the broadcast: a log made anew would lack its title and its end.
    NoDocument,
    /// Stored, and not safe yet. Nothing is wrong with that.
    NotSafe,
}

impl Kind {
    pub fn is_wrong(self) -> bool {
        self != Self::NotSafe
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotHot => "not-hot",
            Self::WrongLength => "wrong-length",
            Self::WrongDigest => "wrong-digest",
            Self::Unlisted => "unlisted",
            Self::NoLog => "no-log",
            Self::NoDocument => "no-document",
            Self::NotSafe => "not-safe",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    pub broadcast: String,
    /// The object; empty if it is about the broadcast.
    pub key: String,
    pub detail: String,
}

/// What was looked at, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub broadcasts: u64,
    pub segments: u64,
    pub bytes: u64,
    pub wrong: u64,
    pub not_safe: u64,
}

/// Tells each finding, and after each broadcast what was checked so far of how many.
pub async fn check(
    metadata: &dyn Metadata,
    tiers: &[Tier],
    options: &CheckOptions,
    mut tell: impl FnMut(Finding),
    mut progress: impl FnMut(&Checked, usize),
) -> Result<Checked, SyncError> {
    let logged = broadcasts_logged(metadata).await?;
    let mut ids: BTreeSet<BroadcastId> = broadcasts_in(tiers).await?.union(&logged).copied().collect();
    if !options.only.is_empty() {
        ids = options.only.iter().copied().collect();
    }
    let (mut checked, all) = (Checked::default(), ids.len());
    for id in ids {
        let mut checking = Checking { tiers, options, id, checked: &mut checked, tell: &mut tell };
        checking.broadcast(metadata).await?;
        checked.broadcasts += 1;
        progress(&checked, all);
    }
    Ok(checked)
}

struct Checking<'a> {
    tiers: &'a [Tier],
    options: &'a CheckOptions,
    id: BroadcastId,
    checked: &'a mut Checked,
    tell: &'a mut dyn FnMut(Finding),
}

impl Checking<'_> {
    async fn broadcast(&mut self, metadata: &dyn Metadata) -> Result<(), SyncError> {
        // The stores first: what is stored after that is in the log by then, not the other way round.
        let objects = objects(self.tiers, self.id).await?;
        let log = log_of(metadata, self.id).await?;
        let log = Broadcast::replay(&log).map_err(|source| SyncError::Log { id: self.id, source })?;
        let Some(log) = log else {
            if !objects.keys.is_empty() {
                self.say(Kind::NoLog, None, format!("{} objects of a broadcast without a log", objects.keys.len()));
            }
            return Ok(());
        };
        let listed = self.listed(&log, &objects).await?;
        for (key, there) in &objects.keys {
            let of_segment = !matches!(key.object, Object::Document);
            if of_segment && !listed.contains(key) {
                let names: Vec<&str> = there.iter().map(|(at, _)| self.tiers[*at].name).collect();
                self.say(Kind::Unlisted, Some(key), names.join(","));
            }
        }
        for (at, name) in &objects.foreign {
            self.say(Kind::Unlisted, None, format!("{}: {name}", self.tiers[*at].name));
        }
        if !objects.keys.contains_key(&Key::of_document(self.id)) {
            self.say(Kind::NoDocument, None, String::new());
        }
        Ok(())
    }

    /// Looks at all that the log lists.
    async fn listed(&mut self, log: &Broadcast, objects: &Objects) -> Result<BTreeSet<Key>, SyncError> {
        let mut listed = BTreeSet::new();
        for rendition in log.renditions() {
            for init in rendition.formats().filter_map(|format| format.init) {
                let key = Key::of_init(self.id, rendition.name().clone(), init.digest);
                // One that was announced and never used by a segment need not have been copied.
                self.object(&key, init.len, log.opened().stored_is_safe, None, objects).await?;
                listed.insert(key);
            }
            for segment in rendition.segments() {
                let key = Key::of_segment(self.id, segment);
                let is_safe = log.safe(rendition.name()).is_some_and(|safe| safe.contains(segment.seq));
                self.checked.segments += 1;
                self.checked.bytes += segment.len;
                let asks_for_copy = !log.opened().stored_is_safe;
                self.object(&key, segment.len, is_safe, Some(asks_for_copy), objects).await?;
                listed.insert(key);
            }
        }
        Ok(listed)
    }

    /// `asks_for_copy`: of a segment, whether it is to be in the hot store.
    async fn object(
        &mut self,
        key: &Key,
        len: u64,
        is_safe: bool,
        asks_for_copy: Option<bool>,
        objects: &Objects,
    ) -> Result<(), SyncError> {
        let Some(there) = objects.keys.get(key) else {
            let hint = if is_safe {
                "in none of the stores"
            } else {
                "in none of the stores, and not safe yet: \
                perhaps on another recorder's disk"
            };
            self.say(Kind::Missing, Some(key), hint.to_owned());
            return Ok(());
        };
        let looks_at_hot = self.tiers.iter().any(|tier| tier.is_hot);
        let is_hot = there.iter().any(|(at, _)| self.tiers[*at].is_hot);
        if asks_for_copy == Some(true) && !is_safe {
            self.checked.not_safe += 1;
            self.say(Kind::NotSafe, Some(key), String::new());
        } else if asks_for_copy == Some(true) && looks_at_hot && !is_hot {
            self.say(Kind::NotHot, Some(key), "the log says that it is safe".to_owned());
        }
        for (at, found) in there {
            let tier = &self.tiers[*at];
            if *found != len {
                self.say(Kind::WrongLength, Some(key), format!("{}: {found} bytes, {len} by the log", tier.name));
            } else if self.options.digests {
                match tier.store.read(key, None).await {
                    Ok(blob) => match drain(verified(key, blob)).await {
                        Ok(()) => {}
                        Err(StoreError::Damaged { .. }) => {
                            self.say(Kind::WrongDigest, Some(key), tier.name.to_owned());
                        }
                        Err(error) => return Err(error.into()),
                    },
                    // Deleted meanwhile.
                    Err(StoreError::NotFound) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn say(&mut self, kind: Kind, key: Option<&Key>, detail: String) {
        self.checked.wrong += u64::from(kind.is_wrong());
        let key = key.map(ToString::to_string).unwrap_or_default();
        (self.tell)(Finding { kind, broadcast: self.id.to_string(), key, detail });
    }
}

async fn drain(blob: storage::Blob) -> Result<(), StoreError> {
    use futures_util::TryStreamExt;
    blob.into_stream().try_for_each(|_| std::future::ready(Ok(()))).await
}

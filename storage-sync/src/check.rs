//! Whether stores and log agree, and if not, in what.

mod others;

use std::collections::BTreeSet;

use broadcast::{Broadcast, BroadcastId, Document, DocumentFold, Event, FormatId, Key, Lack, LogEntry, Object};
use metadata::Metadata;
use serde::Serialize;
use storage::{Store, StoreError, verified};

use crate::finding::{Finding, Kind};
use crate::found::{Documents, Objects, SyncError, Tier, broadcasts_in, broadcasts_logged, log_of, objects};
use crate::rebuild::shown;
pub use others::Others;
use others::Whereabouts;

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Reads every byte, too.
    pub digests: bool,
    /// Only these; all if there are none.
    pub only: Vec<BroadcastId>,
    /// Who else may have what is not here; nobody, on one machine.
    pub others: Option<Others>,
}

/// What was looked at, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub broadcasts: u64,
    pub segments: u64,
    pub bytes: u64,
    pub wrong: u64,
    pub not_safe: u64,
    /// What those may have who could not be asked.
    pub not_checked: u64,
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
        let mut checking =
            Checking { tiers, options, id, nodes: BTreeSet::new(), checked: &mut checked, tell: &mut tell };
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
    /// Who took it in, by the log.
    nodes: BTreeSet<String>,
    checked: &'a mut Checked,
    tell: &'a mut dyn FnMut(Finding),
}

impl Checking<'_> {
    async fn broadcast(&mut self, metadata: &dyn Metadata) -> Result<(), SyncError> {
        // The stores first: what is stored after that is in the log by then, not the other way round.
        let objects = objects(self.tiers, self.id).await?;
        let entries = log_of(metadata, self.id).await?;
        let log = Broadcast::replay(&entries).map_err(|source| SyncError::Log { id: self.id, source })?;
        let Some(log) = log else {
            if !objects.keys.is_empty() {
                self.say(Kind::NoLog, None, format!("{} objects of a broadcast without a log", objects.keys.len()));
            }
            return Ok(());
        };
        self.nodes = entries.iter().filter_map(recorded_by).collect();
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
        self.documents(&log, &entries, &objects).await
    }

    /// Whether log and documents tell the same.
    async fn documents(&mut self, log: &Broadcast, entries: &[LogEntry], objects: &Objects) -> Result<(), SyncError> {
        // Later than the log, by which they are written.
        let (key, documents) = (Key::of_document(self.id), Documents::read(self.tiers, objects, self.id).await?);
        for at in &documents.damaged {
            self.say(Kind::Damaged, Some(&key), self.tiers[*at].name.to_owned());
        }
        let Some(best) = documents.best() else {
            self.say(Kind::NoDocument, None, String::new());
            return Ok(());
        };
        let logged = DocumentFold::of(entries);
        for lack in logged.lacks(best) {
            let detail = match lack {
                Lack::Before(event) | Lack::After(event) => shown(&event),
                Lack::Unplaced { event, why } => format!("{}: {why}", shown(&event)),
            };
            self.say(Kind::NotLogged, Some(&key), detail);
        }
        let is_hot = |at: &usize| self.tiers[*at].is_hot;
        let hot = documents.found.iter().find(|(at, _)| is_hot(at)).map(|(_, document)| document);
        let wants_hot = !log.opened().stored_is_safe && self.looks_at_hot();
        self.behind(if wants_hot { hot } else { Some(best) }, &logged.document(), wants_hot);
        Ok(())
    }

    fn behind(&mut self, told: Option<&Document>, log: &Document, is_hot: bool) {
        let key = Key::of_document(self.id);
        let Some(told) = told else {
            return self.say(Kind::NotDocumented, Some(&key), "the hot store has no document".to_owned());
        };
        for event in told.lacks(log) {
            // Whoever committed it has written it down, if only on its own disk.
            let may_be_elsewhere = !is_hot && self.options.others.is_some();
            let kind = if may_be_elsewhere { Kind::Elsewhere } else { Kind::NotDocumented };
            self.say(kind, Some(&key), shown(&event));
        }
    }

    fn looks_at_hot(&self) -> bool {
        self.tiers.iter().any(|tier| tier.is_hot)
    }

    /// Looks at all that the log lists.
    async fn listed(&mut self, log: &Broadcast, objects: &Objects) -> Result<BTreeSet<Key>, SyncError> {
        let mut listed = BTreeSet::new();
        for rendition in log.renditions() {
            let safe = log.safe(rendition.name());
            let is_safe = |seq| safe.is_some_and(|safe| safe.contains(seq));
            let of_safe = rendition.segments().filter(|segment| is_safe(segment.seq));
            let needed: BTreeSet<FormatId> = of_safe.map(|segment| segment.format).collect();
            for (format, init) in rendition.formats().filter_map(|format| Some((format.id, format.init?))) {
                let key = Key::of_init(self.id, rendition.name().clone(), init.digest);
                // One that was announced and never used by a segment need not have been copied; a segment without the one
                // that it needs is of no use.
                let is_needed = needed.contains(&format);
                let asks_for_copy = is_needed && !log.opened().stored_is_safe;
                let is_safe = is_needed || log.opened().stored_is_safe;
                self.object(&key, init.len, is_safe, asks_for_copy, objects).await?;
                listed.insert(key);
            }
            for segment in rendition.segments() {
                let key = Key::of_segment(self.id, segment);
                self.checked.segments += 1;
                self.checked.bytes += segment.len;
                let asks_for_copy = !log.opened().stored_is_safe;
                self.object(&key, segment.len, is_safe(segment.seq), asks_for_copy, objects).await?;
                listed.insert(key);
            }
        }
        Ok(listed)
    }

    /// `asks_for_copy`: whether it is to be in the hot store, once it is safe.
    async fn object(
        &mut self,
        key: &Key,
        len: u64,
        is_safe: bool,
        asks_for_copy: bool,
        objects: &Objects,
    ) -> Result<(), SyncError> {
        let Some(there) = objects.keys.get(key) else {
            return self.absent(key, len, is_safe, asks_for_copy).await;
        };
        let looks_at_hot = self.looks_at_hot();
        let is_hot = there.iter().any(|(at, _)| self.tiers[*at].is_hot);
        if asks_for_copy && !is_safe {
            self.checked.not_safe += 1;
            self.say(Kind::NotSafe, Some(key), String::new());
        } else if asks_for_copy && looks_at_hot && !is_hot {
            self.say(Kind::NotHot, Some(key), not_hot(key).to_owned());
        }
        for (at, found) in there {
            let tier = &self.tiers[*at];
            if *found != len {
                self.say(Kind::WrongLength, Some(key), format!("{}: {found} bytes, {len} by the log", tier.name));
            } else if self.options.digests {
                self.digest(&*tier.store, key, tier.name).await?;
            }
        }
        Ok(())
    }

    async fn digest(&mut self, store: &dyn Store, key: &Key, name: &str) -> Result<(), SyncError> {
        let blob = match store.read(key, None).await {
            // Deleted meanwhile.
            Err(StoreError::NotFound) => return Ok(()),
            blob => blob?,
        };
        match drain(verified(key, blob)).await {
            Ok(()) => Ok(()),
            Err(StoreError::Damaged { .. }) => {
                self.say(Kind::WrongDigest, Some(key), name.to_owned());
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What none of the stores has.
    async fn absent(&mut self, key: &Key, len: u64, is_safe: bool, asks_for_copy: bool) -> Result<(), SyncError> {
        let should_be_hot = asks_for_copy && is_safe && self.looks_at_hot();
        match others::whereabouts(self.options.others.as_ref(), &self.nodes, key).await {
            Whereabouts::There { store, len: found } => {
                if found != len {
                    let detail = format!("another recorder's disk: {found} bytes, {len} by the log");
                    self.say(Kind::WrongLength, Some(key), detail);
                } else if self.options.digests {
                    self.digest(&*store, key, "another recorder's disk").await?;
                }
                if should_be_hot {
                    let detail = format!("{}; it is on another recorder's disk alone", not_hot(key));
                    self.say(Kind::NotHot, Some(key), detail);
                } else if asks_for_copy && !is_safe {
                    self.checked.not_safe += 1;
                    self.say(Kind::NotSafe, Some(key), "on another recorder's disk".to_owned());
                }
            }
            Whereabouts::Unknown(why) if !should_be_hot => {
                self.say(Kind::Elsewhere, Some(key), format!("not checked: {why}"));
            }
            Whereabouts::Unknown(why) => self.say(Kind::Missing, Some(key), format!("in none of the stores; {why}")),
            Whereabouts::Nowhere => self.say(Kind::Missing, Some(key), "in none of the stores".to_owned()),
        }
        Ok(())
    }

    fn say(&mut self, kind: Kind, key: Option<&Key>, detail: String) {
        self.checked.wrong += u64::from(kind.is_wrong());
        self.checked.not_checked += u64::from(kind == Kind::Elsewhere);
        (self.tell)(Finding::new(kind, self.id, key, detail));
    }
}

/// Why it should be in the hot store.
fn not_hot(key: &Key) -> &'static str {
    match key.object {
        Object::Init { .. } => "segments that are safe need it",
        _ => "the log says that it is safe",
    }
}

fn recorded_by(entry: &LogEntry) -> Option<String> {
    match &entry.event {
        Event::RecordedBy { node } => Some(node.clone()),
        _ => None,
    }
}

async fn drain(blob: storage::Blob) -> Result<(), StoreError> {
    use futures_util::TryStreamExt;
    blob.into_stream().try_for_each(|_| std::future::ready(Ok(()))).await
}

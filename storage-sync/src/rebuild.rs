//! Logs made anew from documents and keys, and from what is under the keys.
//!
//! A log comes out the same each time that it is made from the same stores, so that one that was begun is gone on with.
//! When segments were committed is told by nobody any more: they are dated by their capture, in whose order they come. So live
//! is started anew (`Restarted`) with each part that is put into the metadata store.

mod copies;
mod filling;
mod making;

use broadcast::{BroadcastId, Event, EventIndex, LogEntry, StoreTime};
use metadata::{Metadata, PUT_BACK_MAX};
use serde::Serialize;

use crate::finding::{Finding, Kind};
use crate::found::{SyncError, Tier, broadcasts_in, log_of, objects};
use filling::Filling;
pub(crate) use filling::shown;
use making::{Made, Making};

/// How it is done.
#[derive(Clone, Copy, Debug, Default)]
pub struct RebuildOptions {
    /// The metadata store may have logs already: what they lack is added, what they have stays.
    pub fill_in: bool,
}

/// What was done, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    pub broadcasts: u64,
    pub segments: u64,
    /// Entries that the metadata store did not have.
    pub entries: u64,
    /// Copies that are not what their keys say. They are left alone, and another was taken if there is one.
    pub damaged: u64,
    /// Objects of which there is no good copy. They are left alone.
    pub unreadable: u64,
    /// What the logs had no place for.
    pub refused: u64,
    /// Broadcasts without a document: their titles and ends are lost.
    pub without_document: u64,
}

impl Rebuilt {
    /// Whether something could not be put into the logs.
    pub fn is_incomplete(&self) -> bool {
        self.unreadable + self.refused > 0
    }
}

/// What came of the work by now, and who is told of what was found.
pub(crate) struct Report<'a> {
    pub(crate) rebuilt: Rebuilt,
    tell: &'a mut (dyn FnMut(Finding) + Send),
}

impl Report<'_> {
    pub(crate) fn say(&mut self, finding: Finding) {
        match finding.kind {
            Kind::Damaged => self.rebuilt.damaged += 1,
            Kind::Unreadable => self.rebuilt.unreadable += 1,
            Kind::Refused => self.rebuilt.refused += 1,
            Kind::NoDocument => self.rebuilt.without_document += 1,
            _ => {}
        }
        (self.tell)(finding);
    }

    pub(crate) fn refused(&mut self, id: BroadcastId, what: impl Into<String>) {
        self.say(Finding::new(Kind::Refused, id, None, what));
    }
}

/// Makes the logs of all broadcasts of which the stores have something; tells what is damaged or could not be put in, and
/// after each broadcast what was done, of how many.
pub async fn rebuild(
    metadata: &dyn Metadata,
    tiers: &[Tier],
    options: RebuildOptions,
    mut tell: impl FnMut(Finding) + Send,
    mut progress: impl FnMut(BroadcastId, &Rebuilt, usize) + Send,
) -> Result<Rebuilt, SyncError> {
    if !options.fill_in
        && let Some(id) = metadata.list(None, 1).await?.first()
    {
        return Err(SyncError::NotEmpty { id: *id });
    }
    let mut report = Report { rebuilt: Rebuilt::default(), tell: &mut tell };
    let ids = broadcasts_in(tiers).await?;
    let all = ids.len();
    for id in ids {
        let objects = objects(tiers, id).await?;
        if objects.keys.is_empty() {
            continue;
        }
        // What a publisher dated ahead was not committed ahead.
        let now = metadata.time().unwrap_or(StoreTime(i64::MAX));
        let made = Making::new(tiers, &objects, id, now, &mut report).made().await?;
        match put(metadata, id, &made, &mut report).await {
            Ok(()) => {}
            Err(SyncError::Metadata(error)) if !error.is_retryable() => {
                // Others may fare better.
                report.refused(id, format!("the rest of the log: {error}"));
            }
            Err(error) => return Err(error),
        }
        report.rebuilt.broadcasts += 1;
        progress(id, &report.rebuilt, all);
    }
    Ok(report.rebuilt)
}

/// Gives the metadata store what it lacks of a log.
async fn put(metadata: &dyn Metadata, id: BroadcastId, made: &Made, report: &mut Report<'_>) -> Result<(), SyncError> {
    let there = log_of(metadata, id).await?;
    let Some(begun) = begun(&there, &made.entries) else {
        // It went on by itself: what it lacks goes to its end.
        return Filling { metadata, id, made, report, restarts: true }.fill(there).await;
    };
    let rest = &made.entries[begun..];
    // Of what is over, live is not asked for any more.
    let restarts = !made.is_complete && rest.iter().any(|entry| entry.event.shapes_live());
    let unseen_until = StoreTime(if restarts { i64::MIN } else { i64::MAX });
    let mut next = there.len() as u64;
    for entries in rest.chunks(PUT_BACK_MAX) {
        let entry = |(index, entry): (u64, &LogEntry)| LogEntry { index: EventIndex(index), ..entry.clone() };
        let entries: Vec<LogEntry> = (next..).zip(entries).map(entry).collect();
        metadata.put_back(id, &entries, unseen_until).await?;
        next += entries.len() as u64 + u64::from(restarts);
        report.rebuilt.entries += entries.len() as u64;
    }
    Ok(())
}

/// How much of what is made a log has, if it has nothing else.
fn begun(there: &[LogEntry], made: &[LogEntry]) -> Option<usize> {
    let there: Vec<&Event> =
        there.iter().map(|entry| &entry.event).filter(|event| **event != Event::Restarted).collect();
    let is_same = there.len() <= made.len() && there.iter().zip(made).all(|(there, made)| **there == made.event);
    is_same.then_some(there.len())
}

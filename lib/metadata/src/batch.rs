//! A commit, checked for its bounds and brought into the form in which every store decides about it: the compact
//! event, and what makes it new. Nothing here knows what is stored.

use broadcast::{Event, EventIndex, LastSeq, LogEntry, RenditionName, Seq, SeqRange, StoreTime};

use crate::error::{Fault, MetadataError};
use crate::store::ShortDigest;

/// The most events in one commit.
pub const COMMIT_EVENTS_MAX: usize = 1_000;
/// The most entries that are put back at once: all that anybody remembers of a log, so that nobody sees a part of it.
pub const PUT_BACK_MAX: usize = 20_000;
/// The largest compact form of an event, in bytes. A segment has about 60, and 7 more for each cut.
pub const EVENT_BYTES_MAX: usize = 16 * 1024;

/// One event of a commit.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) body: Vec<u8>,
    pub(crate) rule: Rule,
}

/// What makes an event new: the rules of [`Metadata`](crate::Metadata), one variant for each way of deciding.
#[derive(Debug)]
pub(crate) enum Rule {
    Always,
    /// Unless this was known before.
    Once(String),
    Segment {
        rendition: RenditionName,
        seq: Seq,
        digest: ShortDigest,
    },
    Abandon {
        rendition: RenditionName,
        seqs: SeqRange,
    },
    Pause,
    Resume,
    UnlessOver,
    Close,
    End(Vec<LastSeq>),
}

/// Checks the bounds of a commit.
pub(crate) fn check(events: &[Event]) -> Result<Vec<Entry>, MetadataError> {
    if events.len() > COMMIT_EVENTS_MAX {
        return Err(MetadataError::TooMany { events: events.len(), max: COMMIT_EVENTS_MAX });
    }
    let mut abandoned = 0;
    let mut entry = |(position, event)| {
        let fault = |fault| MetadataError::Refused { position, fault };
        let rule = rule(event, &mut abandoned).map_err(fault)?;
        Ok(Entry { body: body(event).map_err(fault)?, rule })
    };
    events.iter().enumerate().map(&mut entry).collect()
}

/// The compact form of the event that opens a log.
pub(crate) fn opened(event: &Event) -> Result<Vec<u8>, MetadataError> {
    body(event).map_err(|fault| MetadataError::Refused { position: 0, fault })
}

/// What is put back, and what comes with it.
#[derive(Debug)]
pub(crate) struct PutBack {
    pub(crate) first: EventIndex,
    pub(crate) entries: Vec<(Entry, StoreTime)>,
    /// From when on `restarted` follows them.
    pub(crate) unseen_until: StoreTime,
    pub(crate) restarted: Vec<u8>,
}

/// Entries that were in the log before: each with its time.
pub(crate) fn check_put_back(entries: &[LogEntry], unseen_until: StoreTime) -> Result<PutBack, MetadataError> {
    if entries.len() > PUT_BACK_MAX {
        return Err(MetadataError::TooMany { events: entries.len(), max: PUT_BACK_MAX });
    }
    // The limit on what one commit abandons has been kept by each.
    let entry = |(position, entry): (usize, &LogEntry)| -> Result<_, MetadataError> {
        let fault = |fault| MetadataError::Refused { position, fault };
        let rule =
            if entry.index == EventIndex(0) { Rule::Always } else { rule(&entry.event, &mut 0).map_err(fault)? };
        Ok((Entry { body: body(&entry.event).map_err(fault)?, rule }, entry.at))
    };
    let first = entries.first().map_or(EventIndex(0), |first| first.index);
    let entries = entries.iter().enumerate().map(entry).collect::<Result<_, _>>()?;
    Ok(PutBack { first, entries, unseen_until, restarted: Event::Restarted.encode() })
}

fn body(event: &Event) -> Result<Vec<u8>, Fault> {
    let body = event.encode();
    if body.len() > EVENT_BYTES_MAX { Err(Fault::TooLarge { bytes: body.len() }) } else { Ok(body) }
}

fn rule(event: &Event, abandoned: &mut u64) -> Result<Rule, Fault> {
    Ok(match event {
        Event::Opened(_) => return Err(Fault::Opened),
        Event::Format(format) => Rule::Once(format!("format {} {}", format.rendition, format.id)),
        Event::Stored(segment) => {
            within_max(segment.seq)?;
            Rule::Segment {
                rendition: segment.rendition.clone(),
                seq: segment.seq,
                digest: ShortDigest::of(&segment.digest),
            }
        }
        Event::Safe { seqs, .. } => {
            range(*seqs)?;
            Rule::Always
        }
        Event::RecordedBy { .. } | Event::Restarted => Rule::Always,
        Event::Abandoned { rendition, seqs } => {
            // Together, not each: it is the whole commit that the store's one writer spends its time on.
            *abandoned += range(*seqs)?;
            if *abandoned > Event::ABANDONED_MAX {
                return Err(Fault::TooManyAbandoned { seqs: *abandoned });
            }
            Rule::Abandon { rendition: rendition.clone(), seqs: *seqs }
        }
        Event::Paused => Rule::Pause,
        Event::Resumed => Rule::Resume,
        Event::EndHinted => Rule::UnlessOver,
        Event::Closing { .. } => Rule::Close,
        Event::Ended { last } => {
            last.iter().filter_map(|last| last.seq).try_for_each(within_max)?;
            Rule::End(last.clone())
        }
        Event::Mapped { playlist, .. } => Rule::Once(format!("mapped {playlist}")),
        Event::Captioned { rendition } => Rule::Once(format!("captioned {rendition}")),
    })
}

fn within_max(seq: Seq) -> Result<(), Fault> {
    if seq > Seq::MAX { Err(Fault::SeqTooLarge { seq }) } else { Ok(()) }
}

/// How many segments a range holds, if it is one.
fn range(seqs: SeqRange) -> Result<u64, Fault> {
    within_max(seqs.first)?;
    within_max(seqs.last)?;
    match seqs.count() {
        0 => Err(Fault::EmptyRange { first: seqs.first, last: seqs.last }),
        count => Ok(count),
    }
}

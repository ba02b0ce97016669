//! The rules of a commit, in SQL: what is new, and writing it down. All of it happens within the caller's
//! transaction.

use broadcast::{BroadcastId, EventIndex, LastSeq, Missing, RenditionName, Seq, SeqRange, StoreTime};
use rusqlite::{Connection, OptionalExtension, Params};

use crate::batch::{Entry, PutBack, Rule};
use crate::error::MetadataError;
use crate::store::{Expect, Limits, Outcome, ShortDigest};

/// What is said once when its owner ends a broadcast.
const CLOSING: &str = "closing";

/// Starts a log.
pub(super) fn open(
    db: &Connection,
    id: BroadcastId,
    body: &[u8],
    now: StoreTime,
) -> Result<Vec<Outcome>, MetadataError> {
    let sql = "INSERT OR IGNORE INTO broadcast (id, len, at, paused, ended) VALUES (?1, 0, ?2, 0, 0)";
    if execute(db, sql, (id.to_string(), now.0))? == 0 {
        return Err(MetadataError::AlreadyOpened { id });
    }
    let mut log = Log::load(db, id)?;
    let outcome = log.append(body, now)?;
    log.save()?;
    Ok(vec![outcome])
}

/// Appends the entries that are new.
pub(super) fn commit(
    db: &Connection,
    id: BroadcastId,
    entries: &[Entry],
    expect: Expect,
    limits: Limits,
    now: StoreTime,
) -> Result<Vec<Outcome>, MetadataError> {
    let mut log = Log::load(db, id)?;
    let len = EventIndex(log.len);
    match expect {
        Expect::Len(expected) if expected != len => return Err(MetadataError::Stale { len }),
        Expect::AtLeast(known) if known > len => return Err(MetadataError::Lost { len }),
        _ => {}
    }
    if log.len + entries.len() as u64 > limits.log_len {
        return Err(MetadataError::Full { id, len });
    }
    let outcomes = entries.iter().map(|entry| match log.decide(&entry.rule)? {
        Some(outcome) => Ok(outcome),
        None => Ok(log.append(&entry.body, now)?),
    });
    let outcomes = outcomes.collect::<Result<_, MetadataError>>()?;
    log.save()?;
    Ok(outcomes)
}

/// Appends entries that were lost.
pub(super) fn put_back(
    db: &Connection,
    id: BroadcastId,
    put_back: &PutBack,
    now: StoreTime,
) -> Result<Vec<Outcome>, MetadataError> {
    let PutBack { first, entries, unseen_until, restarted } = put_back;
    if *first == EventIndex(0) {
        let sql = "INSERT OR IGNORE INTO broadcast (id, len, at, paused, ended) VALUES (?1, 0, 0, 0, 0)";
        execute(db, sql, [id.to_string()])?;
    }
    let mut log = Log::load(db, id)?;
    if EventIndex(log.len) != *first {
        return Err(MetadataError::Stale { len: EventIndex(log.len) });
    }
    let mut outcomes = Vec::with_capacity(entries.len());
    for (entry, at) in entries {
        // It was new when it was first decided on: here it is only noted.
        log.decide(&entry.rule)?;
        outcomes.push(log.append(&entry.body, *at)?);
    }
    if now >= *unseen_until {
        outcomes.push(log.append(restarted, now)?);
    }
    log.save()?;
    Ok(outcomes)
}

/// One log and what it says by now.
struct Log<'a> {
    db: &'a Connection,
    no: i64,
    len: u64,
    at: i64,
    paused: bool,
    ended: bool,
}

impl<'a> Log<'a> {
    fn load(db: &'a Connection, id: BroadcastId) -> Result<Self, MetadataError> {
        let sql = "SELECT no, len, at, paused, ended FROM broadcast WHERE id = ?1";
        let log = db.prepare_cached(sql)?.query_row([id.to_string()], |row| {
            let (no, len, at) = (row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned(), row.get(2)?);
            Ok(Self { db, no, len, at, paused: row.get(3)?, ended: row.get(4)? })
        });
        log.optional()?.ok_or(MetadataError::NotFound { id })
    }

    fn save(&self) -> rusqlite::Result<()> {
        let sql = "UPDATE broadcast SET len = ?2, at = ?3, paused = ?4, ended = ?5 WHERE no = ?1";
        execute(self.db, sql, (self.no, self.len.cast_signed(), self.at, self.paused, self.ended)).map(drop)
    }

    fn append(&mut self, body: &[u8], now: StoreTime) -> rusqlite::Result<Outcome> {
        let index = EventIndex(self.len);
        // The clock may go back; the log does not.
        self.at = self.at.max(now.0);
        self.len += 1;
        let sql = "INSERT INTO event (broadcast, idx, at, body) VALUES (?1, ?2, ?3, ?4)";
        execute(self.db, sql, (self.no, index.0.cast_signed(), self.at, body))?;
        Ok(Outcome::Appended { index, at: StoreTime(self.at) })
    }

    /// Why the event is not new; `None` if it is, and from here on that is known.
    fn decide(&mut self, rule: &Rule) -> rusqlite::Result<Option<Outcome>> {
        Ok(match rule {
            Rule::Always => None,
            Rule::Once(what) => self.once(what)?,
            Rule::Segment { rendition, seq, digest } => self.segment(rendition, *seq, *digest)?,
            Rule::Abandon { rendition, seqs } => self.abandon(rendition, *seqs)?,
            Rule::Pause => self.pause(true)?,
            Rule::Resume => self.pause(false)?,
            Rule::UnlessOver => self.is_over()?.then_some(Outcome::Ended),
            Rule::Close if self.ended => Some(Outcome::Duplicate),
            Rule::Close => self.once(CLOSING)?,
            Rule::End(last) => self.end(last)?,
        })
    }

    fn once(&self, what: &str) -> rusqlite::Result<Option<Outcome>> {
        let sql = "INSERT OR IGNORE INTO once (broadcast, what) VALUES (?1, ?2)";
        let new = execute(self.db, sql, (self.no, what))? > 0;
        Ok((!new).then_some(Outcome::Duplicate))
    }

    fn segment(&self, rendition: &RenditionName, seq: Seq, digest: ShortDigest) -> rusqlite::Result<Option<Outcome>> {
        let key = (self.no, rendition.as_str(), seq.0.cast_signed());
        let sql = "SELECT digest FROM segment WHERE broadcast = ?1 AND rendition = ?2 AND seq = ?3";
        let known = self.db.prepare_cached(sql)?.query_row(key, |row| row.get::<_, Option<[u8; 8]>>(0)).optional()?;
        #[cfg(feature = "simulation")]
        if service::is_without(service::Safeguard::Idempotency) {
            return Ok(None);
        }
        let outcome = match known {
            Some(Some(existing)) if existing == digest.0 => Some(Outcome::Duplicate),
            Some(Some(existing)) => Some(Outcome::Conflict { existing: ShortDigest(existing) }),
            Some(None) => Some(Outcome::Abandoned),
            None if self.ended => self.after_end(rendition, seq)?,
            None => None,
        };
        if outcome.is_none() {
            let sql = "INSERT INTO segment (broadcast, rendition, seq, digest) VALUES (?1, ?2, ?3, ?4)";
            execute(self.db, sql, (key.0, key.1, key.2, digest.0))?;
        }
        Ok(outcome)
    }

    /// Why a segment that has not been stored no longer can be.
    fn after_end(&self, rendition: &RenditionName, seq: Seq) -> rusqlite::Result<Option<Outcome>> {
        Ok(match self.last(rendition)? {
            Some((last, Missing::Awaited)) if seq <= last => None,
            Some((last, Missing::Abandoned)) if seq <= last => Some(Outcome::Abandoned),
            Some(_) | None => Some(Outcome::Ended),
        })
    }

    fn abandon(&self, rendition: &RenditionName, seqs: SeqRange) -> rusqlite::Result<Option<Outcome>> {
        let by_end = match self.last(rendition)? {
            Some((last, Missing::Abandoned)) => Some(last),
            Some((_, Missing::Awaited)) | None => None,
        };
        let first = by_end.map_or(seqs.first, |last| seqs.first.max(last.next()));
        if first > seqs.last {
            return Ok(Some(Outcome::Duplicate));
        }
        let sql = "
            WITH RECURSIVE range (seq) AS (VALUES (?3) UNION ALL SELECT seq + 1 FROM range WHERE seq < ?4)
            INSERT OR IGNORE INTO segment (broadcast, rendition, seq, digest) SELECT ?1, ?2, seq, NULL FROM range";
        let (first, last) = (first.0.cast_signed(), seqs.last.0.cast_signed());
        let new = execute(self.db, sql, (self.no, rendition.as_str(), first, last))? > 0;
        Ok((!new).then_some(Outcome::Duplicate))
    }

    /// Whether it ended, or its owner has said so.
    fn is_over(&self) -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM once WHERE broadcast = ?1 AND what = ?2)";
        Ok(self.ended || self.db.prepare_cached(sql)?.query_row((self.no, CLOSING), |row| row.get(0))?)
    }

    fn pause(&mut self, pause: bool) -> rusqlite::Result<Option<Outcome>> {
        if self.is_over()? {
            return Ok(Some(Outcome::Ended));
        }
        let already = std::mem::replace(&mut self.paused, pause) == pause;
        Ok(already.then_some(Outcome::Duplicate))
    }

    fn end(&mut self, last: &[LastSeq]) -> rusqlite::Result<Option<Outcome>> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(Some(Outcome::Duplicate));
        }
        let sql = "INSERT OR REPLACE INTO last (broadcast, rendition, seq, abandoned) VALUES (?1, ?2, ?3, ?4)";
        for LastSeq { rendition, seq, missing } in last {
            if let Some(seq) = seq {
                let abandoned = *missing == Missing::Abandoned;
                execute(self.db, sql, (self.no, rendition.as_str(), seq.0.cast_signed(), abandoned))?;
            }
        }
        Ok(None)
    }

    /// Where a rendition ends, if the broadcast ended, and what becomes of what is missing up to there.
    fn last(&self, rendition: &RenditionName) -> rusqlite::Result<Option<(Seq, Missing)>> {
        let sql = "SELECT seq, abandoned FROM last WHERE broadcast = ?1 AND rendition = ?2";
        let last = self.db.prepare_cached(sql)?.query_row((self.no, rendition.as_str()), |row| {
            let missing = if row.get(1)? { Missing::Abandoned } else { Missing::Awaited };
            Ok((Seq(row.get::<_, i64>(0)?.cast_unsigned()), missing))
        });
        last.optional()
    }
}

fn execute(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

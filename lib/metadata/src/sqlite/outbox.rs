//! The outbox in SQL. Each change happens within one transaction of the writer's.

use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, EventIndex, StoreTime};
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::Sqlite;
use crate::error::MetadataError;
use crate::outbox::{
    Claim, Claimed, DEAD_MAX, DeadLetter, GONE, LETTERS_MAX, Letter, Mailbox, Outbox, Settled, TOO_MANY, Telling, Told,
    WAITING_MAX, check, millis, shortened,
};

#[async_trait]
impl Outbox for Sqlite {
    async fn begin(&self) -> Result<StoreTime, MetadataError> {
        self.writer
            .change(|db, now| {
                execute(db, "INSERT OR IGNORE INTO outbox (no, since) VALUES (0, ?1)", [now.0])?;
                Ok(db.query_row("SELECT since FROM outbox", [], |row| row.get(0)).map(StoreTime)?)
            })
            .await
    }

    async fn told(&self, ids: &[BroadcastId]) -> Result<Vec<Option<Told>>, MetadataError> {
        check(ids.len(), &[])?;
        let ids = ids.to_vec();
        self.readers.run(move |db| Ok(ids.iter().map(|id| told(db, *id)).collect::<rusqlite::Result<_>>()?)).await
    }

    async fn tell(
        &self,
        id: BroadcastId,
        before: Option<Told>,
        after: Told,
        letters: &[Letter],
    ) -> Result<Telling, MetadataError> {
        check(letters.len(), letters)?;
        let letters = letters.to_vec();
        self.writer
            .change(move |db, now| {
                if told(db, id)? != before {
                    return Ok(Telling::Elsewhere);
                }
                let sql = "INSERT OR REPLACE INTO told (id, next, at, complete) VALUES (?1, ?2, ?3, ?4)";
                execute(db, sql, (id.to_string(), after.next.0.cast_signed(), after.at.0, after.complete))?;
                letters.iter().try_for_each(|letter| file(db, id, letter, now))?;
                Ok(Telling::Done { forgotten: forget(db)? })
            })
            .await
    }

    async fn claim(&self, endpoint: &str, max: usize, lease: Duration) -> Result<Claim, MetadataError> {
        let (now, asked) = (self.horizon.now(), endpoint.to_owned());
        let (due, gone) = self.readers.run(move |db| Ok((next_due(db, &asked)?, is_gone(db, &asked)?))).await?;
        match due {
            Some(due) if due <= now.0 => {}
            // Most times there is nothing to do, and so nothing to write.
            due => return Ok(Claim { letters: Vec::new(), gone, next: due.map(|due| until(due, now)) }),
        }
        let (endpoint, max) = (endpoint.to_owned(), i64::try_from(max.min(LETTERS_MAX)).unwrap_or(0));
        self.writer.change(move |db, now| claim(db, &endpoint, max, now, now.0.saturating_add(millis(lease)))).await
    }

    async fn settle(&self, claimed: &Claimed, outcome: &Settled) -> Result<u64, MetadataError> {
        let (claimed, outcome) = (claimed.clone(), outcome.clone());
        self.writer
            .change(move |db, now| {
                let sql = "SELECT 1 FROM letter WHERE no = ?1 AND claims = ?2 AND due IS NOT NULL";
                let key = (claimed.number.cast_signed(), claimed.claim.cast_signed());
                if db.prepare_cached(sql)?.exists(key)? {
                    settle(db, &claimed, &outcome, now)?;
                    take_turn(db, &claimed.letter.endpoint, &claimed.broadcast.to_string(), now)?;
                }
                Ok(forget(db)?)
            })
            .await
    }

    async fn set_gone(&self, endpoint: &str, gone: bool) -> Result<(), MetadataError> {
        let endpoint = endpoint.to_owned();
        self.writer
            .change(move |db, _| {
                mailbox(db, &endpoint, 0, 0)?;
                Ok(execute(db, "UPDATE mailbox SET gone = ?2 WHERE endpoint = ?1", (&endpoint, gone)).map(drop)?)
            })
            .await
    }

    async fn mailboxes(&self) -> Result<Vec<Mailbox>, MetadataError> {
        self.readers
            .run(|db| {
                let mut query =
                    db.prepare_cached("SELECT endpoint, waiting, dead, gone FROM mailbox ORDER BY endpoint")?;
                let read = |row: &Row<'_>| {
                    let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
                    Ok(Mailbox { endpoint: row.get(0)?, waiting: count(1)?, dead: count(2)?, gone: row.get(3)? })
                };
                let boxes = query.query_map([], read)?.collect::<rusqlite::Result<_>>();
                Ok(boxes?)
            })
            .await
    }

    async fn dead(&self, after: Option<u64>, max: usize) -> Result<Vec<DeadLetter>, MetadataError> {
        let after = after.map_or(-1, |after| i64::try_from(after).unwrap_or(i64::MAX));
        let max = i64::try_from(max.min(LETTERS_MAX)).unwrap_or(0);
        self.readers
            .run(move |db| {
                let sql = "SELECT endpoint, id, kind, body, no, broadcast, attempts, dead_at, why FROM letter
                    WHERE dead_at IS NOT NULL AND no > ?1 ORDER BY no LIMIT ?2";
                let mut query = db.prepare_cached(sql)?;
                let read = |row: &Row<'_>| {
                    let number = row.get::<_, i64>(4)?.cast_unsigned();
                    let rest = (row.get(6)?, StoreTime(row.get(7)?), row.get::<_, Option<String>>(8)?);
                    Ok((letter(row)?, number, row.get::<_, String>(5)?, rest))
                };
                let rows = query.query_map((after, max), read)?.collect::<rusqlite::Result<Vec<_>>>()?;
                let dead =
                    |(letter, number, broadcast, (attempts, died_at, why)): (_, u64, String, (u32, _, Option<_>))| {
                        let why = why.unwrap_or_default();
                        Ok(DeadLetter { number, broadcast: of_broadcast(&broadcast)?, letter, attempts, died_at, why })
                    };
                rows.into_iter().map(dead).collect()
            })
            .await
    }

    async fn resend(&self, numbers: &[u64]) -> Result<u64, MetadataError> {
        check(numbers.len(), &[])?;
        let numbers = numbers.to_vec();
        self.writer
            .change(move |db, now| {
                let sql = "UPDATE letter SET dead_at = NULL, why = NULL, attempts = 0, due = ?2
                    WHERE no = ?1 AND dead_at IS NOT NULL RETURNING endpoint";
                let revived = |number: &u64| -> rusqlite::Result<u64> {
                    let key = (number.cast_signed(), now.0);
                    let endpoint: Option<String> =
                        db.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
                    let Some(endpoint) = endpoint else { return Ok(0) };
                    mailbox(db, &endpoint, 1, -1).map(|()| 1)
                };
                Ok(numbers.iter().map(revived).sum::<rusqlite::Result<u64>>()?)
            })
            .await
    }

    async fn discard(&self, numbers: &[u64]) -> Result<u64, MetadataError> {
        check(numbers.len(), &[])?;
        let numbers = numbers.to_vec();
        self.writer
            .change(move |db, _| Ok(numbers.iter().map(|n| discard(db, n.cast_signed())).sum::<Result<u64, _>>()?))
            .await
    }
}

fn told(db: &Connection, id: BroadcastId) -> rusqlite::Result<Option<Told>> {
    let mut query = db.prepare_cached("SELECT next, at, complete FROM told WHERE id = ?1")?;
    let read = |row: &Row<'_>| {
        let next = EventIndex(row.get::<_, i64>(0)?.cast_unsigned());
        Ok(Told { next, at: StoreTime(row.get(1)?), complete: row.get(2)? })
    };
    query.query_row([id.to_string()], read).optional()
}

/// Files one letter. It is due unless another of its broadcast has its turn before it.
fn file(db: &Connection, id: BroadcastId, letter: &Letter, now: StoreTime) -> rusqlite::Result<()> {
    let Letter { endpoint, id: letter_id, kind, body } = letter;
    mailbox(db, endpoint, 0, 0)?;
    let sql = "SELECT waiting, gone FROM mailbox WHERE endpoint = ?1";
    let (waiting, gone) =
        db.prepare_cached(sql)?.query_row([endpoint], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))?;
    let full = waiting.cast_unsigned() >= WAITING_MAX;
    let why = gone.then_some(GONE).or(full.then_some(TOO_MANY));
    let dead_at = why.map(|_| now.0);
    let broadcast = id.to_string();
    let sql = "
        INSERT INTO letter (endpoint, broadcast, id, kind, body, attempts, claims, fresh, dead_at, why)
        VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, ?6, ?7, ?8)";
    execute(db, sql, (endpoint, &broadcast, letter_id, kind, body, why.is_none(), dead_at, why))?;
    match why {
        Some(_) => mailbox(db, endpoint, 0, 1),
        None => {
            mailbox(db, endpoint, 1, 0)?;
            take_turn(db, endpoint, &broadcast, now)
        }
    }
}

/// Makes the first letter of a broadcast to an endpoint due whose turn is still to come.
fn take_turn(db: &Connection, endpoint: &str, broadcast: &str, now: StoreTime) -> rusqlite::Result<()> {
    let sql = "
        UPDATE letter SET due = ?3 WHERE due IS NULL AND no =
            (SELECT no FROM letter WHERE endpoint = ?1 AND broadcast = ?2 AND fresh ORDER BY no LIMIT 1)";
    execute(db, sql, (endpoint, broadcast, now.0)).map(drop)
}

fn claim(db: &Connection, endpoint: &str, max: i64, now: StoreTime, lease_end: i64) -> Result<Claim, MetadataError> {
    let sql = "
        UPDATE letter SET due = ?4, claims = claims + 1 WHERE no IN
            (SELECT no FROM letter WHERE endpoint = ?1 AND due <= ?2 ORDER BY due, no LIMIT ?3)
        RETURNING endpoint, id, kind, body, no, broadcast, attempts, claims";
    let mut query = db.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok((letter(row)?, number(4)?, row.get::<_, String>(5)?, row.get(6)?, number(7)?))
    };
    let rows = query.query_map((endpoint, now.0, max, lease_end), read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let claimed = |(letter, number, broadcast, attempts, claim): (_, _, String, _, _)| {
        Ok(Claimed { number, claim, broadcast: of_broadcast(&broadcast)?, letter, attempts })
    };
    let mut letters = rows.into_iter().map(claimed).collect::<Result<Vec<_>, MetadataError>>()?;
    letters.sort_by_key(|claimed: &Claimed| claimed.number);
    let next = next_due(db, endpoint)?.map(|due| until(due, now));
    Ok(Claim { letters, gone: is_gone(db, endpoint)?, next })
}

fn settle(db: &Connection, claimed: &Claimed, outcome: &Settled, now: StoreTime) -> rusqlite::Result<()> {
    let (number, endpoint) = (claimed.number.cast_signed(), &claimed.letter.endpoint);
    match outcome {
        Settled::Delivered => {
            execute(db, "DELETE FROM letter WHERE no = ?1", [number])?;
            mailbox(db, endpoint, -1, 0)
        }
        Settled::Again { after, why } => {
            let sql = "UPDATE letter SET attempts = attempts + 1, fresh = 0, due = ?2, why = ?3 WHERE no = ?1";
            execute(db, sql, (number, now.0.saturating_add(millis(*after)), shortened(why))).map(drop)
        }
        Settled::Dead { why } => {
            let sql = "
                UPDATE letter SET attempts = attempts + 1, fresh = 0, due = NULL, dead_at = ?2, why = ?3 WHERE no = ?1";
            execute(db, sql, (number, now.0, shortened(why)))?;
            mailbox(db, endpoint, -1, 1)
        }
    }
}

/// Forgets the oldest dead letters beyond their limit.
fn forget(db: &Connection) -> rusqlite::Result<u64> {
    let dead: i64 = db.prepare_cached("SELECT coalesce(sum(dead), 0) FROM mailbox")?.query_row([], |row| row.get(0))?;
    let over = dead.cast_unsigned().saturating_sub(DEAD_MAX);
    if over == 0 {
        return Ok(0);
    }
    let mut query = db.prepare_cached("SELECT no FROM letter WHERE dead_at IS NOT NULL ORDER BY no LIMIT ?1")?;
    let oldest = query.query_map([over.cast_signed()], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    oldest.into_iter().map(|number| discard(db, number)).sum()
}

fn discard(db: &Connection, number: i64) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM letter WHERE no = ?1 AND dead_at IS NOT NULL RETURNING endpoint";
    let endpoint: Option<String> = db.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
    let Some(endpoint) = endpoint else { return Ok(0) };
    mailbox(db, &endpoint, 0, -1).map(|()| 1)
}

/// Counts letters in and out.
fn mailbox(db: &Connection, endpoint: &str, waiting: i64, dead: i64) -> rusqlite::Result<()> {
    let sql = "
        INSERT INTO mailbox (endpoint, waiting, dead, gone) VALUES (?1, max(?2, 0), max(?3, 0), 0)
        ON CONFLICT (endpoint) DO UPDATE SET waiting = waiting + ?2, dead = dead + ?3";
    execute(db, sql, (endpoint, waiting, dead)).map(drop)
}

fn is_gone(db: &Connection, endpoint: &str) -> rusqlite::Result<bool> {
    let mut query = db.prepare_cached("SELECT gone FROM mailbox WHERE endpoint = ?1")?;
    Ok(query.query_row([endpoint], |row| row.get(0)).optional()?.unwrap_or(false))
}

fn next_due(db: &Connection, endpoint: &str) -> rusqlite::Result<Option<i64>> {
    let mut query = db.prepare_cached("SELECT min(due) FROM letter WHERE endpoint = ?1 AND due IS NOT NULL")?;
    query.query_row([endpoint], |row| row.get(0))
}

fn until(due: i64, now: StoreTime) -> Duration {
    Duration::from_millis(u64::try_from(due - now.0).unwrap_or(0))
}

/// The first four columns.
fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    Ok(Letter { endpoint: row.get(0)?, id: row.get(1)?, kind: row.get(2)?, body: row.get(3)? })
}

fn of_broadcast(text: &str) -> Result<BroadcastId, MetadataError> {
    text.parse().map_err(|source| MetadataError::corrupt(format!("the broadcast id {text:?}"), source))
}

fn execute(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    db.prepare_cached(sql)?.execute(params)
}

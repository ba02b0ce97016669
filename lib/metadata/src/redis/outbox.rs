//! The outbox in Redis. Every change is one call of one script, and so atomic.
//!
//! | key | type | what |
//! |---|---|---|
//! | `hw:{outbox}` | hash | `since`: when it began; `number`: the last number that a letter was given |
//! | `hw:{outbox}:told` | hash | broadcast to how far it is told: `NEXT AT COMPLETE` |
//! | `hw:{outbox}:letters` | hash | number to letter, as JSON |
//! | `hw:{outbox}:states` | hash | number to what became of it so far, as JSON |
//! | `hw:{outbox}:due:ENDPOINT` | sorted set | numbers by when they may be claimed, Unix ms |
//! | `hw:{outbox}:turns:BROADCAST:ENDPOINT` | list | numbers whose first attempt is not settled, in order; the first is due |
//! | `hw:{outbox}:dead` | sorted set | numbers of dead letters |
//! | `hw:{outbox}:boxes` | hash | `waiting`, `dead` and `gone`, each followed by an endpoint |

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::{BroadcastId, EventIndex, StoreTime};
use redis::{FromRedisValue, ScriptInvocation};

use super::Redis;
use super::slot::Slot;
use crate::error::MetadataError;
use crate::outbox::{
    Claim, Claimed, DEAD_MAX, DeadLetter, GONE, LETTERS_MAX, Letter, Mailbox, Outbox, Settled, TOO_MANY, Telling, Told,
    WAITING_MAX, check, millis, shortened,
};

const ROOT: &str = "hw:{outbox}";
const TOLD: &str = "hw:{outbox}:told";
const BOXES: &str = "hw:{outbox}:boxes";
/// A key that is never there. While a cluster moves the slot of the outbox, some keys are at one node and some at the
/// other, and a script would fail in the middle, at the first that it does not find. It does not begin if it names one
/// that is missing.
const NEVER: &str = "hw:{outbox}:never";

#[async_trait]
impl Outbox for Redis {
    async fn begin(&self) -> Result<StoreTime, MetadataError> {
        let since: String = self.outbox(&self.outbox_call("begin")).await?;
        number(&since).map(StoreTime)
    }

    async fn told(&self, ids: &[BroadcastId]) -> Result<Vec<Option<Told>>, MetadataError> {
        check(ids.len(), &[])?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::cmd("HMGET");
        ask.arg(TOLD);
        ids.iter().for_each(|id| {
            ask.arg(id.to_string());
        });
        let known: Vec<Option<String>> = self.servers.call(slot(), async |redis| ask.query_async(redis).await).await?;
        known.into_iter().map(|known| known.map(|text| read_told(&text)).transpose()).collect()
    }

    async fn tell(
        &self,
        id: BroadcastId,
        before: Option<Told>,
        after: Told,
        letters: &[Letter],
    ) -> Result<Telling, MetadataError> {
        check(letters.len(), letters)?;
        let mut call = self.outbox_call("tell");
        call.arg(id.to_string()).arg(before.map(told_text).unwrap_or_default()).arg(told_text(after));
        call.arg(WAITING_MAX).arg(DEAD_MAX).arg(GONE).arg(TOO_MANY).arg(letters.len());
        for letter in letters {
            let text = serde_json::to_string(letter).map_err(|error| MetadataError::corrupt("a letter", error))?;
            call.arg(&letter.endpoint).arg(text);
        }
        let forgotten: i64 = self.outbox(&call).await?;
        Ok(u64::try_from(forgotten).map_or(Telling::Elsewhere, |forgotten| Telling::Done { forgotten }))
    }

    async fn claim(&self, endpoint: &str, max: usize, lease: Duration) -> Result<Claim, MetadataError> {
        let mut call = self.outbox_call("claim");
        call.arg(endpoint).arg(max.min(LETTERS_MAX)).arg(millis(lease));
        let answer: Vec<String> = self.outbox(&call).await?;
        let [gone, next, rest @ ..] = &answer[..] else { return Err(unreadable("a claim of letters")) };
        let claimed = |parts: &[String]| {
            let [no, claim, id, attempts, letter] = parts else { return Err(unreadable("a claimed letter")) };
            let broadcast = of_broadcast(id)?;
            let (letter, attempts) = (read_letter(letter)?, number(attempts)?);
            Ok(Claimed { number: number(no)?, claim: number(claim)?, broadcast, letter, attempts })
        };
        let letters = rest.chunks(5).map(claimed).collect::<Result<_, _>>()?;
        let next = if next.is_empty() { None } else { Some(Duration::from_millis(number(next)?)) };
        Ok(Claim { letters, gone: gone == "1", next })
    }

    async fn settle(&self, claimed: &Claimed, outcome: &Settled) -> Result<u64, MetadataError> {
        let (word, after, why) = match outcome {
            Settled::Delivered => ("delivered", 0, ""),
            Settled::Again { after, why } => ("again", millis(*after), shortened(why)),
            Settled::Dead { why } => ("dead", 0, shortened(why)),
        };
        let mut call = self.outbox_call("settle");
        call.arg(claimed.number).arg(claimed.claim).arg(word).arg(after).arg(why).arg(DEAD_MAX);
        self.outbox(&call).await
    }

    async fn set_gone(&self, endpoint: &str, gone: bool) -> Result<(), MetadataError> {
        let mut set = redis::cmd("HSET");
        set.arg(BOXES).arg(format!("gone {endpoint}")).arg(u8::from(gone));
        self.servers.call(slot(), async |redis| set.query_async(redis).await).await
    }

    async fn mailboxes(&self) -> Result<Vec<Mailbox>, MetadataError> {
        let mut ask = redis::cmd("HGETALL");
        ask.arg(BOXES);
        let fields: BTreeMap<String, u64> =
            self.servers.call(slot(), async |redis| ask.query_async(redis).await).await?;
        let mut boxes: BTreeMap<&str, Mailbox> = BTreeMap::new();
        for (field, value) in &fields {
            let Some((what, endpoint)) = field.split_once(' ') else { continue };
            let new = || Mailbox { endpoint: endpoint.to_owned(), waiting: 0, dead: 0, gone: false };
            let mailbox = boxes.entry(endpoint).or_insert_with(new);
            match what {
                "waiting" => mailbox.waiting = *value,
                "dead" => mailbox.dead = *value,
                _ => mailbox.gone = *value == 1,
            }
        }
        Ok(boxes.into_values().collect())
    }

    async fn dead(&self, after: Option<u64>, max: usize) -> Result<Vec<DeadLetter>, MetadataError> {
        let mut call = self.outbox_call("dead");
        call.arg(after.unwrap_or(0)).arg(max.min(LETTERS_MAX));
        let answer: Vec<String> = self.outbox(&call).await?;
        let dead = |parts: &[String]| {
            let [no, id, attempts, died_at, why, letter] = parts else { return Err(unreadable("a dead letter")) };
            let (broadcast, letter, died_at) = (of_broadcast(id)?, read_letter(letter)?, StoreTime(number(died_at)?));
            Ok(DeadLetter {
                number: number(no)?,
                broadcast,
                letter,
                attempts: number(attempts)?,
                died_at,
                why: why.clone(),
            })
        };
        answer.chunks(6).map(dead).collect()
    }

    async fn resend(&self, numbers: &[u64]) -> Result<u64, MetadataError> {
        self.of_dead("resend", numbers).await
    }

    async fn discard(&self, numbers: &[u64]) -> Result<u64, MetadataError> {
        self.of_dead("discard", numbers).await
    }
}

impl Redis {
    fn outbox_call(&self, name: &str) -> ScriptInvocation<'_> {
        let mut call = self.scripts.outbox.key(ROOT);
        call.key(NEVER).arg(name);
        call
    }

    async fn outbox<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, MetadataError> {
        self.run(ROOT, call).await
    }

    async fn of_dead(&self, name: &str, numbers: &[u64]) -> Result<u64, MetadataError> {
        check(numbers.len(), &[])?;
        let mut call = self.outbox_call(name);
        numbers.iter().for_each(|number| {
            call.arg(*number);
        });
        self.outbox(&call).await
    }
}

fn slot() -> Slot {
    Slot::of_key(ROOT)
}

fn told_text(told: Told) -> String {
    format!("{} {} {}", told.next.0, told.at.0, u8::from(told.complete))
}

fn read_told(text: &str) -> Result<Told, MetadataError> {
    let mut parts = text.split(' ');
    let mut part = || parts.next().unwrap_or_default();
    Ok(Told { next: EventIndex(number(part())?), at: StoreTime(number(part())?), complete: part() == "1" })
}

fn read_letter(text: &str) -> Result<Letter, MetadataError> {
    serde_json::from_str(text).map_err(|error| MetadataError::corrupt("a letter", error))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, MetadataError> {
    text.parse().map_err(|_| unreadable(&format!("the number {text:?}")))
}

fn of_broadcast(text: &str) -> Result<BroadcastId, MetadataError> {
    text.parse().map_err(|source| MetadataError::corrupt(format!("the broadcast id {text:?}"), source))
}

fn unreadable(what: &str) -> MetadataError {
    MetadataError::corrupt(what, "it is not of the outbox's form")
}

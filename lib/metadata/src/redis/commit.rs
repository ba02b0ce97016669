//! A commit as the script takes it, and the outcomes that it gives back. What the keys hold is said in
//! [`keys`](super::keys).

use broadcast::{BroadcastId, EventIndex, LastSeq, Missing, StoreTime};
use redis::{Script, ScriptInvocation};

use super::keys;
use crate::batch::{Entry, PutBack, Rule};
use crate::error::MetadataError;
use crate::store::{Expect, Limits, Outcome, ShortDigest};

/// The scripts, with their hashes.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) open: Script,
    pub(super) commit: Script,
    pub(super) outbox: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            open: Script::new(include_str!("open.lua")),
            commit: Script::new(include_str!("commit.lua")),
            outbox: Script::new(include_str!("outbox.lua")),
        }
    }
}

/// The call of the script.
pub(super) fn call<'a>(
    script: &'a Script,
    id: BroadcastId,
    entries: &[Entry],
    expect: Expect,
    limits: Limits,
) -> ScriptInvocation<'a> {
    let mut call = script.key(keys::log(id));
    call.key(keys::state(id)).arg(keys::channel(id)).arg(limits.log_len);
    match expect {
        Expect::Any => call.arg(""),
        Expect::Len(len) => call.arg(format!("={}", len.0)),
        Expect::AtLeast(len) => call.arg(format!(">{}", len.0)),
    };
    call.arg("").arg(entries.len());
    for Entry { body, rule } in entries {
        call.arg(&body[..]);
        add_rule(&mut call, id, rule);
    }
    call
}

/// The call of the script that puts back what was lost, from this index on.
pub(super) fn call_again<'a>(script: &'a Script, id: BroadcastId, put_back: &PutBack) -> ScriptInvocation<'a> {
    let PutBack { first, entries, unseen_until, restarted } = put_back;
    let mut call = script.key(keys::log(id));
    call.key(keys::state(id)).arg(keys::channel(id)).arg(u64::MAX).arg(format!("={}", first.0));
    call.arg(unseen_until.0).arg(entries.len());
    for (Entry { body, rule }, at) in entries {
        call.arg(&body[..]).arg(at.0);
        add_rule(&mut call, id, rule);
    }
    call.arg(&restarted[..]);
    call
}

fn add_rule(call: &mut ScriptInvocation<'_>, id: BroadcastId, rule: &Rule) {
    match rule {
        Rule::Always => call.arg("always"),
        Rule::Once(what) => call.arg("once").arg(what),
        Rule::Segment { rendition, seq, digest } => {
            let (bucket, field) = keys::bucket(*seq);
            call.key(keys::segments(id, rendition, bucket));
            call.arg("segment").arg(field).arg(&digest.0[..]).arg(seq.0).arg(keys::last(rendition))
        }
        Rule::Abandon { rendition, seqs } => {
            let (first, last) = (keys::bucket(seqs.first).0, keys::bucket(seqs.last).0);
            for bucket in first..=last {
                call.key(keys::segments(id, rendition, bucket));
            }
            call.arg("abandon").arg(keys::BUCKET_LEN).arg(seqs.first.0).arg(seqs.last.0).arg(keys::last(rendition))
        }
        Rule::Pause => call.arg("pause"),
        Rule::Resume => call.arg("resume"),
        Rule::UnlessOver => call.arg("unless_over"),
        Rule::Close => call.arg("close"),
        Rule::End(last) => {
            let last: Vec<(String, String)> = last.iter().filter_map(last_field).collect();
            call.arg("finish").arg(last.len());
            last.iter().fold(call, |call, (field, value)| call.arg(field).arg(value))
        }
    };
}

fn last_field(LastSeq { rendition, seq, missing }: &LastSeq) -> Option<(String, String)> {
    let word = match missing {
        Missing::Awaited => "awaited",
        Missing::Abandoned => "abandoned",
    };
    seq.map(|seq| (keys::last(rendition), format!("{seq} {word}")))
}

/// The outcomes in the script's answer.
pub(super) fn outcomes(id: BroadcastId, answer: &[Vec<u8>]) -> Result<Vec<Outcome>, MetadataError> {
    let unknown = || MetadataError::corrupt("the answer to a commit", UnknownAnswer(answer.first().cloned()));
    let (verdict, rest) = answer.split_first().ok_or_else(unknown)?;
    if verdict == b"done" {
        return rest.iter().map(|outcome| parse(outcome).ok_or_else(unknown)).collect();
    }
    let len = rest.first().and_then(|len| str::from_utf8(len).ok()?.parse().ok()).map(EventIndex);
    Err(match (&verdict[..], len) {
        (b"missing", _) => MetadataError::NotFound { id },
        (b"stale", Some(len)) => MetadataError::Stale { len },
        (b"lost", Some(len)) => MetadataError::Lost { len },
        (b"full", Some(len)) => MetadataError::Full { id, len },
        _ => unknown(),
    })
}

fn parse(outcome: &[u8]) -> Option<Outcome> {
    Some(match outcome {
        b"=" => Outcome::Duplicate,
        b"e" => Outcome::Ended,
        b"a" => Outcome::Abandoned,
        [b'!', existing @ ..] => Outcome::Conflict { existing: ShortDigest(existing.try_into().ok()?) },
        id => {
            let (index, at) = entry_id(str::from_utf8(id).ok()?)?;
            Outcome::Appended { index, at }
        }
    })
}

/// The index and the time that the id of an entry consists of.
pub(super) fn entry_id(id: &str) -> Option<(EventIndex, StoreTime)> {
    let (index, at) = id.split_once('-')?;
    Some((EventIndex(index.parse().ok()?), StoreTime(at.parse().ok()?)))
}

#[derive(Debug, thiserror::Error)]
#[error("unknown answer {0:?}")]
struct UnknownAnswer(Option<Vec<u8>>);

//! `headwater spool`: what is in a spool, by its log and its files, and by what its relay knew last. It only reads, so a
//! relay may be at work on it, or have been killed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use broadcast::{Broadcast, BroadcastId, Event, EventIndex, Key, LogEntry, Segment, StoreTime};
use metadata::{LIST_MAX, READ_MAX, SqliteReader};
use serde::Serialize;
use service::Clock;

use super::standing::Standing;
use crate::cli::SpoolOptions;

/// All that is in a spool.
#[derive(Debug, Serialize)]
struct Contents {
    spool: String,
    /// The process that is at work on it, if one is.
    pid: Option<u32>,
    broadcasts: Vec<Held>,
}

/// What it has of one broadcast.
#[derive(Debug, Serialize)]
struct Held {
    id: BroadcastId,
    /// `created`, `live`, `interrupted`, `paused`, `ended` or `complete`, by the local log.
    state: &'static str,
    /// Where it goes; unknown if no relay has ever asked there.
    to: Option<String>,
    /// When the relay knew what it says of what is far away, Unix ms.
    as_of_ms: Option<i64>,
    /// What could not be done then.
    trouble: Option<String>,
    /// All that was recorded, and what of it is still in the spool.
    recorded: Share,
    kept: Share,
    /// What has not arrived.
    not_sent: Share,
    /// What has arrived, and must not be deleted here yet.
    not_safe: Share,
    /// What will never be taken there.
    refused: Share,
}

/// A part of what was recorded.
#[derive(Debug, Default, Serialize)]
struct Share {
    segments: u64,
    seconds: f64,
    bytes: u64,
    /// Segment numbers by rendition, `[first, last]`.
    ranges: BTreeMap<String, Vec<[u64; 2]>>,
}

impl Share {
    fn add(&mut self, segment: &Segment) {
        self.segments += 1;
        self.seconds += segment.duration.as_secs_f64();
        self.bytes += segment.len;
        let (ranges, seq) = (self.ranges.entry(segment.rendition.to_string()).or_default(), segment.seq.0);
        match ranges.last_mut() {
            Some(last) if last[1].checked_add(1) == Some(seq) => last[1] = seq,
            _ => ranges.push([seq, seq]),
        }
    }
}

pub(crate) fn contents(options: &SpoolOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let contents = runtime.block_on(read(&options.dir, &Clock::system()))?;
    let text = if options.json { serde_json::to_string_pretty(&contents)? + "\n" } else { text(&contents) };
    // Nobody may be listening.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}

async fn read(dir: &Path, clock: &Clock) -> anyhow::Result<Contents> {
    let file = dir.join("metadata.sqlite");
    if !file.exists() {
        bail!("{} is no spool: there is no metadata.sqlite in it", dir.display());
    }
    let unreadable = || format!("cannot read the spool {}", dir.display());
    let logs = SqliteReader::open(&file).await.with_context(unreadable)?;
    let (standing, mut broadcasts) = (Standing::of(dir), Vec::new());
    for id in logs.list(None, LIST_MAX).await.with_context(unreadable)? {
        let mut log = Vec::new();
        loop {
            let more = logs.read(id, EventIndex(log.len() as u64), READ_MAX).await.with_context(unreadable)?;
            if more.is_empty() {
                break;
            }
            log.extend(more);
        }
        let is_here = |segment: &Segment| dir.join("segments").join(Key::of_segment(id, segment).to_string()).exists();
        broadcasts.push(held(id, &log, standing.clone(), StoreTime(clock.now_ms()), is_here)?);
    }
    Ok(Contents { spool: dir.display().to_string(), pid: at_work(dir), broadcasts })
}

fn held(
    id: BroadcastId,
    log: &[LogEntry],
    standing: Option<Standing>,
    now: StoreTime,
    is_here: impl Fn(&Segment) -> bool,
) -> anyhow::Result<Held> {
    let broadcast = Broadcast::replay(log)?.context("a log without a beginning")?;
    let (mut recorded, mut kept) = (Share::default(), Share::default());
    let (mut not_sent, mut not_safe, mut refused) = (Share::default(), Share::default(), Share::default());
    let status = standing.as_ref().map(|standing| &standing.status);
    let mut segments: Vec<(&LogEntry, &Segment)> = Vec::new();
    for entry in log {
        if let Event::Stored(segment) = &entry.event {
            segments.push((entry, segment));
        }
    }
    segments.sort_by(|(_, a), (_, b)| (&a.rendition, a.seq).cmp(&(&b.rendition, b.seq)));
    for (entry, segment) in segments {
        recorded.add(segment);
        if is_here(segment) {
            kept.add(segment);
        }
        // What was recorded after the relay wrote down how things stand is not known to have been sent.
        let known = status.filter(|status| entry.index.0 < status.log_len);
        let is_in = |ranges: &BTreeMap<String, Vec<[u64; 2]>>| {
            let of_rendition = ranges.get(segment.rendition.as_str()).into_iter().flatten();
            of_rendition.into_iter().any(|[first, last]| (*first..=*last).contains(&segment.seq.0))
        };
        match known {
            None => not_sent.add(segment),
            Some(status) if is_in(&status.missing) => not_sent.add(segment),
            Some(status) if is_in(&status.not_safe) => not_safe.add(segment),
            Some(status) if is_in(&status.refused) => refused.add(segment),
            Some(_) => {}
        }
    }
    let (to, as_of_ms) = (standing.as_ref().map(|s| s.to.clone()), standing.as_ref().map(|s| s.as_of_ms));
    let trouble = standing.and_then(|standing| standing.status.trouble);
    let state = broadcast.state(now).word();
    Ok(Held { id, state, to, as_of_ms, trouble, recorded, kept, not_sent, not_safe, refused })
}

/// The process that holds the lock, by what the lock file says. The lock is not tried: that would be in the way of a
/// relay that is being started.
fn at_work(dir: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(dir.join("lock")).ok()?;
    let pid: u32 = text.lines().next()?.parse().ok()?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    name.starts_with("headwater").then_some(pid)
}

/// What people read, and scripts too: one fact a line, tab-separated.
fn text(contents: &Contents) -> String {
    let mut text = format!("spool\t{}\n", contents.spool);
    let process =
        contents.pid.map_or_else(|| "nobody is at work on it".to_owned(), |pid| format!("pid {pid} is at work on it"));
    text += &format!("process\t{process}\n");
    for held in &contents.broadcasts {
        text += &format!("broadcast\t{}\t{}\n", held.id, held.state);
        text += &format!("to\t{}\n", held.to.as_deref().unwrap_or("unknown"));
        if let Some(trouble) = &held.trouble {
            text += &format!("trouble\t{trouble}\n");
        }
        let shares = [
            ("recorded", &held.recorded),
            ("still here", &held.kept),
            ("not sent", &held.not_sent),
            ("not safe", &held.not_safe),
            ("refused", &held.refused),
        ];
        for (name, share) in shares {
            let (segments, seconds, megabytes) = (share.segments, share.seconds, share.bytes as f64 / 1e6);
            text +=
                &format!("{name}\t{segments} segments\t{seconds:.1} s\t{megabytes:.1} MB\t{}\n", ranges(&share.ranges));
        }
    }
    text
}

/// `main 0-11,14 · audio 0-12`.
pub(super) fn ranges(ranges: &BTreeMap<String, Vec<[u64; 2]>>) -> String {
    let range = |[first, last]: &[u64; 2]| if first == last { first.to_string() } else { format!("{first}-{last}") };
    let of = |(name, ranges): (&String, &Vec<[u64; 2]>)| {
        format!("{name} {}", ranges.iter().map(range).collect::<Vec<_>>().join(","))
    };
    ranges.iter().map(of).collect::<Vec<_>>().join(" · ")
}

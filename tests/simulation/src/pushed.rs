//! What must have become of what stock pushers sent: what was acknowledged is in the recording, once, in order, with the init
//! section of its own run. What was refused or cut off may be missing, and holds nothing up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use broadcast::{Broadcast, Container, Digest, Event, FormatId, Key, LogEntry, Segment, StoreTime};
use metadata::Metadata;
use tokio::time::Instant;

use crate::disks::Disks;
use crate::network::{lock, tokio_now};
use crate::node::{Node, Nodes};
use crate::pusher::{Habits, Names, Pusher, What};
use crate::store::SharedStore;
use crate::truth::{Taken, Truth};

/// How often it is looked whether recorders are able to commit.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon a playlist has to name a segment: a little less than `unnamed_wait_ms`.
const NAMED_WITHIN: Duration = Duration::from_millis(1_900);
/// For how long an end waits for what another recorder has parked (docs/design/publisher.md, *Stock pushers*), with as much
/// again for that one to see to it, in milliseconds.
const STRAGGLES_MS: i64 = 20_000;

/// When which recorder could commit what it had, looked at again and again.
#[derive(Clone, Debug)]
pub(crate) struct Able {
    nodes: Nodes,
    store: Arc<SharedStore>,
    looks: Arc<Mutex<Vec<Look>>>,
}

#[derive(Clone, Debug)]
struct Look {
    at: StoreTime,
    instant: Instant,
    /// The names of those who were not.
    unable: Vec<String>,
    is_store_away: bool,
}

impl Able {
    pub(crate) fn new(nodes: Nodes, store: Arc<SharedStore>) -> Self {
        Self { nodes, store, looks: Arc::default() }
    }

    pub(crate) async fn watch(self) {
        let (mut crashes, mut breaks) = (BTreeMap::new(), 0);
        loop {
            let is_broken = std::mem::replace(&mut breaks, self.store.breaks()) != breaks;
            let mut is_able = |node: &&Arc<Node>| {
                let count = node.crashes.load(Ordering::SeqCst);
                let has_crashed = crashes.insert(node.name.clone(), count).is_some_and(|before| before != count);
                !has_crashed && !is_broken && self.store.is_well() && node.is_well()
            };
            let unable = self.nodes.all().iter().filter(|node| !is_able(node)).map(|node| node.name.clone());
            let look = Look {
                at: self.store.log().horizon().unwrap_or(StoreTime(0)),
                instant: tokio_now(),
                unable: unable.collect(),
                is_store_away: !self.store.is_well(),
            };
            lock(&self.looks).push(look);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Whether all were, from then on.
    pub(crate) fn all_since(&self, since: Instant) -> bool {
        lock(&self.looks).iter().filter(|look| look.instant + LOOK_EVERY >= since).all(|look| look.unable.is_empty())
    }

    /// Whether one was, all the time.
    fn was_able(&self, name: &str, from: StoreTime, to: StoreTime) -> bool {
        let looks = lock(&self.looks);
        let mut window = looks.iter().filter(|look| (from.0 - 1_000..=to.0 + 1_000).contains(&look.at.0));
        window.all(|look| look.unable.iter().all(|unable| unable != name))
    }

    /// Whether the metadata store was not well, about then.
    fn was_store_away_at(&self, at: Instant) -> bool {
        let looks = lock(&self.looks);
        let mut near = looks.iter().filter(|look| look.instant + LOOK_EVERY >= at && look.instant <= at + LOOK_EVERY);
        near.any(|look| look.is_store_away)
    }

    /// When the store's clock had come so far.
    fn instant_of(&self, at: StoreTime) -> Option<Instant> {
        lock(&self.looks).iter().find(|look| look.at >= at).map(|look| look.instant)
    }
}

/// What is in a recording, under which numbers.
type Found = BTreeMap<Digest, Vec<Arc<Segment>>>;

/// One broadcast that was pushed, and all that is known of it.
pub(crate) struct Pushed<'a> {
    pub(crate) pusher: &'a Pusher,
    pub(crate) nodes: &'a Nodes,
    pub(crate) disks: &'a Disks,
    pub(crate) able: &'a Able,
    pub(crate) truth: &'a Truth,
    /// Somebody has told it anew.
    pub(crate) is_rebuilt: bool,
    /// The metadata store has forgotten something.
    pub(crate) was_forgotten: bool,
}

impl Pushed<'_> {
    /// Whether its pusher has ended it, and nothing kept anybody from hearing of it, or came after it. If its owner has ended it
    /// before anything had come, somebody may have recorded it in a tunnel, and is waited for.
    pub(crate) fn ends_itself(&self) -> bool {
        let taken = self.truth.taken_of(self.pusher.id);
        let Some(run) = taken.iter().map(|taken| taken.sent.run).max() else { return false };
        let is_end = |taken: &&Taken| taken.sent.run == run && is_closed(taken);
        let ends: Vec<&Taken> = taken.iter().filter(is_end).collect();
        let Some(first) = ends.iter().map(|end| end.at).min() else { return false };
        let comes_after = |taken: &Taken| taken.at >= first && !is_closed(taken);
        ends.len() == self.pusher.form.renditions.len()
            && taken.iter().any(|taken| segment_of(taken).is_some())
            && !taken.iter().any(comes_after)
            && !self.is_rebuilt
            && self.able.all_since(first)
    }

    /// At the end.
    pub(crate) fn check(&self, log: &[LogEntry]) {
        let id = self.pusher.id;
        let broadcast = match Broadcast::replay(log) {
            Ok(Some(broadcast)) => broadcast,
            other => return self.truth.violated(format!("the log of {id} is none: {other:?}")),
        };
        let (taken, found) = (self.truth.taken_of(id), by_digest(&broadcast));
        for what in misplaced(&taken, &found, self.pusher.habits, self.was_forgotten) {
            self.truth.violated(format!("{id} {what}"));
        }
        for (told, nth, digest) in taken.iter().filter_map(segment_of) {
            let name = format!("{id} run {} stream {} segment {nth}", told.sent.run, told.sent.stream);
            let Some(segment) = found.get(&digest).and_then(|segments| segments.first()) else {
                if let Err(what) = self.excuse(told, digest, &taken, log) {
                    self.truth.violated(format!("{name} was acknowledged by {}, and is lost: {what}", told.by));
                }
                continue;
            };
            if let Err(what) = self.kept(segment, told, &taken, &broadcast) {
                self.truth.violated(format!("{name}, which is {}, {what}", place_of(segment)));
            }
        }
    }

    fn kept(&self, segment: &Segment, told: &Taken, taken: &[Taken], broadcast: &Broadcast) -> Result<(), String> {
        let stream = told.sent.stream;
        let rendition = if self.pusher.form.renditions.len() > 1 { format!("v{stream}") } else { "main".to_owned() };
        if segment.rendition.as_str() != rendition {
            return Err(format!("is not of {rendition}"));
        }
        if let Some(init) = init_of(taken, told)
            && segment.format != FormatId::of_init(&init)
        {
            return Err(format!("has the init section {}, not that of its run, {init}", segment.format));
        }
        if told.is_lost {
            return Ok(());
        }
        let is_safe = broadcast.safe(&segment.rendition).is_some_and(|safe| safe.contains(segment.seq));
        // Who rebuilds says of nothing that it is safe.
        if self.disks.may_lose() && !is_safe && !self.is_rebuilt {
            return Err("is not safe".to_owned());
        }
        let key = Key::of_segment(self.pusher.id, segment);
        let is_whole = self.disks.hold_whole(&key, segment.digest);
        if is_whole { Ok(()) } else { Err("is in the log, and its bytes are nowhere".to_owned()) }
    }

    /// Why something that was acknowledged may not be in the recording; an error says where it is instead.
    fn excuse(&self, told: &Taken, digest: Digest, taken: &[Taken], log: &[LogEntry]) -> Result<(), String> {
        let needs_init = self.pusher.form.container == Container::M4s;
        if told.is_lost || needs_init && init_of(taken, told).is_none() {
            return Ok(());
        }
        let of = |dir: &Path| -> Vec<PathBuf> {
            ["parked", "refused", "damaged"].iter().map(|sub| dir.join(sub).join(self.pusher.id.to_string())).collect()
        };
        let dirs = self.nodes.all().iter().flat_map(|node| of(&node.dir).into_iter().map(|dir| (&node.name, dir)));
        let found = dirs.into_iter().find(|(_, dir)| has(dir, digest));
        let Some((name, dir)) = found else { return Err("it is nowhere".to_owned()) };
        let is_refused = dir.parent().is_some_and(|dir| dir.ends_with("refused"));
        // A recorder that cannot commit for longer than an end waits for it sets aside what it has parked.
        let is_excused = |(from, ended)| !self.able.was_able(name, from, ended) || self.came_when_over(told, ended);
        if is_refused && over(log).is_some_and(is_excused) {
            return Ok(());
        }
        let kind = dir.parent().and_then(Path::file_name).unwrap_or_default();
        Err(format!("it is in {} of {name}", kind.to_string_lossy()))
    }

    /// Whether it came when the broadcast had long ended, and nobody could be asked about that.
    fn came_when_over(&self, told: &Taken, ended: StoreTime) -> bool {
        let straggles = Duration::from_millis(STRAGGLES_MS.unsigned_abs());
        let ended = self.able.instant_of(ended);
        ended.is_some_and(|ended| told.at > ended + straggles) && self.able.was_store_away_at(told.at)
    }
}

/// What is there more than once, and what comes after what was recorded later in the same run, and was named as soon. What the
/// metadata store has forgotten may be found when its number has gone to something else: it comes after that.
fn misplaced(taken: &[Taken], found: &Found, habits: Habits, was_forgotten: bool) -> Vec<String> {
    let places =
        |segments: &[Arc<Segment>]| segments.iter().map(|segment| place_of(segment)).collect::<Vec<_>>().join(", ");
    let twice = found.iter().filter(|(_, segments)| segments.len() > 1);
    let twice = twice.map(|(digest, segments)| format!("has {digest} more than once: {}", places(segments)));
    let place = |(told, nth, digest): (&Taken, u64, Digest)| {
        let named = named(told, nth, taken, habits)?;
        let segment = found.get(&digest)?.first()?;
        Some(((told.sent.run, told.sent.stream, named, nth), segment.clone()))
    };
    let in_order: BTreeMap<(u64, usize, Named, u64), Arc<Segment>> =
        taken.iter().filter_map(segment_of).filter_map(place).collect();
    let pairs = in_order.iter().zip(in_order.iter().skip(1));
    let late = pairs.filter(|((before, one), (after, other))| {
        let is_found_again = was_forgotten && one.pushed.is_none();
        (before.0, before.1, before.2) == (after.0, after.1, after.2) && one.seq >= other.seq && !is_found_again
    });
    let late = late.map(|(((run, stream, _, before), one), ((_, _, _, after), other))| {
        let (one, other) = (place_of(one), place_of(other));
        format!("run {run} stream {stream} segment {after} is {other}, and {before} before it is {one}")
    });
    twice.chain(late).collect()
}

/// What tells where a segment belongs: what is named as soon comes in order, and what is not named does by its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    /// Its own name, or a playlist that came in time.
    Yes,
    ByArrival,
}

/// Nothing tells the order of what comes over several connections before a playlist does.
fn named(told: &Taken, nth: u64, taken: &[Taken], habits: Habits) -> Option<Named> {
    let lists = |taken: &Taken| match taken.sent.what {
        What::Playlist { listed } | What::Closed { listed } => (listed.from..listed.until).contains(&nth),
        What::Init { .. } | What::Segment { .. } => false,
    };
    let of_it = |taken: &&Taken| (taken.sent.run, taken.sent.stream) == (told.sent.run, told.sent.stream);
    let is_listed = taken.iter().filter(of_it).any(|taken| lists(taken) && taken.at < told.at + NAMED_WITHIN);
    if matches!(habits.names, Names::Numbers { .. }) || is_listed {
        return Some(Named::Yes);
    }
    (habits.connections == 1).then_some(Named::ByArrival)
}

fn is_closed(taken: &Taken) -> bool {
    matches!(taken.sent.what, What::Closed { .. })
}

/// The init section that was acknowledged to its run.
fn init_of(taken: &[Taken], told: &Taken) -> Option<Digest> {
    let of_its_run = |taken: &&Taken| taken.sent.run == told.sent.run && taken.sent.stream == told.sent.stream;
    let inits = taken.iter().filter(of_its_run).filter(|taken| matches!(taken.sent.what, What::Init { .. }));
    inits.filter(|taken| !taken.is_lost).find_map(|taken| taken.sent.digest())
}

fn segment_of(taken: &Taken) -> Option<(&Taken, u64, Digest)> {
    match taken.sent.what {
        What::Segment { nth, digest } => Some((taken, nth, digest)),
        What::Init { .. } | What::Playlist { .. } | What::Closed { .. } => None,
    }
}

fn by_digest(broadcast: &Broadcast) -> Found {
    let mut found = Found::new();
    for segment in broadcast.renditions().iter().flat_map(|rendition| rendition.segments()) {
        found.entry(segment.digest).or_default().push(segment.clone());
    }
    found
}

fn place_of(segment: &Segment) -> String {
    format!("{} {}", segment.rendition, segment.seq)
}

/// From when to when it ended: what had been parked could be committed in this time at the latest.
fn over(log: &[LogEntry]) -> Option<(StoreTime, StoreTime)> {
    let ended = log.iter().find(|entry| matches!(entry.event, Event::Ended { .. }))?.at;
    let closing = log.iter().find(|entry| matches!(entry.event, Event::Closing { .. })).map(|entry| entry.at);
    let from = closing.unwrap_or(ended).min(StoreTime(ended.0 - STRAGGLES_MS));
    Some((from, ended))
}

/// Whether one of the files in a directory has this content.
fn has(dir: &Path, digest: Digest) -> bool {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files
        .filter_map(|file| std::fs::read(file.path()).ok())
        .any(|bytes| Digest::of_blake3(blake3::hash(&bytes).as_bytes()) == digest)
}

#[cfg(test)]
mod tests {
    use broadcast::{BroadcastId, CapturedAt, MediaDuration, MediaTime, RenditionName, Seq};

    use super::*;
    use crate::pusher::{Listed, Sends, Sent};

    fn habits(names: Names, connections: usize) -> Habits {
        Habits {
            segment_ms: 4_000,
            until: tokio_now(),
            connections,
            sends: Sends::Whole,
            names,
            window: 5,
            gives_up: Duration::ZERO,
            closes: 0,
            moves: 0,
        }
    }

    fn digest(run: u64, nth: u64) -> Digest {
        Digest([u8::try_from(run * 10 + nth).expect("few"); 16])
    }

    fn taken(run: u64, nth: u64) -> Taken {
        let what = What::Segment { nth, digest: digest(run, nth) };
        let sent = Sent { id: BroadcastId::new(1, 2), run, stream: 0, what };
        Taken { sent, by: "r0".to_owned(), at: tokio_now(), is_lost: false }
    }

    fn segment(digest: Digest, seq: u64) -> Arc<Segment> {
        Arc::new(Segment {
            rendition: RenditionName::main(),
            seq: Seq(seq),
            captured_at: CapturedAt(0),
            duration: MediaDuration::from_millis(4_000),
            digest,
            len: 1,
            container: Container::Ts,
            format: FormatId([0; 8]),
            media_start: MediaTime(0),
            keyframe_start: true,
            cuts: vec![],
            pushed: None,
        })
    }

    /// How much is wrong with these numbers, each of a segment by its run and its place in it.
    #[track_caller]
    fn check(stored: &[((u64, u64), u64)], expected: usize) {
        check_in(false, stored, expected);
    }

    #[track_caller]
    fn check_in(was_forgotten: bool, stored: &[((u64, u64), u64)], expected: usize) {
        let mut found = Found::new();
        for ((run, nth), seq) in stored {
            found.entry(digest(*run, *nth)).or_default().push(segment(digest(*run, *nth), *seq));
        }
        let taken: Vec<Taken> = [(0, 2), (0, 0), (0, 1), (1, 0), (1, 1)].map(|(run, nth)| taken(run, nth)).into();
        let misplaced = misplaced(&taken, &found, habits(Names::Numbers { from: 0 }, 6), was_forgotten);
        assert_eq!(misplaced.len(), expected, "{misplaced:?}");
    }

    #[test]
    fn what_was_pushed_is_in_its_order_once() {
        check(&[((0, 0), 0), ((0, 1), 1), ((0, 2), 2), ((1, 0), 3), ((1, 1), 4)], 0);
        // What was lost, and runs that lie within each other, are as they may be.
        check(&[((0, 0), 7), ((0, 2), 9), ((1, 0), 0), ((1, 1), 8)], 0);
        check(&[((0, 0), 1), ((0, 1), 0), ((0, 2), 2)], 1);
        check(&[((0, 0), 0), ((0, 0), 5), ((0, 1), 1)], 1);
        // What is found again comes later, and still once.
        check_in(true, &[((0, 0), 1), ((0, 1), 0), ((0, 2), 2)], 0);
        check_in(true, &[((0, 0), 0), ((0, 0), 5), ((0, 1), 1)], 1);
    }

    #[test]
    fn nothing_tells_the_order_of_what_comes_at_the_same_time() {
        let told = taken(0, 1);
        let listed = Listed { from: 0, until: 2 };
        let sent = Sent { what: What::Playlist { listed }, ..told.sent };
        let playlist = |after_ms| Taken { sent, at: told.at + Duration::from_millis(after_ms), ..told.clone() };
        let check = |names, connections, playlists: &[Taken], expected| {
            assert_eq!(named(&told, 1, playlists, habits(names, connections)), expected);
        };
        check(Names::Numbers { from: 1 }, 6, &[], Some(Named::Yes));
        check(Names::Times, 6, &[playlist(1_000)], Some(Named::Yes));
        check(Names::Times, 6, &[playlist(3_000)], None);
        check(Names::Times, 1, &[playlist(3_000)], Some(Named::ByArrival));
    }
}

//! What following costs the store.

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Waker};

use async_trait::async_trait;
use broadcast::{
    CapturedAt, Container, Digest, FormatId, MediaDuration, MediaTime, Opened, RenditionName, Segment, Seq, SeqRange,
    ViewPolicy,
};
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::*;
use crate::sqlite::Sqlite;
use crate::store::{Expect, Known, Limits};

/// A real store whose reads are counted, and begin and answer when the test lets them; or fail.
#[derive(Debug)]
struct Slow {
    store: std::sync::Mutex<Arc<Sqlite>>,
    may_begin: Semaphore,
    may_answer: Semaphore,
    is_away: AtomicBool,
    reads: AtomicU64,
    /// Reads that are done, though their answer may be held up.
    answers: AtomicU64,
    breaks: AtomicU64,
    refuses_commits: AtomicBool,
}

impl Slow {
    fn store(&self) -> Arc<Sqlite> {
        self.store.lock().unwrap().clone()
    }

    /// From now on there is another store in its place, which knows these entries and has taken in `event` since.
    async fn forget(&self, dir: &TempDir, id: BroadcastId, known: &[LogEntry], event: Option<Event>) {
        self.forget_for(0, dir, id, known, event).await;
    }

    /// The same, so many milliseconds later.
    async fn forget_for(&self, ms: i64, dir: &TempDir, id: BroadcastId, known: &[LogEntry], event: Option<Event>) {
        let name = format!("{}.db", self.breaks.fetch_add(1, Ordering::SeqCst));
        let clock = Clock::from_tokio(Clock::system().now_ms() + ms);
        let other = Sqlite::open(&dir.path().join(name), Limits::default(), clock).await.unwrap();
        other.put_back(id, known, StoreTime(i64::MAX)).await.unwrap();
        if let Some(event) = event {
            other.commit(id, &[event], Expect::Any).await.unwrap();
        }
        *self.store.lock().unwrap() = Arc::new(other);
    }

    async fn log(&self, id: BroadcastId) -> Vec<LogEntry> {
        self.store().read(id, EventIndex(0), 99).await.unwrap()
    }
}

#[async_trait]
impl Metadata for Slow {
    async fn open(&self, id: BroadcastId, opened: &Opened) -> Result<LogEntry, MetadataError> {
        self.store().open(id, opened).await
    }

    async fn commit(&self, id: BroadcastId, events: &[Event], expect: Expect) -> Result<Vec<Outcome>, MetadataError> {
        if self.refuses_commits.load(Ordering::SeqCst) {
            return Err(MetadataError::unavailable("not now"));
        }
        self.store().commit(id, events, expect).await
    }

    async fn put_back(&self, id: BroadcastId, entries: &[LogEntry], until: StoreTime) -> Result<(), MetadataError> {
        self.store().put_back(id, entries, until).await
    }

    async fn read(&self, id: BroadcastId, from: EventIndex, max: usize) -> Result<Vec<LogEntry>, MetadataError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.may_begin.acquire().await.unwrap().forget();
        if self.is_away.load(Ordering::SeqCst) {
            return Err(MetadataError::unavailable("away"));
        }
        let answer = self.store().read(id, from, max).await;
        self.answers.fetch_add(1, Ordering::SeqCst);
        let _may = self.may_answer.acquire().await.unwrap();
        answer
    }

    async fn wait_beyond(&self, _: BroadcastId, _: Known<'_>, _: usize) -> Result<Vec<LogEntry>, MetadataError> {
        std::future::pending().await
    }

    async fn list(&self, after: Option<BroadcastId>, max: usize) -> Result<Vec<BroadcastId>, MetadataError> {
        self.store().list(after, max).await
    }

    fn breaks(&self) -> u64 {
        self.breaks.load(Ordering::SeqCst)
    }

    fn horizon(&self) -> Option<StoreTime> {
        self.store().horizon()
    }

    fn health(&self) -> Result<(), MetadataError> {
        self.store().health()
    }
}

fn opened() -> Opened {
    Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true }
}

/// A store without a broadcast, of which one read may begin.
async fn slow(dir: &TempDir) -> Arc<Slow> {
    let store = Sqlite::open(&dir.path().join("metadata.db"), Limits::default(), Clock::system()).await.unwrap();
    let store = std::sync::Mutex::new(Arc::new(store));
    let (may_begin, may_answer) = (Semaphore::new(1), Semaphore::new(1));
    let ([reads, answers, breaks], [is_away, refuses_commits]) = Default::default();
    Arc::new(Slow { store, may_begin, may_answer, is_away, reads, answers, breaks, refuses_commits })
}

/// Who asks for a broadcast after it was opened gets it, though somebody else asked before and waits for the answer.
#[tokio::test]
async fn what_was_not_there_for_another_is_looked_for_again() {
    let dir = TempDir::new().unwrap();
    let (slow, id) = (slow(&dir).await, BroadcastId::new(1_790_000_000_000, 7));
    let broadcasts = Broadcasts::new(slow.clone(), Tasks::new(), Clock::system());
    let held = slow.may_answer.acquire().await.unwrap();
    let before = broadcasts.get(id);
    let opens = async {
        while slow.answers.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        slow.store().open(id, &opened()).await.unwrap();
        slow.may_begin.add_permits(1);
        let mut after = pin!(broadcasts.get(id));
        assert!(after.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(held);
        after.await
    };
    let (before, after) = tokio::join!(before, opens);
    assert!(matches!(before, Err(MetadataError::NotFound { .. })), "{before:?}");
    assert_eq!(after.unwrap().id(), id);
    assert_eq!(slow.reads.load(Ordering::SeqCst), 2);
}

async fn follow(dir: &TempDir) -> (Arc<Slow>, Arc<Followed>) {
    let (slow, id) = (slow(dir).await, BroadcastId::new(1_790_000_000_000, 7));
    slow.store().open(id, &opened()).await.unwrap();
    let broadcasts = Broadcasts::new(slow.clone(), Tasks::new(), Clock::system());
    let followed = broadcasts.get(id).await.unwrap();
    slow.reads.store(0, Ordering::SeqCst);
    (slow, followed)
}

/// As many refreshes as may be, asked for while the first of them reads: how many fail, and what was read.
async fn many(slow: &Slow, followed: &Followed) -> usize {
    let mut first = pin!(followed.refresh());
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    // Only a read that begins after this will show it.
    slow.store().commit(followed.id(), &[Event::EndHinted], Expect::Any).await.unwrap();
    let many = join_all((0..100).map(|_| followed.refresh()));
    let lets = async { slow.may_begin.add_permits(1_000) };
    let (first, done, ()) = tokio::join!(first, many, lets);
    [first].into_iter().chain(done).filter(Result::is_err).count()
}

#[tokio::test]
async fn those_who_ask_while_one_reads_share_the_next_read() {
    let dir = TempDir::new().unwrap();
    let (slow, followed) = follow(&dir).await;
    assert_eq!(many(&slow, &followed).await, 0);
    assert_eq!(followed.read().next_index(), EventIndex(2));
    // The first gets the event and then an empty page; all others together an empty page.
    assert_eq!(slow.reads.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_store_that_is_away_is_tried_once_for_all() {
    let dir = TempDir::new().unwrap();
    let (slow, followed) = follow(&dir).await;
    slow.is_away.store(true, Ordering::SeqCst);
    assert_eq!(many(&slow, &followed).await, 101);
    assert_eq!(slow.reads.load(Ordering::SeqCst), 2);
    slow.is_away.store(false, Ordering::SeqCst);
    followed.refresh().await.unwrap();
    assert_eq!(followed.read().next_index(), EventIndex(2), "a failure is not kept");
}

fn safe(seq: u64) -> Event {
    Event::Safe { rendition: RenditionName::main(), seqs: SeqRange::one(Seq(seq)) }
}

#[tokio::test]
async fn what_the_store_forgets_is_put_back_with_its_time() {
    let dir = TempDir::new().unwrap();
    let (slow, followed) = follow(&dir).await;
    slow.may_begin.add_permits(1_000);
    for seq in 0..5 {
        followed.commit(&[safe(seq)]).await.unwrap();
    }
    let (id, log) = (followed.id(), slow.log(followed.id()).await);
    for known in [5, 2, 0] {
        slow.forget(&dir, id, &log[..known], None).await;
        followed.commit(&[Event::EndHinted]).await.unwrap();
        assert_eq!(slow.log(id).await[..log.len()], log, "{known} of it were known");
    }
    slow.forget(&dir, id, &log[..3], None).await;
    followed.refresh().await.unwrap();
    assert_eq!(slow.log(id).await[..log.len()], log, "also for those who only read");
}

fn stored(seq: u64, captured_ms: i64) -> Event {
    Event::Stored(Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(captured_ms),
        duration: MediaDuration::from_millis(2_000),
        digest: Digest([seq as u8; 16]),
        len: 1_000,
        container: Container::Ts,
        format: FormatId([0; 8]),
        media_start: MediaTime(0),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    })
}

/// Whether a log says this: ranges that are safe may be cut in another way.
fn has(log: &[LogEntry], event: &Event) -> bool {
    let says = |entry: &LogEntry| match (&entry.event, event) {
        (Event::Safe { seqs: said, .. }, Event::Safe { seqs, .. }) => {
            said.first <= seqs.first && seqs.last <= said.last
        }
        (said, event) => said == event,
    };
    log.iter().any(says)
}

/// A log in which five segments are stored, and three of them safe.
async fn five_stored(slow: &Slow, followed: &Followed) -> Vec<LogEntry> {
    slow.may_begin.add_permits(1_000);
    for seq in 0..5 {
        followed.commit(&[stored(seq, 2_000 * seq.cast_signed())]).await.unwrap();
    }
    for seq in [0, 3, 4] {
        followed.commit(&[safe(seq)]).await.unwrap();
    }
    slow.log(followed.id()).await
}

#[tokio::test]
async fn what_the_store_forgets_and_goes_on_without_is_told_again() {
    // Others know less, and are quicker; what is noticed first is a commit, or somebody who reads.
    for (known, by_commit) in [(3, true), (3, false), (6, true), (7, false), (8, true)] {
        let dir = TempDir::new().unwrap();
        let (slow, followed) = follow(&dir).await;
        let log = five_stored(&slow, &followed).await;
        let id = followed.id();
        slow.forget(&dir, id, &log[..known], Some(Event::Paused)).await;
        for seq in 9..12 {
            slow.store().commit(id, &[stored(seq, 0)], Expect::Any).await.unwrap();
        }
        if by_commit {
            followed.commit(&[Event::EndHinted]).await.unwrap();
        } else {
            followed.refresh().await.unwrap();
            followed.refresh().await.unwrap();
        }
        let now = slow.log(id).await;
        assert!(log.iter().all(|entry| has(&now, &entry.event)), "{known} {by_commit}: {now:#?}");
        assert!(has(&now, &Event::Paused) && has(&now, &stored(11, 0)));
        assert_eq!(followed.read().next_index().0, now.len() as u64);
    }
}

#[tokio::test]
async fn what_could_not_be_told_again_is_not_forgotten() {
    let dir = TempDir::new().unwrap();
    let (slow, followed) = follow(&dir).await;
    let log = five_stored(&slow, &followed).await;
    slow.forget(&dir, followed.id(), &log[..3], Some(Event::Paused)).await;
    slow.refuses_commits.store(true, Ordering::SeqCst);
    assert!(followed.refresh().await.is_err());
    assert!(followed.refresh().await.is_err());
    slow.refuses_commits.store(false, Ordering::SeqCst);
    followed.refresh().await.unwrap();
    let now = slow.log(followed.id()).await;
    assert!(log.iter().all(|entry| has(&now, &entry.event)), "{now:#?}");
}

#[tokio::test]
async fn what_is_stored_anew_under_another_key_is_not_safe() {
    let dir = TempDir::new().unwrap();
    let (slow, followed) = follow(&dir).await;
    let log = five_stored(&slow, &followed).await;
    // Its publisher has sent it to another recorder meanwhile, and dates it a little differently.
    slow.forget(&dir, followed.id(), &log[..4], Some(stored(3, 6_001))).await;
    followed.refresh().await.unwrap();
    let now = slow.log(followed.id()).await;
    assert_eq!((has(&now, &safe(0)), has(&now, &safe(3)), has(&now, &safe(4))), (true, false, true), "{now:#?}");
}

/// Nothing of a longer log than is remembered is told again: what it gave up might be what others have still to put back.
#[tokio::test]
async fn a_log_that_has_lost_more_than_is_known_here_is_taken_as_it_is() {
    let dir = TempDir::new().unwrap();
    let (slow, id) = (slow(&dir).await, BroadcastId::new(1_790_000_000_000, 7));
    slow.may_begin.add_permits(10_000);
    slow.store().open(id, &opened()).await.unwrap();
    let broadcasts = Broadcasts::new(slow.clone(), Tasks::new(), Clock::system());
    let followed = broadcasts.get(id).await.unwrap();
    followed.commit(&[stored(0, 0), safe(0)]).await.unwrap();
    let begin = slow.log(id).await;
    let node = |n: u64| Event::RecordedBy { node: format!("r{}", n % 2) };
    for n in 0..21_000 / COMMIT_EVENTS_MAX as u64 + 1 {
        let events: Vec<Event> = (0..COMMIT_EVENTS_MAX as u64).map(|m| node(n + m)).collect();
        followed.commit(&events).await.unwrap();
    }
    let breaks = broadcasts.breaks();
    slow.forget(&dir, id, &begin, None).await;
    followed.refresh().await.unwrap();
    assert_eq!(followed.read().next_index(), EventIndex(4), "live is another");
    assert_eq!((broadcasts.breaks(), broadcasts.breaks_of(id)), (breaks + 2, breaks + 2), "away, and given up");
    followed.commit(&[stored(1, 2_000)]).await.unwrap();
    assert_eq!(slow.log(id).await.len(), 5);
}

fn restarts(log: &[LogEntry]) -> usize {
    log.iter().filter(|entry| entry.event == Event::Restarted).count()
}

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn what_may_have_been_missed_starts_live_anew() {
    // At once; when there are gaps in its place by now; and what nobody could miss.
    for (known, away_ms, expected) in [(5, 0, 0), (5, HOUR_MS, 1), (6, HOUR_MS, 0)] {
        let dir = TempDir::new().unwrap();
        let (slow, followed) = follow(&dir).await;
        let log = five_stored(&slow, &followed).await;
        slow.forget_for(away_ms, &dir, followed.id(), &log[..known], None).await;
        followed.refresh().await.unwrap();
        followed.refresh().await.unwrap();
        let now = slow.log(followed.id()).await;
        assert_eq!((&now[..log.len()], restarts(&now), now.len()), (&log[..], expected, log.len() + expected));
        assert_eq!(followed.read().generation().is_first(), expected == 0);
        // What is lost again is put back with it.
        slow.forget_for(away_ms, &dir, followed.id(), &now[..known], None).await;
        followed.refresh().await.unwrap();
        assert_eq!(slow.log(followed.id()).await, now);
    }
}

/// Who puts back all of a log that is gone does not know what was shown of it: what is lost may be lost for the second time,
/// and in between there was one who had less, and decided.
#[tokio::test]
async fn a_log_that_was_gone_starts_live_anew() {
    let dir = TempDir::new().unwrap();
    let (slow, followed) = follow(&dir).await;
    let log = five_stored(&slow, &followed).await;
    let (id, main) = (followed.id(), RenditionName::main());
    let entries = |followed: &Followed| {
        let items = followed.read().live_items(&main, followed.now());
        items.into_iter().filter(|item| matches!(item, broadcast::Item::Entry(_))).take(5).collect::<Vec<_>>()
    };
    slow.forget_for(HOUR_MS, &dir, id, &log[..4], None).await;
    let other = Broadcasts::new(slow.clone(), Tasks::new(), Clock::system()).get(id).await.unwrap();
    let shown = entries(&other);
    slow.forget_for(HOUR_MS, &dir, id, &[], None).await;
    followed.refresh().await.unwrap();
    followed.refresh().await.unwrap();
    assert_eq!(slow.log(id).await[..log.len()], log, "it is whole, with its times");
    let now = entries(&followed);
    assert_eq!((&now[..3], now[3] == shown[3]), (&shown[..3], false), "a gap, and then media in its place");
    assert!(!followed.read().generation().is_first(), "so it is shown elsewhere");
}

#[tokio::test]
async fn who_knew_more_says_once_that_live_is_another() {
    for (known, expected) in [(3, 1), (7, 0)] {
        let dir = TempDir::new().unwrap();
        let (slow, followed) = follow(&dir).await;
        let log = five_stored(&slow, &followed).await;
        let (id, others) = (followed.id(), Broadcasts::new(slow.clone(), Tasks::new(), Clock::system()));
        slow.may_answer.add_permits(1_000);
        let other = others.get(id).await.unwrap();
        slow.forget(&dir, id, &log[..known], Some(Event::EndHinted)).await;
        for one in [&followed, &other, &followed] {
            one.refresh().await.unwrap();
        }
        let now = slow.log(id).await;
        assert_eq!(restarts(&now), expected, "{now:#?}");
        for one in [followed, other] {
            one.refresh().await.unwrap();
            assert_eq!(one.read().generation().is_first(), expected == 0);
        }
    }
}

/// What is shown of a log that says something else by now is not shown before the log says so.
#[tokio::test]
async fn nobody_turns_before_it_is_said() {
    let dir = TempDir::new().unwrap();
    let (slow, followed) = follow(&dir).await;
    let log = five_stored(&slow, &followed).await;
    slow.forget(&dir, followed.id(), &log[..3], Some(Event::EndHinted)).await;
    slow.refuses_commits.store(true, Ordering::SeqCst);
    assert!(followed.refresh().await.is_err());
    assert_eq!(followed.read().next_index().0, log.len() as u64, "it goes on with what it knew");
}

//! What happens between the date of a commit and its being readable, with a disk that takes as long as the test says.

use std::sync::mpsc;
use std::time::Duration;

use broadcast::{Opened, ViewPolicy};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;

/// Where a commit stands that SQLite is about to write to the disk.
struct Stall {
    reached: oneshot::Sender<()>,
    go_on: mpsc::Receiver<Disk>,
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Writes,
    Refuses,
}

/// A store, and how to stall its next commit.
fn store(dir: &TempDir, now_ms: i64) -> (Sqlite, mpsc::Sender<Stall>) {
    let path = dir.path().join("metadata.db");
    let mut file = schema::open(&path).unwrap();
    let (stalls, stall) = mpsc::channel::<Stall>();
    let before_writing = move || {
        let Ok(Stall { reached, go_on }) = stall.try_recv() else { return false };
        reached.send(()).unwrap();
        go_on.recv().unwrap() == Disk::Refuses
    };
    file.db.commit_hook(Some(before_writing)).unwrap();
    (Sqlite::start(file, &path, Limits::default(), Clock::from_tokio(now_ms)), stalls)
}

fn id() -> BroadcastId {
    BroadcastId::new(1_790_000_000_000, 7)
}

async fn open(store: &Sqlite) {
    let opened =
        Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: true };
    Metadata::open(store, id(), &opened).await.unwrap();
}

async fn len(store: &Sqlite) -> usize {
    store.read(id(), EventIndex(0), 9).await.unwrap().len()
}

/// Commits, with ten seconds of the disk's time in between; what was answered, and the horizon while it was at work.
async fn stalled(
    store: &Sqlite,
    stalls: &mpsc::Sender<Stall>,
    disk: Disk,
) -> (Result<Vec<Outcome>, MetadataError>, Option<StoreTime>) {
    let (reached, is_reached) = oneshot::channel();
    let (go_on, when) = mpsc::channel();
    stalls.send(Stall { reached, go_on: when }).unwrap();
    let before = len(store).await;
    let meanwhile = async {
        is_reached.await.unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(len(store).await, before, "not readable yet");
        let horizon = store.horizon();
        go_on.send(disk).unwrap();
        horizon
    };
    tokio::join!(store.commit(id(), &[Event::Paused], Expect::Any), meanwhile)
}

#[tokio::test(start_paused = true)]
async fn the_horizon_waits_for_a_commit_that_waits_for_the_disk() {
    let dir = TempDir::new().unwrap();
    let (store, stalls) = store(&dir, 5_000);
    open(&store).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(store.horizon(), Some(StoreTime(6_000)));
    let (done, meanwhile) = stalled(&store, &stalls, Disk::Writes).await;
    assert_eq!(done.unwrap(), [Outcome::Appended { index: EventIndex(1), at: StoreTime(6_000) }]);
    assert_eq!(meanwhile, Some(StoreTime(6_000)), "what is dated 6000 was not readable");
    assert_eq!((store.horizon(), len(&store).await), (Some(StoreTime(16_000)), 2));
    store.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_failed_holds_nothing_up() {
    let dir = TempDir::new().unwrap();
    let (store, stalls) = store(&dir, 5_000);
    open(&store).await;
    let (done, meanwhile) = stalled(&store, &stalls, Disk::Refuses).await;
    assert!(done.unwrap_err().is_retryable());
    assert_eq!(meanwhile, Some(StoreTime(5_000)));
    assert_eq!((store.horizon(), len(&store).await), (Some(StoreTime(15_000)), 1));
    assert!(store.health().is_err_and(|error| error.is_retryable()));
    store.commit(id(), &[Event::Paused], Expect::Any).await.unwrap();
    assert!(store.health().is_ok());
    store.shutdown().await;
}

//! What only the embedded store has to do: with its file.

use std::path::Path;
use std::sync::Arc;

use broadcast::{Event, EventIndex, Missing, StoreTime};
use headwater_metadata::{Expect, Limits, Metadata, MetadataError, Outcome, Sqlite, SqliteError};
use service::Clock;
use tempfile::TempDir;

use crate::fixtures::*;

async fn open_file(path: &Path, clock: Clock) -> Result<Arc<Sqlite>, SqliteError> {
    Sqlite::open(path, Limits::default(), clock).await.map(Arc::new)
}

fn object(store: &Arc<Sqlite>) -> Arc<dyn Metadata> {
    store.clone()
}

#[tokio::test]
async fn a_file_that_is_opened_again_knows_everything() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metadata.db");
    let store = open_file(&path, Clock::system()).await.unwrap();
    open(&object(&store)).await;
    let events = [format("main", 1), stored(0), abandoned(1, 1), Event::Paused, mapped("a.m3u8", "main")];
    commit(&object(&store), &events).await;
    let before = log(&object(&store)).await;
    store.shutdown().await;

    let store = open_file(&path, Clock::system()).await.unwrap();
    assert_eq!(log(&object(&store)).await, before);
    let mut again = events.to_vec();
    again[2] = stored(1);
    let outcomes = commit(&object(&store), &again).await;
    assert_eq!(outcomes, [DUPLICATE, DUPLICATE, Outcome::Abandoned, DUPLICATE, DUPLICATE]);
    assert_eq!(index(commit_one(&object(&store), ended(&[("main", Some(0))])).await), 6);
    store.shutdown().await;

    let store = open_file(&path, Clock::system()).await.unwrap();
    assert_eq!(commit(&object(&store), &[ended(&[]), stored(2)]).await, [DUPLICATE, Outcome::Ended]);
    let end = ended_with(&[("main", Some(2))], Missing::Abandoned);
    store.open(id(1), &opened()).await.unwrap();
    store.commit(id(1), &[end], Expect::Any).await.unwrap();
    store.shutdown().await;

    let store = open_file(&path, Clock::system()).await.unwrap();
    assert_eq!(store.commit(id(1), &[stored(2)], Expect::Any).await.unwrap(), [Outcome::Abandoned]);
}

#[tokio::test(start_paused = true)]
async fn times_never_go_back_though_the_clock_does() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metadata.db");
    let mut times = Vec::new();
    for now in [5_000, 1_000, 9_000] {
        let store = open_file(&path, Clock::from_tokio(now)).await.unwrap();
        assert_eq!(store.horizon(), Some(StoreTime(now)));
        let object = object(&store);
        if times.is_empty() {
            times.push(object.open(id(0), &opened()).await.unwrap().at);
        }
        let Outcome::Appended { at, .. } = commit_one(&object, safe(0, 0)).await else { panic!("not appended") };
        times.push(at);
        store.shutdown().await;
    }
    assert_eq!(times, [5_000, 5_000, 5_000, 9_000].map(StoreTime));
}

#[tokio::test]
async fn a_file_belongs_to_one_store_at_a_time() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metadata.db");
    let store = open_file(&path, Clock::system()).await.unwrap();
    let second = open_file(&path, Clock::system()).await;
    assert!(matches!(second, Err(SqliteError::InUse { .. })), "{second:?}");
    store.shutdown().await;
    let error = store.open(id(0), &opened()).await.expect_err("the store was shut down");
    assert!(error.is_retryable(), "{error:?}");
    assert!(store.health().is_err_and(|error| error.is_retryable()));
    assert!(open_file(&path, Clock::system()).await.is_ok());
}

#[tokio::test]
async fn a_file_of_another_kind_or_version_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let text = dir.path().join("text");
    std::fs::write(&text, "not a database, but longer than its header would be: ".repeat(10)).unwrap();
    let before = std::fs::read(&text).unwrap();
    assert!(matches!(open_file(&text, Clock::system()).await, Err(SqliteError::Open { .. })));
    assert_eq!(std::fs::read(&text).unwrap(), before);

    for version in [1, 3] {
        let other = dir.path().join(format!("{version}.db"));
        let set = format!("PRAGMA user_version = {version}");
        rusqlite::Connection::open(&other).unwrap().execute_batch(&set).unwrap();
        let error = open_file(&other, Clock::system()).await.expect_err("it is of another version");
        let expected = format!("{} has version {version}, and this program knows only 2", other.display());
        assert_eq!(error.to_string(), expected);
    }

    let nowhere = dir.path().join("no such folder/metadata.db");
    assert!(matches!(open_file(&nowhere, Clock::system()).await, Err(SqliteError::Lock { .. })));
}

#[tokio::test]
async fn what_cannot_be_read_is_reported_and_harms_nothing_else() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("metadata.db");
    let store = open_file(&path, Clock::system()).await.unwrap();
    open(&object(&store)).await;
    commit(&object(&store), &[stored(0), stored(1)]).await;
    let damage = rusqlite::Connection::open(&path).unwrap();
    damage.execute("UPDATE event SET body = x'c8' WHERE idx = 1", []).unwrap();
    let error = refused(store.read(id(0), EventIndex(0), 9).await);
    assert!(matches!(error, MetadataError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("event 1 of broadcast"), "{error}");
    assert_eq!(store.read(id(0), EventIndex(2), 9).await.unwrap().len(), 1);
    assert_eq!(index(commit_one(&object(&store), stored(2)).await), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_leaves_the_others_of_its_group_alone() {
    let dir = TempDir::new().unwrap();
    let store = open_file(&dir.path().join("metadata.db"), Clock::system()).await.unwrap();
    open(&object(&store)).await;
    let tasks = service::Tasks::new();
    for n in 0..200 {
        let store = object(&store);
        tasks.spawn("commits", async move {
            let id = if n % 2 == 0 { id(0) } else { id(1) };
            let result = store.commit(id, &[stored(n)], Expect::Any).await;
            assert_eq!(result.is_ok(), n % 2 == 0, "{n}: {result:?}");
        });
    }
    tasks.shutdown().await;
    let log = log(&object(&store)).await;
    assert_eq!(log.len(), 101);
    assert_whole(&log);
}

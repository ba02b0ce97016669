//! The local tier on a real disk, and on one that fails at each step.

use std::collections::BTreeMap;

use broadcast::{CapturedAt, Container, Digest, Millis, Object, RenditionName, Seq};
use bytes::Bytes;
use futures_util::TryStreamExt;
use rustix::mount::{MountFlags, UnmountFlags};

use super::*;
use crate::disk::crash::{Crash, Kept};
use crate::store::Named;

const NO_RESERVE: StorageConfig = StorageConfig { quota: None, reserve: 0, uploads_max: 3 };

fn broadcast(n: u128) -> BroadcastId {
    BroadcastId::new(1, n)
}

fn key(seq: u64) -> Key {
    let object = Object::Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000),
        duration: Millis(2_000),
        digest: Digest([7; 16]),
        container: Container::Ts,
        format: None,
    };
    Key { broadcast: broadcast(1), object }
}

fn bytes(len: usize) -> Bytes {
    (0..len).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>().into()
}

async fn open(dir: &Path) -> LocalStore {
    open_with(dir, NO_RESERVE).await
}

async fn open_with(dir: &Path, config: StorageConfig) -> LocalStore {
    LocalStore::open_on(roomy(Crash::default()), dir.to_owned(), config).await.unwrap()
}

/// A disk that is never full, whatever others write to it.
fn roomy(crash: Crash) -> Disk {
    Disk { crash, free: Some(1 << 40) }
}

async fn filled(store: &LocalStore, pieces: &[Bytes]) -> Result<Upload, StoreError> {
    let mut upload = store.upload(None)?;
    for piece in pieces {
        upload.write(piece.clone()).await?;
    }
    Ok(upload)
}

async fn put(store: &LocalStore, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
    filled(store, &[bytes]).await?.commit(key).await
}

async fn read(store: &LocalStore, key: &Key) -> Result<Bytes, StoreError> {
    store.read(key, None).await?.collect().await
}

/// Whatever is in the store: keys and parked names with their bytes.
async fn contents(store: &LocalStore) -> BTreeMap<String, Bytes> {
    let mut contents = BTreeMap::new();
    let broadcasts: Vec<_> = store.broadcasts().try_collect().await.unwrap();
    for broadcast in broadcasts {
        let Named::Ours(broadcast) = broadcast else { continue };
        let listed: Vec<_> = store.list(broadcast).try_collect().await.unwrap();
        for listed in listed {
            let Named::Ours(Listed { key, len }) = listed else { continue };
            let bytes = read(store, &key).await.unwrap();
            assert_eq!(bytes.len() as u64, len);
            contents.insert(key.to_string(), bytes);
        }
    }
    let parked: Vec<_> = store.parked().try_collect().await.unwrap();
    for parked in parked {
        let Named::Ours(parked) = parked else { continue };
        let bytes = store.read_parked(&parked).await.unwrap().collect().await.unwrap();
        contents.insert(format!("parked {}", parked.name().path()), bytes);
    }
    contents
}

#[tokio::test]
async fn what_was_put_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    // Around the sizes of the pieces that are written and read.
    for (seq, len) in [0, 1, 256 << 10, (256 << 10) + 1, 600_000].into_iter().enumerate() {
        let (key, all) = (key(seq as u64), bytes(len));
        let pieces: Vec<Bytes> = all.chunks(50_001).map(Bytes::copy_from_slice).collect();
        filled(&store, &pieces).await.unwrap().commit(&key).await.unwrap();
        assert_eq!(read(&store, &key).await.unwrap(), all, "{len}");
        assert_eq!(store.len(&key).await.unwrap(), Some(len as u64));
    }
    let used = store.usage().unwrap();
    assert_eq!((used.used, used.promised), (1 + (256 << 10) * 2 + 1 + 600_000, 0));
    drop(store);
    let again = open(dir.path()).await;
    assert_eq!(again.usage().unwrap().used, used.used);
    assert_eq!(contents(&again).await.len(), 5);
}

#[tokio::test]
async fn many_small_pieces_are_written_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let all = bytes(5_000);
    let pieces: Vec<Bytes> = (0..all.len()).map(|at| all.slice(at..=at)).collect();
    filled(&store, &pieces).await.unwrap().commit(&key(0)).await.unwrap();
    assert_eq!(read(&store, &key(0)).await.unwrap(), all);
}

#[tokio::test]
async fn ranges_reach_as_far_as_the_object_does() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let all = bytes(600_000);
    put(&store, &key(0), all.clone()).await.unwrap();
    for (asked, given) in [
        (0..1, 0..1),
        (599_999..600_000, 599_999..600_000),
        (100..600_000, 100..600_000),
        (5..999_999, 5..600_000),
        (600_000..600_001, 600_000..600_000),
        (700_000..800_000, 600_000..600_000),
    ] {
        let blob = store.read(&key(0), Some(asked.clone())).await.unwrap();
        assert_eq!((blob.range(), blob.object_len(), blob.len()), (given.clone(), 600_000, given.end - given.start));
        assert_eq!(blob.collect().await.unwrap(), all.slice(given.start as usize..given.end as usize), "{asked:?}");
    }
    assert!(matches!(store.read(&key(1), None).await, Err(StoreError::NotFound)));
    assert_eq!(store.len(&key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_key_again_is_counted_once_and_removed_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let same = key(0);
    let (a, b) = tokio::join!(put(&store, &same, bytes(9)), put(&store, &same, bytes(9)));
    a.and(b).unwrap();
    assert_eq!(store.usage().unwrap().used, 9);
    let document = Key::of_document(broadcast(1));
    store.put(&document, Blob::from(bytes(5))).await.unwrap();
    store.put(&document, Blob::from(bytes(3))).await.unwrap();
    assert_eq!((read(&store, &document).await.unwrap().len(), store.usage().unwrap().used), (3, 12));
    for _ in 0..2 {
        store.remove(&key(0)).await.unwrap();
        assert_eq!((store.len(&key(0)).await.unwrap(), store.usage().unwrap().used), (None, 3));
    }
    store.remove(&document).await.unwrap();
    // Nothing of the broadcast is left, not even its directory; and it can come back.
    assert_eq!(store.broadcasts().try_collect::<Vec<_>>().await.unwrap(), []);
    put(&store, &key(0), bytes(9)).await.unwrap();
    assert_eq!(contents(&store).await.len(), 1);
}

#[tokio::test]
async fn a_dropped_upload_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let incoming = dir.path().join("incoming");
    {
        let store = open(dir.path()).await;
        let upload = filled(&store, &[bytes(300 << 10), bytes(300 << 10)]).await.unwrap();
        assert!(store.usage().unwrap().promised >= 600 << 10);
        drop(upload);
        assert_eq!(store.usage().unwrap().promised, 0);
    }
    fs::write(incoming.join("17"), b"left by a crash").unwrap();
    let store = open(dir.path()).await;
    assert_eq!(fs::read_dir(&incoming).unwrap().count(), 0);
    assert_eq!(store.usage().unwrap().used, 0);
}

#[tokio::test]
async fn a_quota_is_told_before_the_body() {
    let dir = tempfile::tempdir().unwrap();
    let config = StorageConfig { quota: Some(2 << 20), ..NO_RESERVE };
    let store = open_with(dir.path(), config).await;
    put(&store, &key(0), bytes(1 << 20)).await.unwrap();
    let held = store.upload(Some(1 << 19)).unwrap();
    let error = store.upload(Some((1 << 19) + 1)).unwrap_err();
    assert!(matches!(error, StoreError::Full { needed: 524_289, available: 524_288 }), "{error}");
    assert!(error.is_retryable());
    assert!(matches!(store.upload(None), Err(StoreError::Full { .. })), "a length not known is taken for 1 MiB");
    drop(held);
    // It said 1 MiB, or nothing, and sends more.
    for declared in [Some(1 << 20), None] {
        let mut upload = store.upload(declared).unwrap();
        upload.write(bytes(1 << 20)).await.unwrap();
        let error = upload.write(bytes(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Full { needed: 1, available: 0 }), "{error}");
    }
    assert_eq!(contents(&store).await.len(), 1);
}

#[tokio::test]
async fn free_space_is_left_to_others_and_uploads_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let config = StorageConfig { reserve: u64::MAX, ..NO_RESERVE };
    let store = open_with(dir.path(), config).await;
    assert!(matches!(store.upload(Some(1)), Err(StoreError::Full { needed: 1, available: 0 })));
    drop(store);
    let store = open(dir.path()).await;
    let held: Vec<_> = (0..3).map(|_| store.upload(Some(1)).unwrap()).collect();
    assert!(matches!(store.upload(Some(1)), Err(StoreError::Busy { uploads_max: 3 })));
    drop(held);
    store.upload(Some(1)).unwrap();
}

#[tokio::test]
async fn a_small_piece_holds_no_large_buffer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut upload = store.upload(None).unwrap();
    let buffer = bytes(64 << 10);
    for at in 0..10 {
        upload.write(buffer.slice(at..at + 1)).await.unwrap();
    }
    assert!(buffer.is_unique());
    upload.write(buffer.slice(10..)).await.unwrap();
    assert!(!buffer.is_unique(), "large ones are not copied");
    upload.commit(&key(0)).await.unwrap();
    assert_eq!(store.read(&key(0), None).await.unwrap().collect().await.unwrap(), buffer);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = roomy(Crash::default());
    let store = LocalStore::open_on(disk.clone(), dir.path().to_owned(), NO_RESERVE).await.unwrap();
    put(&store, &key(0), bytes(9)).await.unwrap();
    disk.crash.fill_up(true);
    let piece = bytes(Upload::PIECE_LEN);
    let error = put(&store, &key(1), piece.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { needed, .. } if needed == piece.len() as u64), "{error}");
    let mut lost = filled(&store, std::slice::from_ref(&piece)).await.unwrap();
    assert!(lost.write(piece).await.is_err());
    assert!(lost.commit(&key(2)).await.is_err(), "what lost a piece is never committed");
    assert_eq!(contents(&store).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_read_for_a_while_is_there_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let disk = roomy(Crash::default());
    let store = LocalStore::open_on(disk.clone(), dir.path().to_owned(), NO_RESERVE).await.unwrap();
    put(&store, &key(0), bytes(9)).await.unwrap();
    put(&store, &key(1), bytes(9)).await.unwrap();
    let (path, all) = (store.0.path_of(&key(0)), dir.path().join("segments"));
    for unreadable in [&path, &all] {
        disk.crash.cannot_read(unreadable, true);
        assert!(matches!(read(&store, &key(0)).await, Err(StoreError::Io { .. })));
        assert_eq!(read(&store, &key(1)).await.is_ok(), unreadable == &path);
        assert_eq!(store.len(&key(0)).await.unwrap(), Some(9));
        disk.crash.cannot_read(unreadable, false);
        assert_eq!(read(&store, &key(0)).await.unwrap(), bytes(9));
    }
}

/// A real one: only root may make a file system to fill.
#[tokio::test]
async fn a_really_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let Some(_small) = SmallDisk::mount(dir.path()) else { return };
    let store = LocalStore::open(dir.path(), NO_RESERVE).await.unwrap();
    store.put(&key(0), bytes(100_000).into()).await.unwrap();
    let mut upload = store.upload(Some(700_000)).unwrap();
    assert!(matches!(store.upload(Some(700_000)), Err(StoreError::Full { .. })));
    // Somebody else takes the space meanwhile.
    fs::write(dir.path().join("other"), bytes(600_000)).unwrap();
    upload.write(bytes(700_000)).await.unwrap();
    let error = upload.commit(&key(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { needed: 700_000, .. }), "{error}");
    fs::remove_file(dir.path().join("other")).unwrap();
    store.put(&key(1), bytes(700_000).into()).await.unwrap();
    assert_eq!(contents(&store).await.len(), 2);
}

/// One megabyte.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Without a program: a child process would, for a moment, hold the locks that other tests have taken.
    fn mount(dir: &'a Path) -> Option<Self> {
        let mounted = rustix::mount::mount("none", dir, "tmpfs", MountFlags::empty(), c"size=1m");
        mounted.is_ok().then_some(Self(dir))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        rustix::mount::unmount(self.0, UnmountFlags::DETACH).unwrap();
    }
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let refused = LocalStore::open(dir.path(), NO_RESERVE).await.unwrap_err().to_string();
    let expected = format!("{} is used by another process, pid {}", dir.path().display(), std::process::id());
    assert_eq!(refused, expected);
    drop(store);
    open(dir.path()).await;
}

#[tokio::test]
async fn foreign_names_are_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    put(&store, &key(0), bytes(1)).await.unwrap();
    let segments = dir.path().join("segments");
    let ours = segments.join(broadcast(1).to_string());
    fs::write(segments.join("notes.txt"), b"x").unwrap();
    fs::write(ours.join("main/0.ts"), b"x").unwrap();
    fs::create_dir_all(ours.join("main/lost+found/deep")).unwrap();
    fs::write(ours.join("main/lost+found/deep/er"), b"x").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", ours.join("main/link.ts")).unwrap();
    fs::write(dir.path().join("parked/x"), b"x").unwrap();
    let foreign = |names: Vec<String>| {
        let mut names = names;
        names.sort();
        names.join(" ")
    };
    let broadcasts: Vec<_> = store.broadcasts().try_collect().await.unwrap();
    assert_eq!(foreign(broadcasts.into_iter().filter_map(foreign_name).collect()), "notes.txt");
    let listed: Vec<_> = store.list(broadcast(1)).try_collect().await.unwrap();
    assert_eq!(listed.iter().filter(|named| matches!(named, Named::Ours(_))).count(), 1);
    let names = foreign(listed.into_iter().filter_map(foreign_name).collect());
    assert_eq!(names, "main/0.ts main/link.ts main/lost+found/deep");
    let parked: Vec<_> = store.parked().try_collect().await.unwrap();
    assert_eq!(foreign(parked.into_iter().filter_map(foreign_name).collect()), "x");
    assert!(ours.join("main/0.ts").exists());
    assert_eq!(store.list(broadcast(9)).try_collect::<Vec<_>>().await.unwrap(), []);
}

fn foreign_name<T>(named: Named<T>) -> Option<String> {
    match named {
        Named::Ours(_) => None,
        Named::Foreign(name) => Some(name),
    }
}

#[tokio::test]
async fn parked_uploads_are_found_again_and_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let name = ParkedName::new(broadcast(1), 1_790_000_000_123, "a/seg 1.ts").unwrap();
    let store = open(dir.path()).await;
    for len in [5, 7] {
        filled(&store, &[bytes(len)]).await.unwrap().park(&name).await.unwrap();
    }
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(store.usage().unwrap().used, 12);
    let found: Vec<_> = store.parked().try_collect().await.unwrap();
    let mut found: Vec<Parked> = found
        .into_iter()
        .filter_map(|named| match named {
            Named::Ours(parked) => Some(parked),
            Named::Foreign(_) => None,
        })
        .collect();
    found.sort();
    assert_eq!(found.iter().map(|parked| (parked.name(), parked.len())).collect::<Vec<_>>(), [(&name, 5), (&name, 7)]);
    for _ in 0..2 {
        store.adopt(&found[0], &key(0)).await.unwrap();
        assert_eq!(read(&store, &key(0)).await.unwrap(), bytes(5));
    }
    assert!(matches!(store.adopt(&found[0], &key(1)).await, Err(StoreError::NotFound)));
    assert_eq!(store.usage().unwrap().used, 12);
    store.discard(&found[1]).await.unwrap();
    store.discard(&found[1]).await.unwrap();
    assert_eq!((store.usage().unwrap().used, contents(&store).await.len()), (5, 1));
}

#[tokio::test]
async fn concurrent_commits_all_become_durable() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(dir.path(), StorageConfig { uploads_max: 64, ..NO_RESERVE }).await;
    let puts = (0..64).map(|seq| {
        let store = store.clone();
        async move { put(&store, &key(seq), bytes(1_000 + seq as usize)).await }
    });
    futures_util::future::try_join_all(puts).await.unwrap();
    assert_eq!(contents(&store).await.len(), 64);
    assert_eq!(store.usage().unwrap().used, (0..64).map(|seq| 1_000 + seq).sum::<u64>());
}

/// What a recorder does with two segments: one whose seq is known, one whose is not. Tells what was acknowledged.
async fn take_in_two(store: &LocalStore, acknowledged: &mut Vec<&'static str>) -> Result<(), StoreError> {
    put(store, &key(0), bytes(300 << 10)).await?;
    acknowledged.push("first");
    let name = ParkedName::new(broadcast(1), 1, "second").expect("short");
    let parked = filled(store, &[bytes(1_000)]).await?.park(&name).await?;
    acknowledged.push("second");
    store.adopt(&parked, &key(1)).await
}

/// Whole files or nothing, and everything that was acknowledged: wherever the power fails, whatever the disk kept.
#[tokio::test]
async fn a_power_cut_at_any_step_loses_nothing_acknowledged_and_shows_nothing_torn() {
    let mut steps = 0;
    loop {
        let mut finished = false;
        for kept in [Kept::Everything, Kept::Names, Kept::Nothing] {
            let at = format!("after {steps} steps, kept {kept:?}");
            let dir = tempfile::tempdir().unwrap();
            drop(open(dir.path()).await);
            let disk = roomy(Crash::after(steps));
            let mut acknowledged = vec![];
            let outcome = match LocalStore::open_on(disk.clone(), dir.path().to_owned(), NO_RESERVE).await {
                Ok(store) => take_in_two(&store, &mut acknowledged).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            finished = outcome.is_ok();
            assert_eq!(finished, !disk.crash.crashed(), "{at}: {outcome:?}");
            disk.crash.power_back(kept);

            let contents = contents(&open(dir.path()).await).await;
            let first = contents.get(&key(0).to_string());
            let second = [contents.get(&key(1).to_string()), contents.get("parked second")];
            assert!(first.is_none_or(|found| *found == bytes(300 << 10)), "{at}: torn");
            assert!(second.iter().flatten().all(|found| **found == bytes(1_000)), "{at}: torn");
            assert!(!acknowledged.contains(&"first") || first.is_some(), "{at}: first lost");
            assert!(!acknowledged.contains(&"second") || second.iter().any(Option::is_some), "{at}: second lost");
            assert!(!finished || second[0].is_some(), "{at}: adopted but not under its key");
        }
        if finished {
            break;
        }
        steps += 1;
    }
    assert!(steps > 15, "only {steps} steps were cut");
}

#[tokio::test]
async fn another_process_reads_what_one_writes() {
    let dir = tempfile::tempdir().unwrap();
    let reader = LocalReader::new(dir.path());
    let key = Key::of_document(BroadcastId::new(1, 2));
    assert!(matches!(reader.read(&key, None).await, Err(StoreError::NotFound)));
    let store = open_with(dir.path(), StorageConfig::default()).await;
    store.put(&key, Bytes::from_static(b"words").into()).await.unwrap();
    assert_eq!(reader.read(&key, Some(1..3)).await.unwrap().collect().await.unwrap(), "or");
    assert_eq!(reader.len(&key).await.unwrap(), Some(5));
    let listed: Vec<_> = reader.list(key.broadcast).try_collect().await.unwrap();
    assert_eq!(listed, [Named::Ours(Listed { key: key.clone(), len: 5 })]);
    assert!(matches!(reader.put(&key, Bytes::new().into()).await, Err(StoreError::ReadOnly)));
    assert!(matches!(reader.remove(&key).await, Err(StoreError::ReadOnly)));
}

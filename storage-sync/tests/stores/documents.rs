//! Documents and logs that do not agree, and what is on other recorders' disks.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use broadcast::{BroadcastId, Event, Key, StoreTime};
use headwater_storage_sync::{CheckOptions, Others};
use metadata::Sqlite;
use storage::{Blob, Listed, Listing, Store, StoreError};

use crate::fixtures::{HOT, LOCAL, World, media};

/// A log of four segments that are where they should be.
async fn agreeing(world: &World) -> Sqlite {
    world.put_all(0..4).await;
    let log = world.log("log").await;
    world.rebuild(&log, false).await.unwrap();
    world.commit(&log, &[Event::RecordedBy { node: "r1".to_owned() }]).await;
    world.put_document(&world.document_of(&log).await).await;
    assert_eq!(world.check(&log, CheckOptions::default()).await, [] as [&str; 0]);
    log
}

#[tokio::test]
async fn a_document_that_tells_less_or_more_is_found() {
    let world = World::new();
    let log = agreeing(&world).await;
    let before = world.document_of(&log).await;
    world.commit(&log, &[Event::Paused]).await;
    let behind = world.check(&log, CheckOptions::default()).await;
    assert_eq!(behind, ["not-documented : paused"]);
    // One on this disk alone would be lost with it.
    let paused = world.document_of(&log).await;
    world.put(LOCAL, &Key::of_document(world.id), serde_json::to_vec(&paused).unwrap()).await;
    assert_eq!(world.check(&log, CheckOptions::default()).await, ["not-documented : paused"]);
    world.put_document(&paused).await;
    assert_eq!(world.check(&log, CheckOptions::default()).await, [] as [&str; 0]);
    // The log has lost it.
    let older = world.log("older").await;
    let entries = world.entries(&log).await;
    metadata::Metadata::put_back(&older, world.id, &entries[..before.covers.0 as usize], StoreTime(i64::MAX))
        .await
        .unwrap();
    assert_eq!(world.check(&older, CheckOptions::default()).await, ["not-logged : paused"]);
    world.put_document(&before).await;
    world.put(HOT, &Key::of_document(world.id), b"{".as_slice()).await;
    let damaged = ["damaged : hot", "not-logged : paused", "not-documented : the hot store has no document"];
    assert_eq!(world.check(&older, CheckOptions::default()).await, damaged);
}

/// The disks of others: one store, or none that answers.
#[derive(Debug)]
struct Asked(Option<Arc<dyn Store>>);

impl Asked {
    fn store(&self) -> Result<&Arc<dyn Store>, StoreError> {
        let away = || StoreError::Away { store: "r2".into(), operation: "answer", source: "a test".into() };
        self.0.as_ref().ok_or_else(away)
    }
}

#[async_trait]
impl Store for Asked {
    async fn put(&self, _: &Key, _: Blob) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Blob, StoreError> {
        self.store()?.read(key, range).await
    }

    async fn len(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        self.store()?.len(key).await
    }

    async fn remove(&self, _: &Key) -> Result<(), StoreError> {
        Err(StoreError::ReadOnly)
    }

    fn broadcasts(&self) -> Listing<BroadcastId> {
        panic!("nothing in it is listed")
    }

    fn list(&self, _: BroadcastId) -> Listing<Listed> {
        panic!("nothing in it is listed")
    }
}

#[tokio::test]
async fn what_is_on_another_recorders_disk_is_not_missing() {
    let world = World::new();
    let log = agreeing(&world).await;
    // Not safe, and gone from here: 4 is on another disk, 5 nowhere, 6 is damaged there, 7 too short.
    let elsewhere = World::new();
    for seq in 4..8 {
        world.put(LOCAL, &world.key(seq), media(seq)).await;
    }
    world.rebuild(&log, true).await.unwrap();
    for seq in 4..8 {
        world.tiers[LOCAL].store.remove(&world.key(seq)).await.unwrap();
    }
    elsewhere.put(LOCAL, &world.key(4), media(4)).await;
    elsewhere.put(LOCAL, &world.key(6), crate::fixtures::other_bytes(6)).await;
    elsewhere.put(LOCAL, &world.key(7), media(7).slice(..188)).await;
    // Said to be safe, and on another disk alone.
    for tier in [HOT, LOCAL] {
        world.tiers[tier].store.remove(&world.key(0)).await.unwrap();
    }
    elsewhere.put(LOCAL, &world.key(0), media(0)).await;
    let found = async |others, digests| {
        let found = world.check(&log, CheckOptions { digests, others, ..CheckOptions::default() }).await;
        found.into_iter().filter(|line| !line.starts_with("not-documented")).collect::<Vec<_>>()
    };
    let asked = |names: &[&str], store: Option<Arc<dyn Store>>| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Some(Others::Asked { store: Arc::new(Asked(store)), names })
    };
    let there = Some(elsewhere.tiers[LOCAL].store.clone());

    let none = "in none of the stores";
    let alone: Vec<String> =
        ["0", "4", "5", "6", "7"].map(|seq| format!("missing {}: {none}", seq.trim_start_matches('0'))).into();
    assert_eq!(found(None, false).await, alone, "on one machine, nobody else has it");
    let short = format!("wrong-length 7: another recorder's disk: 188 bytes, {} by the log", media(7).len());
    let not_safe = |seq: u64| format!("not-safe {seq}: on another recorder's disk");
    let not_hot = "not-hot : the log says that it is safe; it is on another recorder's disk alone".to_owned();
    let missing = format!("missing 5: {none}");
    let expected = [not_hot.clone(), not_safe(4), missing.clone(), not_safe(6), short.clone(), not_safe(7)];
    assert_eq!(found(asked(&["r1", "r2"], there.clone()), false).await, expected);
    let damaged = "wrong-digest 6: another recorder's disk".to_owned();
    let expected = [not_hot.clone(), not_safe(4), missing, damaged, not_safe(6), short.clone(), not_safe(7)];
    assert_eq!(found(asked(&["r1", "r2"], there.clone()), true).await, expected);
    // Who took it in is not there.
    let unasked = "elsewhere 5: not checked: r1, which took the broadcast in, is not registered".to_owned();
    let expected = [not_hot, not_safe(4), unasked, not_safe(6), short, not_safe(7)];
    assert_eq!(found(asked(&["r2"], there), false).await, expected);
    // Nobody answers.
    let away = "r2 is away: cannot answer: a test";
    let mut expected = vec![format!("missing : {none}; {away}")];
    expected.extend((4..8).map(|seq| format!("elsewhere {seq}: not checked: {away}")));
    assert_eq!(found(asked(&["r1"], None), false).await, expected);
    let why = "there is no key";
    let unasked = found(Some(Others::Unasked(why.to_owned())), false).await;
    assert_eq!(unasked[1], format!("elsewhere 4: not checked: {why}"));
}

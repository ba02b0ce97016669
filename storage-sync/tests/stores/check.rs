//! Each kind of disagreement is found, and nothing else.

use std::sync::Arc;

use broadcast::{
    BroadcastId, CapturedAt, Container, Digest, DocumentFold, Event, EventIndex, Format, FormatId, Init, Key,
    MediaDuration, MediaTime, Opened, RenditionName, Segment, Seq, SeqRange, ViewPolicy,
};
use headwater_storage_sync::{CheckOptions, Tier, check};
use metadata::{Expect, Limits, Metadata, Sqlite};
use service::{Clock, Random};
use storage::{HotStore, Store};
use tempfile::TempDir;

use crate::fixtures::{HOT, LOCAL, World};

fn content(seq: u64) -> Vec<u8> {
    format!("segment {seq}").into_bytes()
}

fn segment(seq: u64) -> Segment {
    Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000 + i64::try_from(seq).unwrap() * 2_000),
        duration: MediaDuration::from_millis(2_000),
        digest: Digest::of_blake3(&digest_of(&content(seq))),
        len: content(seq).len() as u64,
        container: Container::Ts,
        format: FormatId([1; 8]),
        media_start: MediaTime(0),
        keyframe_start: true,
        cuts: vec![],
        pushed: None,
    }
}

fn digest_of(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

#[tokio::test]
async fn each_disagreement_is_found() {
    let dir = TempDir::new().unwrap();
    let log = Sqlite::open(&dir.path().join("log"), Limits::default(), Clock::system()).await.unwrap();
    let tier = |name: &'static str, is_hot| {
        let url = dir.path().join(name).to_str().unwrap().parse().unwrap();
        Tier { name, store: Arc::new(HotStore::open(&url, [], &Random::seeded(1)).unwrap()), is_hot }
    };
    let tiers = [tier("hot", true), tier("local", false)];
    let [hot, local] = [&tiers[0].store, &tiers[1].store];
    let id = BroadcastId::new(1_790_000_000_000, 1);
    let opened =
        Opened { title: String::new(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: false };
    log.open(id, &opened).await.unwrap();
    let safe = Event::Safe { rendition: RenditionName::main(), seqs: SeqRange { first: Seq(0), last: Seq(4) } };
    let events: Vec<Event> = (0..6).map(|seq| Event::Stored(segment(seq))).chain([safe]).collect();
    log.commit(id, &events, Expect::Any).await.unwrap();
    let key = |seq| Key::of_segment(id, &segment(seq));
    let put = async |store: &Arc<dyn Store>, key: Key, bytes: Vec<u8>| {
        store.put(&key, bytes::Bytes::from(bytes).into()).await.unwrap();
    };
    // 0 is as it should be; 1 is nowhere; 2 is only here; 3 is short; 4 has other bytes; 5 is not safe; 6 is not listed.
    let document = serde_json::to_vec(&DocumentFold::of(&log.read(id, EventIndex(0), 1).await.unwrap()).document());
    put(hot, Key::of_document(id), document.unwrap()).await;
    put(hot, key(0), content(0)).await;
    put(local, key(2), content(2)).await;
    put(hot, key(3), b"short".to_vec()).await;
    put(hot, key(4), b"segment X".to_vec()).await;
    put(local, key(5), content(5)).await;
    put(local, key(6), content(6)).await;
    put(hot, Key::of_segment(BroadcastId::new(1_790_000_000_000, 2), &segment(0)), content(0)).await;
    let found = async |digests| {
        let mut found = Vec::new();
        let options = CheckOptions { digests, ..CheckOptions::default() };
        let told = |finding: headwater_storage_sync::Finding| {
            let seq = finding.key.split("/00000").nth(1).map(|rest| rest[..8].trim_start_matches('0').to_owned());
            found.push(format!("{} {}", finding.kind.word(), seq.unwrap_or_default()));
        };
        let checked = check(&log, &tiers, &options, told, |_, _| {}).await.unwrap();
        assert_eq!((checked.broadcasts, checked.segments, checked.not_safe), (2, 6, 1));
        assert_eq!(checked.wrong as usize, found.len() - 1);
        found
    };
    let without = ["missing 1", "not-hot 2", "wrong-length 3", "not-safe 5", "unlisted 6", "no-log "];
    assert_eq!(found(false).await, without);
    let with = ["missing 1", "not-hot 2", "wrong-length 3", "wrong-digest 4", "not-safe 5", "unlisted 6", "no-log "];
    assert_eq!(found(true).await, with);
}

/// What is under a safe segment's init section, and where: what is found.
async fn check_init(in_hot: bool, in_local: bool, is_safe: bool, expected: &[&str]) {
    let (world, bytes) = (World::new(), b"an init section".as_slice());
    let digest = Digest::of_blake3(&digest_of(bytes));
    let format = FormatId::of_init(&digest);
    let announced = Format {
        rendition: RenditionName::main(),
        id: format,
        container: Container::M4s,
        codecs: "avc1.64001f".to_owned(),
        resolution: None,
        frame_rate_milli: None,
        init: Some(Init { digest, len: bytes.len() as u64 }),
    };
    let stored = Segment { format, container: Container::M4s, ..segment(0) };
    let log = world.log("log").await;
    let mut events = vec![Event::Format(announced), Event::Stored(stored.clone())];
    if is_safe {
        let seqs = SeqRange::one(Seq(0));
        events.push(Event::Safe { rendition: RenditionName::main(), seqs });
        world.put(HOT, &Key::of_segment(world.id, &stored), content(0)).await;
    }
    world.put(LOCAL, &Key::of_segment(world.id, &stored), content(0)).await;
    world.commit(&log, &events).await;
    world.put_document(&world.document_of(&log).await).await;
    let key = Key::of_init(world.id, RenditionName::main(), digest);
    for tier in [(HOT, in_hot), (LOCAL, in_local)].into_iter().filter_map(|(tier, is_in)| is_in.then_some(tier)) {
        world.put(tier, &key, bytes).await;
    }
    assert_eq!(world.check(&log, CheckOptions::default()).await, expected, "{in_hot} {in_local} {is_safe}");
}

#[tokio::test]
async fn what_is_safe_needs_its_init_section_in_the_hot_store() {
    check_init(true, true, true, &[]).await;
    check_init(true, false, true, &[]).await;
    check_init(false, true, true, &["not-hot : segments that are safe need it"]).await;
    check_init(false, false, true, &["missing : in none of the stores"]).await;
    // Before that, it is copied with the first segment.
    check_init(false, true, false, &["not-safe : "]).await;
}

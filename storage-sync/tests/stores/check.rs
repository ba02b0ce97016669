//! Each kind of disagreement is found, and nothing else.

use std::sync::Arc;

use broadcast::{
    BroadcastId, CapturedAt, Container, Digest, DocumentFold, Event, EventIndex, FormatId, Key, MediaDuration,
    MediaTime, Opened, RenditionName, Segment, Seq, SeqRange, ViewPolicy,
};
use headwater_storage_sync::{CheckOptions, Tier, check};
use metadata::{Expect, Limits, Metadata, Sqlite};
use service::{Clock, Random};
use storage::{HotStore, Store};
use tempfile::TempDir;

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

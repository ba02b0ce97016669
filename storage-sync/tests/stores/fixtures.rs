//! Two stores, a log, and segments that are media.

use std::sync::Arc;

use broadcast::{
    Broadcast, BroadcastId, CapturedAt, Digest, Document, DocumentFold, Event, EventIndex, Key, LogEntry,
    MediaDuration, Object, Opened, RenditionName, Seq, ViewPolicy,
};
use bytes::Bytes;
use headwater_storage_sync::{CheckOptions, Finding, RebuildOptions, Rebuilt, SyncError, Tier, check, rebuild};
use metadata::{Expect, Limits, Metadata, Outcome, READ_MAX, Sqlite};
use service::{Clock, Random};
use storage::HotStore;
use tempfile::TempDir;
use testkit::ts;

const START_MS: i64 = 1_790_000_000_000;

/// A broadcast `id` in the stores `hot` and `local`, and logs.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) id: BroadcastId,
}

pub(crate) const HOT: usize = 0;
pub(crate) const LOCAL: usize = 1;

pub(crate) fn opened() -> Opened {
    Opened { title: "x".into(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: false }
}

/// Segment `seq`, of two seconds.
pub(crate) fn media(seq: u64) -> Bytes {
    ts::segment(seq * 2_000, 2_000, seq, 4).into()
}

/// The same with captions in its pictures (CEA-608 as ATSC A/53 has it, in an SEI NAL unit after the parameter set).
pub(crate) fn captioned_media(seq: u64) -> Bytes {
    let sei = [&[0, 0, 1, 6, 4, 14][..], b"\xb5\x00\x31GA94\x03\x41\xff\xfc\x94\x2c\xff\x80"].concat();
    let head = [&ts::SPS[..], &sei].concat();
    let frames = (0..4).flat_map(|frame| ts::idr((seq * 2_000 + frame * 500) * 90, &head));
    [ts::pat(), ts::pmt(&[(ts::H264, ts::VIDEO_PID)])].concat().into_iter().chain(frames).collect()
}

/// What is under a key that does not say so.
pub(crate) fn other_bytes(seq: u64) -> Bytes {
    let mut bytes = media(seq).to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    bytes.into()
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let tier = |name: &'static str, is_hot| {
            let url = dir.path().join(name).to_str().unwrap().parse().unwrap();
            Tier { name, store: Arc::new(HotStore::open(&url, [], &Random::seeded(1)).unwrap()), is_hot }
        };
        let tiers = vec![tier("hot", true), tier("local", false)];
        Self { tiers, dir, id: BroadcastId::new(1_790_000_000_000, 1) }
    }

    /// An empty metadata store.
    pub(crate) async fn log(&self, name: &str) -> Sqlite {
        Sqlite::open(&self.dir.path().join(name), Limits::default(), Clock::system()).await.unwrap()
    }

    pub(crate) fn key(&self, seq: u64) -> Key {
        self.key_at(seq, 0)
    }

    /// The same, captured so much later.
    pub(crate) fn key_at(&self, seq: u64, later_ms: i64) -> Key {
        self.key_of(seq, later_ms, &media(seq))
    }

    /// Of a segment with these bytes.
    pub(crate) fn key_of(&self, seq: u64, later_ms: i64, bytes: &[u8]) -> Key {
        let object = Object::Segment {
            rendition: RenditionName::main(),
            seq: Seq(seq),
            captured_at: CapturedAt(START_MS + i64::try_from(seq).unwrap() * 2_000 + later_ms),
            duration: MediaDuration::from_millis(2_000).millis(),
            digest: Digest::of_blake3(blake3::hash(bytes).as_bytes()),
            container: broadcast::Container::Ts,
            format: None,
        };
        Key { broadcast: self.id, object }
    }

    pub(crate) async fn put(&self, tier: usize, key: &Key, bytes: impl Into<Bytes>) {
        self.tiers[tier].store.put(key, bytes.into().into()).await.unwrap();
    }

    /// Segments as they should be, in both stores.
    pub(crate) async fn put_all(&self, seqs: impl IntoIterator<Item = u64>) {
        for seq in seqs {
            self.put(HOT, &self.key(seq), media(seq)).await;
            self.put(LOCAL, &self.key(seq), media(seq)).await;
        }
    }

    /// Opens the broadcast in `log`, if it is not, and commits these events.
    pub(crate) async fn commit(&self, log: &Sqlite, events: &[Event]) {
        let _ = log.open(self.id, &opened()).await;
        for event in events {
            let outcomes = log.commit(self.id, std::slice::from_ref(event), Expect::Any).await.unwrap();
            assert!(matches!(outcomes[..], [Outcome::Appended { .. }]), "{event:?}: {outcomes:?}");
        }
    }

    pub(crate) async fn entries(&self, log: &Sqlite) -> Vec<LogEntry> {
        log.read(self.id, EventIndex(0), READ_MAX).await.unwrap()
    }

    pub(crate) async fn document_of(&self, log: &Sqlite) -> Document {
        DocumentFold::of(&self.entries(log).await).document()
    }

    pub(crate) async fn put_document(&self, document: &Document) {
        self.put(HOT, &Key::of_document(self.id), serde_json::to_vec(document).unwrap()).await;
    }

    /// The kinds of the events in the log from `from` on, with their segment numbers.
    pub(crate) async fn replay(&self, log: &Sqlite) -> Broadcast {
        Broadcast::replay(&self.entries(log).await).unwrap().expect("it was opened")
    }

    pub(crate) async fn told(&self, log: &Sqlite, from: usize) -> Vec<String> {
        self.entries(log).await[from..].iter().map(|entry| shown(&entry.event)).collect()
    }

    pub(crate) async fn rebuild(&self, log: &Sqlite, fill_in: bool) -> Result<(Rebuilt, Vec<String>), SyncError> {
        let mut told = Vec::new();
        let tell = |finding: Finding| told.push(line(&finding));
        let rebuilt = rebuild(log, &self.tiers, RebuildOptions { fill_in }, tell, |_, _, _| {}).await?;
        Ok((rebuilt, told))
    }

    pub(crate) async fn check(&self, log: &Sqlite, options: CheckOptions) -> Vec<String> {
        let mut told = Vec::new();
        check(log, &self.tiers, &options, |finding| told.push(line(&finding)), |_, _| {}).await.unwrap();
        told
    }
}

fn shown(event: &Event) -> String {
    match event {
        Event::Stored(segment) => format!("stored {}", segment.seq),
        Event::Safe { seqs, .. } => format!("safe {}-{}", seqs.first, seqs.last),
        Event::Abandoned { seqs, .. } => format!("abandoned {}-{}", seqs.first, seqs.last),
        event => format!("{event:?}").split([' ', '(']).next().unwrap().to_lowercase(),
    }
}

/// Kind, segment number, and detail.
pub(crate) fn line(finding: &Finding) -> String {
    assert!(!finding.detail.contains(['\n', '\t']), "{finding:?}");
    let seq = finding.key.split("/00000").nth(1).map(|rest| rest[..8].trim_start_matches('0').to_owned());
    format!("{} {}: {}", finding.kind.word(), seq.unwrap_or_default(), finding.detail)
}

//! The contract, and who has to keep it.

use broadcast::{BroadcastId, CapturedAt, Container, Digest, Key, Millis, Object, RenditionName, Seq};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use headwater_storage::{Blob, HotStore, HotUrl, Listed, LocalStore, Named, StorageConfig, Store, StoreError, Version};
use service::Random;
use tempfile::TempDir;
use testkit::S3Server;

pub(crate) fn broadcast(n: u128) -> BroadcastId {
    BroadcastId::new(1_790_000_000_000, n)
}

pub(crate) fn segment(of: u128, seq: u64) -> Key {
    let object = Object::Segment {
        rendition: RenditionName::main(),
        seq: Seq(seq),
        captured_at: CapturedAt(1_790_000_000_000),
        duration: Millis(2_000),
        digest: Digest([7; 16]),
        container: Container::Ts,
        format: None,
    };
    Key { broadcast: broadcast(of), object }
}

pub(crate) fn bytes(len: usize) -> Bytes {
    (0..len).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>().into()
}

/// In pieces of the length that a disk gives.
fn streamed(bytes: Bytes) -> Blob {
    let pieces: Vec<_> = bytes.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Blob::new(bytes.len() as u64, stream::iter(pieces))
}

async fn names<T: std::fmt::Debug + Send>(listing: headwater_storage::Listing<T>) -> (Vec<T>, Vec<String>) {
    let (mut ours, mut foreign) = (Vec::new(), Vec::new());
    for name in listing.try_collect::<Vec<_>>().await.unwrap() {
        match name {
            Named::Ours(name) => ours.push(name),
            Named::Foreign(name) => foreign.push(name),
        }
    }
    (ours, foreign)
}

async fn keys(store: &dyn Store, of: u128) -> Vec<String> {
    let (ours, foreign) = names(store.list(broadcast(of))).await;
    assert_eq!(foreign, [] as [&str; 0]);
    let mut keys: Vec<_> = ours.into_iter().map(|Listed { key, len }| format!("{key} {len}")).collect();
    keys.sort();
    keys
}

async fn keeps_the_contract(store: &dyn Store) {
    // Nothing is there yet.
    let (one, two) = (segment(1, 1), segment(1, 2));
    assert_eq!(store.len(&one).await.unwrap(), None);
    assert!(matches!(store.read(&one, None).await, Err(StoreError::NotFound)));
    assert!(matches!(store.read(&one, Some(5..9)).await, Err(StoreError::NotFound)));
    assert_eq!(keys(store, 1).await, [] as [&str; 0]);
    store.remove(&one).await.unwrap();

    // What is put is there, whole, and may be put again.
    let content = bytes(3_000_001);
    for _ in 0..2 {
        store.put(&one, streamed(content.clone())).await.unwrap();
        assert_eq!(store.len(&one).await.unwrap(), Some(content.len() as u64));
        let blob = store.read(&one, None).await.unwrap();
        assert_eq!((blob.object_len(), blob.range()), (3_000_001, 0..3_000_001));
        assert_eq!(blob.collect().await.unwrap(), content);
    }

    // Ranges reach as far as the object does.
    let table = [
        (0..5, 0..5),
        (1_000_000..2_500_000, 1_000_000..2_500_000),
        (2_999_999..9_000_000, 2_999_999..3_000_001),
        (7..7, 7..7),
        (3_000_001..3_000_009, 3_000_001..3_000_001),
        (4_000_000..5_000_000, 3_000_001..3_000_001),
    ];
    for (asked, given) in table {
        let blob = store.read(&one, Some(asked.clone())).await.unwrap();
        assert_eq!((blob.object_len(), blob.range()), (3_000_001, given.start as u64..given.end as u64), "{asked:?}");
        assert_eq!(blob.collect().await.unwrap(), content.slice(given), "{asked:?}");
    }

    // What breaks off, or is longer than it said, is not kept.
    let broken = Blob::new(9, stream::iter([Ok(bytes(5)), Err(StoreError::Damaged { key: "x".into() })]));
    assert!(matches!(store.put(&two, broken).await, Err(StoreError::Damaged { .. })));
    let late = Blob::new(5, stream::iter([Ok(bytes(5)), Err(StoreError::Damaged { key: "x".into() })]));
    assert!(matches!(store.put(&two, late).await, Err(StoreError::Damaged { .. })));
    assert_eq!(store.len(&two).await.unwrap(), None);

    // More than one part; a replaced document; an init section.
    let (long, document) = (bytes(17_000_000), Key::of_document(broadcast(1)));
    let init = Key::of_init(broadcast(1), RenditionName::main(), Digest([9; 16]));
    store.put(&two, streamed(long.clone())).await.unwrap();
    store.put(&init, bytes(700).into()).await.unwrap();
    for text in ["{}", "{\"later\": true}"] {
        store.put(&document, Bytes::from(text).into()).await.unwrap();
        assert_eq!(store.read(&document, None).await.unwrap().collect().await.unwrap(), text);
    }
    assert_eq!(store.read(&two, None).await.unwrap().collect().await.unwrap(), long);
    let late = Blob::new(9_000_000, stream::iter([Ok(bytes(9_000_000)), Err(StoreError::ReadOnly)]));
    assert!(store.put(&segment(1, 3), late).await.is_err());

    // Listings.
    store.put(&segment(2, 1), bytes(3).into()).await.unwrap();
    let mut expected =
        [format!("{one} 3000001"), format!("{two} 17000000"), format!("{init} 700"), format!("{document} 15")];
    expected.sort();
    assert_eq!(keys(store, 1).await, expected);
    let (mut broadcasts, _) = names(store.broadcasts()).await;
    broadcasts.sort();
    assert_eq!(broadcasts, [broadcast(1), broadcast(2)]);

    // What is removed is gone, and nothing else is.
    store.remove(&one).await.unwrap();
    assert_eq!(store.len(&one).await.unwrap(), None);
    assert_eq!(keys(store, 1).await.len(), 3);

    // What may be replaced is replaced only by who knows what is there.
    let document = Key::of_document(broadcast(9));
    let replace = async |known: Option<&Version>, text: &'static str| {
        store.replace(&document, known, Bytes::from_static(text.as_bytes())).await
    };
    assert!(matches!(store.read_version(&document).await, Err(StoreError::NotFound)));
    replace(None, "one").await.unwrap();
    let (text, one) = store.read_version(&document).await.unwrap();
    assert_eq!(text, "one");
    assert!(matches!(replace(None, "two").await, Err(StoreError::Changed)), "it is there by now");
    replace(Some(&one), "two").await.unwrap();
    assert!(matches!(replace(Some(&one), "three").await, Err(StoreError::Changed)), "it is another by now");
    let (text, two) = store.read_version(&document).await.unwrap();
    assert_eq!(text, "two");
    store.remove(&document).await.unwrap();
    assert!(matches!(replace(Some(&two), "three").await, Err(StoreError::Changed)), "it is gone by now");

    // Many at a time.
    let many = stream::iter(10..40).map(|seq| async move {
        store.put(&segment(3, seq), bytes(10_000 + seq as usize).into()).await.unwrap();
        store.read(&segment(3, seq), None).await.unwrap().collect().await.unwrap().len() as u64
    });
    let lens: Vec<u64> = many.buffered(10).collect().await;
    assert_eq!(lens, (10_010..10_040).collect::<Vec<u64>>());
    assert_eq!(keys(store, 3).await.len(), 30);
}

#[tokio::test]
async fn a_directory_of_one_process() {
    let dir = TempDir::new().unwrap();
    let config = StorageConfig { reserve: 0, ..StorageConfig::default() };
    keeps_the_contract(&LocalStore::open(dir.path(), config).await.unwrap()).await;
}

#[tokio::test]
async fn a_directory_that_several_share() {
    let dir = TempDir::new().unwrap();
    let url: HotUrl = format!("file://{}/hot", dir.path().display()).parse().unwrap();
    let [one, other] = [1, 2].map(|seed| HotStore::open(&url, [], &Random::seeded(seed)).unwrap());
    one.probe().await.unwrap();
    keeps_the_contract(&one).await;
    // The other has the same, at once, and both may write.
    assert_eq!(keys(&other, 3).await.len(), 30);
    let puts = stream::iter(0..40u64).map(|n| {
        let store = if n % 2 == 0 { &one } else { &other };
        async move { store.put(&segment(4, n / 4), bytes(5_000).into()).await.unwrap() }
    });
    puts.buffer_unordered(8).collect::<Vec<_>>().await;
    assert_eq!(keys(&one, 4).await.len(), 10);
    let left = std::fs::read_dir(dir.path().join("hot/incoming")).unwrap().count();
    assert_eq!(left, 0, "nothing half-written is left");
}

#[tokio::test]
async fn a_bucket() {
    let server = S3Server::start();
    let url: HotUrl = server.url().parse().unwrap();
    let store = HotStore::open(&url, server.variables(), &Random::seeded(1)).unwrap();
    store.probe().await.unwrap();
    keeps_the_contract(&store).await;
}

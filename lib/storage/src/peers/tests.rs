//! Nodes that answer over real HTTP, and some that do not.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use broadcast::{Digest, RenditionName};
use bytes::Bytes;
use futures_util::future::join_all;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, StatusCode};
use prometheus::Registry;
use service::{HttpMetrics, RequestedRange, ServeConfig, Tasks, bearer, content_range, content_range_unsatisfied};
use tokio::net::TcpListener;

use super::*;

const BYTES: &[u8] = b"what one disk alone has";

fn digest(bytes: &[u8]) -> Digest {
    Digest::of_blake3(blake3::hash(bytes).as_bytes())
}

fn key(broadcast: u128) -> Key {
    Key::of_init(BroadcastId::new(1, broadcast), RenditionName::main(), digest(BYTES))
}

fn token_key() -> TokenKey {
    TokenKey::new(&[7; 32])
}

/// What a node does when it is asked.
#[derive(Clone, Copy, Debug)]
enum Does {
    Has,
    HasNot,
    Fails,
    HasDamaged,
    /// Ends the connection in the middle of the bytes.
    BreaksOff,
    /// Never answers.
    Hangs,
}

/// A node on this machine, which counts what it is asked.
struct Node {
    url: Arc<str>,
    asked: Arc<AtomicUsize>,
    _tasks: Tasks,
}

impl Node {
    async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).into();
        let (asked, tasks) = (Arc::<AtomicUsize>::default(), Tasks::new());
        let route = format!("{}{{*key}}", PeerStore::PATH);
        let router = Router::new().route(&route, get(answer)).with_state((does, asked.clone()));
        let metrics = HttpMetrics::register(&Registry::new(), "node").unwrap();
        service::serve(listener, router, ServeConfig::default(), metrics, &tasks, Clock::system());
        Self { url, asked, _tasks: tasks }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(
    State((does, asked)): State<(Does, Arc<AtomicUsize>)>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    asked.fetch_add(1, Ordering::SeqCst);
    let key: Key = path.parse().unwrap();
    let claims = token_key().check(bearer(&headers).unwrap(), Scope::Fetch, Clock::system().now_ms() / 1_000).unwrap();
    assert!(claims.sub == key.broadcast && claims.exp.is_some());
    match does {
        Does::Has => give(&headers, BYTES),
        Does::HasDamaged => give(&headers, b"what one disk ALONE has"),
        Does::HasNot => StatusCode::NOT_FOUND.into_response(),
        Does::Fails => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Does::BreaksOff => ([(CONTENT_LENGTH, BYTES.len())], Body::from_stream(broken())).into_response(),
        Does::Hangs => std::future::pending().await,
    }
}

fn broken() -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    stream::iter([Ok(Bytes::from_static(b"what one")), Err(std::io::Error::other("the disk failed"))])
}

fn give(headers: &HeaderMap, bytes: &'static [u8]) -> Response {
    let len = bytes.len() as u64;
    match RequestedRange::of(headers, len, None) {
        RequestedRange::Whole => bytes.into_response(),
        RequestedRange::Part(part) => {
            let range = content_range(&part, len);
            let bytes = &bytes[usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap()];
            (StatusCode::PARTIAL_CONTENT, [(CONTENT_RANGE, range)], bytes).into_response()
        }
        RequestedRange::Unsatisfiable => {
            (StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, content_range_unsatisfied(len))]).into_response()
        }
    }
}

#[derive(Debug)]
struct List {
    fleet: Fleet,
    is_away: AtomicBool,
    reads: AtomicUsize,
}

#[async_trait]
impl Peers for List {
    async fn fleet(&self) -> Result<Fleet, Box<dyn Error + Send + Sync>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) { Err("away".into()) } else { Ok(self.fleet.clone()) }
    }
}

fn of(urls: Vec<Arc<str>>, key: Option<TokenKey>) -> (Arc<List>, PeerStore) {
    of_fleet(Fleet { urls, key, is_whole: true })
}

fn of_fleet(fleet: Fleet) -> (Arc<List>, PeerStore) {
    let list = List { fleet, is_away: AtomicBool::new(false), reads: AtomicUsize::new(0) };
    let list = Arc::new(list);
    (list.clone(), PeerStore::new(list, Clock::system()))
}

async fn fleet<const N: usize>(do_what: [Does; N]) -> ([Node; N], PeerStore) {
    let nodes = join_all(do_what.map(Node::start)).await;
    let (_, store) = of(nodes.iter().map(|node| node.url.clone()).collect(), Some(token_key()));
    (nodes.try_into().unwrap_or_else(|_| unreachable!("as many as were started")), store)
}

async fn text(store: &PeerStore, key: &Key, range: Option<Range<u64>>) -> Result<String, StoreError> {
    let bytes = store.read(key, range).await?.collect().await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn who_has_it_gives_it_and_is_asked_first_the_next_time() {
    let (nodes, store) = fleet([Does::HasNot, Does::Fails, Does::Has, Does::HasNot]).await;
    assert_eq!(store.len(&key(1)).await.unwrap(), Some(BYTES.len() as u64));
    let before = nodes.each_ref().map(Node::asked);
    for _ in 0..3 {
        assert_eq!(text(&store, &key(1), None).await.unwrap().as_bytes(), BYTES);
    }
    assert_eq!(nodes.each_ref().map(Node::asked), [before[0], before[1], before[2] + 3, before[3]]);
}

#[tokio::test]
async fn a_part_is_as_much_of_it_as_there_is() {
    let (_nodes, store) = fleet([Does::Has]).await;
    let len = BYTES.len() as u64;
    for (range, expected, at) in [
        (0..4, "what", 0..4),
        (19..23, " has", 19..23),
        (20..99, "has", 20..len),
        (5..5, "", 5..5),
        (len..len + 1, "", len..len),
        (90..99, "", len..len),
        (90..90, "", len..len),
    ] {
        let blob = store.read(&key(1), Some(range.clone())).await.unwrap();
        assert_eq!((blob.object_len(), blob.range()), (len, at), "{range:?}");
        assert_eq!(blob.collect().await.unwrap(), expected, "{range:?}");
    }
}

#[tokio::test]
async fn that_nobody_has_it_is_certain_only_if_all_say_so() {
    let (_nodes, store) = fleet([Does::HasNot, Does::HasNot]).await;
    assert!(matches!(text(&store, &key(1), None).await, Err(StoreError::NotFound)));
    assert_eq!(store.len(&key(1)).await.unwrap(), None);

    let (nodes, store) = fleet([Does::HasNot, Does::Fails]).await;
    // The second time, the one that failed is left alone.
    for _ in 0..2 {
        assert!(matches!(text(&store, &key(1), None).await, Err(StoreError::Away { .. })));
    }
    assert_eq!(nodes.each_ref().map(Node::asked), [2, 1]);
    // A document is of no segment: nobody is asked.
    assert_eq!(store.len(&Key::of_document(key(1).broadcast)).await.unwrap(), None);
    assert_eq!(nodes.each_ref().map(Node::asked), [2, 1]);
}

#[tokio::test]
async fn a_registry_that_has_forgotten_somebody_cannot_tell_that_nobody_has_it() {
    let (has_not, has) = (Node::start(Does::HasNot).await, Node::start(Does::Has).await);
    let key = key(1);
    for urls in [vec![], vec![has_not.url.clone()]] {
        let (_, store) = of_fleet(Fleet { urls: urls.clone(), key: Some(token_key()), is_whole: false });
        assert!(matches!(text(&store, &key, None).await, Err(StoreError::Away { .. })), "{urls:?}");
        assert!(store.len(&key).await.is_err(), "{urls:?}");
        // Who is alone has nobody to ask.
        let (_, store) = of(urls.clone(), Some(token_key()));
        assert!(matches!(text(&store, &key, None).await, Err(StoreError::NotFound)), "{urls:?}");
    }
    let (_, store) = of_fleet(Fleet { urls: vec![has.url.clone()], key: Some(token_key()), is_whole: false });
    assert_eq!(text(&store, &key, None).await.unwrap().as_bytes(), BYTES);
}

#[tokio::test]
async fn one_that_is_gone_or_hangs_holds_up_nobody_for_long() {
    let gone: Arc<str> = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap()).into()
    };
    let (hangs, has) = (Node::start(Does::Hangs).await, Node::start(Does::Has).await);
    let urls = vec![gone, "no address".into(), hangs.url.clone(), has.url.clone()];
    let (_, store) = of(urls, Some(token_key()));
    assert_eq!(text(&store, &key(1), None).await.unwrap().as_bytes(), BYTES);
    // Of what nobody has, that is told after the time that one may take.
    let (_, store) = of(vec![hangs.url.clone()], Some(token_key()));
    assert!(matches!(text(&store, &key(1), None).await, Err(StoreError::Away { .. })));
}

#[tokio::test]
async fn what_is_damaged_or_breaks_off_is_never_taken_for_the_whole() {
    let (_nodes, store) = fleet([Does::HasDamaged]).await;
    assert!(matches!(text(&store, &key(1), None).await, Err(StoreError::Damaged { .. })));
    let (_nodes, store) = fleet([Does::BreaksOff]).await;
    assert!(matches!(text(&store, &key(1), None).await, Err(StoreError::Away { .. })));
}

#[tokio::test]
async fn the_list_is_read_once_for_many_and_holds_while_it_cannot_be_read() {
    let node = Node::start(Does::Has).await;
    let (list, store) = of(vec![node.url.clone()], Some(token_key()));
    list.is_away.store(true, Ordering::SeqCst);
    let key = key(1);
    assert!(matches!(store.len(&key).await, Err(StoreError::Away { .. })), "nobody is known yet");
    list.is_away.store(false, Ordering::SeqCst);
    let found = join_all((0..200).map(|_| store.len(&key))).await;
    assert!(found.into_iter().all(|found| found.unwrap().is_some()));
    let reads = list.reads.load(Ordering::SeqCst);
    assert!(reads < 20, "{reads} reads");
    list.is_away.store(true, Ordering::SeqCst);
    store.0.list.lock().await.as_mut().expect("it was read").0 -= 2 * LIST_FOR;
    assert!(store.len(&key).await.unwrap().is_some());
    assert!(list.reads.load(Ordering::SeqCst) > reads);
}

#[tokio::test]
async fn without_a_key_nobody_is_asked_and_nothing_is_written() {
    let node = Node::start(Does::Has).await;
    let (_, store) = of(vec![node.url.clone()], None);
    assert!(matches!(store.len(&key(1)).await, Err(StoreError::Away { .. })), "it may have it");
    assert_eq!(node.asked(), 0);
    let (_, alone) = of(vec![], None);
    assert_eq!(alone.len(&key(1)).await.unwrap(), None);
    assert!(matches!(store.put(&key(1), Bytes::new().into()).await, Err(StoreError::ReadOnly)));
    assert!(matches!(store.remove(&key(1)).await, Err(StoreError::ReadOnly)));
    assert_eq!(store.broadcasts().count().await + store.list(key(1).broadcast).count().await, 0);
}

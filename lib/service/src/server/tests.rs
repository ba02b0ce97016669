//! The server over real sockets: pipelining, resets, limits, stopping.

use std::net::SocketAddr;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use futures_util::stream;
use http::StatusCode;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;
use crate::body::{BodyLimits, BodyReader};
use crate::metrics::with_route_names;
use crate::problem::{Problem, ProblemKind};

mod over_tls;

/// A server that stores bodies, one for each permit that the test gives.
struct Stand {
    addr: SocketAddr,
    tasks: Tasks,
    permits: Arc<Semaphore>,
    begun: mpsc::UnboundedReceiver<()>,
    bodies: Arc<Mutex<Vec<String>>>,
    metrics: HttpMetrics,
    registry: Registry,
    dropped: mpsc::UnboundedReceiver<()>,
}

impl Stand {
    /// Waits until the next handler waits for its permit: one that does not come is a failure, not a test without end.
    async fn next_begins(&mut self) {
        let begun = tokio::time::timeout(Duration::from_secs(10), self.begun.recv()).await;
        begun.expect("no further request is served").expect("the server runs");
    }

    /// Five requests were sent, of which one has begun: all of them are served before the server has ended.
    async fn serves_five(&mut self) {
        while self.bodies.lock().unwrap().len() < 4 {
            self.permits.add_permits(1);
            self.next_begins().await;
        }
        self.permits.add_permits(1);
        self.tasks.shutdown().await;
        assert_eq!(*self.bodies.lock().unwrap(), ["body0", "body1", "body2", "body3", "body4"]);
    }
}

#[derive(Clone)]
struct Shelf {
    permits: Arc<Semaphore>,
    begun: mpsc::UnboundedSender<()>,
    bodies: Arc<Mutex<Vec<String>>>,
    dropped: mpsc::UnboundedSender<()>,
}

async fn store(State(shelf): State<Shelf>, body: Body) -> Result<StatusCode, Problem> {
    let body = BodyReader::new(body, BodyLimits::new(1 << 20))?.collect().await?;
    let _ = shelf.begun.send(());
    shelf.permits.acquire().await.expect("open").forget();
    shelf.bodies.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
    Ok(StatusCode::CREATED)
}

async fn endless(State(shelf): State<Shelf>) -> Response {
    struct Told(mpsc::UnboundedSender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let pieces = stream::unfold(Told(shelf.dropped), |told| async move {
        Some((Ok::<_, Infallible>(Bytes::from_static(&[0; 65536])), told))
    });
    Body::from_stream(pieces).into_response()
}

async fn fails() -> StatusCode {
    panic!("on purpose")
}

async fn stand(config: ServeConfig) -> Stand {
    stand_with(config, None).await
}

async fn stand_with(config: ServeConfig, tls: Option<Tls>) -> Stand {
    let (begun_tx, begun) = mpsc::unbounded_channel();
    let (dropped_tx, dropped) = mpsc::unbounded_channel();
    let (permits, bodies) = (Arc::new(Semaphore::new(0)), Arc::default());
    let shelf =
        Shelf { permits: Arc::clone(&permits), begun: begun_tx, bodies: Arc::clone(&bodies), dropped: dropped_tx };
    let router = Router::new()
        .route("/s/{name}", put(store))
        .route("/full", put(|| async { ProblemKind::UNAVAILABLE.detail("disk full") }))
        .route("/peer", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }))
        .route("/panic", get(fails))
        .route("/endless", get(endless))
        .with_state(shelf);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (tasks, registry) = (Tasks::new(), Registry::new());
    let metrics = HttpMetrics::register(&registry, "test").unwrap();
    serve(Listener::new(listener, tls), with_route_names(router), config, metrics.clone(), &tasks, Clock::system());
    Stand { addr, tasks, permits, begun, bodies, metrics, registry, dropped }
}

/// Nobody says anything for 100 s. Time is paused: it passes at once, but not before everybody has done what there was to do,
/// as it would if it were set.
async fn rest() {
    tokio::time::sleep(Duration::from_secs(100)).await;
}

/// Reads up to the first appearance of `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&text)),
        }
    }
    String::from_utf8(text).unwrap()
}

async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(stream, "\r\n\r\n").await
}

const GET_PEER: &str = "GET /peer HTTP/1.1\r\nhost: a\r\n\r\n";

/// A request for the peer's address, with its answer.
async fn peer(stream: &mut TcpStream) -> String {
    let head = ask(stream, GET_PEER).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let address = stream.local_addr().unwrap().to_string();
    let mut body = vec![0; address.len()];
    stream.read_exact(&mut body).await.unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), address);
    address
}

#[derive(Clone, Copy, Debug)]
enum Leaves {
    /// Closes with an answer unread, as ffmpeg does.
    AnswerUnread,
    /// Resets at once.
    Resetting,
    /// Closes its half and waits for nothing.
    Quietly,
}

/// Five requests sent ahead as ffmpeg does it; then the sender is gone before most of them are served.
#[tokio::test]
async fn what_a_sender_pipelined_is_served_after_it_left() {
    for leaves in [Leaves::AnswerUnread, Leaves::Resetting, Leaves::Quietly] {
        let mut stand = stand(ServeConfig::default()).await;
        let mut client = TcpStream::connect(stand.addr).await.unwrap();
        for n in 0..5 {
            let put = format!(
                "PUT /s/{n} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nUser-Agent: Lavf/59.27.100\r\nAccept: */*\r\n\
                 Connection: keep-alive\r\nHost: a\r\nIcy-MetaData: 1\r\n\r\n5\r\nbody{n}\r\n0\r\n\r\n"
            );
            client.write_all(put.as_bytes()).await.unwrap();
        }
        stand.next_begins().await;
        match leaves {
            Leaves::AnswerUnread => {
                stand.permits.add_permits(1);
                client.readable().await.unwrap();
                stand.next_begins().await;
            }
            Leaves::Resetting => client.set_zero_linger().unwrap(),
            Leaves::Quietly => {}
        }
        drop(client);
        stand.serves_five().await;
        assert_eq!(stand.metrics.resets.get(), 1, "{leaves:?}");
        assert_eq!(stand.metrics.connections.get(), 0, "{leaves:?}");
    }
}

#[tokio::test]
async fn an_answer_nobody_can_get_ends_soon_after_a_reset() {
    let mut stand = stand(ServeConfig::default()).await;
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    ask(&mut client, "GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    drop(client);
    stand.dropped.recv().await.unwrap();
    stand.tasks.shutdown().await;
    assert_eq!(stand.metrics.connections.get(), 0);
}

#[tokio::test]
async fn expect_100_continue_is_answered_when_the_body_is_wanted() {
    let stand = stand(ServeConfig::default()).await;
    stand.permits.add_permits(1);
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    let head = |path| format!("PUT {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert_eq!(ask(&mut client, &head("/s/1")).await, "HTTP/1.1 100 Continue\r\n\r\n");
    assert!(ask(&mut client, "abc").await.starts_with("HTTP/1.1 201 Created\r\n"));
    assert_eq!(*stand.bodies.lock().unwrap(), ["abc"]);
    let refused = ask(&mut client, &head("/full")).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
}

#[tokio::test]
async fn a_connection_ends_after_a_body_that_was_not_read_and_says_so() {
    let stand = stand(ServeConfig::default()).await;
    stand.permits.add_permits(4);
    for (request, goes_on) in [
        ("PUT /s/x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc", true),
        ("PUT /s/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", true),
        ("PUT /s/x HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\nabc", false),
        ("PUT /full HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n", true),
        ("PUT /full HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n", false),
        ("PUT /full HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n", false),
        ("PUT /full HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n", false),
    ] {
        let mut client = TcpStream::connect(stand.addr).await.unwrap();
        let head = ask(&mut client, request).await;
        assert_eq!(!head.contains("connection: close"), goes_on, "{request:?}: {head}");
        if goes_on {
            let skipped = head.contains("503").then_some("}");
            read_until(&mut client, skipped.unwrap_or_default()).await;
            peer(&mut client).await;
        } else {
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await.unwrap();
        }
    }
}

#[tokio::test]
async fn bodies_need_neither_length_nor_type_nor_to_be_there() {
    let stand = stand(ServeConfig::default()).await;
    stand.permits.add_permits(4);
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    for rest in [
        "\r\n",
        "content-length: 0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    ] {
        let answer = ask(&mut client, &format!("PUT /s/x HTTP/1.1\r\nhost: a\r\n{rest}")).await;
        assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{rest:?}: {answer}");
    }
    assert_eq!(*stand.bodies.lock().unwrap(), ["", "", "", "abc"]);
}

#[tokio::test(start_paused = true)]
async fn a_resting_connection_is_kept_for_longer_than_a_segment_and_not_for_ever() {
    let stand = stand(ServeConfig::default()).await;
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    for _ in 0..3 {
        rest().await;
        peer(&mut client).await;
    }
    let rests = Clock::system().instant();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    let secs = rests.elapsed().as_secs();
    assert!((110..=130).contains(&secs), "{secs} s");
}

#[tokio::test(start_paused = true)]
async fn a_head_must_come_in_time() {
    let stand = stand(ServeConfig::default()).await;
    for begins in ["GET / HT", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut client = TcpStream::connect(stand.addr).await.unwrap();
        let begun = Clock::system().instant();
        client.write_all(begins.as_bytes()).await.unwrap();
        let mut rest = vec![];
        client.read_to_end(&mut rest).await.unwrap();
        let secs = begun.elapsed().as_secs();
        assert!((10..=20).contains(&secs), "{begins:?}: {secs} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_dropped() {
    let mut stand = stand(ServeConfig::default()).await;
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    ask(&mut client, "GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let begun = Clock::system().instant();
    stand.dropped.recv().await.unwrap();
    let secs = begun.elapsed().as_secs();
    assert!((60..=70).contains(&secs), "{secs} s");
}

#[tokio::test]
async fn more_connections_than_there_are_places_wait() {
    let mut stand = stand(ServeConfig { connections_max: 1, ..ServeConfig::default() }).await;
    stand.permits.add_permits(1);
    let mut first = TcpStream::connect(stand.addr).await.unwrap();
    peer(&mut first).await;
    let mut second = TcpStream::connect(stand.addr).await.unwrap();
    second.write_all(b"PUT /s/x HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    for _ in 0..10 {
        peer(&mut first).await;
    }
    assert!(stand.begun.try_recv().is_err(), "the second waits");
    drop(first);
    assert!(read_until(&mut second, "\r\n\r\n").await.starts_with("HTTP/1.1 201 "));
}

#[tokio::test]
async fn stopping_ends_what_rests_and_waits_for_what_works() {
    let mut stand = stand(ServeConfig::default()).await;
    let mut resting = TcpStream::connect(stand.addr).await.unwrap();
    peer(&mut resting).await;
    let mut fresh = TcpStream::connect(stand.addr).await.unwrap();
    let mut working = TcpStream::connect(stand.addr).await.unwrap();
    working.write_all(b"PUT /s/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx").await.unwrap();
    stand.begun.recv().await.unwrap();
    let asks = async {
        for idle in [&mut resting, &mut fresh] {
            assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
        }
        assert!(TcpStream::connect(stand.addr).await.is_err());
        stand.permits.add_permits(1);
        let answer = read_until(&mut working, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 201 ") && answer.contains("connection: close"), "{answer}");
        assert_eq!(working.read(&mut [0]).await.unwrap(), 0);
    };
    tokio::join!(stand.tasks.shutdown(), asks);
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_ever() {
    let mut stand = stand(ServeConfig::default()).await;
    let mut stuck = TcpStream::connect(stand.addr).await.unwrap();
    stuck.write_all(b"PUT /s/x HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    stand.begun.recv().await.unwrap();
    let begun = Clock::system().instant();
    stand.tasks.shutdown().await;
    assert_eq!(begun.elapsed().as_secs(), 20);
}

#[tokio::test]
async fn http2_without_tls_is_served_on_the_same_port() {
    let stand = stand(ServeConfig::default()).await;
    stand.permits.add_permits(3);
    let socket = TcpStream::connect(stand.addr).await.unwrap();
    let io = TokioIo::new(socket);
    let (client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let asks = async {
        let puts = (0..3).map(|n| {
            let body = Full::new(Bytes::from(format!("body{n}")));
            let put = Request::put(format!("http://a/s/{n}")).body(body).unwrap();
            let mut client = client.clone();
            async move { client.send_request(put).await.unwrap().status() }
        });
        futures_util::future::join_all(puts).await
    };
    let statuses = tokio::select! {
        statuses = asks => statuses,
        ended = connection => panic!("{ended:?}"),
    };
    assert_eq!(statuses, [StatusCode::CREATED; 3]);
    let mut bodies = stand.bodies.lock().unwrap().clone();
    bodies.sort();
    assert_eq!(bodies, ["body0", "body1", "body2"]);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let stand = stand(ServeConfig { head_bytes_max: 8192, ..ServeConfig::default() }).await;
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(9000));
    let answer = ask(&mut client, &long).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let stand = stand(ServeConfig::default()).await;
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    let head = ask(&mut client, "GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 500 ") && head.contains("application/problem+json"), "{head}");
    read_until(&mut client, "}").await;
    peer(&mut client).await;
    assert_eq!(stand.metrics.panics.get(), 1);
    tokio::select! {
        biased;
        () = stand.tasks.failed() => panic!("one request stopped the server"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_not_by_path() {
    let stand = stand(ServeConfig::default()).await;
    stand.permits.add_permits(2);
    let mut client = TcpStream::connect(stand.addr).await.unwrap();
    for path in ["/s/1", "/s/2", "/none"] {
        ask(&mut client, &format!("PUT {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    }
    let text = prometheus::TextEncoder::new().encode_to_string(&stand.registry.gather()).unwrap();
    for line in [
        r#"headwater_http_requests_total{method="PUT",route="/s/{name}",server="test",status="2xx"} 2"#,
        r#"headwater_http_requests_total{method="PUT",route="other",server="test",status="4xx"} 1"#,
        r#"headwater_http_request_duration_seconds_count{method="PUT",route="/s/{name}",server="test"} 2"#,
        r#"headwater_http_connections{server="test"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(stand.metrics.received.get() > 90 && stand.metrics.sent.get() > 90);
}

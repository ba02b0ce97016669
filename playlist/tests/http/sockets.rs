//! Over a real connection, behind the server that every role uses and before other routes.

use axum::Router;
use axum::routing::get;
use prometheus::Registry;
use service::{HttpMetrics, ServeConfig, Tasks, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixtures::{World, bytes_of};

/// What comes back on one connection for a request without a body, as it is on the wire.
async fn talk(address: std::net::SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request}\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let body = all.split_off(end);
    (String::from_utf8(all).unwrap(), body)
}

#[tokio::test(start_paused = true)]
async fn a_server_answers_players() {
    let world = World::live(3).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tasks, registry) = (Tasks::new(), Registry::new());
    let others = Router::new().route("/hello", get(|| async { "hello" }));
    let metrics = HttpMetrics::register(&registry, "test").unwrap();
    let front = world.server.playlists.clone().before(others);
    serve(listener, front, ServeConfig::default(), metrics, &tasks, world.clock.clone());

    let live = world.path("main/live.m3u8");
    let expected = world.get("main/live.m3u8").await.body;
    let (head, body) = talk(address, &format!("GET {live} HTTP/1.1")).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(body, expected);
    for name in ["date", "etag", "cache-control", "content-length", "access-control-allow-origin"] {
        assert_eq!(head.matches(&format!("\r\n{name}: ")).count(), 1, "{name} in {head}");
    }
    let (head, body) = talk(address, &format!("HEAD {live} HTTP/1.1")).await;
    assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", expected.len())), "{head}");
    assert_eq!(body, b"");
    let (head, body) = talk(address, &format!("GET {} HTTP/1.1\r\nrange: bytes=1-3", world.path("main/2.ts"))).await;
    assert!(head.starts_with("HTTP/1.1 206 Partial Content\r\n"), "{head}");
    assert_eq!(body, bytes_of(2)[1..4]);
    let (head, _) = talk(address, &format!("OPTIONS {live} HTTP/1.1")).await;
    assert!(head.starts_with("HTTP/1.1 204 No Content\r\n"), "{head}");
    let (_, body) = talk(address, "GET /hello HTTP/1.1").await;
    assert_eq!(body, b"hello");
    tasks.shutdown().await;
}

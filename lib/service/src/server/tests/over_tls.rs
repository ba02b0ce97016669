//! The same server over TLS: what a sender leaves behind, patience, and those who speak something else.

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::tls::{Identity, client_config, trust_also};

/// A server over TLS, whose certificate all clients of these tests trust.
async fn secure_stand() -> Stand {
    static IDENTITY: std::sync::OnceLock<Identity> = std::sync::OnceLock::new();
    let identity = IDENTITY.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let identity = Identity { certificates: made.cert.pem(), key: made.signing_key.serialize_pem() };
        trust_also(&identity.certificates).expect("a certificate");
        identity
    });
    stand_with(ServeConfig::default(), Some(Tls::new(identity).expect("a pair"))).await
}

async fn connect(stand: &Stand) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(stand.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client_config())).connect(name, stream).await.unwrap()
}

async fn is_served(client: &mut TlsStream<TcpStream>) {
    client.write_all(GET_PEER.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    client.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}

/// Five requests sent ahead; then the sender is gone without a word of TLS.
#[tokio::test]
async fn what_a_sender_pipelined_is_served_after_it_left() {
    let mut stand = secure_stand().await;
    let mut client = connect(&stand).await;
    for n in 0..5 {
        let put = format!("PUT /s/{n} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nbody{n}");
        client.write_all(put.as_bytes()).await.unwrap();
    }
    client.flush().await.unwrap();
    stand.next_begins().await;
    drop(client);
    stand.serves_five().await;
    assert_eq!(stand.metrics.connections.get(), 0);
}

/// A body that breaks off is none, though the end of the connection is taken for one.
#[tokio::test]
async fn half_a_body_is_not_stored() {
    let stand = secure_stand().await;
    let mut client = connect(&stand).await;
    client.write_all(b"PUT /s/x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    client.flush().await.unwrap();
    drop(client);
    while stand.metrics.connections.get() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(stand.bodies.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_shook_hands_may_rest() {
    let stand = secure_stand().await;
    let mut client = connect(&stand).await;
    rest().await;
    is_served(&mut client).await;
    let rests = Clock::system().instant();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.ok();
    let secs = rests.elapsed().as_secs();
    assert!((110..=130).contains(&secs), "{secs} s");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_must_come_in_time() {
    let stand = secure_stand().await;
    for begins in [&b""[..], b"\x16\x03\x01\x02"] {
        let mut client = TcpStream::connect(stand.addr).await.unwrap();
        let begun = Clock::system().instant();
        client.write_all(begins).await.unwrap();
        let mut rest = vec![];
        client.read_to_end(&mut rest).await.ok();
        let secs = begun.elapsed().as_secs();
        assert!((10..=20).contains(&secs), "{begins:?}: {secs} s");
    }
}

#[tokio::test]
async fn stopping_does_not_wait_for_a_handshake() {
    let stand = secure_stand().await;
    let (_silent, mut rests) = (TcpStream::connect(stand.addr).await.unwrap(), connect(&stand).await);
    is_served(&mut rests).await;
    stand.tasks.shutdown().await;
    let mut rest = Vec::new();
    rests.read_to_end(&mut rest).await.expect("the end is said");
    assert_eq!(stand.metrics.connections.get(), 0);
}

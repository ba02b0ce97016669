//! A tap on the wire: a TCP proxy that passes everything on as it comes and keeps what clients wrote, so that a test
//! can tell byte for byte what somebody else's program has sent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::http_stream::{Request, requests};

/// A proxy in front of one server. Connections that are open when it is dropped go on.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    server: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug, Default)]
struct Wire {
    closing: AtomicBool,
    /// What clients wrote to each connection, in the order in which they were opened.
    connections: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
}

/// A request of a client's.
#[derive(Clone, Debug)]
pub struct Sent {
    pub request: Request,
}

impl Sent {
    /// The file that was sent: the last part of its address.
    pub fn file(&self) -> &str {
        self.request.target.rsplit(['/', '=']).next().unwrap_or_default()
    }

    /// The folder of the file, by the part before the last of its address.
    pub fn folder(&self) -> &str {
        self.request.target.rsplit('/').nth(1).unwrap_or_default()
    }

    fn is_media(&self) -> bool {
        let uploads = matches!(self.request.method.as_str(), "PUT" | "POST");
        uploads && self.request.complete && !self.request.body.is_empty() && !self.file().ends_with(".m3u8")
    }

    /// By its content: it begins with `ftyp`.
    pub fn is_init(&self) -> bool {
        self.is_media() && self.request.body.get(4..8) == Some(b"ftyp")
    }

    pub fn is_segment(&self) -> bool {
        self.is_media() && !self.is_init()
    }
}

impl Tap {
    /// In front of the server at `url`: `http://127.0.0.1:PORT`.
    pub fn before(url: &str) -> Self {
        let server = url.trim_start_matches("http://").parse().expect("an address with a port");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let wire = Arc::<Wire>::default();
        let tap = Self { address, server, wire: wire.clone() };
        thread::spawn(move || {
            for client in listener.incoming() {
                if wire.closing.load(Ordering::Relaxed) {
                    return;
                }
                client.and_then(|client| pass_on(client, server, &wire)).expect("the server takes connections");
            }
        });
        tap
    }

    /// An address of the server's, by way of the tap.
    pub fn by_way(&self, url: &str) -> String {
        url.replacen(&self.server.to_string(), &self.address.to_string(), 1)
    }

    /// Everything that was sent so far, connection by connection: for a client that opens one after the other, or only
    /// one for its segments, in the order in which it was sent.
    pub fn sent(&self) -> Vec<Sent> {
        let connections = self.wire.connections.lock().expect("nobody panics with it").clone();
        let written = connections.iter().flat_map(|written| requests(&written.lock().expect("nobody panics with it")));
        written.map(|request| Sent { request }).collect()
    }

    /// The bodies of the segments among it.
    pub fn segments(&self) -> Vec<Vec<u8>> {
        self.sent().into_iter().filter(Sent::is_segment).map(|sent| sent.request.body).collect()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.wire.closing.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn pass_on(client: TcpStream, server: SocketAddr, wire: &Arc<Wire>) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let written = Arc::<Mutex<Vec<u8>>>::default();
    wire.connections.lock().expect("nobody panics with it").push(written.clone());
    thread::spawn(move || {
        copy(client, to_server, |bytes| written.lock().expect("nobody panics with it").extend_from_slice(bytes));
    });
    thread::spawn(move || copy(server, to_client, |_| {}));
    Ok(())
}

/// Until one of the two has enough; the other is told.
fn copy(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        note(&buffer[..len]);
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

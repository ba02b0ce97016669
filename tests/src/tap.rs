//! A tap on the wire: a TCP proxy that passes everything on as it comes and keeps what was said, so that a test can tell
//! byte for byte what somebody else's program has sent, and what was acknowledged to it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::http_stream::{Request, requests, statuses};

/// A proxy in front of one server. Connections that are open when it is dropped go on.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    server: SocketAddr,
    wire: Arc<Wire>,
    door: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Wire {
    closing: AtomicBool,
    /// What was said on each connection, in the order in which they were opened.
    connections: Mutex<Vec<Arc<Connection>>>,
}

#[derive(Debug, Default)]
struct Connection {
    by_client: Mutex<Vec<u8>>,
    by_server: Mutex<Vec<u8>>,
}

/// A request of a client's.
#[derive(Clone, Debug)]
pub struct Sent {
    pub request: Request,
    /// What the server has answered, if it has.
    pub status: Option<u16>,
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
        let mut tap = Self { address, server, wire: Arc::default(), door: None };
        tap.listen(listener);
        tap
    }

    /// From now on clients are refused, as by a server that does not run. To be called in its network.
    pub fn shut(&mut self) {
        self.wire.closing.store(true, Ordering::Relaxed);
        // Wakes the listener, which is closed before this ends.
        drop(TcpStream::connect(self.address));
        if let Some(door) = self.door.take() {
            door.join().expect("it does not panic");
        }
    }

    /// From now on they are not.
    pub fn open(&mut self) {
        self.listen(TcpListener::bind(self.address).expect("nobody else has taken it"));
    }

    fn listen(&mut self, listener: TcpListener) {
        let (server, wire) = (self.server, self.wire.clone());
        wire.closing.store(false, Ordering::Relaxed);
        self.door = Some(thread::spawn(move || {
            for client in listener.incoming() {
                if wire.closing.load(Ordering::Relaxed) {
                    return;
                }
                // A client whose server is gone is closed.
                let _ = client.and_then(|client| pass_on(client, server, &wire));
            }
        }));
    }

    /// An address of the server's, by way of the tap.
    pub fn by_way(&self, url: &str) -> String {
        url.replacen(&self.server.to_string(), &self.address.to_string(), 1)
    }

    /// Everything that was sent so far, connection by connection: for a client that opens one after the other, or only
    /// one for its segments, in the order in which it was sent.
    pub fn sent(&self) -> Vec<Sent> {
        let connections = self.wire.connections.lock().expect("nobody panics with it").clone();
        connections.iter().flat_map(|connection| connection.sent()).collect()
    }

    /// The bodies of the segments among it.
    pub fn segments(&self) -> Vec<Vec<u8>> {
        self.sent().into_iter().filter(Sent::is_segment).map(|sent| sent.request.body).collect()
    }

    /// The bodies of those that were acknowledged.
    pub fn acknowledged(&self) -> Vec<Vec<u8>> {
        let acknowledged = |sent: &Sent| sent.is_segment() && matches!(sent.status, Some(200..=299));
        self.sent().into_iter().filter(acknowledged).map(|sent| sent.request.body).collect()
    }
}

impl Connection {
    fn sent(&self) -> Vec<Sent> {
        let requests = requests(&self.by_client.lock().expect("nobody panics with it"));
        let statuses = statuses(&self.by_server.lock().expect("nobody panics with it"));
        let statuses = statuses.into_iter().map(Some).chain(std::iter::repeat(None));
        requests.into_iter().zip(statuses).map(|(request, status)| Sent { request, status }).collect()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.wire.closing.store(true, Ordering::Relaxed);
        // Wakes the listener, if it is in this network.
        drop(TcpStream::connect(self.address));
    }
}

fn pass_on(client: TcpStream, server: SocketAddr, wire: &Arc<Wire>) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let connection = Arc::<Connection>::default();
    wire.connections.lock().expect("nobody panics with it").push(connection.clone());
    let of_client = connection.clone();
    thread::spawn(move || copy(&client, &to_server, &of_client.by_client));
    thread::spawn(move || {
        copy(&server, &to_client, &connection.by_server);
        // What it answers to a client that does not listen is known all the same.
        read(&server, &connection.by_server, |_| Ok(()));
    });
    Ok(())
}

/// Until one of the two has enough; the other is told.
fn copy(from: &TcpStream, mut to: &TcpStream, kept: &Mutex<Vec<u8>>) {
    read(from, kept, |bytes| to.write_all(bytes));
    let _ = to.shutdown(Shutdown::Write);
}

/// Keeps what comes, and gives it to `pass` as long as that takes it.
fn read(mut from: &TcpStream, kept: &Mutex<Vec<u8>>, mut pass: impl FnMut(&[u8]) -> std::io::Result<()>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        kept.lock().expect("nobody panics with it").extend_from_slice(&buffer[..len]);
        if pass(&buffer[..len]).is_err() {
            return;
        }
    }
}

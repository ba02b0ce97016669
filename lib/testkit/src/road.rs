//! A way from a client to a server that a test can break: a TCP proxy that refuses, swallows or passes everything on, at a
//! rate if asked, and whose far end may move to another address.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::waiting::{now, pause};

/// How a road is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Open,
    /// Connections are closed at once, and none is made.
    Cut,
    /// Connections stand, and nothing arrives: a tunnel.
    Swallows,
    /// The test is over.
    Gone,
}

/// A way to one server. Its address stays the same whatever happens.
#[derive(Debug)]
pub struct Road {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    condition: Condition,
    server: String,
    open: Vec<TcpStream>,
    /// In bytes per second, both directions together.
    rate: Option<u32>,
    /// When all is through that has come so far.
    through_at: Instant,
}

impl Road {
    /// A road to the server at `url`: `http://127.0.0.1:PORT`.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let inner = Inner::of(host(url), now());
        let state = Arc::new(State { inner: Mutex::new(inner), changed: Condvar::new() });
        let at_work = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let condition = at_work.lock().condition;
                match condition {
                    Condition::Gone => return,
                    // Closing it with nothing read is what a refusal comes to.
                    Condition::Cut => drop(client),
                    _ => at_work.pass(client),
                }
            }
        });
        Self { address, state }
    }

    /// `http://127.0.0.1:PORT`, to be used instead of the server's.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `url` by way of this road.
    pub fn by_way(&self, url: &str) -> String {
        let (_, rest) = url.split_once("://").expect("an address");
        let path = rest.find('/').map_or("", |at| &rest[at..]);
        format!("{}{path}", self.url())
    }

    /// From now on the server is there.
    pub fn leads_to(&self, url: &str) {
        self.state.lock().server = host(url);
    }

    /// Closes every connection, and lets none be made.
    pub fn cut(&self) {
        self.set(Condition::Cut);
    }

    /// Lets nothing through, and tells nobody.
    pub fn swallow(&self) {
        self.set(Condition::Swallows);
    }

    /// Lets so many bytes through in a second, and no more; `None` is as many as come.
    pub fn carries(&self, bytes_per_s: Option<u32>) {
        self.state.lock().rate = bytes_per_s;
    }

    /// Lets everything through again. What was swallowed is lost: its connections are closed, as a NAT that has
    /// forgotten them would.
    pub fn open(&self) {
        let was = self.state.lock().condition;
        if was == Condition::Swallows {
            self.set(Condition::Cut);
        }
        self.set(Condition::Open);
    }

    fn set(&self, condition: Condition) {
        let mut inner = self.state.lock();
        inner.condition = condition;
        if matches!(condition, Condition::Cut | Condition::Gone) {
            // One that is closed already says so.
            inner.open.drain(..).for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
        }
        self.state.changed.notify_all();
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.set(Condition::Gone);
        // Wakes whoever waits for the next connection.
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(self: &Arc<Self>, client: TcpStream) {
        let server = self.lock().server.clone();
        // Who cannot reach the server closes on its client.
        let Ok(server) = TcpStream::connect(server) else { return };
        let ends = [(&client, &server), (&server, &client)];
        for (from, to) in ends {
            let (Ok(from), Ok(to), state) = (from.try_clone(), to.try_clone(), self.clone()) else { return };
            thread::spawn(move || state.copy(from, to));
        }
        self.lock().open.extend([client, server]);
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = [0; 16 << 10];
        while let Ok(len @ 1..) = from.read(&mut piece) {
            let inner = self.lock();
            let blocked = |inner: &mut Inner| inner.condition == Condition::Swallows;
            let mut inner = self.changed.wait_while(inner, blocked).unwrap_or_else(PoisonError::into_inner);
            let takes = inner.takes(len, now());
            drop(inner);
            pause(takes);
            if to.write_all(&piece[..len]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}

impl Inner {
    fn of(server: String, now: Instant) -> Self {
        Self { condition: Condition::Open, server, open: Vec::new(), rate: None, through_at: now }
    }

    /// How long it takes until so much more is through.
    fn takes(&mut self, len: usize, now: Instant) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        self.through_at = self.through_at.max(now) + Duration::from_secs_f64(len as f64 / f64::from(rate));
        self.through_at - now
    }
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Sends a byte on a connection and waits for its echo.
    fn ask(road: &Road) -> Option<u8> {
        let mut stream = TcpStream::connect(road.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
        stream.write_all(b"x").ok()?;
        let mut answer = [0];
        stream.read_exact(&mut answer).ok().map(|()| answer[0])
    }

    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_ok() {
                    let _ = stream.write_all(&byte);
                }
            }
        });
        format!("http://{address}")
    }

    #[test]
    fn a_narrow_road_takes_its_time() {
        let now = now();
        let mut inner = Inner { rate: Some(1_000), ..Inner::of(String::new(), now) };
        let half_s = Duration::from_millis(500);
        assert_eq!([now, now, now + 3 * half_s].map(|at| inner.takes(500, at)), [half_s, 2 * half_s, half_s]);
        inner.rate = None;
        assert_eq!(inner.takes(500, now), Duration::ZERO);
    }

    #[test]
    fn a_road_can_be_cut_and_swallow_and_lead_elsewhere() {
        let road = Road::to(&echo());
        assert_eq!(ask(&road), Some(b'x'));
        road.cut();
        assert_eq!(ask(&road), None);
        road.swallow();
        assert_eq!(ask(&road), None);
        road.leads_to(&echo());
        road.open();
        assert_eq!(ask(&road), Some(b'x'));
        assert_eq!(road.by_way("http://1.2.3.4:5/push/a"), format!("{}/push/a", road.url()));
    }
}

//! Requests written by hand to one TCP connection, for what no client library would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use testkit::eventually;

/// Longest silence of the server's.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A connection to Headwater.
#[derive(Debug)]
pub struct Wire(TcpStream);

impl Wire {
    /// To the server at `url`: `http://127.0.0.1:PORT`.
    pub fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(url.trim_start_matches("http://")).expect("the server takes connections");
        stream.set_read_timeout(Some(SILENCE_MAX)).expect("a timeout can be set");
        Self(stream)
    }

    /// Writes the head of a chunked PUT, and nothing of its body.
    pub fn put_head(&mut self, path: &str) {
        self.write(format!("PUT {path} HTTP/1.1\r\nHost: headwater\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes());
    }

    /// Writes a body in chunks, and its end.
    pub fn chunks(&mut self, body: &[u8]) {
        body.chunks(32_768).for_each(|chunk| self.part(chunk));
        self.write(b"0\r\n\r\n");
    }

    /// Writes one chunk of a body.
    pub fn part(&mut self, chunk: &[u8]) {
        self.write(format!("{:x}\r\n", chunk.len()).as_bytes());
        self.write(chunk);
        self.write(b"\r\n");
    }

    /// A whole PUT, chunked and without a type, whose answer is not waited for.
    pub fn put(&mut self, path: &str, body: &[u8]) {
        self.put_head(path);
        self.chunks(body);
    }

    /// Reads the head of the next answer: its status.
    ///
    /// # Panics
    /// If none comes.
    pub fn status(&mut self) -> u16 {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head is ASCII");
        let len =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; len.unwrap_or(0)];
        self.0.read_exact(&mut body).expect("a body");
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    /// Closes with an answer unread, once all that was written has left: this makes the kernel reset the connection.
    ///
    /// # Panics
    /// If no answer comes, or the server does not take what was written.
    pub fn reset(self) {
        assert_ne!(self.0.peek(&mut [0]).expect("an answer"), 0);
        let port = self.0.local_addr().expect("it is connected").port();
        eventually("the server to take everything", SILENCE_MAX, || match unsent(port) {
            0 => Ok(()),
            unsent => Err(format!("{unsent} bytes are left")),
        });
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the server reads");
    }
}

/// How many bytes the kernel still holds that were written to the connection from this port.
fn unsent(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table of connections");
    let queue = table.lines().find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (local, mut others) = (columns.next()?, columns.skip(2));
        local.ends_with(&format!(":{port:04X}")).then(|| others.next().map(str::to_owned))?
    });
    let queue = queue.expect("the connection is in the table");
    u64::from_str_radix(queue.split(':').next().unwrap_or_default(), 16).expect("a number")
}

//! A socket whose peer may go away before it has read its answers, without losing what it sent.
//!
//! ffmpeg pipelines its requests, never reads an answer, and closes at exit. Closing a socket with unread bytes in it
//! sends a reset instead of an end. Linux then fails our next write (`ECONNRESET` once, `EPIPE` after that), but what
//! had been received before the reset is still there to read, followed by the end of the stream or, if no write has
//! taken the error first, by `ECONNRESET` (the tests below show it). hyper gives a connection up at the first write
//! that fails, and with it requests that were received in full. So from a reset on, writes pretend to succeed, up to a
//! limit, and the connection goes on until everything that was received is served.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::activity::Activity;
use crate::clock::Clock;
use crate::metrics::HttpMetrics;

/// How many bytes are thrown away after a reset, before writing fails after all.
const PRETENDED_MAX: usize = 256 << 10;

/// The socket of one connection.
#[derive(Debug)]
pub(super) struct PatientStream {
    socket: TcpStream,
    /// After a reset: how many more bytes may be thrown away.
    pretending: Option<usize>,
    activity: Arc<Activity>,
    metrics: HttpMetrics,
    clock: Clock,
}

impl PatientStream {
    pub(super) fn new(socket: TcpStream, activity: Arc<Activity>, metrics: HttpMetrics, clock: Clock) -> Self {
        Self { socket, pretending: None, activity, metrics, clock }
    }

    /// What the client says first, which stays there to be read; `None` if it says nothing.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.socket.peek(&mut byte).await? > 0).then_some(byte[0]))
    }

    /// What the caller is told of having written up to `len` bytes.
    fn written(&mut self, result: Poll<io::Result<usize>>, len: usize) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(written)) => {
                self.activity.wrote();
                self.metrics.sent.inc_by(written as u64);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) if is_reset(&error) => {
                self.metrics.resets.inc();
                self.pretending = Some(PRETENDED_MAX);
                self.activity.wrote();
                Poll::Ready(self.pretend(len).unwrap_or(Err(error)))
            }
            Poll::Pending => {
                self.activity.write_blocked(self.clock.instant());
                Poll::Pending
            }
            failed => failed,
        }
    }

    /// `None` as long as the peer has not reset the connection.
    fn pretend(&mut self, len: usize) -> Option<io::Result<usize>> {
        let left = self.pretending.as_mut()?;
        if *left < len {
            return Some(Err(ErrorKind::ConnectionReset.into()));
        }
        *left -= len;
        Some(Ok(len))
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

impl AsyncRead for PatientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buf);
        let received = buf.filled().len() - before;
        if received > 0 {
            self.activity.received(self.clock.instant());
            self.metrics.received.inc_by(received as u64);
        }
        result
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(pretended) = self.pretend(buf.len()) {
            return Poll::Ready(pretended);
        }
        let result = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.written(result, buf.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if let Some(pretended) = self.pretend(len) {
            return Poll::Ready(pretended);
        }
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.written(result, len)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.pretending.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// The ground that this module stands on.
    #[test]
    fn linux_keeps_what_was_received_before_a_reset() {
        for writes_first in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            server.write_all(b"never read").unwrap();
            client.write_all(b"received").unwrap();
            // With unread bytes in it: a reset. Wait for them first, or it would be a plain end.
            client.peek(&mut [0]).unwrap();
            drop(client);
            if writes_first {
                assert_eq!(server.write(b"x").unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
                assert_eq!(server.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
            }
            let mut received = [0; 100];
            assert_eq!(server.read(&mut received).unwrap(), 8, "writes first: {writes_first}");
            let end = server.read(&mut received);
            if writes_first {
                assert_eq!(end.unwrap(), 0);
            } else {
                assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
                assert_eq!(server.read(&mut received).unwrap(), 0);
            }
        }
    }
}

//! What comes before HTTP on a connection: nothing, or the handshake of TLS. Who speaks HTTP where TLS is spoken is told.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::stream::PatientStream;
use crate::tls::Tls;

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http,
    Https,
    /// Where TLS is spoken.
    HttpInstead,
}

/// The first byte of every client of TLS: a record of a handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// A connection whose bytes are HTTP.
pub(super) enum Stream {
    Plain(PatientStream),
    Secure(Box<TlsStream<PatientStream>>),
}

impl Stream {
    /// Waits for as long as the client likes; how long it may is for the caller to say.
    pub(super) async fn open(socket: PatientStream, tls: Option<Tls>) -> io::Result<(Self, Speaks)> {
        let Some(tls) = tls else { return Ok((Self::Plain(socket), Speaks::Http)) };
        match socket.first_byte().await? {
            Some(HANDSHAKE) => {
                let stream = TlsAcceptor::from(tls.current()).accept(socket).await?;
                Ok((Self::Secure(Box::new(stream)), Speaks::Https))
            }
            // The first letter of a method.
            Some(b'A'..=b'Z') => Ok((Self::Plain(socket), Speaks::HttpInstead)),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Secure(stream) => match Pin::new(stream).poll_read(cx, buf) {
                // It left without saying so. HTTP knows by itself whether a request is whole, so that is an end like any.
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => read,
            },
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Secure(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Secure(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Secure(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

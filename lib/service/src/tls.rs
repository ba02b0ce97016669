//! TLS for a server: a certificate and its key. ring is the one provider of cryptography.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The first byte of whoever begins with TLS: a handshake record (RFC 8446, 5.1).
pub(crate) const HANDSHAKE: u8 = 0x16;

/// What a server shows to prove who it is. Clones share it.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("there is no certificate in the file: it should begin with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    #[error("the file of the certificate is not PEM")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    #[error("there is no private key in the file: it should begin with -----BEGIN PRIVATE KEY-----")]
    Key(#[source] rustls::pki_types::pem::Error),
    #[error("the certificate and the key cannot be used together")]
    Together(#[source] rustls::Error),
}

impl Tls {
    /// Of PEM: the certificate, followed by those that vouch for it, and its key.
    pub fn new(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(TlsError::Certificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.map_err(TlsError::Together)?.with_no_client_auth().with_single_cert(chain, key);
        let mut config = config.map_err(TlsError::Together)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        self.0.accept(stream).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_told() {
        assert!(matches!(Tls::new(b"", b""), Err(TlsError::NoCertificate)));
        let broken = b"-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n";
        assert!(matches!(Tls::new(broken, b""), Err(TlsError::Certificate(_))));
        let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(Tls::new(nonsense, b""), Err(TlsError::Key(_))));
    }
}

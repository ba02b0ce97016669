//! TLS: who a server says it is, which may be exchanged while it runs, and whom our clients trust.
//!
//! Where certificates come from, and when they are exchanged, is decided elsewhere. There is one provider of cryptography
//! in the process, ring, and it is named here rather than found out.

use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};

/// Who a server says it is: a chain of certificates, its own first, and the key of that, both in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    pub certificates: String,
    pub key: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

impl Identity {
    /// The SHA-256 of its own certificate, as browsers show it: `AB:CD:…`.
    pub fn fingerprint(&self) -> Result<String, TlsError> {
        let certificate = certificates(&self.certificates)?.swap_remove(0);
        let digest = Sha256::digest(&certificate);
        Ok(digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":"))
    }
}

/// What cannot be served, or trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    #[error("there is no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    #[error("there is no private key in PEM (-----BEGIN PRIVATE KEY-----), without a password")]
    NoKey,
    #[error("the private key is not that of the certificate")]
    OtherKey,
    #[error("{0}")]
    Unusable(String),
}

/// Who a server says it is now. Clones share it.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Arc<ServerConfig>>>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// TLS 1.2 and 1.3, with HTTP/1.1 and HTTP/2.
    pub fn new(identity: &Identity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(server_config(identity)?)))))
    }

    /// Connections that begin from here on are told this. What is wrong changes nothing.
    pub fn replace(&self, identity: &Identity) -> Result<(), TlsError> {
        let config = Arc::new(server_config(identity)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn server_config(identity: &Identity) -> Result<ServerConfig, TlsError> {
    let certificates = certificates(&identity.certificates)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|_| TlsError::NoKey)?;
    let builder =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = builder.and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key));
    let mut config = config.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::OtherKey,
        error => TlsError::Unusable(error.to_string()),
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// At least one.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(TlsError::NoCertificate)
}

/// Whom the clients of this process trust beside those whom browsers trust.
static TRUSTED: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();

/// All clients of this process trust these too: certificates of authorities, or of servers that signed their own, in PEM.
/// Once, before the first client is made.
pub fn trust_also(pem: &str) -> Result<(), TlsError> {
    let certificates = certificates(pem)?;
    for certificate in &certificates {
        let added = RootCertStore::empty().add(certificate.clone());
        added.map_err(|error| TlsError::Unusable(error.to_string()))?;
    }
    // Who says it a second time has said it already.
    let _ = TRUSTED.set(certificates);
    Ok(())
}

pub(crate) fn client_config() -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(TRUSTED.get().into_iter().flatten().cloned());
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        Identity { certificates: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    #[test]
    fn what_cannot_be_served_is_told() {
        let (one, other) = (identity(), identity());
        let tls = Tls::new(&one).expect("a pair");
        let before = tls.current();
        let with_key = |key: &str| Identity { certificates: one.certificates.clone(), key: key.to_owned() };
        for (wrong, expected) in [
            (with_key(&other.key), TlsError::OtherKey),
            (with_key("nonsense"), TlsError::NoKey),
            (Identity { certificates: "nonsense".to_owned(), key: one.key.clone() }, TlsError::NoCertificate),
            (Identity { certificates: one.key.clone(), key: one.key.clone() }, TlsError::NoCertificate),
        ] {
            assert_eq!(tls.replace(&wrong), Err(expected));
        }
        assert!(Arc::ptr_eq(&before, &tls.current()), "what is wrong changes nothing");
        tls.replace(&other).expect("a pair");
        assert!(!Arc::ptr_eq(&before, &tls.current()));
        assert!(!format!("{one:?}").contains("PRIVATE"), "{one:?}");
        assert_eq!(one.fingerprint().expect("a certificate").len(), 95);
    }

    #[test]
    fn only_certificates_can_be_trusted() {
        assert_eq!(trust_also("nonsense"), Err(TlsError::NoCertificate));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(trust_also(broken), Err(TlsError::Unusable(_))));
    }
}

//! Whether this process speaks TLS, and who it says it is.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use service::{Identity, Tls};

use crate::cli::ServeOptions;

/// The longest certificate or key that is read, in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// The table `[tls]` of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    self_signed: bool,
    names: Vec<String>,
    ca: Option<PathBuf>,
}

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsConfig {
    Files {
        cert: PathBuf,
        key: PathBuf,
    },
    /// Made here, for the names and addresses of this machine and these.
    SelfSigned {
        names: Vec<String>,
    },
}

/// What the settings say of TLS.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) tls: Option<TlsConfig>,
    /// Whom to trust too.
    pub(super) ca: Option<PathBuf>,
}

impl File {
    /// A flag for one way to get a certificate is for that way, whatever the file says.
    pub(super) fn load(self, options: &ServeOptions) -> anyhow::Result<Wanted> {
        let Self { cert, key, self_signed, names, ca } = self;
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            bail!("tls.names: {name:?} is neither a name such as live.example.org nor an address");
        }
        let by_flag = options.tls_cert.is_some() || options.tls_key.is_some();
        let (cert, key) = match options.tls_self_signed {
            true => (None, None),
            false => (options.tls_cert.clone().or(cert), options.tls_key.clone().or(key)),
        };
        let self_signed = options.tls_self_signed || (self_signed && !by_flag);
        let tls = match (cert, key, self_signed) {
            (None, None, false) => None,
            (None, None, true) => Some(TlsConfig::SelfSigned { names }),
            (Some(_), _, true) | (_, Some(_), true) => bail!("tls: either self_signed, or cert and key"),
            (Some(cert), Some(key), false) => Some(TlsConfig::Files { cert, key }),
            (Some(_), None, false) => bail!("--tls-cert needs its --tls-key"),
            (None, Some(_), false) => bail!("--tls-key needs its --tls-cert"),
        };
        if let Some(TlsConfig::Files { cert, key }) = &tls {
            Tls::new(&read(cert, key)?).with_context(|| in_words(cert, key))?;
        }
        let ca = options.tls_ca.clone().or(ca);
        Ok(Wanted { tls, ca })
    }
}

/// Whether a certificate can be for it: a name, or an address.
pub(crate) fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}

/// The two files, as they are now.
pub(crate) fn read(cert: &Path, key: &Path) -> anyhow::Result<Identity> {
    Ok(Identity { certificates: read_file(cert)?, key: read_file(key)? })
}

pub(crate) fn in_words(cert: &Path, key: &Path) -> String {
    format!("--tls-cert {} with --tls-key {}", cert.display(), key.display())
}

/// What a file of certificates says.
pub(crate) fn read_file(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read {}", path.display());
    let len = std::fs::metadata(path).with_context(cannot)?.len();
    ensure!(len <= FILE_LEN_MAX, "{} has {len} bytes: that is no certificate and no key", path.display());
    std::fs::read_to_string(path).with_context(cannot)
}

/// Has all clients of this process trust what is in the file, too.
pub(crate) fn trust_also(ca: Option<&Path>) -> anyhow::Result<()> {
    let Some(ca) = ca else { return Ok(()) };
    service::trust_also(&read_file(ca)?).with_context(|| format!("--tls-ca {}", ca.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(file: File, options: ServeOptions) -> Result<Option<TlsConfig>, String> {
        file.load(&options).map(|wanted| wanted.tls).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let made = |name: &str| {
            let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("made");
            let cert = write(&format!("{name}.pem"), &made.cert.pem());
            (cert, write(&format!("{name}.key"), &made.signing_key.serialize_pem()))
        };
        let ((cert, key), (_, other)) = (made("a"), made("b"));
        let flags = |cert: Option<&PathBuf>, key: Option<&PathBuf>| ServeOptions {
            tls_cert: cert.cloned(),
            tls_key: key.cloned(),
            ..ServeOptions::default()
        };
        let right = Ok(Some(TlsConfig::Files { cert: cert.clone(), key: key.clone() }));
        assert_eq!(wanted(File::default(), flags(Some(&cert), Some(&key))), right);
        let file = File { self_signed: true, ..File::default() };
        assert_eq!(wanted(file, flags(Some(&cert), Some(&key))), right, "a flag comes before the file");
        let file = File { cert: Some(cert.clone()), key: Some(key.clone()), ..File::default() };
        let flag = ServeOptions { tls_self_signed: true, ..ServeOptions::default() };
        assert_eq!(wanted(file, flag), Ok(Some(TlsConfig::SelfSigned { names: vec![] })));
        assert_eq!(wanted(File::default(), ServeOptions::default()), Ok(None));
        for (cert, key, why) in [
            (Some(&cert), Some(&other), "the private key is not that of the certificate"),
            (Some(&cert), Some(&cert), "there is no private key in PEM"),
            (Some(&key), Some(&key), "there is no certificate in PEM"),
            (Some(&PathBuf::from("/nowhere/a.pem")), Some(&key), "cannot read /nowhere/a.pem"),
            (Some(&cert), None, "--tls-cert needs its --tls-key"),
            (None, Some(&key), "--tls-key needs its --tls-cert"),
        ] {
            let error = wanted(File::default(), flags(cert, key)).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
        let both = File { cert: Some(cert), key: Some(key), self_signed: true, ..File::default() };
        assert!(wanted(both, ServeOptions::default()).is_err());
        let named = File { self_signed: true, names: vec!["a b".to_owned()], ..File::default() };
        assert!(wanted(named, ServeOptions::default()).is_err());
        assert!(trust_also(Some(&other)).is_err(), "a key is no authority");
    }
}

//! What this server shows to prove who it is: a certificate that its operator got, or one that it makes for itself.
//!
//! A phone gives the camera only to pages that came by https. For one person on one network, a certificate that nobody
//! vouches for is enough: the phone warns once. It is kept, so that the warning stays answered, and made anew only when
//! the machine has got another name or address, or before it expires.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};
use service::Tls;

/// For how long a certificate is good: browsers refuse those that are good for more than 825 days.
const GOOD_FOR_DAYS: i64 = 800;
/// So much earlier it is made anew.
const RENEW_DAYS: i64 = 60;
const DAY_MS: i64 = 86_400_000;

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlsConfig {
    Files { cert: PathBuf, key: PathBuf },
    SelfSigned,
}

/// `[tls]` of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) self_signed: bool,
}

impl File {
    /// None: plain http.
    pub(crate) fn settings(self) -> anyhow::Result<Option<TlsConfig>> {
        match (self.cert, self.key, self.self_signed) {
            (Some(cert), Some(key), false) => Ok(Some(TlsConfig::Files { cert, key })),
            (None, None, true) => Ok(Some(TlsConfig::SelfSigned)),
            (None, None, false) => Ok(None),
            (_, _, true) => {
                bail!("give a certificate (--tls-cert, --tls-key) or let one be made (--tls-self-signed), not both")
            }
            (_, _, false) => bail!("a certificate needs its key: give both --tls-cert and --tls-key"),
        }
    }
}

/// Ready to be served with. `names` are what others may call this machine; `data` is where a certificate of our own is kept.
pub(crate) fn open(config: &TlsConfig, data: &Path, names: &BTreeSet<String>, now_ms: i64) -> anyhow::Result<Tls> {
    match config {
        TlsConfig::Files { cert, key } => {
            let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
            Tls::new(&read(cert)?, &read(key)?)
                .with_context(|| format!("cannot use {} with {}", cert.display(), key.display()))
        }
        TlsConfig::SelfSigned => {
            let kept = kept(&data.join("tls"), names, now_ms)?;
            Tls::new(kept.certificate.as_bytes(), kept.key.as_bytes()).context("the certificate of our own")
        }
    }
}

/// By which names others may reach a server that listens there.
pub(crate) fn names(listen: SocketAddr, own: impl IntoIterator<Item = IpAddr>) -> BTreeSet<String> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let local = (!host.is_empty() && !host.contains('.')).then(|| format!("{host}.local"));
    let named = [Some("localhost".to_owned()), Some(host), local].into_iter().flatten();
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
    let addresses = own.into_iter().chain(loopback).chain([listen.ip()]).filter(|ip| !ip.is_unspecified());
    named.filter(|name| !name.is_empty()).chain(addresses.map(|ip| ip.to_string())).collect()
}

/// What is kept of a certificate: it and its key as PEM.
struct Kept {
    certificate: String,
    key: String,
}

/// For whom it is, and until when.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    names: BTreeSet<String>,
    /// In milliseconds since the Unix epoch.
    until_ms: i64,
}

fn kept(dir: &Path, names: &BTreeSet<String>, now_ms: i64) -> anyhow::Result<Kept> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let [certificate, key, about] = ["certificate.pem", "key.pem", "about.json"].map(|name| dir.join(name));
    let known: Option<About> = read(&about)?.and_then(|text| serde_json::from_str(&text).ok());
    if let Some(known) = known
        && known.names.is_superset(names)
        && now_ms < known.until_ms - RENEW_DAYS * DAY_MS
        && let (Some(certificate), Some(key)) = (read(&certificate)?, read(&key)?)
    {
        return Ok(Kept { certificate, key });
    }
    // The same key: whoever trusts it need not do so again.
    let pair = match read(&key)?.and_then(|pem| KeyPair::from_pem(&pem).ok()) {
        Some(pair) => pair,
        None => KeyPair::generate().context("cannot make a key")?,
    };
    let until_ms = now_ms + GOOD_FOR_DAYS * DAY_MS;
    let made = self_signed(&pair, names, now_ms, until_ms)?;
    write(&key, &pair.serialize_pem(), 0o600)?;
    write(&certificate, &made, 0o644)?;
    write(&about, &serde_json::to_string_pretty(&About { names: names.clone(), until_ms })?, 0o644)?;
    tracing::info!(?names, "made a certificate");
    Ok(Kept { certificate: made, key: pair.serialize_pem() })
}

fn self_signed(pair: &KeyPair, names: &BTreeSet<String>, now_ms: i64, until_ms: i64) -> anyhow::Result<String> {
    let names: Vec<String> = names.iter().cloned().collect();
    let mut params = CertificateParams::new(names).context("a name of this machine cannot be in a certificate")?;
    let mut whose = DistinguishedName::new();
    whose.push(DnType::CommonName, "Headwater on this machine");
    params.distinguished_name = whose;
    // A clock that is a little behind must not refuse it.
    let (year, month, day) = date(now_ms - DAY_MS)?;
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = date(until_ms)?;
    params.not_after = rcgen::date_time_ymd(year, month, day);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params.self_signed(pair).context("cannot make a certificate")?.pem())
}

/// Year, month and day.
fn date(ms: i64) -> anyhow::Result<(i32, u8, u8)> {
    let at = jiff::Timestamp::from_millisecond(ms)?.to_zoned(jiff::tz::TimeZone::UTC);
    Ok((at.year().into(), at.month().unsigned_abs(), at.day().unsigned_abs()))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Whole or not at all.
fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let written = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.and_then(|()| std::fs::rename(&new, path)).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW_MS: i64 = 1_790_000_000_000;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_certificate_is_kept_until_it_no_longer_fits() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = |names: &[&str], days: i64| kept(dir.path(), &set(names), NOW_MS + days * DAY_MS).expect("made");
        let first = made(&["localhost", "192.0.2.1"], 0);
        assert!(Tls::new(first.certificate.as_bytes(), first.key.as_bytes()).is_ok());
        let mode = std::fs::metadata(dir.path().join("key.pem")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for (names, days, same) in [
            (&["localhost", "192.0.2.1"][..], 700, true),
            (&["localhost"], 0, true),
            (&["localhost", "192.0.2.1"], 745, false),
            (&["localhost", "192.0.2.2"], 0, false),
        ] {
            let again = made(names, days);
            assert_eq!(again.certificate == first.certificate, same, "{names:?} after {days} days");
            assert_eq!(again.key, first.key, "the key stays");
            if !same {
                std::fs::write(dir.path().join("certificate.pem"), &first.certificate).expect("written");
                let about =
                    About { names: set(&["localhost", "192.0.2.1"]), until_ms: NOW_MS + GOOD_FOR_DAYS * DAY_MS };
                std::fs::write(dir.path().join("about.json"), serde_json::to_string(&about).expect("json"))
                    .expect("written");
            }
        }
    }

    #[test]
    fn all_names_of_the_machine_are_in_it() {
        let any: SocketAddr = "0.0.0.0:8443".parse().expect("an address");
        let names = names(any, ["192.0.2.7".parse().expect("an address")]);
        assert!(names.is_superset(&set(&["localhost", "127.0.0.1", "::1", "192.0.2.7"])), "{names:?}");
        assert!(!names.contains("0.0.0.0"));
    }

    #[test]
    fn a_certificate_comes_from_one_place() {
        let file = |cert: bool, key: bool, self_signed: bool| {
            let path = |given: bool| given.then(|| PathBuf::from("x"));
            File { cert: path(cert), key: path(key), self_signed }.settings()
        };
        assert!(matches!(file(false, false, false), Ok(None)));
        assert!(matches!(file(true, true, false), Ok(Some(TlsConfig::Files { .. }))));
        assert!(matches!(file(false, false, true), Ok(Some(TlsConfig::SelfSigned))));
        for (cert, key, self_signed) in [(true, false, false), (false, true, false), (true, true, true)] {
            assert!(file(cert, key, self_signed).is_err());
        }
    }
}

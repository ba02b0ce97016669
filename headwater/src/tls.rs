//! The certificate that this process shows: read from two files, or made here and kept in the data directory. It is looked
//! after while the process runs: exchanged when the files change, on SIGHUP, and made anew before it expires or when the
//! machine has another address.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use service::{Clock, Identity, Tasks, Tls};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config, TlsConfig};
use crate::secrets;

/// How often it is looked whether there is another one.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A certificate that is made here holds from the day before, for those whose clocks are late, for so many days ...
const HOLDS_DAYS: i64 = 397;
/// ... and is made anew when it holds for less than this.
const RENEW_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

/// Where a certificate that is made here is kept, below the data directory.
const SELF_SIGNED: &str = "tls/certificate.pem";
const SELF_SIGNED_KEY: &str = "tls/key.pem";
/// What stands before the certificate in its file, where PEM lets anything stand (RFC 7468, 5.2): for whom it is, and until
/// when, so that nobody needs to take it apart.
const FOR: &str = "For: ";
const UNTIL_MS: &str = "Until, in milliseconds since the Unix epoch: ";

/// Where `--tls-self-signed` keeps its certificate.
pub(crate) fn self_signed_path(data: &Path) -> PathBuf {
    data.join(SELF_SIGNED)
}

/// Who this process says it is.
#[derive(Debug)]
pub(crate) struct Certificate {
    source: Source,
    identity: Identity,
    tls: Tls,
}

#[derive(Debug)]
enum Source {
    Files { cert: PathBuf, key: PathBuf },
    SelfSigned { data: PathBuf, names: BTreeSet<String> },
}

impl Certificate {
    /// `None` without TLS.
    pub(crate) fn open(config: &Config, clock: &Clock) -> anyhow::Result<Option<Self>> {
        let source = match &config.tls {
            None => return Ok(None),
            Some(TlsConfig::Files { cert, key }) => Source::Files { cert: cert.clone(), key: key.clone() },
            Some(TlsConfig::SelfSigned { names }) => {
                let told = [config.public_url.as_deref(), config.advertised()].into_iter().flatten().filter_map(host);
                let listening = Some(config.listen.ip()).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
                let names = names.iter().cloned().chain(told).chain(listening).collect();
                Source::SelfSigned { data: config.data.clone(), names }
            }
        };
        let identity = source.load(clock)?;
        let tls = Tls::new(&identity).with_context(|| source.in_words())?;
        Ok(Some(Self { source, identity, tls }))
    }

    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// What to compare with what a browser shows before one believes it; `None` if an authority vouches for it.
    pub(crate) fn fingerprint_to_compare(&self) -> Option<String> {
        match self.source {
            Source::Files { .. } => None,
            Source::SelfSigned { .. } => self.identity.fingerprint().ok(),
        }
    }

    /// Looks after it until the tasks are told to stop.
    pub(crate) fn keep(mut self, clock: Clock, tasks: &Tasks) -> std::io::Result<()> {
        let (mut hang_up, stop) = (signal(SignalKind::hangup())?, tasks.stop_token());
        tasks.spawn("certificate", async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = hang_up.recv() => {}
                    () = clock.sleep(LOOK_EVERY) => {}
                }
                let (now, source) = (clock.clone(), self.source);
                let (loaded, source) = Tasks::blocking(move || (source.load(&now), source)).await;
                self.source = source;
                match loaded {
                    Ok(identity) => self.exchange(identity),
                    Err(error) => {
                        tracing::warn!(%error, "cannot read the certificate again; the one from before goes on")
                    }
                }
            }
        });
        Ok(())
    }

    fn exchange(&mut self, identity: Identity) {
        if identity == self.identity {
            return;
        }
        match self.tls.replace(&identity) {
            Ok(()) => {
                tracing::info!("the certificate was exchanged");
                self.identity = identity;
            }
            // The next look may find both files written.
            Err(error) => tracing::warn!(%error, "cannot use the new certificate; the one from before goes on"),
        }
    }
}

impl Source {
    fn load(&self, clock: &Clock) -> anyhow::Result<Identity> {
        match self {
            Self::Files { cert, key } => config::read_identity(cert, key),
            Self::SelfSigned { data, names } => {
                let mut names = names.clone();
                names.extend(own_names());
                self_signed(data, &names, clock.now_ms())
            }
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Files { cert, key } => config::in_words(cert, key),
            Self::SelfSigned { data, .. } => format!("{SELF_SIGNED} in {}", data.display()),
        }
    }
}

/// What this machine is called, and its addresses.
fn own_names() -> impl Iterator<Item = String> {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().to_ascii_lowercase();
    let is_name = host.len() <= 200 && config::is_name(&host);
    // As it is called in a network of phones and laptops (RFC 6762).
    let local = format!("{}.local", host.split('.').next().unwrap_or_default());
    let called = [host, local].into_iter().filter(move |_| is_name);
    let always = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    called.chain(always).chain(service::own_addresses().into_iter().map(|address| address.to_string()))
}

/// The host of an address.
fn host(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    uri.host().map(|host| host.trim_matches(['[', ']']).to_owned())
}

/// The one in `data`, if it is for all these names and holds long enough; else a new one, with the same key.
fn self_signed(data: &Path, names: &BTreeSet<String>, now_ms: i64) -> anyhow::Result<Identity> {
    let (path, key_path) = (self_signed_path(data), data.join(SELF_SIGNED_KEY));
    let dir = data.join("tls");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let make = || Ok(KeyPair::generate().context("cannot make a key")?.serialize_pem());
    let key = secrets::kept_pem(&key_path, make)?;
    if let Ok(certificates) = std::fs::read_to_string(&path)
        && still_does(&certificates, names, now_ms)
    {
        let identity = Identity { certificates, key: key.clone() };
        if Tls::new(&identity).is_ok() {
            return Ok(identity);
        }
    }
    let pair = KeyPair::from_pem(&key).with_context(|| format!("{} is no key: remove it", key_path.display()))?;
    let certificates = certificate(&pair, names, now_ms).context("cannot make a certificate")?;
    secrets::write_pem(&path, &certificates).with_context(|| format!("cannot write {}", path.display()))?;
    tracing::info!(names = %names.iter().cloned().collect::<Vec<_>>().join(" "), "made a certificate for this machine");
    Ok(Identity { certificates, key })
}

fn still_does(certificates: &str, names: &BTreeSet<String>, now_ms: i64) -> bool {
    let told = |what: &str| certificates.lines().find_map(|line| line.strip_prefix(what));
    let until_ms: Option<i64> = told(UNTIL_MS).and_then(|text| text.trim().parse().ok());
    let known: BTreeSet<_> = told(FOR).unwrap_or_default().split_whitespace().collect();
    until_ms.is_some_and(|until_ms| now_ms < until_ms - RENEW_DAYS * DAY_MS)
        && names.iter().all(|name| known.contains(name.as_str()))
}

fn certificate(key: &KeyPair, names: &BTreeSet<String>, now_ms: i64) -> anyhow::Result<String> {
    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    let (from_ms, until_ms) = (now_ms - DAY_MS, now_ms + HOLDS_DAYS * DAY_MS);
    let (from, until) = (utc_date(from_ms)?, utc_date(until_ms)?);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Headwater, made by itself");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // As the file will have it.
    let pem = params.self_signed(key)?.pem().replace('\r', "");
    let names = names.iter().cloned().collect::<Vec<_>>().join(" ");
    Ok(format!(
        "Made by headwater for itself (--tls-self-signed). Whoever is to trust it is given this file: --tls-ca FILE.\n\
         {FOR}{names}\n{UNTIL_MS}{until_ms}\n{}\n",
        pem.trim_end()
    ))
}

/// Year, month and day.
fn utc_date(ms: i64) -> anyhow::Result<(i32, u8, u8)> {
    let date = jiff::Timestamp::from_millisecond(ms)?.to_zoned(jiff::tz::TimeZone::UTC).date();
    Ok((date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_000_000_000;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_certificate_is_made_once_and_anew_when_it_no_longer_does() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = |of: &[&str], days: i64| {
            self_signed(dir.path(), &names(of), NOW_MS + days * DAY_MS).expect("made").certificates
        };
        let key = || std::fs::read_to_string(dir.path().join(SELF_SIGNED_KEY)).expect("kept");
        let first = made(&["localhost", "192.0.2.2"], 0);
        assert_eq!(std::fs::read_to_string(self_signed_path(dir.path())).expect("kept"), first);
        let first_key = key();
        assert_eq!(made(&["localhost"], 0), first, "an address that went away changes nothing");
        assert_eq!(made(&["localhost", "192.0.2.2"], HOLDS_DAYS - RENEW_DAYS - 1), first);
        let moved = made(&["localhost", "192.0.2.3"], 1);
        assert_ne!(moved, first);
        let renewed = made(&["localhost", "192.0.2.3"], HOLDS_DAYS - RENEW_DAYS + 2);
        assert_ne!(renewed, moved);
        assert_eq!(key(), first_key, "the key stays");
        std::fs::write(self_signed_path(dir.path()), renewed.replace("BEGIN", "NOTHING")).expect("written");
        let mended = made(&["localhost", "192.0.2.3"], HOLDS_DAYS);
        Tls::new(&Identity { certificates: mended, key: key() }).expect("they belong together");
    }

    #[test]
    fn this_machine_is_named() {
        let names: BTreeSet<String> = own_names().collect();
        assert!(names.contains("localhost") && names.contains("127.0.0.1") && names.contains("::1"), "{names:?}");
        assert!(names.iter().all(|name| config::is_name(name)), "{names:?}");
        for (url, expected) in [
            ("https://live.example.org/x", Some("live.example.org")),
            ("http://[fd00::2]:8080", Some("fd00::2")),
            ("nonsense", Some("nonsense")),
        ] {
            assert_eq!(host(url).as_deref(), expected);
        }
    }
}

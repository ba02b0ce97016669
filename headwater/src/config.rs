//! Settings: read once and checked before anything binds. Flags come before HEADWATER_... variables, those before the
//! file, and the file before the defaults; what is unknown or wrong is refused.

mod node;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use balancer::BalancerConfig;
use metadata::RedisAddress;
use playlist::Config as PlaylistConfig;
use recorder::{HotConfig, RecorderConfig};
use serde::Deserialize;
use service::{LogFormat, OwnerKey, ServeConfig};
use storage::{HotUrl, StorageConfig};
use webhooks::WebhooksConfig;

use crate::cli::ServeOptions;

pub(crate) use node::NodeConfig;
pub(crate) use tls::{TlsConfig, in_words, is_name, read as read_identity, read_file, trust_also};

/// The settings of one process.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<String>,
    /// `None`: without TLS.
    pub(crate) tls: Option<TlsConfig>,
    /// Whom to trust beside those whom browsers trust.
    pub(crate) tls_ca: Option<PathBuf>,
    pub(crate) metadata: Option<RedisAddress>,
    /// `None`: kept in the data directory.
    pub(crate) owner_key: Option<OwnerKey>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) server: ServeConfig,
    pub(crate) storage: StorageConfig,
    pub(crate) recorder: RecorderConfig,
    pub(crate) playlist: PlaylistConfig,
    pub(crate) balancer: BalancerConfig,
    pub(crate) node: NodeConfig,
    /// Databases of where addresses are. Empty: those in DIR/geo.
    pub(crate) geo: Vec<PathBuf>,
    pub(crate) webhooks: WebhooksConfig,
    /// Where what is recorded becomes safe.
    pub(crate) hot: Option<HotUrl>,
}

/// The file. Every key is optional; the tables hold the settings of the parts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    tls: tls::File,
    metadata: Option<String>,
    owner_key: Option<String>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    server: ServeConfig,
    storage: StorageConfig,
    recorder: RecorderConfig,
    playlist: PlaylistConfig,
    balancer: BalancerConfig,
    node: node::File,
    geo: Vec<PathBuf>,
    webhooks: WebhooksConfig,
    hot: Hot,
}

/// `[hot]`: where, and how much of what is there is kept here too.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Hot {
    url: Option<String>,
    copies_max: Option<usize>,
    keep_bytes: Option<u64>,
    free_bytes: Option<u64>,
}

impl Hot {
    fn settings(&self) -> HotConfig {
        let default = HotConfig::default();
        HotConfig {
            copies_max: self.copies_max.unwrap_or(default.copies_max),
            keep_bytes: self.keep_bytes.or(default.keep_bytes),
            free_bytes: self.free_bytes.unwrap_or(default.free_bytes),
        }
    }
}

impl Config {
    /// By which address others are told that they reach this node.
    pub(crate) fn advertised(&self) -> Option<&str> {
        self.node.advertise.as_deref().or(self.public_url.as_deref())
    }

    /// How addresses of this process begin.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// clap has already put each flag before its variable.
    pub(crate) fn load(options: &ServeOptions) -> anyhow::Result<Self> {
        let file = options.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let given = |flag: &Option<String>, file: Option<String>| flag.clone().or(file);
        let public_url = given(&options.public_url, file.public_url);
        let public_url = public_url.map(|url| node::checked_url("public_url", url)).transpose()?;
        file.webhooks.check()?;
        let tls::Wanted { tls, ca: tls_ca } = file.tls.load(options)?;
        let metadata = given(&options.metadata, file.metadata);
        let owner_key = given(&options.owner_key, file.owner_key);
        let log_format = options.log_format.as_deref().map(str::parse).transpose()?;
        let mut storage = file.storage;
        storage.quota = options.quota.or(storage.quota);
        let mut recorder = file.recorder;
        recorder.hot = file.hot.settings();
        let hot = given(&options.hot, file.hot.url);
        Ok(Self {
            data: options.data.clone().or(file.data).unwrap_or_else(|| "./data".into()),
            listen: options.listen.or(file.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            public_url,
            tls,
            tls_ca,
            metadata: metadata.map(|url| url.parse()).transpose().context("metadata")?,
            owner_key: owner_key.map(|key| key.parse()).transpose().context("owner key")?,
            log: given(&options.log, file.log).unwrap_or_else(|| "info".to_owned()),
            log_format: log_format.or(file.log_format).unwrap_or_default(),
            server: file.server,
            storage,
            recorder,
            playlist: file.playlist,
            balancer: file.balancer,
            node: NodeConfig::load(options, file.node)?,
            geo: if options.geo.is_empty() { file.geo } else { options.geo.clone() },
            webhooks: file.webhooks,
            hot: hot.map(|url| url.parse()).transpose().context("hot")?,
        })
    }
}

fn read(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not a valid configuration", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, options: ServeOptions) -> anyhow::Result<Config> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("headwater.toml");
        std::fs::write(&path, file)?;
        Config::load(&ServeOptions { config: Some(path), ..options })
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_the_defaults() {
        let file = "listen = '127.0.0.1:1'\nlog = 'debug'\n[recorder]\nsegment_len_max = 5\n[storage]\nquota = 7\n";
        let flags = ServeOptions { listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))), ..ServeOptions::default() };
        let config = load(file, flags).expect("valid");
        assert_eq!(config.listen.port(), 2);
        assert_eq!((config.log.as_str(), config.data.as_path()), ("debug", Path::new("./data")));
        assert_eq!((config.recorder.segment_len_max, config.storage.quota), (5, Some(7)));
        let config = load(file, ServeOptions { quota: Some(9), ..ServeOptions::default() }).expect("valid");
        assert_eq!((config.listen.port(), config.storage.quota), (1, Some(9)));
    }

    #[test]
    fn what_is_unknown_or_wrong_is_refused() {
        let wrong = [
            "lisen = '127.0.0.1:1'",
            "listen = 'here'",
            "public_url = 'example.org'",
            "[tls]\ncert = '/nowhere'",
            "[tls]\nself_signed = 1",
            "[tls]\nnames = ['a b']",
            "owner_key = 'short'",
            "metadata = 'mysql://x'",
            "log_format = 'xml'",
            "[hot]\nurl = 'http://x'",
            "[hot]\nkeep = 5",
            "[tls]\ncert = 'cert.pem'",
            "[tls]\nself_signed = true\ncert = 'cert.pem'\nkey = 'key.pem'",
            "[recorder]\nsegment_len = 5",
            "[recorder.views]\nwindow = 5",
            "[balancer]\ntrusted_proxies = ['here']",
            "[node]\nname = 'a b'",
            "[node]\nplace = 'Zürich'",
            "[node]\nadvertise = 'r1.example.org'",
            "[node]\ntime_to_live_ms = 5000",
            "[webhooks]\nretries_s = []",
            "[[webhooks.endpoints]]\nurl = 'https://a.example'",
            "[[webhooks.endpoints]]\nurl = 'https://a.example'\nsecrets = []",
            "[[webhooks.endpoints]]\nurl = 'https://a.example'\nsecrets = ['secret']",
            "[[webhooks.endpoints]]\nurl = 'a.example'\nsecrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']",
            "[[webhooks.endpoints]]\nurl = 'https://a.example'\nsecrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']\nevents = ['broadcast.gone']",
            "not toml",
        ];
        for file in wrong {
            assert!(load(file, ServeOptions::default()).is_err(), "{file}");
        }
        let missing = ServeOptions { config: Some("/nowhere/headwater.toml".into()), ..ServeOptions::default() };
        assert!(Config::load(&missing).is_err());
    }
}

//! What a node says of itself to the others, and how often.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use metadata::{NodeName, Place};
use serde::Deserialize;

use crate::cli::ServeOptions;

/// The longest name of a region, in bytes.
const REGION_LEN_MAX: usize = 64;
/// The longest address, in bytes.
const URL_LEN_MAX: usize = 1_024;

/// The table `[node]` of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    name: Option<String>,
    advertise: Option<String>,
    region: Option<String>,
    place: Option<String>,
    network_capacity: Option<u64>,
    renew_every_ms: u32,
    time_to_live_ms: u32,
}

impl Default for File {
    fn default() -> Self {
        let (name, advertise, region, place, network_capacity) = Default::default();
        Self { name, advertise, region, place, network_capacity, renew_every_ms: 3_000, time_to_live_ms: 10_000 }
    }
}

/// What a node says of itself.
#[derive(Clone, Debug)]
pub(crate) struct NodeConfig {
    /// `None`: made at the first start, kept in the data directory.
    pub(crate) name: Option<NodeName>,
    /// `None`: the public address, or where it listens.
    pub(crate) advertise: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) place: Option<Place>,
    /// In bytes per second. `None`: what the network says of itself.
    pub(crate) network_capacity: Option<u64>,
    pub(crate) renew_every: Duration,
    pub(crate) time_to_live: Duration,
}

impl NodeConfig {
    pub(super) fn load(options: &ServeOptions, file: File) -> anyhow::Result<Self> {
        let given = |flag: &Option<String>, file: Option<String>| flag.clone().or(file);
        let region = given(&options.region, file.region);
        if let Some(region) =
            region.as_ref().filter(|region| region.len() > REGION_LEN_MAX || region.contains(char::is_control))
        {
            bail!("region {region:?} must have at most {REGION_LEN_MAX} bytes, and no control characters");
        }
        let (renew_every, time_to_live) = (millis(file.renew_every_ms), millis(file.time_to_live_ms));
        ensure!(!renew_every.is_zero(), "node.renew_every_ms must be more than 0");
        ensure!(
            time_to_live >= 2 * renew_every,
            "node.time_to_live_ms must be at least twice node.renew_every_ms: one heartbeat may be lost"
        );
        Ok(Self {
            name: given(&options.node_name, file.name).map(|name| name.parse()).transpose().context("node name")?,
            advertise: given(&options.advertise, file.advertise)
                .map(|url| checked_url("advertise", url))
                .transpose()?,
            region,
            place: given(&options.place, file.place).map(|place| place.parse()).transpose().context("place")?,
            network_capacity: file.network_capacity,
            renew_every,
            time_to_live,
        })
    }
}

/// An address that others can be told, without a slash at its end.
pub(super) fn checked_url(what: &str, url: String) -> anyhow::Result<String> {
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    ensure!(is_web, "{what} {url:?} must start with http:// or https://");
    ensure!(url.len() <= URL_LEN_MAX, "{what} must have at most {URL_LEN_MAX} bytes");
    Ok(url.trim_end_matches('/').to_owned())
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(millis.into())
}

//! The registry of nodes, and what all nodes of a fleet must agree on: the trait [`Nodes`], which every store implements
//! beside [`Metadata`](crate::Metadata).
//!
//! A node registers under its name and renews that before it expires, by the store's clock. What its load means, and who
//! is sent where, is decided by whoever reads the list.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use broadcast::StoreTime;
use serde::{Deserialize, Serialize};

use crate::error::MetadataError;

/// The most nodes that a list returns.
pub const NODES_MAX: usize = 10_000;
/// The longest record of a node, in bytes.
pub(crate) const NODE_BYTES_MAX: usize = 4_096;

/// The nodes that are alive, and what they have agreed on. Every call may fail with [`MetadataError::Unavailable`].
#[async_trait]
pub trait Nodes: Send + Sync + fmt::Debug {
    /// Registers `node`, or renews it, for `time_to_live` from now on by the store's clock.
    async fn register(&self, node: &Node, time_to_live: Duration) -> Result<(), MetadataError>;

    /// Those that have not expired, by name; at most [`NODES_MAX`].
    async fn nodes(&self) -> Result<Vec<Registered>, MetadataError>;

    /// Forgets a node before it expires. It need not be there.
    async fn forget(&self, name: &NodeName) -> Result<(), MetadataError>;

    /// The value that all agree on under this name: the first that anybody offered, as long as the store has it; `offer`
    /// if there was none.
    async fn agree(&self, name: &str, offer: &str) -> Result<String, MetadataError>;

    /// The same, for who has nothing to offer: `None` as long as nobody has.
    async fn agreed(&self, name: &str) -> Result<Option<String>, MetadataError>;
}

/// A node, as it was when it last renewed its registration.
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    pub node: Node,
    /// When it did.
    pub renewed_at: StoreTime,
    /// How long ago that was, in milliseconds.
    pub age_ms: i64,
    /// When it expires unless it does so again, in milliseconds from now.
    pub expires_in_ms: i64,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: NodeName,
    pub role: Role,
    /// How publishers, viewers and other nodes reach it: `https://r1.example.org`, without a slash at its end.
    pub url: String,
    pub region: Option<String>,
    pub place: Option<Place>,
    pub state: NodeState,
    pub load: Load,
    /// Of the program that it runs.
    pub version: String,
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Recorder,
    Edge,
}

/// Whether a node should be given work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    Serving,
    /// It says that it cannot serve just now: a full disk, a store that is away.
    Unready,
    /// It is about to stop.
    Draining,
}

/// How busy a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Of all its processors, from 0 to 1.
    pub cpu: f64,
    /// How much of the time its disk is at work, from 0 to 1.
    pub disk: f64,
    /// Bytes per second in its busier direction, and how many there can be.
    pub network: u64,
    pub network_capacity: u64,
    pub open_uploads: u32,
    /// Room for segments, in bytes.
    pub free: u64,
    /// All of it in one number that moves in steps, and not back and forth.
    pub level: Level,
}

impl Load {
    /// How much of what is scarcest is used, from 0 to 1.
    pub fn utilization(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let network = if self.network_capacity == 0 { 0.0 } else { self.network as f64 / self.network_capacity as f64 };
        [self.cpu, self.disk, network].into_iter().fold(0.0, f64::max).clamp(0.0, 1.0)
    }
}

/// How busy, in steps: 0 is idle, [`Level::MAX`] is all that there is. Whoever decides by levels does not change its mind
/// because a load moves a little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u8")]
pub struct Level(u8);

impl From<u8> for Level {
    /// What is beyond all that there is, is all.
    fn from(level: u8) -> Self {
        Self(level.min(Self::MAX))
    }
}

impl Level {
    pub const MAX: u8 = 16;
    /// How far a load must be from where its level stands, in levels, before it gets another one. Half of one would be
    /// enough to name the nearest; the rest is what it may move without being noticed.
    const SLACK: f64 = 0.9;

    /// The level of a utilization from 0 to 1, coming from this one.
    #[must_use]
    pub fn follow(self, utilization: f64) -> Self {
        let exact = utilization.clamp(0.0, 1.0) * f64::from(Self::MAX);
        if (exact - f64::from(self.0)).abs() <= Self::SLACK {
            return self;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to MAX")]
        Self(exact.round() as u8)
    }

    pub fn get(self) -> u8 {
        self.0
    }

    /// From 0 to 1.
    pub fn utilization(self) -> f64 {
        f64::from(self.0) / f64::from(Self::MAX)
    }
}

/// A point on the Earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    pub lat: f64,
    pub lon: f64,
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place: write latitude and longitude in degrees, such as 47.37,8.54")]
pub struct PlaceError(String);

impl Place {
    /// `None` if there is no such point.
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        (lat.abs() <= 90.0 && lon.abs() <= 180.0).then_some(Self { lat, lon })
    }

    /// How far another one is, in kilometres, on a sphere (haversine).
    pub fn km_to(self, other: Self) -> f64 {
        const EARTH_RADIUS_KM: f64 = 6_371.0;
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
        let across = self.lat.to_radians().cos() * other.lat.to_radians().cos() * half(self.lon, other.lon);
        2.0 * EARTH_RADIUS_KM * (half(self.lat, other.lat) + across).clamp(0.0, 1.0).sqrt().asin()
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let degrees = |text: &str| text.trim().parse::<f64>().ok();
        let place = text.split_once(',').and_then(|(lat, lon)| Self::new(degrees(lat)?, degrees(lon)?));
        place.ok_or_else(|| PlaceError(text.to_owned()))
    }
}

/// What a node is called: 1 to 64 letters, digits, dots, hyphens and underscores. No two may have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

/// A text that is no name of a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a node: it has 1 to 64 letters, digits, dots, hyphens and underscores")]
pub struct NodeNameError(String);

impl NodeName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for NodeName {
    type Error = NodeNameError;

    fn try_from(text: String) -> Result<Self, NodeNameError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) { Ok(Self(text)) } else { Err(NodeNameError(text)) }
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a store keeps of a node.
pub(crate) fn encode(node: &Node) -> Result<Vec<u8>, MetadataError> {
    let body = serde_json::to_vec(node).map_err(|error| MetadataError::corrupt("a node's record", error))?;
    if body.len() > NODE_BYTES_MAX {
        return Err(MetadataError::NodeTooLarge { name: node.name.clone(), bytes: body.len() });
    }
    Ok(body)
}

/// `None` if a program of another version wrote something that this one cannot read: the others are worth having.
pub(crate) fn decode(body: &[u8]) -> Option<Node> {
    serde_json::from_slice(body).inspect_err(|error| tracing::warn!(%error, "unreadable record of a node")).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_read_and_measured() {
        let zurich: Place = "47.37,8.54".parse().unwrap();
        let sydney: Place = " -33.87, 151.21".parse().unwrap();
        assert!((zurich.km_to(sydney) - 16_570.0).abs() < 30.0, "{}", zurich.km_to(sydney));
        assert_eq!(zurich.km_to(zurich), 0.0);
        let antipode = Place { lat: -zurich.lat, lon: zurich.lon - 180.0 };
        assert!((zurich.km_to(antipode) - 20_015.0).abs() < 1.0, "half way around");
        for wrong in ["", "47.37", "91,0", "0,181", "NaN,0", "here,there", "1,2,3"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_checked() {
        for good in ["r1", "eu-west_1.example.org", &"n".repeat(64)] {
            assert_eq!(good.parse::<NodeName>().unwrap().as_str(), good);
        }
        for wrong in ["", "a b", "a/b", "zürich", &"n".repeat(65)] {
            assert!(wrong.parse::<NodeName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_scarcest_counts() {
        let load = Load { cpu: 0.2, disk: 0.1, network: 60, network_capacity: 100, ..Load::default() };
        assert_eq!(load.utilization(), 0.6);
        assert_eq!(Load { network: 500, ..load }.utilization(), 1.0);
        assert_eq!(Load { network_capacity: 0, ..load }.utilization(), 0.2);
    }

    proptest! {
        #[test]
        fn a_level_is_near_and_does_not_move_back_and_forth(start in 0u8..=16, loads in prop::collection::vec(0.0f64..=1.0, 1..50)) {
            let mut level = Level::from(start);
            for load in loads {
                level = level.follow(load);
                prop_assert!((level.utilization() - load).abs() <= 1.0 / 16.0);
                // What has just been named may move by a fiftieth and keeps its name.
                let settled = Level::from(((load * 16.0).round()) as u8);
                for moved in [load - 0.02, load + 0.02] {
                    prop_assert_eq!(settled.follow(moved.clamp(0.0, 1.0)), settled);
                }
            }
        }
    }
}

//! Which recorder is the best for a publisher: a pure function of what is known of the recorders, of where the publisher
//! is, and of the broadcast.
//!
//! | what is compared, in this order | how |
//! |---|---|
//! | standing | serving, then draining, late with its heartbeat, full, not ready ([`Standing`]) |
//! | cost | how far it is, in bands ([`BANDS_KM`]), and more for a node that is nearly at its limit ([`STRAIN`]) or short of space |
//! | draw | a weighted draw by broadcast and node, in which what a node has left is its weight |
//!
//! The draw is weighted rendezvous hashing (Thaler and Ravishankar 1998; weights as by Schindelhauer and Schomaker 2005):
//! everybody who computes it has the same order; a node that comes or goes, or whose weight changes, moves only the
//! broadcasts that it gains or loses; and nodes are given broadcasts in proportion to what they have left. Loads count in
//! levels, which do not move when a load moves a little ([`metadata::Level`]).
//!
//! Nobody who is alive is left out: whoever is last is better than nobody.

use broadcast::BroadcastId;
use metadata::{Level, NodeName, NodeState, Place, Registered};

/// Up to these distances, in kilometres, nodes are in band 0, 1, 2 and so on: within a band nearness makes no difference.
const BANDS_KM: [f64; 5] = [300.0, 1_000.0, 3_000.0, 6_000.0, 10_000.0];
/// The band of a node that does not say where it is, when the publisher is somewhere.
const BAND_UNKNOWN: u8 = 3;
/// From this level on, a node is as good as one that many bands further away, at most: the last that applies.
const STRAIN: [(u8, u8); 3] = [(0, 0), (14, 2), (16, 5)];
/// With less room than this for segments, in bytes, a node is short of space, and costs this much more; with less than
/// that, it is full.
const SPACE_SHORT: u64 = 2 << 30;
const SPACE_SHORT_COST: u8 = 2;
const SPACE_FULL: u64 = 256 << 20;
/// After this share of its time to live without a heartbeat, a node is late.
const LATE_SHARE: f64 = 0.6;
/// How much of a node each new broadcast is taken to need at least: whatever it says of its network, no node is given
/// more than a thousand before it says how it bears them.
const BROADCAST_SHARE_MIN: f64 = 0.001;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub broadcast: BroadcastId,
    /// Where the publisher is, if that is known.
    pub publisher: Option<Place>,
    /// How much of a network a broadcast is taken to need, in bytes per second.
    pub broadcast_bytes_per_s: u64,
}

/// A node that is alive.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    pub registered: &'a Registered,
    /// How many broadcasts were sent to it that its own load does not show yet.
    pub predicted: f64,
}

/// How fit a node is to be given anything, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Serving,
    /// It still serves, but not for long.
    Draining,
    /// It may be dead.
    Late,
    /// It would refuse.
    Full,
    Unready,
}

/// All of `candidates`, best first. The same for everybody who knows the same of them.
pub fn rank<'a>(candidates: &[Candidate<'a>], question: &Question) -> Vec<&'a Registered> {
    let mut ranked: Vec<_> = candidates.iter().map(|candidate| (Rank::of(candidate, question), *candidate)).collect();
    ranked.sort_by(|(one, _), (other, _)| one.compare(other));
    ranked.into_iter().map(|(_, candidate)| candidate.registered).collect()
}

#[derive(Debug)]
struct Rank<'a> {
    standing: Standing,
    cost: u8,
    /// Not NaN. The smallest is drawn first.
    draw: f64,
    name: &'a NodeName,
}

impl<'a> Rank<'a> {
    fn of(candidate: &Candidate<'a>, question: &Question) -> Self {
        let Registered { node, .. } = candidate.registered;
        let level = level(candidate, question);
        Self {
            standing: Standing::of(candidate.registered),
            cost: band(node.place, question.publisher) + strain(level) + space_cost(node.load.free),
            draw: draw(question.broadcast, &node.name, level),
            name: &node.name,
        }
    }

    fn compare(&self, other: &Self) -> std::cmp::Ordering {
        let kind = |rank: &Self| (rank.standing, rank.cost);
        kind(self).cmp(&kind(other)).then(self.draw.total_cmp(&other.draw)).then_with(|| self.name.cmp(other.name))
    }
}

impl Standing {
    pub fn of(registered: &Registered) -> Self {
        let Registered { node, age_ms, expires_in_ms, .. } = registered;
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let waited = *age_ms as f64 / (age_ms + expires_in_ms).max(1) as f64;
        match node.state {
            NodeState::Unready => Self::Unready,
            _ if node.load.free < SPACE_FULL => Self::Full,
            _ if waited > LATE_SHARE => Self::Late,
            NodeState::Draining => Self::Draining,
            NodeState::Serving => Self::Serving,
        }
    }
}

fn band(node: Option<Place>, publisher: Option<Place>) -> u8 {
    let Some(publisher) = publisher else { return 0 };
    node.map_or(BAND_UNKNOWN, |node| {
        let km = node.km_to(publisher);
        #[expect(clippy::cast_possible_truncation, reason = "a handful of bands")]
        let band = BANDS_KM.iter().filter(|upto| km > **upto).count() as u8;
        band
    })
}

fn strain(level: u8) -> u8 {
    STRAIN.iter().rev().find(|(from, _)| level >= *from).map_or(0, |(_, cost)| *cost)
}

fn space_cost(free: u64) -> u8 {
    if free < SPACE_SHORT { SPACE_SHORT_COST } else { 0 }
}

/// The level that a node has told, and what it was given since.
fn level(candidate: &Candidate<'_>, question: &Question) -> u8 {
    let load = &candidate.registered.node.load;
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let of_network = question.broadcast_bytes_per_s as f64 / load.network_capacity.max(1) as f64;
    let added = candidate.predicted.max(0.0) * of_network.max(BROADCAST_SHARE_MIN);
    let level = f64::from(load.level.get()) + added * f64::from(Level::MAX);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to MAX")]
    let level = level.min(f64::from(Level::MAX)) as u8;
    level
}

/// A draw for this broadcast, in which the smallest wins: exponentially distributed, with what the node has left as its
/// rate, so that each wins as often as that is its share of what all have left.
fn draw(broadcast: BroadcastId, name: &NodeName, level: u8) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(broadcast.to_string().as_bytes()).update(b"/").update(name.as_str().as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    // 53 bits make a number in (0, 1) that is exact.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let uniform = ((u64::from_le_bytes(bytes) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    // Half a level more, so that what has nothing left can still be told apart.
    let left = f64::from(Level::MAX - level) + 0.5;
    -uniform.ln() / left
}

#[cfg(test)]
pub(crate) mod tests;

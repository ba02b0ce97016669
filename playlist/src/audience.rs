//! How many watch a broadcast now, as far as those tell who ask this server for playlists and segments.
//!
//! A viewer is a playback session, if the player tells which (CMCD, CTA-5004: `sid`), else an address and what the player
//! calls itself. One that has not asked for anything for three target durations is gone. A cache in front that answers
//! by itself hides its viewers, and anybody may pretend to be many: this is for people to look at, and nothing is decided
//! by it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use broadcast::{BroadcastId, TargetDuration};
use http::HeaderMap;
use http::header::USER_AGENT;
use percent_encoding::percent_decode_str;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Registry};
use service::Clock;
use tokio::time::Instant;

/// After how many target durations without a request a viewer is gone, and after how long at least.
const GONE_AFTER_TARGETS: u32 = 3;
const GONE_AFTER_MIN: Duration = Duration::from_secs(15);
/// How often those who are gone are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Who watches what. Clones share it.
#[derive(Clone, Debug)]
pub struct Audience(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    viewers_max: usize,
    clock: Clock,
    /// Nobody can choose what meets in it.
    hasher: RandomState,
    seats: Mutex<Seats>,
}

#[derive(Debug)]
struct Seats {
    of: HashMap<BroadcastId, Watching>,
    /// How many are seated in all.
    taken: usize,
    swept_at: Instant,
}

#[derive(Debug)]
struct Watching {
    /// When each asked last.
    asked: HashMap<Viewer, Instant>,
    gone_after: Duration,
}

/// A viewer, as a hash: nobody is remembered by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Viewer(u64);

impl Audience {
    /// At most `viewers_max` are counted at a time, in all broadcasts. Fails if the registry has the metric already.
    pub(crate) fn new(viewers_max: usize, clock: Clock, registry: &Registry) -> Result<Self, prometheus::Error> {
        let seats = Seats { of: HashMap::new(), taken: 0, swept_at: clock.instant() };
        let inner = Inner { viewers_max, clock, hasher: RandomState::new(), seats: Mutex::new(seats) };
        let audience = Self(Arc::new(inner));
        let gauge = IntGauge::new("headwater_playlist_viewers", "Viewers who have just asked for something")?;
        registry.register(Box::new(Watched { audience: audience.clone(), gauge }))?;
        Ok(audience)
    }

    /// How many watch this broadcast.
    pub fn of(&self, id: BroadcastId) -> u64 {
        let seats = self.swept();
        let now = self.0.clock.instant();
        seats.of.get(&id).map_or(0, |watching| watching.here(now).count() as u64)
    }

    /// Who sends this request.
    pub(crate) fn viewer(&self, query: &str, headers: &HeaderMap, peer: Option<IpAddr>) -> Viewer {
        let hash = |name: &(&str, &[u8], Option<IpAddr>)| Viewer(self.0.hasher.hash_one(name));
        if let Some(session) = session(query, headers) {
            return hash(&("session", session.as_bytes(), None));
        }
        let text = |name| headers.get(name).map_or(&b""[..], |value: &http::HeaderValue| value.as_bytes());
        // Behind a proxy that does not say for whom it asks, all look alike.
        let forwarded = text(http::HeaderName::from_static("x-forwarded-for"));
        let of_agent = hash(&("agent", text(USER_AGENT), peer.filter(|_| forwarded.is_empty())));
        if forwarded.is_empty() {
            return of_agent;
        }
        Viewer(self.0.hasher.hash_one((of_agent, forwarded)))
    }

    /// This viewer has just asked for something of this broadcast.
    pub(crate) fn note(&self, id: BroadcastId, viewer: Viewer, target: Option<TargetDuration>) {
        let now = self.0.clock.instant();
        let mut seats = self.swept();
        let Seats { of, taken, .. } = &mut *seats;
        if *taken >= self.0.viewers_max && !of.get(&id).is_some_and(|watching| watching.asked.contains_key(&viewer)) {
            return;
        }
        let watching = of.entry(id).or_insert_with(|| Watching { asked: HashMap::new(), gone_after: GONE_AFTER_MIN });
        if let Some(target) = target {
            let targets = Duration::from_secs((GONE_AFTER_TARGETS * target.secs()).into());
            watching.gone_after = GONE_AFTER_MIN.max(targets);
        }
        *taken += usize::from(watching.asked.insert(viewer, now).is_none());
    }

    fn swept(&self) -> MutexGuard<'_, Seats> {
        let now = self.0.clock.instant();
        let mut seats = self.0.seats.lock().expect("nobody panics in here");
        if now.duration_since(seats.swept_at) >= SWEEP_EVERY {
            seats.sweep(now);
        }
        seats
    }
}

impl Seats {
    fn sweep(&mut self, now: Instant) {
        self.of.retain(|_, watching| {
            let gone_after = watching.gone_after;
            watching.asked.retain(|_, asked| now.duration_since(*asked) < gone_after);
            !watching.asked.is_empty()
        });
        self.taken = self.of.values().map(|watching| watching.asked.len()).sum();
        self.swept_at = now;
    }
}

impl Watching {
    fn here(&self, now: Instant) -> impl Iterator<Item = &Viewer> {
        let here = move |asked: &Instant| now.duration_since(*asked) < self.gone_after;
        self.asked.iter().filter(move |(_, asked)| here(asked)).map(|(viewer, _)| viewer)
    }
}

/// The `sid` that a player sends as CMCD, in its query or in its header (CTA-5004, 3.1 and 3.2).
fn session(query: &str, headers: &HeaderMap) -> Option<String> {
    let in_query = query.split('&').find_map(|parameter| parameter.strip_prefix("CMCD="));
    if let Some(keys) = in_query {
        return sid(&percent_decode_str(keys).decode_utf8_lossy());
    }
    sid(headers.get("cmcd-session")?.to_str().ok()?)
}

/// `sid="…"` in a list of keys. Quotes in strings are escaped, but a session id is a UUID.
fn sid(keys: &str) -> Option<String> {
    let quoted = keys.split(',').find_map(|key| key.trim().strip_prefix("sid=\""))?;
    let sid = quoted.split('"').next().filter(|sid| !sid.is_empty())?;
    Some(sid.to_owned())
}

/// Counts when it is asked.
struct Watched {
    audience: Audience,
    gauge: IntGauge,
}

impl Collector for Watched {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let seats = self.audience.swept();
        self.gauge.set(i64::try_from(seats.taken).unwrap_or(i64::MAX));
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> BroadcastId {
        BroadcastId::new(1_790_000_000_000, number)
    }

    fn target() -> Option<TargetDuration> {
        Some(TargetDuration::new(6))
    }

    fn audience(viewers_max: usize) -> (Audience, Registry) {
        let registry = Registry::new();
        (Audience::new(viewers_max, Clock::from_tokio(0), &registry).unwrap(), registry)
    }

    fn in_all(registry: &Registry) -> f64 {
        registry.gather()[0].get_metric()[0].get_gauge().get_value()
    }

    async fn pass(secs: u64) {
        tokio::time::advance(Duration::from_secs(secs)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn viewers_are_told_apart_by_session_and_else_by_address_and_player() {
        let (audience, _) = audience(100);
        let viewer = |query: &str, headers: &[(&'static str, &'static str)], peer: &str| {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
            audience.viewer(query, &headers.collect(), Some(peer.parse().unwrap()))
        };
        let session = "CMCD=bl%3D100%2Csid%3D%22a-b%22%2Cst%3Dl&_HLS_msn=4";
        let same = [
            viewer(session, &[], "10.0.0.1"),
            viewer("x=1&CMCD=sid%3D%22a-b%22", &[("user-agent", "other")], "10.0.0.2"),
            viewer("", &[("cmcd-session", "cid=\"x\", sid=\"a-b\"")], "10.0.0.3"),
        ];
        assert!(same.iter().all(|other| *other == same[0]));
        let firefox = ("user-agent", "Firefox");
        let different = [
            same[0],
            viewer("CMCD=sid%3D%22c%22", &[], "10.0.0.1"),
            viewer("", &[], "10.0.0.1"),
            viewer("", &[firefox], "10.0.0.1"),
            viewer("", &[firefox], "10.0.0.2"),
            viewer("", &[firefox, ("x-forwarded-for", "192.0.2.1")], "10.0.0.1"),
            viewer("", &[firefox, ("x-forwarded-for", "192.0.2.2")], "10.0.0.1"),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(!different[at + 1..].contains(one), "{at}");
        }
        assert_eq!(viewer("CMCD=sid%3D%22%22", &[firefox], "10.0.0.1"), different[3], "an empty one is none");
        let proxied = [firefox, ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(viewer("", &proxied, "10.0.0.9"), different[5], "by whichever proxy");
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_ask_any_more_is_gone() {
        let (audience, registry) = audience(100);
        audience.note(id(0), Viewer(1), target());
        audience.note(id(0), Viewer(1), target());
        audience.note(id(0), Viewer(2), target());
        audience.note(id(1), Viewer(2), None);
        assert_eq!((audience.of(id(0)), audience.of(id(1)), in_all(&registry)), (2, 1, 3.0));
        pass(14).await;
        audience.note(id(0), Viewer(2), target());
        pass(3).await;
        assert_eq!((audience.of(id(0)), audience.of(id(1))), (2, 0), "15 s without a target duration");
        pass(1).await;
        assert_eq!(audience.of(id(0)), 1, "three target durations");
        pass(100).await;
        assert_eq!((audience.of(id(0)), in_all(&registry)), (0, 0.0));
        assert!(audience.0.seats.lock().unwrap().of.is_empty(), "and forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_counted_than_fit() {
        let (audience, registry) = audience(10);
        for viewer in 0..1000 {
            audience.note(if viewer % 2 == 0 { id(0) } else { id(1) }, Viewer(viewer), target());
        }
        assert_eq!((audience.of(id(0)), audience.of(id(1)), in_all(&registry)), (5, 5, 10.0));
        pass(10).await;
        audience.note(id(0), Viewer(0), target());
        audience.note(id(0), Viewer(10_000), target());
        assert_eq!(audience.of(id(0)), 5, "those who have a seat keep it");
        pass(9).await;
        audience.note(id(0), Viewer(10_000), target());
        assert_eq!(audience.of(id(0)), 2, "and there is room again");
    }
}

//! Random commits against all stores and against the rules written down once more, as plainly as can be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broadcast::{Event, EventIndex, LastSeq, Missing, RenditionName, Segment, Seq};
use headwater_metadata::{Expect, Metadata, MetadataError, Outcome, ShortDigest};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestCaseResult, TestRng, TestRunner};
use testkit::ClusterRedis;

use crate::fixtures::{self, *};

const SEED: [u8; 32] = *b"thirty-two bytes of one constant";
const CASES: u32 = 100;

/// What a store must know of one broadcast.
#[derive(Default)]
struct Model {
    log: Vec<Event>,
    formats: BTreeSet<(RenditionName, [u8; 8])>,
    /// `None` for what was abandoned.
    segments: BTreeMap<(RenditionName, Seq), Option<ShortDigest>>,
    playlists: BTreeSet<String>,
    captioned: BTreeSet<RenditionName>,
    paused: bool,
    closing: bool,
    ended: Option<Vec<LastSeq>>,
}

impl Model {
    /// What becomes of an event; `None` if it is appended.
    fn apply(&mut self, event: &Event) -> Option<Outcome> {
        let outcome = match event {
            Event::Opened(_) => unreachable!("never committed"),
            Event::Safe { .. } | Event::RecordedBy { .. } | Event::Restarted => None,
            Event::Format(format) => known(!self.formats.insert((format.rendition.clone(), format.id.0))),
            Event::Mapped { playlist, .. } => known(!self.playlists.insert(playlist.clone())),
            Event::Captioned { rendition } => known(!self.captioned.insert(rendition.clone())),
            Event::Stored(segment) => self.store(segment),
            Event::Abandoned { rendition, seqs } => {
                let before = self.segments.len();
                for seq in seqs.iter().filter(|seq| !self.is_abandoned_by_end(rendition, *seq)).collect::<Vec<_>>() {
                    self.segments.entry((rendition.clone(), seq)).or_insert(None);
                }
                known(self.segments.len() == before)
            }
            Event::EndHinted | Event::Paused | Event::Resumed if self.is_over() => Some(Outcome::Ended),
            Event::Closing { .. } if self.is_over() => Some(DUPLICATE),
            Event::Closing { .. } => {
                self.closing = true;
                None
            }
            Event::EndHinted => None,
            Event::Paused => known(std::mem::replace(&mut self.paused, true)),
            Event::Resumed => known(!std::mem::replace(&mut self.paused, false)),
            Event::Ended { .. } if self.ended.is_some() => Some(DUPLICATE),
            Event::Ended { last } => {
                self.ended = Some(last.clone());
                None
            }
        };
        if outcome.is_none() {
            self.log.push(event.clone());
        }
        outcome
    }

    fn store(&mut self, segment: &Segment) -> Option<Outcome> {
        let (key, digest) = ((segment.rendition.clone(), segment.seq), ShortDigest::of(&segment.digest));
        match self.segments.get(&key) {
            Some(Some(existing)) if *existing == digest => Some(DUPLICATE),
            Some(Some(existing)) => Some(Outcome::Conflict { existing: *existing }),
            Some(None) => Some(Outcome::Abandoned),
            None if self.is_beyond_end(segment) => Some(Outcome::Ended),
            None if self.is_abandoned_by_end(&segment.rendition, segment.seq) => Some(Outcome::Abandoned),
            None => {
                self.segments.insert(key, Some(digest));
                None
            }
        }
    }

    fn is_over(&self) -> bool {
        self.closing || self.ended.is_some()
    }

    fn is_beyond_end(&self, segment: &Segment) -> bool {
        self.ended.as_ref().is_some_and(|last| {
            let last = last.iter().find(|last| last.rendition == segment.rendition).and_then(|last| last.seq);
            last.is_none_or(|last| segment.seq > last)
        })
    }

    fn is_abandoned_by_end(&self, rendition: &RenditionName, seq: Seq) -> bool {
        let mut last = self.ended.iter().flatten().filter(|last| last.rendition == *rendition);
        last.any(|last| last.missing == Missing::Abandoned && last.seq.is_some_and(|last| seq <= last))
    }
}

fn known(known: bool) -> Option<Outcome> {
    known.then_some(DUPLICATE)
}

fn an_event() -> impl Strategy<Value = Event> {
    let rendition = || prop::sample::select(vec!["main", "audio"]);
    // Around a border between two of Redis's hashes.
    let seq = || 122u64..134;
    prop_oneof![
        12 => (rendition(), seq(), 1u8..3).prop_map(|(name, seq, digest)| stored_in(name, seq, digest)),
        2 => (rendition(), 1u8..3).prop_map(|(name, id)| format(name, id)),
        2 => (seq(), 0u64..3).prop_map(|(first, more)| safe(first, first + more)),
        3 => (rendition(), seq(), 0u64..4).prop_map(|(rendition, first, more)| Event::Abandoned {
            rendition: name(rendition),
            seqs: range(first, first + more),
        }),
        2 => Just(Event::Paused),
        2 => Just(Event::Resumed),
        1 => Just(Event::EndHinted),
        1 => (0u32..3).prop_map(|grace_ms| Event::Closing { grace_ms }),
        1 => (prop::option::of(seq()), missing()).prop_map(|(seq, missing)| ended_with(&[("main", seq)], missing)),
        1 => (prop::sample::select(vec!["a.m3u8", "b.m3u8"]), rendition()).prop_map(|(path, name)| mapped(path, name)),
        1 => rendition().prop_map(|rendition| Event::Captioned { rendition: name(rendition) }),
    ]
}

fn missing() -> impl Strategy<Value = Missing> {
    prop_oneof![Just(Missing::Awaited), Just(Missing::Abandoned)]
}

/// Some commits; with `Some(off)`, one that takes the log to be longer by `off` than it is.
fn some_commits() -> impl Strategy<Value = Vec<(Vec<Event>, Option<u64>)>> {
    let off = prop_oneof![6 => Just(None), 2 => Just(Some(0)), 1 => (1u64..3).prop_map(Some)];
    prop::collection::vec((prop::collection::vec(an_event(), 0..6), off), 1..20)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_stores_follow_the_rules_for_random_commits() {
    let (sqlite, redis) = (fixtures::sqlite::Host::start().await, fixtures::redis::Host::start().await);
    let servers = ClusterRedis::start();
    let cluster = fixtures::cluster::Host::start_in(&servers).await;
    let stores = [sqlite.stores().one, redis.stores().one, cluster.stores().one];
    // Only printed if the test fails.
    println!("seed: {SEED:?}");
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &SEED));
    let (runtime, cases) = (tokio::runtime::Handle::current(), AtomicU64::new(0));
    let result = tokio::task::block_in_place(|| {
        runner.run(&some_commits(), |commits| {
            let case = cases.fetch_add(1, Ordering::Relaxed);
            stores.iter().try_for_each(|store| runtime.block_on(check(store, case, &commits)))
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    sqlite.stop().await;
    redis.stop().await;
    cluster.stop().await;
}

/// Makes the commits in a broadcast of their own, and compares each outcome, and the log in the end, with the model's.
async fn check(store: &Arc<dyn Metadata>, case: u64, commits: &[(Vec<Event>, Option<u64>)]) -> TestCaseResult {
    let id = id(case);
    store.open(id, &opened()).await.unwrap();
    let mut model = Model { log: vec![Event::Opened(opened())], ..Model::default() };
    for (events, off) in commits {
        let len = EventIndex(model.log.len() as u64);
        let expect = off.map_or(Expect::Any, |off| Expect::Len(EventIndex(len.0 + off)));
        let result = store.commit(id, events, expect).await;
        if off.is_some_and(|off| off > 0) {
            prop_assert!(matches!(result, Err(MetadataError::Stale { len: found }) if found == len), "{result:?}");
            continue;
        }
        let outcomes = result.map_err(|error| TestCaseError::fail(format!("{store:?}: {error:?}")))?;
        prop_assert_eq!(outcomes.len(), events.len());
        for (event, outcome) in events.iter().zip(outcomes) {
            let index = model.log.len() as u64;
            match model.apply(event) {
                Some(expected) => prop_assert_eq!(outcome, expected, "{:?} in {:?}", event, store),
                None => {
                    let appended = matches!(outcome, Outcome::Appended { index: at, .. } if at.0 == index);
                    prop_assert!(appended, "{outcome:?} for {event:?}, not {index}, in {store:?}");
                }
            }
        }
    }
    let log = store.read(id, EventIndex(0), usize::MAX).await.unwrap();
    assert_whole(&log);
    prop_assert_eq!(log.into_iter().map(|entry| entry.event).collect::<Vec<_>>(), model.log);
    Ok(())
}

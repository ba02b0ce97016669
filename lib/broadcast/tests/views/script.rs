//! What a publisher and its network do, and how to make it up at random.

use std::fmt;

use broadcast::{Container, Event, Missing, RenditionName, StoreTime, ViewPolicy};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::simulation::Recording;

#[derive(Clone)]
pub(crate) struct Script {
    /// As declared, in seconds.
    pub(crate) target: Option<u32>,
    /// How long segments usually are.
    pub(crate) base_ms: i64,
    pub(crate) policy: ViewPolicy,
    pub(crate) renditions: Vec<Form>,
    pub(crate) slots: Vec<Slot>,
    /// By how much the publisher's clock is wrong at first.
    pub(crate) skew_ms: i64,
    /// The first timestamp.
    pub(crate) media_base: i64,
    /// From the end of a segment's capture to its commit.
    pub(crate) latency_ms: i64,
    /// How much the latency varies.
    pub(crate) latency_jitter_ms: i64,
    pub(crate) finish: Finish,
}

/// How a rendition is made.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) container: Container,
    /// How far its segment boundaries may be from those of the others.
    pub(crate) shift_ms: i64,
}

/// One segment's worth of time.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) before: Before,
    /// How long, in ticks of 90 kHz.
    pub(crate) ticks: u32,
    /// How far apart the keyframes are at which it may be cut; 0 for none.
    pub(crate) cut_every_ms: u32,
    pub(crate) keyframe_start: bool,
    /// Of each rendition.
    pub(crate) fates: Vec<Fate>,
}

impl Slot {
    /// One in which nothing happens.
    pub(crate) fn calm(script: &Script) -> Self {
        let ticks = u32::try_from(script.base_ms * 90).expect("segments are short");
        Self { before: Before::Nothing, ticks, cut_every_ms: 0, keyframe_start: true, fates: vec![Fate::Sent; 3] }
    }
}

/// What happens before a segment.
#[derive(Clone, Debug)]
pub(crate) enum Before {
    Nothing,
    Pause { ms: i64, timestamps_go_on: bool },
    Restart { away_ms: i64 },
    ClockJump { ms: i64 },
    NewFormat,
    Outage { ms: i64, delivery: Delivery },
    EndHint,
}

/// How what was recorded during an outage is sent after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    InOrder,
    NewestFirst,
    /// Hardly faster than it was recorded.
    Trickled,
    Lost,
}

/// What becomes of one segment of one rendition.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Sent,
    Late { ms: i64 },
    Twice { ms: i64 },
    Abandoned { ms: i64 },
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Running,
    /// What was lost stays missing, or is abandoned.
    Ended(Missing),
    /// Before the last segments arrive.
    EndedEarly(Missing),
    /// Before the first one arrives: all was recorded without network, and the end was heard of first.
    EndedFirst,
    EndedThenRecovered,
    AbandonedThenEnded,
    /// Its owner ends it while its publisher is away; what was lost comes then, and what becomes of it.
    Closed(Closed),
}

/// What comes after an end that its owner has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Its publisher is still away.
    Open,
    /// Its publisher says where it ends before it sends the rest.
    SaidThenSent,
    SentThenSaid,
    /// It never comes back.
    GivenUp,
}

/// A line for each segment, for a failing case is to be read.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, base_ms, policy, renditions, slots, .. } = self;
        let Self { skew_ms, media_base, latency_ms, latency_jitter_ms, finish, .. } = self;
        writeln!(f, "target {target:?} base {base_ms} {policy:?}\n{renditions:?}")?;
        writeln!(f, "skew {skew_ms} media {media_base} latency {latency_ms}+{latency_jitter_ms} {finish:?}")?;
        slots.iter().zip(0..).try_for_each(|(slot, index)| writeln!(f, "  {index} {slot:?}"))
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, ticks, cut_every_ms, keyframe_start, fates } = self;
        write!(f, "{before:?}; {ticks} ticks, keyframe {keyframe_start}, cut every {cut_every_ms} ms: {fates:?}")
    }
}

impl Script {
    /// An untroubled recording of `count` segments of two seconds.
    pub(crate) fn calm(count: usize) -> Self {
        let fates = vec![Fate::Sent; 3];
        let slot = Slot { before: Before::Nothing, ticks: 180_000, cut_every_ms: 0, keyframe_start: true, fates };
        Self {
            target: Some(2),
            base_ms: 2_000,
            policy: ViewPolicy::default(),
            renditions: vec![Form { container: Container::Ts, shift_ms: 0 }],
            slots: vec![slot; count],
            skew_ms: 0,
            media_base: 0,
            latency_ms: 300,
            latency_jitter_ms: 0,
            finish: Finish::Running,
        }
    }

    pub(crate) fn name(&self, rendition: usize) -> RenditionName {
        ["main", "low", "audio"][rendition].parse().expect("a name")
    }

    /// By how much a boundary of a rendition is off.
    pub(crate) fn shift_ticks(&self, rendition: usize, slot: usize) -> i64 {
        let most = self.renditions[rendition].shift_ms * 90;
        if slot == 0 || most == 0 { 0 } else { noise(rendition, slot) % (2 * most) - most }
    }

    pub(crate) fn jitter_ms(&self, rendition: usize, slot: usize) -> i64 {
        noise(rendition + 7, slot) % (self.latency_jitter_ms + 1)
    }

    /// Whether live was over when the store had something at `at`.
    pub(crate) fn ends_before(&self, at: StoreTime, recording: &Recording) -> bool {
        recording.log.iter().any(|entry| is_end(&entry.event) && entry.at < at)
    }

    pub(crate) fn margin_ms(&self) -> i64 {
        self.policy.clock_margin_ms.into()
    }
}

/// Whether live is over with this.
pub(crate) fn is_end(event: &Event) -> bool {
    matches!(event, Event::Ended { .. } | Event::Closing { .. })
}

/// Something that looks random and is always the same (the finisher of splitmix64).
fn noise(a: usize, b: usize) -> i64 {
    let mut x = (a as u64 * 1_000_003 + b as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 2) as i64
}

/// Any script at all.
pub(crate) fn scripts() -> impl Strategy<Value = Script> {
    let base_ms = prop_oneof![Just(1_000i64), Just(2_000), Just(2_002), Just(4_000), Just(6_000)];
    (base_ms, 1usize..=3).prop_flat_map(|(base_ms, renditions)| of(base_ms, renditions))
}

/// Any script with one rendition.
pub(crate) fn scripts_of_one() -> impl Strategy<Value = Script> {
    prop_oneof![Just(1_000i64), Just(2_002), Just(4_000)].prop_flat_map(|base_ms| of(base_ms, 1))
}

fn of(base_ms: i64, renditions: usize) -> impl Strategy<Value = Script> {
    let secs = u32::try_from((base_ms + 999) / 1000).expect("small");
    let target = prop_oneof![2 => Just(Some(secs)), 1 => Just(None), 1 => Just(Some(secs + 1))];
    let forms = prop::collection::vec(form(base_ms), renditions);
    let slots = prop::collection::vec(slot(base_ms, renditions), 3..40);
    let unseen = prop::option::weighted(0.15, 0..renditions);
    let clocks = (-3_000i64..3_000, prop_oneof![Just(0i64), Just((1 << 33) - 900_000)]);
    let latency = (20i64..1_500, prop_oneof![Just(0i64), Just(200), Just(base_ms)]);
    let finish = prop_oneof![
        2 => Just(Finish::Running),
        1 => missing().prop_map(Finish::Ended),
        1 => missing().prop_map(Finish::EndedEarly),
        1 => Just(Finish::EndedFirst),
        1 => Just(Finish::EndedThenRecovered),
        1 => Just(Finish::AbandonedThenEnded),
        2 => closed().prop_map(Finish::Closed),
    ];
    (target, policy(base_ms), forms, (slots, unseen), clocks, latency, finish).prop_map(
        move |(target, policy, renditions, (mut slots, unseen), (skew_ms, media_base), latency, finish)| {
            // It begins in an ordinary way: a target duration measured from a scrap is another matter.
            for slot in slots.iter_mut().take(2) {
                slot.before = Before::Nothing;
                slot.ticks = u32::try_from(base_ms * 90).expect("small");
            }
            slots[0].fates.fill(Fate::Sent);
            // One of which nothing comes while it lasts.
            if let Some(unseen) = unseen {
                slots.iter_mut().for_each(|slot| slot.fates[unseen] = Fate::Lost);
            }
            // Where renditions are cut at different places, a long segment falls into different parts.
            if renditions.iter().any(|form| form.shift_ms > 0) && renditions.len() > 1 {
                slots.iter_mut().for_each(|slot| slot.cut_every_ms = 0);
            }
            let (latency_ms, latency_jitter_ms) = latency;
            Script {
                target,
                base_ms,
                policy,
                renditions,
                slots,
                skew_ms,
                media_base,
                latency_ms,
                latency_jitter_ms,
                finish,
            }
        },
    )
}

fn closed() -> impl Strategy<Value = Closed> {
    prop_oneof![Just(Closed::Open), Just(Closed::SaidThenSent), Just(Closed::SentThenSaid), Just(Closed::GivenUp)]
}

fn missing() -> impl Strategy<Value = Missing> {
    prop_oneof![Just(Missing::Awaited), Just(Missing::Abandoned)]
}

fn policy(base_ms: i64) -> impl Strategy<Value = ViewPolicy> {
    let ms = u32::try_from(base_ms).expect("small");
    let patience = prop_oneof![3 => Just(None), 1 => (0..ms * 2).prop_map(Some)];
    let margin = prop_oneof![Just(0u32), Just(250), Just(500)];
    let rest = prop_oneof![3 => Just(30 * 60_000u32), 1 => Just(ms * 10)];
    let hole_max = prop_oneof![3 => Just(6 * 3_600_000u32), 1 => Just(ms * 8)];
    let gaps_max = prop_oneof![2 => Just(50_000u32), 1 => 0u32..20];
    (patience, margin, rest, hole_max, gaps_max, 10_000u32..60_000).prop_map(
        |(patience_ms, clock_margin_ms, rest_after_ms, hole_max_ms, gaps_max, window_ms)| ViewPolicy {
            patience_ms,
            window_ms,
            clock_margin_ms,
            rest_after_ms,
            hole_max_ms,
            gaps_max,
            ..ViewPolicy::default()
        },
    )
}

fn form(base_ms: i64) -> impl Strategy<Value = Form> {
    let container = prop_oneof![Just(Container::Ts), Just(Container::M4s)];
    let shift_ms = prop_oneof![2 => Just(0i64), 1 => Just(23), 1 => Just((base_ms / 16).min(125))];
    (container, shift_ms).prop_map(|(container, shift_ms)| Form { container, shift_ms })
}

fn slot(base_ms: i64, renditions: usize) -> impl Strategy<Value = Slot> {
    let percent = prop_oneof![
        20 => Just(100i64),
        4 => 85i64..106,
        2 => 20i64..60,
        1 => 150i64..400,
    ];
    let fates = prop::collection::vec(fate(base_ms), renditions);
    let cut_every_ms = prop_oneof![1 => Just(0), 2 => Just(base_ms / 2)];
    let keyframe_start = prop::bool::weighted(0.98);
    (before(base_ms), percent, cut_every_ms, keyframe_start, fates).prop_map(
        move |(before, percent, cut_every_ms, keyframe_start, fates)| Slot {
            before,
            ticks: u32::try_from(base_ms * 90 * percent / 100).expect("small"),
            cut_every_ms: u32::try_from(cut_every_ms).expect("small"),
            keyframe_start,
            fates,
        },
    )
}

fn before(base_ms: i64) -> impl Strategy<Value = Before> {
    let delivery = prop_oneof![
        Just(Delivery::InOrder),
        Just(Delivery::NewestFirst),
        Just(Delivery::Trickled),
        Just(Delivery::Lost)
    ];
    let jump = prop_oneof![-80i64..80, 3_000i64..15_000, -15_000i64..-3_000];
    prop_oneof![
        40 => Just(Before::Nothing),
        1 => (base_ms..base_ms * 20, any::<bool>()).prop_map(|(ms, timestamps_go_on)| Before::Pause { ms, timestamps_go_on }),
        1 => (0..base_ms * 10).prop_map(|away_ms| Before::Restart { away_ms }),
        1 => jump.prop_map(|ms| Before::ClockJump { ms }),
        1 => Just(Before::NewFormat),
        2 => (base_ms..base_ms * 30, delivery).prop_map(|(ms, delivery)| Before::Outage { ms, delivery }),
        1 => Just(Before::EndHint),
    ]
}

fn fate(base_ms: i64) -> impl Strategy<Value = Fate> {
    prop_oneof![
        20 => Just(Fate::Sent),
        3 => (1..base_ms * 4).prop_map(|ms| Fate::Late { ms }),
        1 => (0..base_ms * 4).prop_map(|ms| Fate::Twice { ms }),
        1 => (0..base_ms * 10).prop_map(|ms| Fate::Abandoned { ms }),
        1 => Just(Fate::Lost),
    ]
}

/// The seed of the cases that everybody runs.
const SEED: u64 = 0x5eed;

/// As many random cases as `PROPTEST_CASES` says; without it `cases`, the same each time, so that what fails is what was
/// changed. Failures are kept in proptest-regressions.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let said = std::env::var_os("PROPTEST_CASES").is_some();
    let everybodys = ProptestConfig { rng_seed: RngSeed::Fixed(SEED), ..ProptestConfig::with_cases(cases) };
    if said { ProptestConfig::default() } else { everybodys }
}

//! The stories that are told: what is broken when, from which seed, and what is left to say of it.

use std::time::Duration;

use testkit::{Dice, Link, Namespace, Quality};

use crate::faults::{Fault, Round};
use crate::fleet::{Fleet, Plan, RecorderKind, RedisKind};
use crate::ride::{Back, Ride, Summary};
use crate::source::Source;
use crate::stopwatch::let_pass;

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Seconds of each fault, to be run with every test.
    Short,
    /// Minutes, as they happen.
    Long,
}

impl Form {
    fn of<T>(self, short: T, long: T) -> T {
        match self {
            Self::Short => short,
            Self::Long => long,
        }
    }
}

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    plan: Plan,
    link: Quality,
    picture_kbit: u32,
    rounds: fn(Form, &mut Dice) -> Vec<Round>,
    end: End,
}

/// How its broadcast ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// Once all is mended, and safe.
    AfterAll,
    /// Its owner ends it while its publisher has no network.
    InABlackOut,
}

/// What a run has come to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub summary: Summary,
    /// After each round.
    pub backs: Vec<Back>,
}

/// A train under a city: 20 % of all packets are lost, the way there and back takes 300 ms.
const METRO: Quality = Quality {
    delay: Duration::from_millis(150),
    jitter: Duration::from_millis(10),
    lost_per_mille: 200,
    bits_per_s: Some(500_000),
    passes: true,
};
/// A phone in a crowd. An upload takes half of the time, so that most faults meet one.
const CROWD: Quality = Quality {
    delay: Duration::from_millis(30),
    jitter: Duration::from_millis(10),
    lost_per_mille: 5,
    bits_per_s: Some(600_000),
    passes: true,
};
const ORDINARY: Scenario = Scenario {
    name: "",
    about: "",
    plan: Plan::ORDINARY,
    link: CROWD,
    picture_kbit: 200,
    rounds: |_, _| Vec::new(),
    end: End::AfterAll,
};
/// How many recorders there are where they are killed.
const MANY: usize = 3;

/// All of them.
pub const SCENARIOS: [Scenario; 11] = [
    Scenario {
        name: "metro",
        about: "20 % loss, 300 ms there and back, 500 kbit/s, three black-outs",
        link: METRO,
        picture_kbit: 30,
        rounds: |form, dice| (0..3).map(|_| Round::of(Fault::BlackOut, form.of(6, 60), dice)).collect(),
        ..ORDINARY
    },
    Scenario {
        name: "ended",
        about: "as in the metro, and its owner ends it in the last black-out",
        link: METRO,
        picture_kbit: 30,
        rounds: |form, dice| vec![Round::of(Fault::BlackOut, form.of(2, 20), dice)],
        end: End::InABlackOut,
        ..ORDINARY
    },
    Scenario {
        name: "recorders",
        about: "recorders are killed during uploads, and started again",
        plan: Plan { recorders: MANY, ..Plan::ORDINARY },
        rounds: recorders,
        ..ORDINARY
    },
    Scenario {
        name: "lost",
        about: "a recorder is lost with its disk, while the hot store is away",
        rounds: lost,
        ..ORDINARY
    },
    Scenario {
        name: "sentinel",
        about: "the Redis primary is killed; Sentinels make its replica the primary",
        plan: Plan { redis: RedisKind::Sentinel, ..Plan::ORDINARY },
        rounds: |form, dice| vec![Round::of(Fault::RedisGone, form.of(1, 10), dice)],
        ..ORDINARY
    },
    Scenario {
        name: "amnesia",
        about: "Redis is killed, and comes back empty",
        rounds: |form, dice| (0..form.of(2, 5)).map(|_| Round::of(Fault::RedisGone, form.of(4, 20), dice)).collect(),
        ..ORDINARY
    },
    Scenario {
        name: "disk",
        about: "the only recorder's disk is full",
        plan: Plan { recorders: 1, recorder: RecorderKind::SmallDisk, ..Plan::ORDINARY },
        rounds: |form, dice| (0..2).map(|_| Round::of(Fault::DiskFull, form.of(6, 60), dice)).collect(),
        ..ORDINARY
    },
    Scenario {
        name: "clocks",
        about: "the recorders' clocks jump by an hour, and back",
        plan: Plan { recorder: RecorderKind::WrongClock, ..Plan::ORDINARY },
        rounds: |form, dice| {
            [3_600, -3_600, 30, -30].map(|by_s| Round::of(Fault::ClockJump(by_s), form.of(5, 30), dice)).into()
        },
        ..ORDINARY
    },
    Scenario {
        name: "publisher",
        about: "the publisher is killed, and started again",
        rounds: |form, dice| {
            (0..form.of(2, 10)).map(|_| Round::of(Fault::PublisherKilled, form.of(3, 10), dice)).collect()
        },
        ..ORDINARY
    },
    Scenario {
        name: "hot",
        about: "the hot store is away",
        rounds: |form, dice| vec![Round::of(Fault::HotAway, form.of(8, 300), dice)],
        ..ORDINARY
    },
    Scenario {
        name: "all",
        about: "all of it, two at a time, as the seed says",
        plan: Plan { recorders: MANY, ..Plan::ORDINARY },
        rounds: all,
        ..ORDINARY
    },
];

fn recorders(form: Form, dice: &mut Dice) -> Vec<Round> {
    let kill = |_| {
        let fault = Fault::RecorderKilled(number_below(MANY, dice));
        Round { lasts: dice.part_of(Duration::from_secs(3)), ..Round::of(fault, 0, dice) }
    };
    (0..form.of(5, 30)).map(kill).collect()
}

/// What only the lost one had is nowhere but with the publisher.
fn lost(form: Form, dice: &mut Dice) -> Vec<Round> {
    let number = number_below(Plan::ORDINARY.recorders, dice);
    let faults = vec![Fault::HotAway, Fault::RecorderLost(number)];
    vec![
        Round::of(Fault::HotAway, form.of(4, 20), dice),
        Round { faults, ..Round::of(Fault::HotAway, form.of(4, 20), dice) },
    ]
}

fn all(form: Form, dice: &mut Dice) -> Vec<Round> {
    let round = |_| {
        let recorder = Fault::RecorderKilled(number_below(MANY, dice));
        let mut choice = vec![Fault::BlackOut, recorder, Fault::RedisGone, Fault::HotAway, Fault::PublisherKilled];
        let first = choice.remove(number_below(choice.len(), dice));
        let second = choice.remove(number_below(choice.len(), dice));
        let lasts = Duration::from_secs(1) + dice.part_of(Duration::from_secs(form.of(5, 15)));
        Round { faults: vec![first, second], lasts, ..Round::of(first, 0, dice) }
    };
    (0..form.of(4, 40)).map(round).collect()
}

fn number_below(limit: usize, dice: &mut Dice) -> usize {
    usize::try_from(dice.below(limit as u64)).expect("it is below a usize")
}

/// Tells one story to its end. Needs root.
///
/// # Panics
/// If anything is lost, there twice, or not what was recorded.
pub fn run(scenario: &Scenario, form: Form, seed: u64) -> Outcome {
    let mut dice = Dice::new(seed);
    let rounds = (scenario.rounds)(form, &mut dice);
    let (near, far) = (Namespace::new(), Namespace::new());
    // Nobody waits for a slow start.
    let link = Link::between(&near, &far, Quality { lost_per_mille: 0, ..scenario.link }, dice.below(u64::MAX));
    far.inside(|| {
        let fleet = Fleet::start(scenario.plan);
        let source = Source::new(form.of(FILM_S_SHORT, FILM_S_LONG), scenario.picture_kbit);
        let mut ride = Ride::begin(scenario.name, (&near, &link), fleet, source);
        ride.until_stored(1);
        link.set(scenario.link);
        let backs = rounds.iter().map(|round| through(&mut ride, round)).collect();
        let summary = match scenario.end {
            End::AfterAll => ride.end(),
            End::InABlackOut => ride.end_in_a_black_out(Duration::from_secs(form.of(6, 60))),
        };
        Outcome { summary, backs }
    })
}

/// Longer than any ride: the film is stopped when the ride is over.
const FILM_S_SHORT: u32 = 400;
const FILM_S_LONG: u32 = 3_600;

/// Breaks and mends.
fn through(ride: &mut Ride<'_>, round: &Round) -> Back {
    let_pass(round.calm);
    let before = ride.arrived();
    ride.say(&format!("{:?} for {:.1} s", round.faults, round.lasts.as_secs_f64()));
    round.faults.iter().for_each(|fault| fault.begin(ride));
    let_pass(round.lasts);
    ride.assert_felt(round, before.as_ref());
    // A recorder starts only where there is a metadata store.
    let (recorders, others): (Vec<_>, Vec<_>) =
        round.faults.iter().copied().partition(|fault: &Fault| fault.waits_for_others());
    others.into_iter().chain(recorders).for_each(|fault| fault.mend(ride));
    ride.back()
}

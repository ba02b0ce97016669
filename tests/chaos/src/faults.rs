//! What can be broken, and how it is mended.

use std::time::Duration;

use testkit::Dice;

use crate::ride::Ride;

/// One thing that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing passes the publisher's link.
    BlackOut,
    /// Killed, and started again on the same disk.
    RecorderKilled(usize),
    /// Killed, with its disk, for ever.
    RecorderLost(usize),
    /// Killed; it comes back empty, or its replica takes its place.
    RedisGone,
    HotAway,
    /// Of the recorder with a small disk.
    DiskFull,
    /// The recorders' clocks jump by so many seconds, and back.
    ClockJump(i64),
    PublisherKilled,
}

/// Some faults together, after some time without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) calm: Duration,
    pub(crate) faults: Vec<Fault>,
    pub(crate) lasts: Duration,
}

/// What is expected to grow no more for as long as a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stops {
    Stored,
    Safe,
    Recorded,
    Nothing,
}

impl Fault {
    pub(crate) fn stops(self) -> Stops {
        match self {
            Self::BlackOut | Self::RedisGone | Self::DiskFull => Stops::Stored,
            Self::HotAway => Stops::Safe,
            Self::PublisherKilled => Stops::Recorded,
            Self::RecorderKilled(_) | Self::RecorderLost(_) | Self::ClockJump(_) => Stops::Nothing,
        }
    }

    pub(crate) fn begin(self, ride: &mut Ride<'_>) {
        match self {
            Self::BlackOut => ride.link.black_out(),
            Self::RecorderKilled(number) | Self::RecorderLost(number) => ride.fleet.recorders[number].kill9(),
            Self::RedisGone => ride.fleet.break_redis(),
            Self::HotAway => ride.fleet.s3.kill(),
            Self::DiskFull => ride.fleet.fill_disk(),
            Self::ClockJump(by_s) => ride.fleet.set_clocks(by_s),
            Self::PublisherKilled => ride.kill_publisher(),
        }
    }

    /// Whether it is mended only once others are.
    pub(crate) fn waits_for_others(self) -> bool {
        matches!(self, Self::RecorderKilled(_))
    }

    pub(crate) fn mend(self, ride: &mut Ride<'_>) {
        match self {
            Self::BlackOut => ride.link.light_up(),
            Self::RecorderKilled(number) => ride.fleet.recorders[number].restart(),
            Self::RecorderLost(_) => {}
            Self::RedisGone => ride.fleet.mend_redis(),
            Self::HotAway => ride.fleet.s3.restart(),
            Self::DiskFull => ride.fleet.empty_disk(),
            Self::ClockJump(_) => ride.fleet.set_clocks(0),
            Self::PublisherKilled => ride.restart_publisher(),
        }
    }
}

impl Round {
    /// One fault, after some calm of at most three seconds.
    pub(crate) fn of(fault: Fault, lasts_s: u64, dice: &mut Dice) -> Self {
        let calm = Duration::from_secs(2) + dice.part_of(Duration::from_secs(1));
        Self { calm, faults: vec![fault], lasts: Duration::from_secs(lasts_s) }
    }
}

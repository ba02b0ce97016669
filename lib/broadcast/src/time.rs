//! Three clocks that must never be mixed up: when something was captured, when the store learnt of it, and where it
//! is in the media's own timestamps.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A signed length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    pub const ZERO: Self = Self(0);

    pub fn from_secs(secs: u32) -> Self {
        Self(i64::from(secs) * 1000)
    }

    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Millis {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

macro_rules! clock {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl Add<Millis> for $name {
            type Output = Self;
            fn add(self, by: Millis) -> Self {
                Self(self.0 + by.0)
            }
        }

        impl Sub<Millis> for $name {
            type Output = Self;
            fn sub(self, by: Millis) -> Self {
                Self(self.0 - by.0)
            }
        }

        impl Sub for $name {
            type Output = Millis;
            fn sub(self, other: Self) -> Millis {
                Millis(self.0 - other.0)
            }
        }
    };
}

clock! {
    /// The publisher's clock at a segment's first frame, corrected by its measured offset. Milliseconds since the
    /// Unix epoch, UTC.
    CapturedAt
}

clock! {
    /// The metadata store's clock. Milliseconds since the Unix epoch, UTC. Never goes back within one log.
    StoreTime
}

/// A point in the media's own timestamps, in ticks of 90 kHz. MPEG-TS wraps at 2^33 (ISO/IEC 13818-1, 2.4.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaTime(pub i64);

/// A length of media in ticks of 90 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaDuration(pub u32);

impl MediaDuration {
    pub const TICKS_PER_SEC: u32 = 90_000;

    pub fn from_millis(ms: u32) -> Self {
        Self(ms.saturating_mul(90))
    }

    /// To the nearest millisecond.
    pub fn millis(self) -> Millis {
        Millis((i64::from(self.0) + 45) / 90)
    }

    pub fn as_secs_f64(self) -> f64 {
        f64::from(self.0) / f64::from(Self::TICKS_PER_SEC)
    }
}

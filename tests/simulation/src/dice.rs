//! All chance comes from here: one seed, one sequence.

use std::sync::{Arc, Mutex, PoisonError};

/// A sequence of numbers that its seed alone determines. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    pub(crate) fn roll(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both possible.
    pub(crate) fn between(&self, low: u64, high: u64) -> u64 {
        low + self.roll() % (high - low + 1)
    }

    /// True this many times in a thousand.
    pub(crate) fn chance(&self, per_mille: u64) -> bool {
        self.roll() % 1_000 < per_mille
    }

    /// An index below `len`, which is not 0.
    pub(crate) fn index(&self, len: usize) -> usize {
        (self.roll() % len as u64) as usize
    }

    /// Another sequence: what happens in one does not move the other.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.roll())
    }
}

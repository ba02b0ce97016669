//! The one place that random bytes come from. Everybody else is given a [`Random`].
//!
//! Ids and keys are made of them; nothing here knows of either.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random bytes. Clones share it.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<AtomicU64>),
}

impl Random {
    /// The operating system's source, fit for keys.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The same bytes for the same seed, in the same order of calls: for tests only.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(AtomicU64::new(seed))))
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// When the operating system has no random source, as no key made then could be trusted.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => getrandom::fill(&mut bytes).expect("the operating system has a random source"),
            Source::Seeded(state) => bytes.chunks_mut(8).for_each(|chunk| {
                chunk.copy_from_slice(&split_mix(state).to_le_bytes()[..chunk.len()]);
            }),
        }
        bytes
    }

    /// 128 random bits.
    pub fn next_u128(&self) -> u128 {
        u128::from_le_bytes(self.bytes())
    }
}

impl fmt::Debug for Random {
    /// Never says the state: what comes next is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System => "Random(system)",
            Source::Seeded(_) => "Random(seeded)",
        })
    }
}

/// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn split_mix(state: &AtomicU64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        let (one, two) = (Random::seeded(7), Random::seeded(7));
        assert_eq!(one.bytes::<37>(), two.bytes::<37>());
        assert_ne!(one.next_u128(), one.clone().next_u128());
        assert_ne!(Random::seeded(8).bytes::<16>(), Random::seeded(7).bytes::<16>());
        assert_ne!(Random::system().bytes::<32>(), Random::system().bytes::<32>());
    }

    #[test]
    fn split_mix_is_the_published_one() {
        // The first outputs for seed 0 of the authors' reference program.
        let state = AtomicU64::new(0);
        assert_eq!([split_mix(&state), split_mix(&state)], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }
}

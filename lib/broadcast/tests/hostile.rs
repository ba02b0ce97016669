//! Any bytes at all: random ones, damaged and cut off seeds, and what fuzzing has found before.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

#[path = "../fuzz/src/lib.rs"]
mod invariants;

/// A parser that says whether the bytes were good, with a fuzz target and a directory of seeds of its name.
type Target = (&'static str, fn(&[u8]) -> bool);

const TARGETS: [Target; 5] = [
    ("event", |bytes| invariants::check_event(bytes).is_some()),
    ("ids", |bytes| invariants::check_ids(bytes).is_some()),
    ("key", |bytes| invariants::check_key(bytes).is_some()),
    ("log", |bytes| invariants::check_log(bytes).is_some_and(|events| events > 9)),
    ("token", |bytes| invariants::check_token(bytes) == Some(invariants::claims()) || is_dated(bytes)),
];

/// A token that says more than the others.
fn is_dated(bytes: &[u8]) -> bool {
    invariants::check_token(bytes).is_some_and(|claims| claims.exp.is_some())
}

/// In the order of their names, so that a failing case can be found again.
fn files(kind: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target);
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).expect("readable"))).collect();
    files.sort();
    files
}

static SEEDS: LazyLock<Vec<(usize, Vec<u8>)>> = LazyLock::new(|| {
    let of = |(index, (target, _)): (usize, &Target)| {
        files("seeds", target).into_iter().map(move |(_, bytes)| (index, bytes))
    };
    TARGETS.iter().enumerate().flat_map(of).collect()
});

#[test]
fn seeds_are_good() {
    for (target, check) in TARGETS {
        let seeds = files("seeds", target);
        assert!(seeds.len() >= 2, "seeds of {target} are missing: make them with fuzz/examples/make-seeds.rs");
        for (path, bytes) in seeds {
            assert!(check(&bytes), "{path:?}");
        }
    }
}

#[test]
fn every_truncation_is_survived() {
    for (target, check) in TARGETS {
        for (_, bytes) in files("seeds", target).into_iter().chain(files("regressions", target)) {
            for len in 0..=bytes.len() {
                check(&bytes[..len]);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn damage_is_survived(
        seed in any::<Index>(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let (target, bytes) = seed.get(&SEEDS);
        let mut bytes = bytes.clone();
        for (place, byte) in damage {
            *place.get_mut(&mut bytes) = byte;
        }
        TARGETS[*target].1(&bytes);
    }

    #[test]
    fn noise_is_survived(target in 0..TARGETS.len(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        TARGETS[target].1(&bytes);
    }
}

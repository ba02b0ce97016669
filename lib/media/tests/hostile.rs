//! Any bytes at all: random ones, damaged and cut off segments, and what fuzzing has found before.

#![allow(clippy::unwrap_used, reason = "in a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use headwater_media::{InitSection, InspectError, Inspection, Inspector};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;

#[path = "../fuzz/src/lib.rs"]
mod invariants;

use invariants::{check_init, check_segment};

/// The kinds of input, each with a fuzz target and a directory of seeds of this name.
#[derive(Clone, Copy, Debug)]
enum Target {
    MpegTs,
    Fmp4Init,
    Fmp4Segment,
}

impl Target {
    const ALL: [Self; 3] = [Self::MpegTs, Self::Fmp4Init, Self::Fmp4Segment];

    fn name(self) -> &'static str {
        match self {
            Self::MpegTs => "mpeg_ts",
            Self::Fmp4Init => "fmp4_init",
            Self::Fmp4Segment => "fmp4_segment",
        }
    }

    /// As the fuzz target of this name does.
    fn check(self, bytes: &[u8], chunk_len: usize) {
        match self {
            Self::MpegTs => drop(check_segment(Inspector::mpeg_ts, bytes, chunk_len)),
            Self::Fmp4Init => drop(check_init(bytes)),
            Self::Fmp4Segment => drop(check_segment(|| Inspector::fmp4(&INIT), bytes, chunk_len)),
        }
    }
}

static INIT: LazyLock<InitSection> = LazyLock::new(|| {
    InitSection::parse(&fs::read(directory("seeds/fmp4_init").join("h264_aac.mp4")).unwrap()).unwrap()
});

static SEEDS: LazyLock<Vec<(Target, Vec<u8>)>> =
    LazyLock::new(|| Target::ALL.into_iter().flat_map(|target| read_all("seeds", target)).collect());

fn read_all(kind: &str, target: Target) -> impl Iterator<Item = (Target, Vec<u8>)> {
    files(kind, target).into_iter().map(move |(_, bytes)| (target, bytes))
}

fn directory(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(path)
}

/// In the order of their names, so that a failing case can be found again.
fn files(kind: &str, target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(directory(kind).join(target.name())) else { return Vec::new() };
    let mut files: Vec<_> =
        entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

fn seed() -> impl Strategy<Value = (Target, &'static [u8])> {
    any::<Index>().prop_map(|index| {
        let (target, bytes) = index.get(&SEEDS);
        (*target, bytes.as_slice())
    })
}

#[test]
fn seeds_are_good() {
    let mut init = 0;
    for (path, bytes) in files("seeds", Target::Fmp4Init) {
        let parsed = check_init(&bytes).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let segment = fs::read(directory("seeds/fmp4_segment").join(path.with_extension("m4s").file_name().unwrap()));
        check_good(&path, check_segment(|| Inspector::fmp4(&parsed), &segment.unwrap(), 100));
        init += 1;
    }
    let ts = files("seeds", Target::MpegTs);
    assert!(init >= 6 && ts.len() >= 7, "seeds are missing: make them with fuzz/make-seeds.sh");
    for (path, bytes) in ts {
        check_good(&path, check_segment(Inspector::mpeg_ts, &bytes, 100));
    }
}

fn check_good(path: &Path, inspection: Result<Inspection, InspectError>) {
    let inspection = inspection.unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let ticks = inspection.duration.ticks();
    assert!((30_000..45_000).contains(&ticks), "{path:?}: {ticks} ticks are not 0.4 seconds");
    assert!(inspection.keyframe_start && inspection.describes_every_track(), "{path:?}");
}

#[test]
fn every_truncation_is_survived() {
    let found = Target::ALL.into_iter().flat_map(|target| read_all("regressions", target));
    for (target, bytes) in SEEDS.iter().cloned().chain(found) {
        for len in 0..=bytes.len() {
            target.check(&bytes[..len], 1 + len % 300);
        }
    }
}

#[test]
fn truncation_is_noticed() {
    for (target, bytes) in SEEDS.iter() {
        let cut = &bytes[..bytes.len() - 1];
        let noticed = match target {
            Target::MpegTs => {
                matches!(whole(Inspector::mpeg_ts(), cut), Err(InspectError::Truncated { missing: 1, .. }))
            }
            Target::Fmp4Segment => {
                matches!(
                    whole(Inspector::fmp4(&INIT), cut),
                    Err(InspectError::Truncated { .. } | InspectError::UnknownTrack { .. })
                )
            }
            Target::Fmp4Init => InitSection::parse(cut).is_err(),
        };
        assert!(noticed, "{target:?}");
    }
}

fn whole(mut inspector: Inspector, bytes: &[u8]) -> Result<Inspection, InspectError> {
    inspector.push(bytes)?;
    inspector.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2_000), chunk_len in 1..300_usize) {
        for target in Target::ALL {
            target.check(&bytes, chunk_len);
        }
    }

    /// Bytes are changed, packets and boxes moved about and repeated.
    #[test]
    fn damaged_segments_are_survived(
        (target, bytes) in seed(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..20),
        cut in any::<Index>(),
        repeated in prop::option::of((any::<Index>(), any::<Index>())),
        chunk_len in 1..300_usize,
    ) {
        let mut damaged = bytes.to_vec();
        for (at, value) in changes {
            *at.get_mut(&mut damaged) = value;
        }
        if let Some((from, to)) = repeated {
            let (from, to) = (from.index(damaged.len() / 188 + 1) * 188, to.index(damaged.len() / 188 + 1) * 188);
            let piece = damaged[from.min(to).min(bytes.len())..to.max(from).min(bytes.len())].to_vec();
            let at = cut.index(damaged.len() / 188 + 1) * 188;
            damaged.splice(at.min(bytes.len())..at.min(bytes.len()), piece);
        }
        target.check(&damaged, chunk_len);
    }

    /// However the network cuts it: chunks of one byte, of none, and of all sizes between.
    #[test]
    fn chunks_do_not_matter((target, bytes) in seed(), cuts in prop::collection::vec(any::<Index>(), 0..30)) {
        let new = || match target {
            Target::MpegTs => Inspector::mpeg_ts(),
            Target::Fmp4Init | Target::Fmp4Segment => Inspector::fmp4(&INIT),
        };
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        let mut chunked = new();
        let mut start = 0;
        let pushed = ends.into_iter().try_for_each(|end| {
            let chunk = &bytes[start..end];
            start = end;
            chunked.push(chunk)
        });
        prop_assert_eq!(pushed.and_then(|()| chunked.finish()), whole(new(), bytes));
    }
}

//! A short run with fixed seeds, that a seed tells all, and that the checks can fail.

use headwater_simulation::{Options, Outcome, Safeguard, run};

/// Short enough for every change; `make simulate` runs longer ones.
const SHORT: Options =
    Options { minutes_max: 8, phones_max: 2, recorders_min: 1, pushers_min: 0, without: None, tell: false };

/// Seeds that failed once, each for a reason of its own.
const FAILED_ONCE: [u64; 42] = [
    18, 40, 111, // Before there were renditions: other worlds now, and as good as any.
    22,  // A body that broke off was refused for good.
    25,  // What was abandoned, and forgotten together with who had heard of it, was never said again.
    37, 59, // A phone's clock was set back while segments waited: nobody took them for as long.
    283,
    447, // The judge: it looked back in mid-patience, and took a pause beside what is too long for abandoned.
    756, 791, // Put back late by the store's time: whoever had not seen it before has shown gaps.
    33, 128,  // A store that forgot: live went on at the same address.
    760,  // The model: the store forgot after everything was mended.
    1276, // The network: of a request that was answered before its body, a part came again as if it were the whole.
    14,   // The model itself: MPEG-TS was said to have changed its format.
    2883, // The judge: what was lost twice was taken for back before it was.
    3175, 3603, // What a store forgot was sent again with another capture time.
    101, 496, // It was complete, and then not: where it ends was heard of before anything of it came.
    299, 307,  // The judge: what was complete is forgotten, too, with all who knew of it.
    645,  // The model: who stays away from the beginning is given up as well.
    202,  // What a stock pusher sent and could not be read got another number, and another init section.
    470,  // Renditions of one encoder were dated apart after it had lost time.
    1582, // At a start, what was parked was taken up one by one, and the rest of it was taken for lost.
    1782, // What a playlist had said of a segment was forgotten while that waited.
    3162, // What was forgotten had lost its number to something else, when it was found.
    1998, 2566, 2798,
    3546, // A segment that was sent while it was encoded was guessed at before it could be named.
    4075, // The checker: what was lost with a disk came again while it was looked for.
    3994, // The checker: its owner ended it before anything had come.
    1882, 6078, // What was guessed at wrongly came after what a playlist had named meanwhile.
    6074, // What was found at a start belonged to the run that had gone past it.
    938, 6930, // What came before it was looked for by times that said nothing.
    6690, // The checker: it came after the end, to a recorder that could ask nobody.
    3266, // A file that was not durable yet, since the power was going, was found and committed.
];

/// A world needs a thread of its own.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().expect("the world does not panic"))
}

#[track_caller]
fn assert_well(outcome: &Outcome) {
    assert!(outcome.violations.is_empty(), "seed {}: {:#?}", outcome.seed, outcome.violations);
}

#[test]
fn nothing_is_lost() {
    let segments: u64 = on_a_thread(|| {
        let outcomes = (1..=60).map(|seed| run(seed, &SHORT));
        outcomes.inspect(assert_well).map(|outcome| outcome.segments).sum()
    });
    assert!(segments > 1_000, "only {segments} segments were recorded");
}

#[test]
fn what_failed_once_does_not_fail_again() {
    on_a_thread(|| {
        FAILED_ONCE.iter().map(|seed| run(*seed, &Options::default())).for_each(|outcome| assert_well(&outcome))
    });
}

#[test]
fn a_seed_tells_all() {
    let options = Options { recorders_min: 2, ..SHORT };
    for seed in 1..=10 {
        let story = || on_a_thread(move || run(seed, &options).story);
        assert_eq!(story(), story(), "seed {seed}");
    }
}

#[test]
fn what_is_removed_is_missed() {
    use Safeguard::{Fsync, Grace, Idempotency, PutBack, SafeRule};
    for safeguard in [Fsync, Idempotency, SafeRule, PutBack, Grace] {
        let options = Options { without: Some(safeguard), ..SHORT };
        let noticed = on_a_thread(|| (1..=1_000).find(|seed| !run(*seed, &options).violations.is_empty()));
        assert!(noticed.is_some(), "nobody notices that {safeguard:?} is missing");
    }
}

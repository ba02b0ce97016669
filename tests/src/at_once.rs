//! Runs the cases of a test beside each other, because most of their time is the time of the media.

use std::thread;

/// Does `work` with every case at once, each in a thread that is named after it.
///
/// # Panics
/// When all have ended, if some have failed, with their names.
pub fn at_once<C: Send + Sync>(cases: &[(&str, C)], work: impl Fn(&str, &C) + Sync) {
    let work = &work;
    let failed: Vec<_> = thread::scope(|scope| {
        let start = |(name, case)| {
            let thread = thread::Builder::new().name(String::from(name));
            let running = thread.spawn_scoped(scope, move || work(name, case));
            (name, running.expect("a thread can be started"))
        };
        // All are started before the first is waited for.
        let running: Vec<_> = cases.iter().map(|(name, case)| start((*name, case))).collect();
        running.into_iter().filter_map(|(name, running)| running.join().is_err().then_some(name)).collect()
    });
    assert!(failed.is_empty(), "failed: {}", failed.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "failed: b, c")]
    fn all_that_failed_are_named() {
        at_once(&[("a", 1), ("b", 2), ("c", 3)], |_, number| assert_eq!(*number, 1));
    }
}

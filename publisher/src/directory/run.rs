//! Which of the listed segments were taken already, and when the encoder has started again. Pure.
//!
//! An encoder that starts again counts from 0 and writes over its old files. The local recorder is given numbers that
//! go on, so a run is where it began: the encoder's number, and ours. What the local log has is taken, and so a crash
//! needs no more than that, and the time up to which files were seen, to tell an old file from a new one.

use serde::{Deserialize, Serialize};

use super::listing::Entry;

/// From where on one run of an encoder is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// The encoder's number of its first segment...
    pub(super) first: u64,
    /// ... and ours.
    pub(super) at: u64,
    /// When the newest file of it was written that was taken, or was about to be.
    pub(super) newest_ns: i64,
}

impl Run {
    /// Our number of a segment.
    pub(super) fn ours(&self, entry: &Entry) -> Option<u64> {
        self.ours_of(entry.number)
    }

    pub(super) fn ours_of(&self, number: u64) -> Option<u64> {
        number.checked_sub(self.first)?.checked_add(self.at)
    }

    /// Whether a segment is not taken yet, when our next number is `next`.
    pub(super) fn is_due(&self, entry: &Entry, next: u64) -> bool {
        self.ours(entry).is_some_and(|ours| ours >= next)
    }

    /// The last listed segment that was taken: if its file is a newer one, the encoder has started again.
    pub(super) fn last_taken<'a>(&self, entries: &'a [Entry], next: u64) -> Option<&'a Entry> {
        entries.iter().rfind(|entry| !self.is_due(entry, next))
    }
}

#[cfg(test)]
mod tests {
    use super::super::listing::FileName;
    use super::*;

    fn entries(numbers: std::ops::Range<u64>) -> Vec<Entry> {
        let file = FileName { written: "x".to_owned(), decoded: "x".to_owned() };
        numbers.map(|number| Entry { number, file: file.clone(), map: None }).collect()
    }

    /// A run that began at the encoder's `first` and our `at`, with `next` next, sees these listed: which are due by
    /// our numbers, and which is the last that was taken by theirs.
    fn check(run: (u64, u64), next: u64, listed: std::ops::Range<u64>, due: &[u64], last_taken: Option<u64>) {
        let run = Run { first: run.0, at: run.1, newest_ns: 0 };
        let entries = entries(listed);
        let found: Vec<_> = entries.iter().filter(|entry| run.is_due(entry, next)).collect();
        assert_eq!(found.iter().filter_map(|entry| run.ours(entry)).collect::<Vec<_>>(), due);
        assert_eq!(run.last_taken(&entries, next).map(|entry| entry.number), last_taken);
    }

    #[test]
    fn what_the_log_has_is_taken() {
        check((0, 0), 0, 0..3, &[0, 1, 2], None);
        check((0, 0), 2, 0..3, &[2], Some(1));
        check((57, 0), 3, 58..62, &[3, 4], Some(59));
        check((0, 10), 12, 0..4, &[12, 13], Some(1));
        // Some were never seen.
        check((0, 0), 2, 5..7, &[5, 6], None);
    }

    #[test]
    fn numbers_before_the_run_are_not_due() {
        check((57, 0), 3, 0..2, &[], Some(1));
        check((0, u64::MAX), u64::MAX, 0..2, &[u64::MAX], Some(1));
    }
}

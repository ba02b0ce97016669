//! Which playlists their pushers have closed, and which segments belong to them: a segment may come after the playlist
//! that ends with it, and an older playlist too, because pushers do not wait for answers. Pure.

use std::collections::BTreeMap;

use broadcast::{Broadcast, RenditionName, Seq};

use super::hint::MediaHint;
use super::numbering::Named;

/// The renditions whose playlists are closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closed(BTreeMap<RenditionName, End>);

/// Where a run of a pusher ends.
#[derive(Clone, Copy, Debug)]
struct End {
    /// The last media sequence number of the playlist.
    last: u64,
    /// Our numbers minus the pusher's in this run, once any of its segments has come.
    base: Option<i128>,
}

impl Closed {
    /// Learns what the playlist of `rendition` says; `base` is that of its latest segment.
    pub(crate) fn learn(&mut self, rendition: &RenditionName, hint: &MediaHint, base: Option<i128>) {
        let Some(last) = hint.numbers.values().max().copied() else { return };
        if hint.closed {
            self.0.insert(rendition.clone(), End { last, base });
        } else if self.0.get(rendition).is_some_and(|end| end.last < last) {
            self.0.remove(rendition);
        }
    }

    /// Whether a stored segment belongs to a closed playlist; if not, its rendition goes on.
    pub(crate) fn covers(&mut self, named: &Named, seq: Seq) -> bool {
        let Some(end) = self.0.get_mut(&named.rendition) else { return false };
        let base = base_between(seq, named.number);
        let same_run = *end.base.get_or_insert(base) == base;
        // What belongs to an earlier run is no new one.
        let is_earlier = end.base.is_some_and(|base| i128::from(seq.0) <= i128::from(end.last) + base);
        let covers = (same_run && named.number <= end.last) || is_earlier;
        if !covers {
            self.0.remove(&named.rendition);
        }
        covers
    }
}

/// Our numbers minus the pusher's, by the latest segment of a rendition.
pub(crate) fn latest_base(broadcast: &Broadcast, rendition: &RenditionName) -> Option<i128> {
    let latest = broadcast.rendition(rendition)?.segments().next_back()?;
    Some(base_between(latest.seq, latest.pushed?))
}

fn base_between(seq: Seq, number: u64) -> i128 {
    i128::from(seq.0) - i128::from(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(last: u64, closed: bool) -> MediaHint {
        MediaHint { numbers: [(format!("out{last}.ts"), last)].into(), closed, ..MediaHint::default() }
    }

    /// After these playlists, by their last number and whether they are closed: which (number, seq) is covered.
    fn check(playlists: &[(u64, bool)], base: Option<i128>, segments: &[(u64, u64)], expected: &[bool]) {
        let (main, mut closed) = (RenditionName::main(), Closed::default());
        for (last, is_closed) in playlists {
            closed.learn(&main, &hint(*last, *is_closed), base);
        }
        let named = |number| Named { rendition: main.clone(), number, map: None };
        let covered: Vec<_> = segments.iter().map(|(number, seq)| closed.covers(&named(*number), Seq(*seq))).collect();
        assert_eq!(covered, expected, "{playlists:?} {segments:?}");
    }

    #[test]
    fn late_segments_belong_to_what_is_closed() {
        check(&[(3, false), (4, true)], Some(0), &[(3, 3), (4, 4)], &[true, true]);
        check(&[(4, true)], Some(10), &[(4, 14)], &[true]);
        check(&[(4, true)], None, &[(4, 4)], &[true]);
        check(&[(4, false)], Some(0), &[(4, 4)], &[false]);
    }

    #[test]
    fn a_playlist_that_came_before_all_its_segments_covers_one_run() {
        check(&[(0, true)], None, &[(0, 0), (0, 1)], &[true, false]);
        check(&[(4, true)], None, &[(3, 3), (4, 4), (0, 5)], &[true, true, false]);
    }

    #[test]
    fn a_late_playlist_opens_nothing() {
        check(&[(4, true), (3, false)], Some(0), &[(4, 4)], &[true]);
    }

    #[test]
    fn another_run_goes_on() {
        // From 0 again, on our 5.
        check(&[(4, true), (0, false)], Some(0), &[(0, 5), (4, 9)], &[false, false]);
        check(&[(4, true), (5, false)], Some(0), &[(4, 4)], &[false]);
        check(&[(4, true)], Some(0), &[(5, 5), (4, 4)], &[false, false]);
    }
}

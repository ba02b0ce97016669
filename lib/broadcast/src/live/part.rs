//! Cutting a segment that is longer than the target duration into listed parts.

use std::sync::Arc;

use super::item::{ByteRange, Part};
use crate::policy::TargetDuration;
use crate::segment::{Cut, Segment};
use crate::time::MediaDuration;

/// How a segment can be listed under a given target duration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// As it is.
    Whole(Part),
    /// As these parts, in order.
    Parts(Vec<Part>),
    /// Not at all: too long, and no keyframe inside at which to cut it.
    TooLong(Part),
}

/// RFC 8216bis, 4.4.3.1: EXTINF rounded to the nearest second must not exceed the target duration.
pub(crate) fn listing(segment: &Arc<Segment>, target: TargetDuration) -> Listing {
    if target.allows(segment.duration) {
        return Listing::Whole(whole(segment));
    }
    let parts = cut(segment, target);
    if parts.iter().all(|part| target.allows(part.duration)) {
        Listing::Parts(parts)
    } else {
        Listing::TooLong(whole(segment))
    }
}

pub(crate) fn whole(segment: &Arc<Segment>) -> Part {
    Part {
        segment: segment.clone(),
        bytes: None,
        captured_at: segment.captured_at,
        after: MediaDuration(0),
        duration: segment.duration,
    }
}

/// As few parts as the target duration allows.
fn cut(segment: &Arc<Segment>, target: TargetDuration) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = Cut { offset: 0, after: MediaDuration(0) };
    let end = Cut { offset: segment.len, after: segment.duration };
    let ordered = segment.cuts.iter().filter(|cut| cut.offset < end.offset && cut.after < end.after);
    let mut cuts = ordered.copied().peekable();
    while let Some(cut) = cuts.next() {
        let following = cuts.peek().copied().unwrap_or(end);
        let reach = MediaDuration(following.after.0.saturating_sub(start.after.0));
        if !target.allows(reach) && cut.after > start.after && cut.offset > start.offset {
            parts.push(part(segment, start, cut));
            start = cut;
        }
    }
    parts.push(part(segment, start, end));
    parts
}

fn part(segment: &Arc<Segment>, start: Cut, end: Cut) -> Part {
    Part {
        segment: segment.clone(),
        bytes: Some(ByteRange { offset: start.offset, len: end.offset - start.offset }),
        captured_at: segment.captured_at + start.after.millis(),
        after: start.after,
        duration: MediaDuration(end.after.0 - start.after.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::segment;

    /// Cuts at `at` seconds of a segment of `secs` seconds and 100 bytes a second: the lengths of the parts.
    fn check(secs: u32, at: &[u32], target: u32, expected: Option<&[u32]>) {
        let mut segment = segment(0);
        segment.duration = MediaDuration::from_millis(secs * 1000);
        segment.len = u64::from(secs) * 100;
        segment.cuts = at
            .iter()
            .map(|at| Cut { offset: u64::from(*at) * 100, after: MediaDuration::from_millis(at * 1000) })
            .collect();
        let found = match listing(&Arc::new(segment), TargetDuration::new(target)) {
            Listing::Whole(part) => Some(vec![part]),
            Listing::Parts(parts) => Some(parts),
            Listing::TooLong(_) => None,
        };
        let lengths = found.as_ref().map(|parts| parts.iter().map(|part| part.duration.0 / 90_000).collect::<Vec<_>>());
        assert_eq!(lengths.as_deref(), expected);
        let parts = found.unwrap_or_default();
        for pair in parts.windows(2) {
            let (a, b) = (pair[0].bytes.expect("a range"), pair[1].bytes.expect("a range"));
            assert_eq!(a.offset + a.len, b.offset);
            assert_eq!(pair[0].captured_end(), pair[1].captured_at);
        }
    }

    #[test]
    fn a_long_segment_is_cut_into_as_few_parts_as_possible() {
        check(2, &[1], 2, Some(&[2]));
        check(6, &[2, 4], 2, Some(&[2, 2, 2]));
        check(6, &[1, 2, 3, 4, 5], 2, Some(&[2, 2, 2]));
        check(5, &[1, 3], 2, Some(&[1, 2, 2]));
        check(10, &[], 2, None);
        check(10, &[1, 2, 3], 2, None);
    }
}

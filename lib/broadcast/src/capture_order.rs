//! Everything that was recorded, in capture order: the entries of catch-up and vod.
//!
//! Unlike live, these follow the publisher's numbers and not the clock: a hole is waited for until it is filled or
//! abandoned, and a pause is no hole.

use std::sync::Arc;

use crate::broadcast::{Broadcast, Rendition};
use crate::continuity::MediaEnd;
use crate::holes::Holes;
use crate::ids::Seq;
use crate::live::{Content, Entry, Listing, Part, listing, whole};
use crate::policy::TargetDuration;
use crate::segment::Segment;
use crate::time::{CapturedAt, MediaDuration, StoreTime};

/// How segments longer than the target duration are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Long {
    /// Cut at keyframes, or as a gap, to keep the target duration that was announced.
    Cut(TargetDuration),
    /// As they are.
    Whole(TargetDuration),
}

impl Long {
    fn target(self) -> TargetDuration {
        match self {
            Self::Cut(target) | Self::Whole(target) => target,
        }
    }
}

/// The entries from `from` up to the first hole that may still be filled.
pub(crate) fn entries(broadcast: &Broadcast, rendition: usize, from: Seq, long: Long) -> Vec<Entry> {
    let holes = Holes::new(&broadcast.opened().policy, long.target());
    let mut list = List { entries: Vec::new(), next_msn: from.0, last: None, discontinuities: 0, long, holes };
    let arrivals = broadcast.arrivals(rendition);
    let mut expected = from;
    for segment in broadcast.renditions()[rendition].segments_from(from) {
        while expected < segment.seq {
            // Abandoned time is a gap; anything else is worth waiting for.
            let Some(abandoned) = arrivals.abandoned.range_at(expected) else { return list.entries };
            expected = abandoned.last.next();
        }
        if segment.seq != from && segment.seq.0 > 0 && arrivals.abandoned.contains(Seq(segment.seq.0 - 1)) {
            list.push_gap(segment.captured_at);
        }
        list.push_segment(segment);
        expected = segment.seq.next();
    }
    list.entries
}

/// The longest segment of a rendition, for a vod playlist's target duration.
pub(crate) fn longest(rendition: &Rendition) -> MediaDuration {
    rendition.segments().map(|segment| segment.duration).max().unwrap_or_default()
}

struct List {
    entries: Vec<Entry>,
    next_msn: u64,
    last: Option<MediaEnd>,
    discontinuities: u64,
    long: Long,
    holes: Holes,
}

impl List {
    fn push_segment(&mut self, segment: &Arc<Segment>) {
        let listing = match self.long {
            Long::Cut(target) => listing(segment, target),
            Long::Whole(_) => Listing::Parts(vec![whole(segment)]),
        };
        match listing {
            Listing::Parts(parts) => parts.into_iter().for_each(|part| self.push_part(part)),
            Listing::TooLong(part) => self.push_gaps(part.captured_at, part.captured_end()),
        }
    }

    fn push_part(&mut self, part: Part) {
        let discontinuity = self.last.is_some_and(|last| !last.is_continued_by(&part));
        self.last = Some(MediaEnd::of(&part));
        let (from, to) = (part.captured_at, part.captured_end());
        self.push(Content::Media(part), from, to, discontinuity);
    }

    /// Covers the abandoned time before the segment captured at `to`.
    fn push_gap(&mut self, to: CapturedAt) {
        if let Some(from) = self.entries.last().map(|entry| entry.to) {
            self.push_gaps(from, to);
        }
    }

    fn push_gaps(&mut self, from: CapturedAt, to: CapturedAt) {
        let mut start = from;
        for end in self.holes.cover(from, to) {
            self.last = self.last.map(|last| last.after_gap(end - start));
            self.push(Content::Gap, start, end, false);
            start = end;
        }
    }

    fn push(&mut self, content: Content, from: CapturedAt, to: CapturedAt, discontinuity: bool) {
        self.discontinuities += u64::from(discontinuity);
        let (msn, discontinuities) = (self.next_msn, self.discontinuities);
        self.next_msn += 1;
        let published_at = StoreTime(0);
        self.entries.push(Entry { msn, content, from, to, discontinuity, discontinuities, published_at });
    }
}

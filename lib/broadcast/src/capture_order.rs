//! Everything that was recorded, in capture order: what catch-up and vod list.
//!
//! Unlike live, these follow the publisher's numbers and not the clock: a hole is waited for until it is filled or
//! abandoned, and a pause is no hole.

use std::sync::Arc;

use crate::broadcast::{Broadcast, Rendition};
use crate::continuity::MediaEnd;
use crate::event::SeqRange;
use crate::holes::Holes;
use crate::ids::Seq;
use crate::live::{Content, Entry, Item, Listing, Part, listing, whole};
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

    fn listing(self, segment: &Arc<Segment>) -> Listing {
        match self {
            Self::Cut(target) => listing(segment, target),
            Self::Whole(_) => Listing::Whole(whole(segment)),
        }
    }
}

/// The entries from `from` up to the first hole that may still be filled.
pub(crate) fn items(broadcast: &Broadcast, rendition: usize, from: Seq, long: Long) -> Vec<Item> {
    let holes = Holes::new(&broadcast.opened().policy, long.target());
    let arrivals = broadcast.arrivals(rendition);
    // One more for the end.
    let count = arrivals.stored.count_in(SeqRange { first: from, last: Seq::MAX }) + 1;
    let items = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut list = List { items, next_msn: from.0, to: None, last: None, discontinuities: 0, long, holes };
    for segment in reach(broadcast, rendition, from) {
        if segment.seq != from && segment.seq.0 > 0 && arrivals.abandoned.contains(Seq(segment.seq.0 - 1)) {
            list.push_gap(segment.captured_at);
        }
        list.push_segment(segment);
    }
    list.items
}

/// Whether any of those entries is media.
pub(crate) fn has_media(broadcast: &Broadcast, rendition: usize, from: Seq, long: Long) -> bool {
    reach(broadcast, rendition, from).any(|segment| !matches!(long.listing(segment), Listing::TooLong(_)))
}

/// The segments from `from` up to the first hole that may still be filled.
fn reach(broadcast: &Broadcast, rendition: usize, from: Seq) -> impl Iterator<Item = &Arc<Segment>> {
    let abandoned = &broadcast.arrivals(rendition).abandoned;
    let mut expected = from;
    broadcast.renditions()[rendition].segments_from(from).take_while(move |segment| {
        while expected < segment.seq {
            // Abandoned time is a gap; anything else is worth waiting for.
            let Some(abandoned) = abandoned.range_at(expected) else { return false };
            expected = abandoned.last.next();
        }
        expected = segment.seq.next();
        true
    })
}

/// The longest segment of a rendition, for a vod playlist's target duration.
pub(crate) fn longest(rendition: &Rendition) -> MediaDuration {
    rendition.segments().map(|segment| segment.duration).max().unwrap_or_default()
}

struct List {
    items: Vec<Item>,
    next_msn: u64,
    /// The capture time up to which it has come.
    to: Option<CapturedAt>,
    last: Option<MediaEnd>,
    discontinuities: u64,
    long: Long,
    holes: Holes,
}

impl List {
    fn push_segment(&mut self, segment: &Arc<Segment>) {
        match self.long.listing(segment) {
            Listing::Whole(part) => self.push_part(part),
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
        if let Some(from) = self.to {
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
        self.to = Some(to);
        let published_at = StoreTime(0);
        self.items.push(Item::Entry(Entry { msn, content, from, to, discontinuity, discontinuities, published_at }));
    }
}

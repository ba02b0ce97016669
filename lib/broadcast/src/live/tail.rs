//! What decides the live timeline: one cursor per broadcast in capture time, the slots that it has passed, the
//! segments that wait, and the deadlines.
//!
//! The timeline is cut into slots, one per media sequence number, shared by all renditions. A slot is opened by the
//! first segment that starts at the cursor, or as a gap, and each rendition fills it with its own segment or, when
//! its deadline has passed, with a gap. Every decision is a comparison of commit times with deadlines that follow
//! from the log alone: [`Tail::advance`] meets them in order of time, so whoever folds, whenever, gets the same.
//!
//! This state is small (it does not grow with the broadcast), so that looking ahead of the log works on a copy.

use std::collections::VecDeque;
use std::sync::Arc;

use super::item::{DateRange, Item, Part, RangeKind};
use super::part::{Listing, listing};
use super::track::{Latest, Track, slot_deadline};
use crate::broadcast::Arrivals;
use crate::continuity::MediaEnd;
use crate::event::SeqRange;
use crate::holes::Holes;
use crate::ids::Seq;
use crate::policy::{TargetDuration, ViewPolicy};
use crate::segment::Segment;
use crate::time::{CapturedAt, MediaDuration, Millis, StoreTime};

/// From how many of the latest segments the publisher's latency is judged.
const LATENCIES: usize = 8;

/// How many segments may wait for those before them; beyond that, the first no longer does.
const PENDING_MAX: usize = 1024;

/// Items of each track, in the order in which they are published.
pub(super) type Published = Vec<Vec<Item>>;

#[derive(Clone, Debug)]
pub(super) struct Tail {
    policy: ViewPolicy,
    target: TargetDuration,
    cursor: Option<CapturedAt>,
    holes: Holes,
    slots: VecDeque<Slot>,
    next_msn: u64,
    /// How many slots so far begin with a discontinuity.
    discontinuities: u64,
    /// Segments after the cursor, by capture time.
    pending: VecDeque<Pending>,
    /// How long after its last entry a rendition gets a gap if nothing comes.
    idle_after: Millis,
    last_media_at: StoreTime,
    latencies: VecDeque<Millis>,
    /// Until when the publisher has accounted for a silence.
    paused_until: StoreTime,
    outage: Option<DateRange>,
    end: End,
    tracks: Vec<Track>,
}

/// One media sequence number of the timeline.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) msn: u64,
    pub(super) from: CapturedAt,
    pub(super) to: CapturedAt,
    pub(super) opened_at: StoreTime,
    kind: SlotKind,
    /// Whether EXT-X-DISCONTINUITY stands before it, in all renditions, so that their counts agree.
    pub(super) discontinuity: bool,
    /// How many there are up to and including this slot.
    pub(super) discontinuities: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotKind {
    /// How long the media is for which it was opened, and whether it breaks with what came before it.
    Media {
        length: Millis,
        breaks: bool,
    },
    Gap,
}

#[derive(Clone, Debug)]
struct Pending {
    track: usize,
    piece: Piece,
    committed_at: StoreTime,
    deadline: StoreTime,
}

impl Pending {
    /// How long after its capture it was here.
    fn latency(&self) -> Millis {
        Millis(self.committed_at.0 - self.piece.part.captured_end().0)
    }
}

/// A stretch of media to be placed on the timeline.
#[derive(Clone, Debug)]
struct Piece {
    part: Part,
    /// It is longer than the target duration and cannot be cut: live shows a gap in its place.
    too_long: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// Ended by the publisher; what is on its way may arrive until then.
    At(StoreTime),
    Listed,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Settle,
    Skip { track: usize },
    Idle,
    End,
}

impl Tail {
    pub(super) fn new(policy: ViewPolicy, target: TargetDuration) -> Self {
        Self {
            policy,
            target,
            cursor: None,
            holes: Holes::new(&policy, target),
            slots: VecDeque::new(),
            next_msn: 0,
            discontinuities: 0,
            pending: VecDeque::new(),
            idle_after: target.millis(),
            last_media_at: StoreTime(0),
            latencies: VecDeque::new(),
            paused_until: StoreTime(i64::MIN),
            outage: None,
            end: End::Open,
            tracks: Vec::new(),
        }
    }

    pub(super) fn target(&self) -> TargetDuration {
        self.target
    }

    pub(super) fn outage(&self) -> Option<DateRange> {
        self.outage
    }

    pub(super) fn is_listed_to_the_end(&self) -> bool {
        self.end == End::Listed
    }

    /// When the next decision falls due if nothing else happens.
    pub(super) fn next_deadline(&self) -> Option<StoreTime> {
        self.next_step().map(|(at, _)| at)
    }

    /// Takes every decision that falls due before `until`.
    pub(super) fn advance(&mut self, until: StoreTime, known: &[Arrivals], out: &mut Published) {
        while let Some((at, step)) = self.next_step().filter(|(at, _)| *at < until) {
            match step {
                Step::Settle => self.settle_first_pending(at, known, out),
                Step::Skip { track } => self.skip(track, at, known, out),
                Step::Idle if self.pending.is_empty() => self.publish_idle_gap(at, known, out),
                Step::Idle => self.settle_first_pending(at, known, out),
                Step::End => self.list_end(at, known, out),
            }
            self.forget_old_slots(at);
        }
    }

    /// Takes in a segment that was committed at `at`.
    pub(super) fn stored(
        &mut self,
        track: usize,
        segment: &Arc<Segment>,
        at: StoreTime,
        known: &[Arrivals],
        out: &mut Published,
    ) {
        let deadline = at + self.patience();
        let pending = |part, too_long| Pending { track, piece: Piece { part, too_long }, committed_at: at, deadline };
        match listing(segment, self.target) {
            Listing::Whole(part) => self.place(pending(part, false), at, known, out),
            Listing::Parts(parts) => {
                parts.into_iter().for_each(|part| self.place(pending(part, false), at, known, out));
            }
            Listing::TooLong(part) => self.place(pending(part, true), at, known, out),
        }
        self.drain(at, known, out);
        if self.pending.len() > PENDING_MAX {
            self.settle_first_pending(at, known, out);
        }
        self.announce_recovered(track, SeqRange::one(segment.seq), known, out);
        self.forget_old_slots(at);
    }

    pub(super) fn announce_recovered(&mut self, track: usize, seqs: SeqRange, known: &[Arrivals], out: &mut Published) {
        let items = self.tracks[track].recovered(seqs, &known[track]);
        if self.end != End::Listed {
            out[track].extend(items);
        }
    }

    /// Makes sure that there are at least `count` tracks.
    pub(super) fn ensure_tracks(&mut self, count: usize) {
        if self.tracks.len() < count {
            self.tracks.resize_with(count, Track::new);
        }
    }

    pub(super) fn pause(&mut self) {
        self.paused_until = StoreTime(i64::MAX);
    }

    /// The first segment after a pause has still to be recorded and sent: that is no interruption yet.
    pub(super) fn resume(&mut self, at: StoreTime) {
        self.paused_until = at + self.silence_max() + self.latency();
    }

    /// Nothing new will be captured. What is on its way may still take its place until `deadline`.
    pub(super) fn end_by(&mut self, deadline: StoreTime) {
        if self.end == End::Open {
            self.end = End::At(deadline);
        }
    }

    pub(super) fn patience(&self) -> Millis {
        self.policy.patience_ms.map_or(self.target.millis(), |ms| Millis(ms.into()))
    }

    /// RFC 8216bis, 6.2.1: a new segment no later than 1.5 target durations after the last, as seen by a server
    /// that waits for the clock margin to pass.
    fn silence_max(&self) -> Millis {
        let bound = Millis(self.target.millis().0 * 3 / 2) - self.policy.clock_margin();
        bound.max(Millis(self.target.millis().0 / 2))
    }

    /// How far a segment's start may be from the cursor.
    fn tolerance(&self) -> Millis {
        Millis(self.target.millis().0 / 4)
    }

    fn next_step(&self) -> Option<(StoreTime, Step)> {
        if self.end == End::Listed {
            return None;
        }
        let settle = self.pending.iter().map(|pending| pending.deadline).min().map(|at| (at, Step::Settle));
        let skip = (0..self.tracks.len()).filter_map(|track| Some((self.skip_at(track)?, Step::Skip { track })));
        let idle = self.idle_step().map(|at| (at, Step::Idle));
        let end = match self.end {
            End::At(at) => Some((at, Step::End)),
            End::Open | End::Listed => None,
        };
        // Of two that fall due at once the first one here comes first.
        settle.into_iter().chain(skip).chain(idle).chain(end).min_by_key(|(at, _)| *at)
    }

    fn skip_at(&self, track: usize) -> Option<StoreTime> {
        let track = &self.tracks[track];
        let slot = self.slot(track.next?)?;
        Some(slot_deadline(slot, track.last_entry_at, self.patience(), self.silence_max()))
    }

    /// Until the rendition that has waited longest for a new slot has to be given one.
    fn idle_step(&self) -> Option<StoreTime> {
        let waits = self.tracks.iter().filter(|track| track.next == Some(self.next_msn));
        let at = waits.map(|track| track.last_entry_at).min()? + self.idle_after;
        let rests = at - self.last_media_at > Millis(self.policy.rest_after_ms.into());
        (self.end == End::Open && !rests).then_some(at)
    }

    fn slot(&self, msn: u64) -> Option<&Slot> {
        let first = self.slots.front()?.msn;
        self.slots.get(usize::try_from(msn.checked_sub(first)?).ok()?)
    }

    /// Puts a piece where it belongs: into a slot that waits for it, at the cursor, aside, or (too late) nowhere.
    fn place(&mut self, new: Pending, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        if self.end == End::Listed {
            return;
        }
        let Some(cursor) = self.cursor else {
            let first = new.piece.part.segment.seq == Seq(0);
            let place = self.pend(new);
            if first {
                self.settle_through(place, at, known, out);
            }
            return;
        };
        let off = new.piece.part.captured_at - cursor;
        if let Some(msn) = self.waiting_slot(&new, off) {
            self.fill(msn, new, at, known, out);
        } else if off > self.tolerance() {
            let _ = self.pend(new);
        } else if -off.0 <= self.tolerance().0.min(new.piece.part.duration.millis().0 / 2) {
            self.append(new, at, known, out);
        } else if known[new.track].stored.last() == Some(new.piece.part.segment.seq) && self.waits_for(new.latency()) {
            // Too late, and yet the newest there is: by its clock, or for all that waits to be sent, this publisher
            // has fallen behind. The cursor has to let it catch up.
            self.note_latency(new.latency());
        }
    }

    /// Who is further behind than live goes on without media cannot be waited for.
    fn waits_for(&self, latency: Millis) -> bool {
        latency <= Millis(self.policy.rest_after_ms.into())
    }

    fn pend(&mut self, new: Pending) -> usize {
        let start = new.piece.part.captured_at;
        let place = self.pending.partition_point(|other| other.piece.part.captured_at <= start);
        self.pending.insert(place, new);
        place
    }

    /// A slot that another rendition opened, nearer to the piece than the cursor is, for media about as long.
    fn waiting_slot(&self, new: &Pending, off: Millis) -> Option<u64> {
        let part = &new.piece.part;
        let media = self.slots.iter().filter_map(|slot| match slot.kind {
            SlotKind::Media { length, .. } => Some((slot, length, (slot.from - part.captured_at).abs())),
            SlotKind::Gap => None,
        });
        // Nearer than half of the slot, and than half of what a slot should be.
        let twice_as_far = |slot: &Slot| (slot.to - slot.from).min(self.target.millis()).0;
        let near = media.filter(|(slot, _, off_it)| *off_it < off.abs() && off_it.0 * 2 < twice_as_far(slot));
        let (slot, length, _) = near.min_by_key(|(_, _, off_it)| *off_it)?;
        let fits = (part.duration.millis() - length).abs() <= self.tolerance();
        (fits && self.tracks[new.track].wants(slot.msn)).then_some(slot.msn)
    }

    fn fill(&mut self, msn: u64, new: Pending, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        if new.piece.too_long {
            return;
        }
        let first = self.first_slot_of(&new.piece.part, msn, at);
        let track = &mut self.tracks[new.track];
        track.start(first, at);
        track.fill(msn, new.piece.part);
        self.publish_ready(at, known, out);
    }

    /// Where a rendition whose first segment to arrive is `part`, for slot `msn`, begins: its earlier segments may
    /// be on their way.
    fn first_slot_of(&self, part: &Part, msn: u64, at: StoreTime) -> u64 {
        let earlier = msn.saturating_sub(part.segment.seq.0);
        let in_time = |slot: &&Slot| slot.msn >= earlier && slot.opened_at + self.patience() >= at;
        self.slots.iter().find(in_time).map_or(msn, |slot| slot.msn.min(msn))
    }

    /// Opens a slot at the cursor for a piece that starts there.
    fn append(&mut self, new: Pending, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        let end = new.piece.part.captured_end();
        self.note_latency(new.latency());
        self.end_outage(out);
        self.last_media_at = at;
        if new.piece.too_long {
            self.cover(end, at);
        } else {
            self.open_gap_before(&new.piece.part, at);
            let breaks = self.breaks(new.track, &new.piece.part);
            let length = new.piece.part.duration.millis();
            let longest = self.cursor.map_or(end, |cursor| cursor + self.target.longest());
            let msn = self.open_slot(SlotKind::Media { length, breaks }, end.min(longest), at);
            let track = &mut self.tracks[new.track];
            track.start(msn, at);
            track.fill(msn, new.piece.part);
        }
        self.idle_after = self.silence_max();
        self.publish_ready(at, known, out);
    }

    fn note_latency(&mut self, latency: Millis) {
        if self.latencies.len() == LATENCIES {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
    }

    fn latency(&self) -> Millis {
        self.latencies.iter().max().copied().unwrap_or_default()
    }

    /// A slot takes in what little time there is between the cursor and its media, unless that makes it too long for
    /// a rendition that lists it as a gap.
    fn open_gap_before(&mut self, part: &Part, at: StoreTime) {
        let cursor = self.cursor.expect("media is appended at the cursor");
        let length = u32::try_from((part.captured_end() - cursor).0).unwrap_or(u32::MAX);
        if !self.target.allows(MediaDuration::from_millis(length)) && part.captured_at > cursor {
            self.cover(part.captured_at, at);
        }
    }

    /// Whether the timeline breaks where a slot is about to be opened for `part`. The track's own media tells, unless a
    /// discontinuity follows it already, or there is none; then another's does: renditions share their timestamps
    /// (RFC 8216bis, 6.2.4).
    fn breaks(&self, track: usize, part: &Part) -> bool {
        let own = self.tracks[track].latest();
        let others = self.tracks.iter().filter_map(Track::latest).map(|latest| latest.seen_from(part));
        let ends = own.into_iter().chain(others).find_map(|latest| self.end_at_cursor(latest));
        ends.is_some_and(|end| !end.is_continued_by(part))
    }

    /// Where a track's media has come to once all that the track still waits for has become a gap. `None` if a
    /// discontinuity lies between.
    fn end_at_cursor(&self, latest: Latest) -> Option<MediaEnd> {
        let mut between = self.slots.iter().filter(|slot| slot.msn >= latest.next).peekable();
        let from = between.peek().map(|slot| slot.from);
        let broken = latest.broken || between.any(|slot| slot.discontinuity);
        let gap = from.zip(self.cursor).map_or(Millis::ZERO, |(from, cursor)| cursor - from);
        (!broken).then_some(latest.end.after_gap(gap))
    }

    fn open_slot(&mut self, kind: SlotKind, to: CapturedAt, at: StoreTime) -> u64 {
        let from = self.cursor.expect("slots are opened at the cursor");
        let msn = self.next_msn;
        let owed = self.tracks.iter_mut().map(Track::take_owed).fold(false, |any, owed| any | owed);
        let discontinuity = owed || matches!(kind, SlotKind::Media { breaks: true, .. });
        self.discontinuities += u64::from(discontinuity);
        let discontinuities = self.discontinuities;
        self.slots.push_back(Slot { msn, from, to, opened_at: at, kind, discontinuity, discontinuities });
        self.next_msn += 1;
        self.cursor = Some(to);
        msn
    }

    /// Moves the cursor to `to`, by gaps if it can be.
    fn cover(&mut self, to: CapturedAt, at: StoreTime) {
        let from = self.cursor.expect("there are no holes before the cursor's first place");
        for end in self.holes.cover(from, to) {
            self.open_slot(SlotKind::Gap, end, at);
        }
        self.cursor = Some(to);
    }

    /// Publishes what every track has ready.
    fn publish_ready(&mut self, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        for index in 0..self.tracks.len() {
            self.publish_ready_on(index, at, known, out);
        }
    }

    fn publish_ready_on(&mut self, index: usize, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        while let Some(slot) = self.tracks[index].next.and_then(|msn| self.slot(msn)).cloned() {
            let track = &mut self.tracks[index];
            match track.take(slot.msn) {
                Some(part) => track.publish_media(&slot, part, at, &known[index], &mut out[index]),
                None if slot.kind == SlotKind::Gap => track.publish_gap(&slot, at, &mut out[index]),
                None => return,
            }
        }
    }

    /// A track's time for its next slot is up.
    fn skip(&mut self, index: usize, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        let Some(slot) = self.tracks[index].next.and_then(|msn| self.slot(msn)).cloned() else { return };
        self.tracks[index].publish_gap(&slot, at, &mut out[index]);
        self.publish_ready_on(index, at, known, out);
    }

    /// The time of the segment that waits longest is up, or live can wait no longer: covers what is missing.
    fn settle_first_pending(&mut self, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        let due = self.pending.iter().rposition(|pending| pending.deadline <= at).unwrap_or(0);
        self.settle_through(due, at, known, out);
        self.drain(at, known, out);
    }

    /// Places the pending segments up to and including the one at `last`, with gaps for what is before each.
    fn settle_through(&mut self, last: usize, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        let due: Vec<Pending> = self.pending.drain(..=last).collect();
        for pending in due {
            let start = pending.piece.part.captured_at;
            let hole = start - *self.cursor.get_or_insert(start);
            if hole > self.tolerance() {
                self.cover(start, at);
                self.publish_ready(at, known, out);
            }
            self.place(pending, at, known, out);
        }
    }

    /// Places the pending segments that the cursor has reached.
    fn drain(&mut self, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        while let Some((cursor, first)) = self.cursor.zip(self.pending.front()) {
            if first.piece.part.captured_at - cursor > self.tolerance() {
                return;
            }
            let Some(first) = self.pending.pop_front() else { return };
            self.place(first, at, known, out);
        }
    }

    /// Nothing is at hand: a gap moves the cursor, but stays behind `now` by a segment and the latency that this
    /// publisher has shown, so that its next live segment still finds its place.
    fn publish_idle_gap(&mut self, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        let target = self.target.millis();
        let cursor = self.cursor.expect("idle only once begun");
        let overdue = CapturedAt(at.0) - self.latency() - target;
        let shortest = Millis(target.0 / 10);
        let length = (overdue - cursor).clamp(shortest, target);
        self.note_outage(cursor, at, out);
        self.open_slot(SlotKind::Gap, cursor + length, at);
        self.idle_after = target;
        self.publish_ready(at, known, out);
    }

    /// Opens the date range of an outage, or exchanges it when the publisher has meanwhile said why.
    fn note_outage(&mut self, start: CapturedAt, at: StoreTime, out: &mut Published) {
        let kind = if at < self.paused_until { RangeKind::Paused } else { RangeKind::Interrupted };
        if self.outage.is_some_and(|outage| outage.kind == kind) {
            return;
        }
        self.end_outage(out);
        let outage = DateRange { kind, number: self.next_msn, start, end: None };
        self.outage = Some(outage);
        self.publish_range(outage, out);
    }

    fn end_outage(&mut self, out: &mut Published) {
        if let Some(outage) = self.outage.take() {
            self.publish_range(DateRange { end: self.cursor, ..outage }, out);
        }
    }

    fn publish_range(&mut self, range: DateRange, out: &mut Published) {
        for (index, track) in self.tracks.iter_mut().enumerate() {
            track.announce(range, self.next_msn, &mut out[index]);
        }
    }

    /// Publishes all that is left, and the end, once.
    pub(super) fn list_end(&mut self, at: StoreTime, known: &[Arrivals], out: &mut Published) {
        if self.end == End::Listed {
            return;
        }
        if let Some(last) = self.pending.len().checked_sub(1) {
            self.settle_through(last, at, known, out);
            self.drain(at, known, out);
        }
        for index in 0..self.tracks.len() {
            while self.skip_at(index).is_some() {
                self.skip(index, at, known, out);
            }
        }
        self.end_outage(out);
        self.end = End::Listed;
        let started = self.tracks.iter().zip(out).filter(|(track, _)| track.next.is_some());
        started.for_each(|(_, out)| out.push(Item::End));
    }

    /// How many things it holds: what one more event or look can cost.
    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        self.slots.len() + self.pending.len() + self.tracks.iter().map(Track::weight).sum::<usize>()
    }

    /// Keeps the slots that some rendition may still fill.
    fn forget_old_slots(&mut self, at: StoreTime) {
        let needed = self.tracks.iter().filter_map(|track| track.next).min().unwrap_or(0);
        let patience = self.patience();
        while self.slots.front().is_some_and(|slot| slot.msn < needed && slot.opened_at + patience < at) {
            self.slots.pop_front();
        }
    }
}

//! How things stand, and whether it is the end.

use std::collections::{BTreeMap, BTreeSet};

use broadcast::{RenditionName, SeqRange, StoreTime};

use super::{Uplink, UplinkError};
use crate::ledger::{SegmentName, ranges};
use crate::remote::Over;
use crate::status::Status;

impl Uplink {
    /// What came of it, once nothing is left to be done, or can be.
    pub(super) fn outcome(&self) -> Option<Result<(), UplinkError>> {
        let told = self.there.status.as_ref().is_some_and(|there| there.over == Over::Ended);
        if self.broadcast.ended().is_none() || !(told || self.leaves_the_end_to_another()) {
            return None;
        }
        if self.ledger.is_settled() {
            return Some(Ok(()));
        }
        let all_else_is_safe = self.ledger.stored().next().is_none();
        if !all_else_is_safe || self.given_up().count() < self.ledger.owed_count() {
            return None;
        }
        let segments = ranges(self.given_up());
        let why = self.why_held_back().unwrap_or_default();
        Some(Err(UplinkError::Unreadable { segments: named(&segments), why }))
    }

    /// Where it ends that its owner has ended, only they can say who have recorded: they may be in a tunnel.
    pub(super) fn leaves_the_end_to_another(&self) -> bool {
        let is_closing = self.there.status.as_ref().is_some_and(|there| there.over == Over::Closing);
        is_closing && self.ledger.is_empty()
    }

    /// What this machine has not ended, somebody else has.
    fn is_ended_by_owner(&self) -> bool {
        let is_over = self.there.status.as_ref().is_some_and(|there| there.over != Over::No);
        is_over && self.broadcast.ended().is_none()
    }

    /// What comes now is refused there, unless somebody has said that it is missing.
    fn is_closed(&self) -> bool {
        let has_ended = self.there.status.as_ref().is_some_and(|there| there.over == Over::Ended);
        has_ended && self.broadcast.ended().is_none()
    }

    /// What could not be read for so long that the end does not wait for it.
    fn given_up(&self) -> impl Iterator<Item = &SegmentName> {
        let now_ms = self.now_ms();
        self.ledger.owed().filter(move |name| self.held.is_given_up(name, now_ms))
    }

    /// All that the others go on without.
    fn told_of_held_back(&self) -> BTreeSet<SegmentName> {
        self.not_read().map(|(name, _)| name).chain(self.ahead_of_time()).cloned().collect()
    }

    fn why_held_back(&self) -> Option<String> {
        let not_read = self.not_read().next().map(|(_, why)| why.to_owned());
        let ahead = || self.ahead_of_time().filter_map(|name| self.ahead(name)).max();
        not_read.or_else(|| Some(format!("dated {} s ahead of the recorders' clock", ahead()?.0 / 1_000)))
    }

    fn not_read(&self) -> impl Iterator<Item = (&SegmentName, &str)> {
        self.held.not_read().filter(|(name, _)| self.ledger.is_owed(name))
    }

    pub(super) fn show(&self) {
        let trouble = self.trouble_with_notes().or_else(|| self.there.trouble.clone());
        let held_back = self.told_of_held_back();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate")]
        let status = Status {
            state: self.broadcast.state(StoreTime(self.deps.clock.now_ms())).word().to_owned(),
            recorder: self.there.recorder.as_ref().filter(|_| trouble.is_none()).map(ToString::to_string),
            route: self.guide.routed().iter().map(ToString::to_string).collect(),
            trouble,
            spool_is_full: self.ledger.deletable().is_none() && self.is_short_of_room(),
            latency_ms: self.there.latency_ms,
            owed_segments: self.ledger.owed_count(),
            owed_s: self.ledger.owed_duration().as_secs_f64(),
            owed_bytes: self.ledger.owed_bytes(),
            missing: told(self.ledger.owed_ranges()),
            not_safe: told(self.ledger.not_safe_ranges()),
            refused_segments: self.ledger.refused_count(),
            refused: told(self.ledger.refused_ranges()),
            held_back_because: self.why_held_back(),
            held_back: told(ranges(held_back.iter())),
            unreadable_segments: self.given_up().count(),
            log_len: self.broadcast.next_index().0,
            bits_per_s: self.link.bytes_per_s().map(|rate| (rate * 8.0) as u64),
            clock_offset_ms: self.times.latest().map(|offset| offset.0),
            ended_by_owner: self.is_ended_by_owner(),
            is_closed: self.is_closed(),
            is_done: matches!(self.outcome(), Some(Ok(()))),
        };
        self.status.send_if_modified(|known| {
            let news = *known != status;
            *known = status;
            news
        });
    }
}

/// Ranges for others to read.
fn told(ranges: BTreeMap<RenditionName, Vec<SeqRange>>) -> BTreeMap<String, Vec<[u64; 2]>> {
    let pair = |range: SeqRange| [range.first.0, range.last.0];
    ranges.into_iter().map(|(name, ranges)| (name.to_string(), ranges.into_iter().map(pair).collect())).collect()
}

/// `main 0, main 3-5`.
fn named(ranges: &BTreeMap<RenditionName, Vec<SeqRange>>) -> String {
    let name = |rendition: &RenditionName, SeqRange { first, last }: &SeqRange| {
        if first == last { format!("{rendition} {first}") } else { format!("{rendition} {first}-{last}") }
    };
    let names = ranges.iter().flat_map(|(rendition, ranges)| ranges.iter().map(move |range| name(rendition, range)));
    names.collect::<Vec<_>>().join(", ")
}

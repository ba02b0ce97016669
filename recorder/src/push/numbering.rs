//! From a stock pusher's names to our segment numbers. Pure: no I/O, no clock.
//!
//! A pusher's media sequence number comes from its playlist or, once a playlist has shown how they go together, from
//! the digits at the end of a file name, because segments come before the playlist that names them. Our number is that
//! plus a base, which is moved when the pusher starts again, so that it continues and never overwrites.

use std::collections::BTreeMap;

use broadcast::{Broadcast, CapturedAt, Digest, Millis, RenditionName, Segment, Seq, SeqRange, SeqSet};

use super::hint::MediaHint;

/// A media sequence number that jumps by more than this is another run of the pusher.
const JUMP_MAX: u64 = 1_000;
/// How many names of one broadcast are remembered.
const NAMES_MAX: usize = 20_000;
/// How long after its capture a segment may still come, by the time at which its request began. A pusher that starts
/// again may count from where an earlier run has left a hole: what comes later than this belongs to another run.
pub(crate) const LATE_MAX: Millis = Millis(60_000);
/// How long after its capture the same segment is taken for the same one: a test picture that starts again is not.
pub(crate) const RESENT_MAX: Millis = Millis(20_000);

/// What one broadcast's playlists have told about names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbering {
    named: BTreeMap<String, Named>,
    /// By the part of a path before its digits.
    families: BTreeMap<String, Family>,
    /// The first media sequence number that each playlist has shown.
    firsts: BTreeMap<RenditionName, u64>,
    /// The number that was seen last, and when its segment arrived.
    latest: BTreeMap<RenditionName, (CapturedAt, u64)>,
    /// The same of those that came before it, and had to wait for their numbers.
    overtaken: BTreeMap<RenditionName, (CapturedAt, u64)>,
    /// Our number minus the pusher's, and when the first segment arrived for which it was that.
    bases: BTreeMap<RenditionName, (i128, CapturedAt)>,
    /// Numbers of segments that are durable, and could not be stored when their turn came.
    expected: BTreeMap<RenditionName, BTreeMap<Seq, Expected>>,
}

/// What is known of one segment's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) rendition: RenditionName,
    /// The pusher's media sequence number.
    pub(crate) number: u64,
    /// The path of its init section, if its playlist has one.
    pub(crate) map: Option<String>,
}

/// Names that differ only in their digits.
#[derive(Clone, Debug)]
struct Family {
    rendition: RenditionName,
    map: Option<String>,
    /// The digits minus the media sequence number, if that is the same for all of them.
    offset: Option<i128>,
}

/// What was given its number, and is still to be stored.
#[derive(Clone, Copy, Debug)]
struct Expected {
    /// Nothing, if it could not be read.
    digest: Option<Digest>,
    arrived: CapturedAt,
}

/// When the request for a segment began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: CapturedAt,
    /// Whether what came after it may have its number already.
    pub(crate) may_be_overtaken: bool,
}

/// Which of our numbers a pushed segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbered {
    New(Seq),
    /// These bytes are stored under this number.
    Already(Seq),
}

impl Numbering {
    /// Learns what the playlist of `rendition` says.
    pub(crate) fn learn(&mut self, rendition: &RenditionName, hint: &MediaHint) {
        if let Some(first) = hint.first {
            self.firsts.entry(rendition.clone()).or_insert(first);
        }
        let mut offsets: BTreeMap<String, Vec<i128>> = BTreeMap::new();
        for (path, number) in &hint.numbers {
            if let Some((family, digits)) = split_digits(path) {
                offsets.entry(family.to_owned()).or_default().push(i128::from(digits) - i128::from(*number));
            }
        }
        // Names with a time in them look like several families.
        let one_family = offsets.len() == 1;
        for (family, offsets) in offsets {
            let shared = self.families.get(&family).is_some_and(|known| known.rendition != *rendition);
            let offset = common_offset(&offsets).filter(|_| one_family && !shared);
            let (rendition, map) = (rendition.clone(), hint.map.clone());
            self.families.insert(family, Family { rendition, map, offset });
        }
        self.remember(rendition, hint);
    }

    fn remember(&mut self, rendition: &RenditionName, hint: &MediaHint) {
        self.named.retain(|_, named| named.rendition != *rendition);
        let room = NAMES_MAX.saturating_sub(self.named.len());
        let latest = hint.numbers.len().saturating_sub(room);
        let mut by_number: Vec<_> = hint.numbers.iter().collect();
        by_number.sort_by_key(|(_, number)| **number);
        for (path, number) in by_number.into_iter().skip(latest) {
            let named = Named { rendition: rendition.clone(), number: *number, map: hint.map.clone() };
            self.named.insert(path.clone(), named);
        }
        self.families.retain(|_, family| family.offset.is_some());
    }

    /// What the latest playlists say of this path by its name.
    pub(crate) fn named(&self, path: &str) -> Option<&Named> {
        self.named.get(path)
    }

    /// What the playlists say of this path, by its name or its digits.
    pub(crate) fn told(&self, path: &str) -> Option<Named> {
        self.named(path).cloned().or_else(|| self.by_digits(path))
    }

    /// What this path is by its digits, which a playlist has shown to go with its numbers.
    fn by_digits(&self, path: &str) -> Option<Named> {
        let (family, digits) = split_digits(path)?;
        let family = self.families.get(family)?;
        let number = u64::try_from(i128::from(digits) - family.offset?).ok()?;
        Some(Named { rendition: family.rendition.clone(), number, map: family.map.clone() })
    }

    /// When the last segment that has one of our numbers arrived, and its pusher's number.
    pub(crate) fn latest(&self, rendition: &RenditionName) -> Option<(CapturedAt, u64)> {
        self.latest.get(rendition).copied()
    }

    /// The same of those that came before it, and had to wait for their numbers.
    pub(crate) fn overtaken(&self, rendition: &RenditionName) -> Option<(CapturedAt, u64)> {
        self.overtaken.get(rendition).copied()
    }

    /// Our number for the pusher's, and with it that minus the pusher's.
    pub(crate) fn number(
        &self,
        broadcast: &Broadcast,
        named: &Named,
        digest: Option<Digest>,
        arrival: Arrival,
    ) -> (Numbered, i128) {
        let (base, place) = self.place_of(broadcast, named, arrival);
        match place {
            Some((seq, place)) if place.is_free(arrival.at) => (Numbered::New(seq), base),
            Some((seq, Place::Taken(stored))) if is_resent(broadcast, stored, digest, arrival.at) => {
                (Numbered::Already(seq), base)
            }
            Some((seq, Place::Expected(expected))) if expected.is_resent(digest, arrival.at) => {
                (Numbered::Already(seq), base)
            }
            _ => {
                if let Some((seq, base)) = self.hole_in_next_run(broadcast, named, arrival) {
                    return (Numbered::New(seq), base);
                }
                // The pusher has started again.
                let next = self.next(broadcast, &named.rendition);
                (Numbered::New(next), i128::from(next.0) - i128::from(named.number))
            }
        }
    }

    /// It has that number now. Whether that is the latest: one that was overtaken by another run says nothing of that.
    pub(crate) fn note(&mut self, named: &Named, base: i128, arrival: Arrival) -> bool {
        let (rendition, latest) = (&named.rendition, (arrival.at, named.number));
        let known = self.bases.entry(rendition.clone()).or_insert((base, arrival.at));
        let is_of_former = arrival.may_be_overtaken && arrival.at < known.1;
        if !is_of_former && known.0 != base {
            *known = (base, arrival.at);
        }
        let is_overtaken = arrival.may_be_overtaken && self.latest(rendition).is_some_and(|(at, _)| arrival.at < at);
        let kept = if is_of_former || is_overtaken { &mut self.overtaken } else { &mut self.latest };
        kept.insert(rendition.clone(), latest);
        !is_of_former
    }

    /// Our number minus the pusher's in its latest run.
    pub(crate) fn base(&self, rendition: &RenditionName) -> Option<i128> {
        self.bases.get(rendition).map(|(base, _)| *base)
    }

    /// Nobody else is given this number.
    pub(crate) fn expect(&mut self, rendition: &RenditionName, seq: Seq, digest: Option<Digest>, arrived: CapturedAt) {
        self.expected.entry(rendition.clone()).or_default().insert(seq, Expected { digest, arrived });
    }

    pub(crate) fn expects_any_of(&self, rendition: &RenditionName, seqs: SeqRange) -> bool {
        self.expected.get(rendition).is_some_and(|expected| expected.range(seqs.first..=seqs.last).next().is_some())
    }

    /// What was expected is stored, or never will be.
    pub(crate) fn no_longer_expect(&mut self, rendition: &RenditionName, seq: Seq) {
        if let Some(expected) = self.expected.get_mut(rendition) {
            expected.remove(&seq);
        }
    }

    /// Our number for this segment, unless its pusher has started again, or sends it twice.
    pub(crate) fn place_in_run(&self, broadcast: &Broadcast, named: &Named, arrival: Arrival) -> Option<Seq> {
        let (_, place) = self.place_of(broadcast, named, arrival);
        place.filter(|(_, place)| place.is_free(arrival.at)).map(|(seq, _)| seq)
    }

    /// Our number for a segment that was overtaken by others of the run that it begins, which left its number free; and that
    /// minus the pusher's.
    fn hole_in_next_run(&self, broadcast: &Broadcast, named: &Named, arrival: Arrival) -> Option<(Seq, i128)> {
        let rendition = &named.rendition;
        let LogBases { before, after } = LogBases::around(broadcast, rendition, arrival);
        let (next, base) = after.filter(|_| arrival.may_be_overtaken)?;
        let seq = seq_of(i128::from(named.number) + base)?;
        let is_between = seq < next && before.is_none_or(|(former, _)| former < seq);
        let is_expected = self.expected.get(rendition).is_some_and(|expected| expected.contains_key(&seq));
        let is_hole = matches!(place(broadcast, rendition, seq), Place::Hole { .. });
        (is_between && is_hole && !is_expected).then_some((seq, base))
    }

    /// What our number minus the pusher's is, and what our number for this segment stands for, if its pusher goes on.
    fn place_of<'a>(
        &self,
        broadcast: &'a Broadcast,
        named: &Named,
        arrival: Arrival,
    ) -> (i128, Option<(Seq, Place<'a>)>) {
        let (number, next) = (i128::from(named.number), self.next(broadcast, &named.rendition));
        // What came before this run of its pusher is of another one.
        let is_of_it = |since: CapturedAt| !arrival.may_be_overtaken || since <= arrival.at;
        let known = self.bases.get(&named.rendition).filter(|(_, since)| is_of_it(*since)).map(|(base, _)| *base);
        let of_log = || LogBases::around(broadcast, &named.rendition, arrival).nearest();
        let base = known.or_else(of_log).unwrap_or_else(|| match next {
            Seq(0) => self.first_base(named),
            Seq(next) => i128::from(next) - number,
        });
        let seq = seq_of(number + base).filter(|seq| seq.0 <= next.0 + JUMP_MAX);
        let expected = |seq| self.expected.get(&named.rendition)?.get(&seq).copied();
        let place = |seq| match (place(broadcast, &named.rendition, seq), expected(seq)) {
            (Place::Ahead | Place::Hole { .. }, Some(expected)) => Place::Expected(expected),
            (place, _) => place,
        };
        (base, seq.map(|seq| (seq, place(seq))))
    }

    /// The number after the last one that is stored or expected.
    fn next(&self, broadcast: &Broadcast, rendition: &RenditionName) -> Seq {
        let stored = broadcast.stored(rendition).and_then(SeqSet::last);
        let expected = self.expected.get(rendition).and_then(|expected| expected.keys().last().copied());
        stored.max(expected).map_or(Seq(0), Seq::next)
    }

    /// A pusher whose playlist begins at 0 keeps its numbers. One that is further on when we first see it begins here.
    fn first_base(&self, named: &Named) -> i128 {
        if self.firsts.get(&named.rendition) == Some(&0) { 0 } else { -i128::from(named.number) }
    }
}

/// How many names must agree on an offset that is not the usual 0 or 1: seconds of a clock may do so by chance.
const AGREEING_MIN: usize = 3;

fn common_offset(offsets: &[i128]) -> Option<i128> {
    let first = *offsets.first()?;
    let believed = (0..=1).contains(&first) || offsets.len() >= AGREEING_MIN;
    (believed && offsets.iter().all(|offset| *offset == first)).then_some(first)
}

/// How far back the log is searched for a segment whose number in the pusher's counting is known.
const SEARCHED_MAX: usize = 1_000;

/// Our number minus the pusher's, as the log shows it after a restart or on another recorder. Segments that the start-up scan
/// committed tell no number, but were given their place by the same base.
#[derive(Default)]
struct LogBases {
    /// By the last segment before an arrival, if that may be overtaken; otherwise by the last one. With our number of that.
    before: Option<(Seq, i128)>,
    /// By the first segment after it.
    after: Option<(Seq, i128)>,
}

impl LogBases {
    fn around(broadcast: &Broadcast, rendition: &RenditionName, arrival: Arrival) -> Self {
        let mut found = Self::default();
        let segments = broadcast.rendition(rendition).into_iter().flat_map(|rendition| rendition.segments().rev());
        for segment in segments.take(SEARCHED_MAX) {
            let Some(number) = segment.pushed else { continue };
            let base = (segment.seq, i128::from(segment.seq.0) - i128::from(number));
            if !arrival.may_be_overtaken || segment.captured_at <= arrival.at {
                found.before = Some(base);
                break;
            }
            found.after = Some(base);
        }
        found
    }

    fn nearest(self) -> Option<i128> {
        self.before.or(self.after).map(|(_, base)| base)
    }
}

/// The number of a path that no playlist names: by its digits, or the one after the latest before it. Digits that are far from
/// that are a time.
pub(crate) fn guess_number(latest: Option<u64>, path: &str) -> u64 {
    let digits = split_digits(path).map(|(_, digits)| digits);
    let Some(latest) = latest else { return digits.unwrap_or(0) };
    digits.filter(|digits| digits.abs_diff(latest) <= JUMP_MAX).unwrap_or_else(|| latest.saturating_add(1))
}

/// The last segment in the log that had been recorded by then, if none follows it at once: its end, and its pusher's number.
/// Otherwise times say nothing, as with a pusher that has sent what it had stored.
pub(crate) fn latest_before_hole(
    broadcast: &Broadcast,
    name: &RenditionName,
    by: CapturedAt,
) -> Option<(CapturedAt, u64)> {
    let rendition = broadcast.rendition(name)?;
    let last = rendition.segments().rev().take(SEARCHED_MAX).find(|segment| segment.captured_end() <= by)?;
    let is_followed = rendition.segment(last.seq.next()).is_some();
    let number = number_by_log(broadcast, name, last.seq).filter(|_| !is_followed)?;
    Some((last.captured_end(), number))
}

/// Its pusher's number of the last segment in the log.
pub(crate) fn latest_of_log(broadcast: &Broadcast, name: &RenditionName) -> Option<u64> {
    number_by_log(broadcast, name, broadcast.rendition(name)?.segments().next_back()?.seq)
}

/// The pusher's number of a stored segment. Those that tell none were given their place by the base of the one before.
fn number_by_log(broadcast: &Broadcast, name: &RenditionName, seq: Seq) -> Option<u64> {
    let rendition = broadcast.rendition(name)?;
    let until = rendition.segments().rev().skip_while(|segment| segment.seq > seq).take(SEARCHED_MAX);
    let (before, number) = until.filter_map(|segment| Some((segment.seq, segment.pushed?))).next()?;
    Some(number.saturating_add(seq.0.saturating_sub(before.0)))
}

fn seq_of(number: i128) -> Option<Seq> {
    u64::try_from(number).ok().map(Seq).filter(|seq| *seq <= Seq::MAX)
}

/// What one of our numbers stands for so far.
enum Place<'a> {
    /// It is beyond all that is stored.
    Ahead,
    /// Nothing is stored there, and this is what follows.
    Hole {
        after: &'a Segment,
    },
    Taken(&'a Segment),
    /// It was to come, and did not.
    Abandoned,
    /// It is durable, and will be stored there.
    Expected(Expected),
}

impl Place<'_> {
    /// Whether a segment that arrived at this moment may have it.
    fn is_free(&self, arrived: CapturedAt) -> bool {
        match self {
            Self::Ahead => true,
            Self::Hole { after } => arrived - after.captured_end() <= LATE_MAX,
            Self::Taken(_) | Self::Abandoned | Self::Expected(_) => false,
        }
    }
}

impl Expected {
    /// Whether this is the same, sent twice.
    fn is_resent(&self, digest: Option<Digest>, arrived: CapturedAt) -> bool {
        self.digest.is_some() && self.digest == digest && arrived - self.arrived <= RESENT_MAX
    }
}

/// Whether a segment may still be stored under this number.
pub(crate) fn is_open(broadcast: &Broadcast, rendition: &RenditionName, seq: Seq) -> bool {
    matches!(place(broadcast, rendition, seq), Place::Ahead | Place::Hole { .. })
}

/// What is stored under this number.
pub(crate) fn stored_at(broadcast: &Broadcast, rendition: &RenditionName, seq: Seq) -> Option<Digest> {
    Some(broadcast.rendition(rendition)?.segment(seq)?.digest)
}

fn place<'a>(broadcast: &'a Broadcast, name: &RenditionName, seq: Seq) -> Place<'a> {
    let Some(rendition) = broadcast.rendition(name) else { return Place::Ahead };
    if broadcast.abandoned(name).is_some_and(|abandoned| abandoned.contains(seq)) {
        return Place::Abandoned;
    }
    match rendition.segment_from(seq) {
        None => Place::Ahead,
        Some(stored) if stored.seq == seq => Place::Taken(stored),
        Some(after) => Place::Hole { after },
    }
}

/// Whether a pusher has sent `stored` twice. After its playlist was closed, or much later, it has started again, even
/// if its pictures are the same.
fn is_resent(broadcast: &Broadcast, stored: &Segment, digest: Option<Digest>, arrived: CapturedAt) -> bool {
    let recent = arrived - stored.captured_end() <= RESENT_MAX;
    Some(stored.digest) == digest && recent && broadcast.end_hinted_at().is_none()
}

/// What a pusher has left out and can no longer send: it never sends anything twice. Empty for a rendition that is not
/// pushed.
pub(crate) fn lost(broadcast: &Broadcast, name: &RenditionName, now: CapturedAt) -> Vec<SeqRange> {
    let is_over = |seqs: &SeqRange| {
        let after = broadcast.rendition(name).and_then(|rendition| rendition.segment_from(seqs.last.next()));
        after.is_some_and(|after| after.pushed.is_some() && now - after.captured_end() > LATE_MAX)
    };
    broadcast.missing(name).into_iter().filter(is_over).collect()
}

/// A path before and at the digits that end its stem: `v0/out12.ts` is `v0/out` and 12.
pub(crate) fn split_digits(path: &str) -> Option<(&str, u64)> {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let family = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((family, stem[family.len()..].parse().ok()?))
}

#[cfg(test)]
mod tests;

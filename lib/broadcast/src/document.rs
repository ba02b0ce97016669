//! The document of a broadcast: what its log says and no key of a segment tells. With the keys and what is under them, it
//! is enough to make the log anew.

mod lacks;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::{Event, EventIndex, LastSeq, LogEntry, Missing, Opened, SeqRange};
use crate::ids::{RenditionName, Seq};
use crate::seq_set::SeqSet;
use crate::time::StoreTime;

pub use lacks::{Lack, Unplaced};

/// The entries of a log that are neither of a segment nor of a recorder, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// How much of the log it covers: the index of the first entry that it does not know.
    pub covers: EventIndex,
    pub entries: Vec<LogEntry>,
    /// The segment that was stored first: it decides the target duration of a broadcast that declared none.
    pub first_stored: Option<(RenditionName, Seq)>,
    /// What was given up, of each rendition, and had not come by then. An event names ranges of which a part may have come:
    /// told again to a log that has lost some of that, it would give up what was acknowledged.
    #[serde(default)]
    pub abandoned: BTreeMap<RenditionName, Vec<SeqRange>>,
}

impl Document {
    /// Whether an event belongs into it.
    pub fn tells(event: &Event) -> bool {
        use Event::{Captioned, RecordedBy, Restarted, Safe, Stored};
        !matches!(event, Stored(_) | Safe { .. } | RecordedBy { .. } | Restarted | Captioned { .. })
    }

    /// What the broadcast was opened with.
    pub fn opened(&self) -> Option<&Opened> {
        match &self.entries.first()?.event {
            Event::Opened(opened) => Some(opened),
            _ => None,
        }
    }

    /// Whether it tells where the broadcast ends.
    pub fn has_ended(&self) -> bool {
        self.ended().is_some()
    }

    /// What comes after all that has come, with its time: that its owner has ended it, what was given up, each by itself, and
    /// the end, which gives nothing else up.
    pub fn last_words(&self) -> Vec<(StoreTime, Event)> {
        let Some(at) = self.entries.iter().rev().find_map(|entry| is_last(&entry.event).then_some(entry.at)) else {
            return Vec::new();
        };
        let given_up = self.abandoned.iter().flat_map(|(rendition, ranges)| {
            let pieces = ranges.iter().flat_map(|range| pieces(*range));
            pieces.map(|seqs| Event::Abandoned { rendition: rendition.clone(), seqs })
        });
        self.closing().into_iter().chain(given_up).chain(self.ended()).map(|event| (at, event)).collect()
    }

    /// That its owner has ended it: the first word counts.
    fn closing(&self) -> Option<Event> {
        let mut events = self.entries.iter().map(|entry| &entry.event);
        events.find(|event| matches!(event, Event::Closing { .. })).cloned()
    }

    /// The end, without what it gave up: that is told by itself.
    fn ended(&self) -> Option<Event> {
        let ended = |entry: &LogEntry| match &entry.event {
            Event::Ended { last } => Some(last.clone()),
            _ => None,
        };
        let last = self.entries.iter().find_map(ended)?;
        let awaited = |last: LastSeq| LastSeq { missing: Missing::Awaited, ..last };
        Some(Event::Ended { last: last.into_iter().map(awaited).collect() })
    }
}

fn is_last(event: &Event) -> bool {
    matches!(event, Event::Abandoned { .. } | Event::Ended { .. } | Event::Closing { .. })
}

/// As many ranges as the limit of one event asks for.
fn pieces(range: SeqRange) -> impl Iterator<Item = SeqRange> {
    let step = usize::try_from(Event::ABANDONED_MAX).unwrap_or(usize::MAX);
    let firsts = (range.first.0..=range.last.0).step_by(step);
    firsts
        .map(move |first| SeqRange { first: Seq(first), last: Seq(range.last.0.min(first + Event::ABANDONED_MAX - 1)) })
}

/// A document in the making, out of a log from its beginning.
#[derive(Clone, Debug, Default)]
pub struct DocumentFold {
    document: Document,
    stored: BTreeMap<RenditionName, SeqSet>,
    abandoned: BTreeMap<RenditionName, SeqSet>,
    last_stored_at: Option<StoreTime>,
}

impl DocumentFold {
    /// Folds a log from its beginning.
    pub fn of(log: &[LogEntry]) -> Self {
        let mut fold = Self::default();
        for entry in log {
            fold.take(entry);
        }
        fold
    }

    /// Takes in the next entry of the log; true if the document has more to tell now. An entry that is covered already is
    /// passed over.
    pub fn take(&mut self, entry: &LogEntry) -> bool {
        let document = &mut self.document;
        if entry.index < document.covers {
            return false;
        }
        document.covers = entry.index.next();
        match &entry.event {
            Event::Stored(segment) => {
                self.last_stored_at = Some(entry.at);
                // As in the fold of the whole broadcast: what was given up does not come any more.
                if !self.abandoned.get(&segment.rendition).is_some_and(|seqs| seqs.contains(segment.seq)) {
                    self.stored.entry(segment.rendition.clone()).or_default().insert(SeqRange::one(segment.seq));
                }
                let is_first = document.first_stored.is_none();
                document.first_stored.get_or_insert_with(|| (segment.rendition.clone(), segment.seq));
                return is_first;
            }
            Event::Abandoned { rendition, seqs } => self.abandon(rendition, *seqs),
            Event::Ended { last } => self.abandon_with_the_end(last),
            event if !Document::tells(event) => return false,
            _ => {}
        }
        self.document.entries.push(entry.clone());
        true
    }

    fn abandon_with_the_end(&mut self, last: &[LastSeq]) {
        let is_again = self.document.ended().is_some();
        for last in last.iter().filter(|last| !is_again && last.missing == Missing::Abandoned) {
            if let Some(seq) = last.seq {
                self.abandon(&last.rendition, SeqRange { first: Seq(0), last: seq });
            }
        }
    }

    fn abandon(&mut self, rendition: &RenditionName, seqs: SeqRange) {
        let stored = self.stored.entry(rendition.clone()).or_default();
        let abandoned = self.abandoned.entry(rendition.clone()).or_default();
        stored.missing_in(seqs).for_each(|range| abandoned.insert(range));
    }

    /// How much of the log it covers: the index of the first entry that it does not know.
    pub fn covers(&self) -> EventIndex {
        self.document.covers
    }

    /// Which segments of a rendition are stored.
    pub fn stored(&self, rendition: &RenditionName) -> Option<&SeqSet> {
        self.stored.get(rendition)
    }

    /// The renditions that have segments.
    pub fn renditions(&self) -> impl Iterator<Item = &RenditionName> {
        self.stored.keys()
    }

    /// Whether the broadcast has ended, and all of it has come or was given up: whether it is
    /// [`Complete`](crate::State::Complete).
    pub fn is_complete(&self) -> bool {
        let Some(Event::Ended { last }) = self.document.ended() else { return false };
        let said = last.iter().filter_map(|last| Some((&last.rendition, last.seq?)));
        let came = self.stored.iter().filter_map(|(rendition, stored)| Some((rendition, stored.last()?)));
        said.chain(came).all(|(rendition, seq)| self.is_settled(rendition, seq))
    }

    /// Whether all segments up to this one have come or were given up.
    fn is_settled(&self, rendition: &RenditionName, last: Seq) -> bool {
        let mut settled = self.stored.get(rendition).cloned().unwrap_or_default();
        self.abandoned.get(rendition).into_iter().flat_map(SeqSet::ranges).for_each(|range| settled.insert(range));
        settled.missing_in(SeqRange { first: Seq(0), last }).next().is_none()
    }

    /// What the broadcast was opened with.
    pub fn opened(&self) -> Option<&Opened> {
        self.document.opened()
    }

    /// The document as it is by now.
    pub fn document(&self) -> Document {
        let some = self.abandoned.iter().filter(|(_, seqs)| !seqs.is_empty());
        let abandoned = some.map(|(rendition, seqs)| (rendition.clone(), seqs.ranges().collect())).collect();
        Document { abandoned, ..self.document.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ViewPolicy;
    use crate::tests::segment;

    pub(super) fn opened() -> Event {
        let title = "x".to_owned();
        Event::Opened(Opened { title, target_duration: None, policy: ViewPolicy::default(), stored_is_safe: false })
    }

    /// A log of these events, ten milliseconds after each other.
    pub(super) fn log(events: impl IntoIterator<Item = Event>) -> Vec<LogEntry> {
        let entry = |(index, event): (u64, _)| LogEntry {
            index: EventIndex(index),
            at: StoreTime(index.cast_signed() * 10),
            event,
        };
        (0..).zip([opened()].into_iter().chain(events)).map(entry).collect()
    }

    pub(super) fn seqs(first: u64, last: u64) -> SeqRange {
        SeqRange { first: Seq(first), last: Seq(last) }
    }

    pub(super) fn abandoned(first: u64, last: u64) -> Event {
        Event::Abandoned { rendition: RenditionName::main(), seqs: seqs(first, last) }
    }

    pub(super) fn ended(seq: u64, missing: Missing) -> Event {
        Event::Ended { last: vec![LastSeq { rendition: RenditionName::main(), seq: Some(Seq(seq)), missing }] }
    }

    #[test]
    fn it_has_what_no_key_tells() {
        let safe = Event::Safe { rendition: RenditionName::main(), seqs: SeqRange::one(Seq(7)) };
        let events = [
            (Event::Stored(segment(7)), true),
            (Event::Stored(segment(8)), false),
            (safe, false),
            (Event::Paused, true),
        ];
        let is_news = [true].into_iter().chain(events.iter().map(|(_, is_news)| *is_news)).collect::<Vec<_>>();
        let mut fold = DocumentFold::default();
        for (entry, is_news) in log(events.map(|(event, _)| event)).iter().zip(is_news) {
            assert_eq!(fold.take(entry), is_news, "{entry:?}");
            assert!(!fold.take(entry));
        }
        let document = fold.document();
        assert_eq!((document.opened().is_some(), document.covers), (true, EventIndex(5)));
        assert_eq!(document.first_stored, Some((RenditionName::main(), Seq(7))));
        assert_eq!(document.entries.last().expect("two").event, Event::Paused);
        let json = serde_json::to_string(&document).expect("json");
        assert_eq!(serde_json::from_str::<Document>(&json).expect("the same"), document);
    }

    #[test]
    fn it_is_complete_when_nothing_is_awaited_any_more() {
        let check = |events: &[Event], complete| {
            assert_eq!(DocumentFold::of(&log(events.to_vec())).is_complete(), complete, "{events:?}");
        };
        let [first, third] = [0, 2].map(|seq| Event::Stored(segment(seq)));
        check(&[first.clone(), third.clone()], false);
        let all = [first, third, ended(2, Missing::Awaited), abandoned(1, 1)];
        check(&all[..3], false);
        check(&all, true);
        check(&[ended(2, Missing::Abandoned)], true);
    }

    #[test]
    fn what_its_owner_has_ended_is_not_complete_before_its_end_is_known() {
        let closing = Event::Closing { grace_ms: 5 };
        let events = [Event::Stored(segment(0)), closing.clone(), Event::Stored(segment(1))];
        let fold = DocumentFold::of(&log(events.clone()));
        assert!(!fold.is_complete() && !fold.document().has_ended());
        // Told after all that came, or live would be over before it began.
        assert_eq!(fold.document().last_words(), [(StoreTime(20), closing.clone())]);
        let fold = DocumentFold::of(&log([&events[..], &[ended(1, Missing::Awaited)]].concat()));
        assert!(fold.is_complete() && fold.document().has_ended());
        let words: Vec<Event> = fold.document().last_words().into_iter().map(|(_, event)| event).collect();
        assert_eq!(words, [closing, ended(1, Missing::Awaited)]);
    }

    #[test]
    fn what_was_given_up_is_what_had_not_come() {
        let events = [
            Event::Stored(segment(1)),
            abandoned(0, 2),
            Event::Stored(segment(5)),
            Event::Stored(segment(20_000)),
            ended(20_000, Missing::Abandoned),
        ];
        let document = DocumentFold::of(&log(events)).document();
        let given_up = [seqs(0, 0), seqs(2, 4), seqs(6, 19_999)];
        assert_eq!(document.abandoned[&RenditionName::main()], given_up);
        let words: Vec<Event> = document.last_words().into_iter().map(|(_, event)| event).collect();
        let end = ended(20_000, Missing::Awaited);
        assert_eq!(words, [abandoned(0, 0), abandoned(2, 4), abandoned(6, 10_005), abandoned(10_006, 19_999), end]);
    }
}

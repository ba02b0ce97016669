//! What a log has lost of what a document tells, and went on without.
//!
//! It can only be put at the log's end, where some of it would say something else than it did: a pause that is over would
//! be one of now. Who puts it back is told what has no place.

use super::{Document, DocumentFold, is_last, pieces};
use crate::event::{Event, LogEntry, SeqRange};
use crate::ids::RenditionName;
use crate::seq_set::SeqSet;
use crate::time::StoreTime;

/// Something that a document tells and a log does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// To be committed before segments that the log lacks.
    Before(Event),
    /// To be committed after them.
    After(Event),
    /// There is no place for it in the log any more.
    Unplaced { event: Event, why: Unplaced },
}

/// Why there is no place for an event any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unplaced {
    #[error("the log was opened with other settings")]
    OpenedOtherwise,
    #[error("the log has this playlist for another rendition")]
    MappedOtherwise,
    #[error("the log has another end")]
    EndedOtherwise,
    #[error("it is over, and the log went on without it")]
    Over,
}

impl DocumentFold {
    /// What the log that was folded lacks of what `document` tells, in the order in which it is to be committed.
    pub fn lacks(&self, document: &Document) -> Vec<Lack> {
        let mut lacks = Vec::new();
        let log = &self.document;
        if let (Some(told), Some(opened)) = (document.opened(), log.opened())
            && told != opened
        {
            let event = Event::Opened(told.clone());
            lacks.push(Lack::Unplaced { event, why: Unplaced::OpenedOtherwise });
        }
        lacks.extend(document.entries.iter().filter_map(|entry| self.lacks_setting(entry)));
        lacks.extend(self.lacks_abandoned(document));
        lacks.extend(self.lacks_words(document));
        lacks.extend(self.lacks_closing(document));
        lacks.extend(self.lacks_end(document));
        lacks
    }

    /// Formats and playlists say nothing of time.
    fn lacks_setting(&self, told: &LogEntry) -> Option<Lack> {
        let mut log = self.document.entries.iter();
        match &told.event {
            // The one announced last is what counts; others are announced with the segments that need them.
            Event::Format(format) => {
                let is_told = |entry: &LogEntry| match &entry.event {
                    Event::Format(known) if known.rendition == format.rendition => {
                        known.id == format.id || entry.at > told.at
                    }
                    _ => false,
                };
                (!log.any(is_told)).then(|| Lack::Before(told.event.clone()))
            }
            Event::Mapped { playlist, rendition } => {
                let mapped = log.find_map(|entry| match &entry.event {
                    Event::Mapped { playlist: known, rendition } if known == playlist => Some(rendition),
                    _ => None,
                });
                match mapped {
                    Some(mapped) if mapped == rendition => None,
                    Some(_) => Some(Lack::Unplaced { event: told.event.clone(), why: Unplaced::MappedOtherwise }),
                    None => Some(Lack::Before(told.event.clone())),
                }
            }
            _ => None,
        }
    }

    fn lacks_abandoned(&self, document: &Document) -> Vec<Lack> {
        let lacked = |(rendition, ranges): (&RenditionName, &Vec<SeqRange>)| {
            let mut settled = self.stored.get(rendition).cloned().unwrap_or_default();
            self.abandoned.get(rendition).into_iter().flat_map(SeqSet::ranges).for_each(|range| settled.insert(range));
            let lacked = ranges.iter().flat_map(|range| settled.missing_in(*range).collect::<Vec<_>>());
            let event = |seqs| Event::Abandoned { rendition: rendition.clone(), seqs };
            lacked.flat_map(pieces).map(event).map(Lack::After).collect::<Vec<_>>()
        };
        document.abandoned.iter().flat_map(lacked).collect()
    }

    /// What its publisher said of the moment. Only the last word counts, and only if nothing came after it.
    fn lacks_words(&self, document: &Document) -> Vec<Lack> {
        let is_word = |entry: &&LogEntry| matches!(entry.event, Event::Paused | Event::Resumed | Event::EndHinted);
        let told: Vec<&LogEntry> = document.entries.iter().filter(is_word).collect();
        let known: Vec<&LogEntry> = self.document.entries.iter().filter(is_word).collect();
        let (mut rest, last_known) = (known.iter(), known.last().map(|entry| entry.at));
        let mut lacks = Vec::new();
        for (place, entry) in told.iter().enumerate() {
            let mut search = rest.clone();
            if search.any(|known| known.event == entry.event && known.at >= entry.at) {
                rest = search;
                continue;
            }
            let is_last = place + 1 == told.len() && last_known.is_none_or(|known| known < entry.at);
            let is_over = document.ended().is_some() || self.is_over();
            lacks.extend(self.lacks_word(entry, is_last && !is_over));
        }
        lacks
    }

    fn lacks_word(&self, told: &LogEntry, is_last: bool) -> Option<Lack> {
        let event = told.event.clone();
        match event {
            // It would end what goes on.
            Event::EndHinted => {
                let went_on = |at: StoreTime| at > told.at;
                let counts = is_last && self.document.ended().is_none() && !self.last_stored_at.is_some_and(went_on);
                counts.then_some(Lack::After(event))
            }
            _ if is_last && (event == Event::Paused) != self.is_paused() => Some(Lack::After(event)),
            _ => Some(Lack::Unplaced { event, why: Unplaced::Over }),
        }
    }

    fn is_over(&self) -> bool {
        self.document.closing().is_some() || self.document.ended().is_some()
    }

    fn is_paused(&self) -> bool {
        let words = self.document.entries.iter().rev().map(|entry| &entry.event);
        words.into_iter().find(|event| matches!(event, Event::Paused | Event::Resumed)) == Some(&Event::Paused)
    }

    /// Once it has ended, it does not matter who said so first.
    fn lacks_closing(&self, document: &Document) -> Option<Lack> {
        document.closing().filter(|_| !self.is_over()).map(Lack::After)
    }

    fn lacks_end(&self, document: &Document) -> Option<Lack> {
        let event = document.ended()?;
        match self.document.ended() {
            None => Some(Lack::After(event)),
            Some(known) if known == event => None,
            Some(_) => Some(Lack::Unplaced { event, why: Unplaced::EndedOtherwise }),
        }
    }
}

impl Document {
    /// What a log tells whose document is `log`, and this one does not. When it was told does not matter: in a log made anew
    /// that is another time.
    pub fn lacks(&self, log: &Self) -> Vec<Event> {
        let mut known: Vec<&Event> = self.entries.iter().map(|entry| &entry.event).collect();
        let mut is_unknown = |event: &&Event| match known.iter().position(|known| known == event) {
            Some(at) => {
                known.remove(at);
                false
            }
            None => true,
        };
        let told = log.entries.iter().map(|entry| &entry.event).filter(|event| !is_last(event));
        let mut lacks: Vec<Event> = told.filter(|event| is_unknown(event)).cloned().collect();
        for (rendition, ranges) in &log.abandoned {
            let mut known = SeqSet::default();
            self.abandoned.get(rendition).into_iter().flatten().for_each(|range| known.insert(*range));
            let lacked = ranges.iter().flat_map(|range| known.missing_in(*range));
            lacks.extend(lacked.map(|seqs| Event::Abandoned { rendition: rendition.clone(), seqs }));
        }
        lacks.extend(log.closing().filter(|_| self.closing().is_none()));
        lacks.extend(log.ended().filter(|end| self.ended().as_ref() != Some(end)));
        lacks
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{abandoned, ended, log};
    use super::*;
    use crate::event::{EventIndex, Missing};
    use crate::tests::segment;

    fn stored(seq: u64) -> Event {
        Event::Stored(segment(seq))
    }

    fn mapped(rendition: &str) -> Event {
        Event::Mapped { playlist: "out.m3u8".to_owned(), rendition: rendition.parse().expect("a name") }
    }

    /// What a log of these events, later than those of the document, lacks of it.
    #[track_caller]
    fn check(told: &[Event], common: usize, went_on: &[Event], expected: &[Lack]) {
        let told = log(told.to_vec());
        let mut after = told[..=common].to_vec();
        for event in went_on {
            let index = EventIndex(after.len() as u64);
            after.push(LogEntry { index, at: StoreTime(1_000 + index.0.cast_signed()), event: event.clone() });
        }
        let document = DocumentFold::of(&told).document();
        assert_eq!(DocumentFold::of(&after).lacks(&document), expected, "{told:?}\n{after:?}");
    }

    #[test]
    fn a_log_that_lost_nothing_lacks_nothing() {
        let all = [mapped("main"), stored(0), Event::Paused, Event::Resumed, stored(2), ended(2, Missing::Abandoned)];
        check(&all, all.len(), &[], &[]);
        check(&all, 1, &all[1..], &[]);
        check(&all[..3], 3, &[Event::Resumed, stored(1), ended(3, Missing::Awaited)], &[]);
    }

    #[test]
    fn what_still_counts_is_told_again() {
        use Lack::{After, Before};
        check(&[mapped("main"), stored(0)], 0, &[stored(0)], &[Before(mapped("main"))]);
        check(&[stored(0), Event::Paused], 1, &[], &[After(Event::Paused)]);
        check(&[stored(0), Event::Paused], 1, &[stored(1)], &[After(Event::Paused)]);
        check(&[stored(0), Event::EndHinted], 1, &[], &[After(Event::EndHinted)]);
        check(&[stored(0), abandoned(1, 2)], 1, &[], &[After(abandoned(1, 2))]);
        let end = After(ended(3, Missing::Awaited));
        check(&[stored(3), ended(3, Missing::Abandoned)], 1, &[], &[After(abandoned(0, 2)), end]);
    }

    /// What was acknowledged is never given up for it.
    #[test]
    fn what_had_come_by_then_is_not_given_up() {
        let told = [stored(0), stored(1), stored(3), abandoned(0, 4)];
        check(&told, 0, &[stored(3)], &[Lack::After(abandoned(2, 2)), Lack::After(abandoned(4, 4))]);
        let told = [stored(0), stored(2), ended(2, Missing::Abandoned)];
        let expected = [Lack::After(abandoned(1, 1)), Lack::After(ended(2, Missing::Awaited))];
        check(&told, 1, &[], &expected);
    }

    #[test]
    fn what_counts_no_more_is_told_of() {
        let over = |event| Lack::Unplaced { event, why: Unplaced::Over };
        let pause = [stored(0), Event::Paused, Event::Resumed];
        check(&pause, 1, &[stored(1)], &[over(Event::Paused), over(Event::Resumed)]);
        check(&pause, 2, &[stored(1)], &[Lack::After(Event::Resumed)]);
        check(&pause[..2], 1, &[Event::Paused, Event::Resumed], &[]);
        check(&[stored(0), Event::EndHinted], 1, &[stored(1)], &[]);
        let otherwise = Lack::Unplaced { event: mapped("main"), why: Unplaced::MappedOtherwise };
        check(&[mapped("main")], 0, &[mapped("720p")], &[otherwise]);
        let why = Unplaced::EndedOtherwise;
        let otherwise = Lack::Unplaced { event: ended(3, Missing::Awaited), why };
        check(&[stored(0), ended(3, Missing::Awaited)], 1, &[ended(2, Missing::Awaited)], &[otherwise]);
    }

    #[test]
    fn an_end_that_its_owner_has_said_is_told_again_until_it_has_ended() {
        let closing = Event::Closing { grace_ms: 1_000 };
        let after = Lack::After(closing.clone());
        check(&[stored(0), closing.clone()], 1, &[stored(1)], std::slice::from_ref(&after));
        check(&[stored(0), closing.clone()], 1, &[Event::Closing { grace_ms: 2_000 }], &[]);
        let whole = [stored(0), closing.clone(), stored(1), ended(1, Missing::Awaited)];
        check(&whole, 1, &[stored(1)], &[after, Lack::After(ended(1, Missing::Awaited))]);
        check(&whole, 1, &[ended(1, Missing::Awaited)], &[]);
        // What its publisher said of the moment says nothing of one that is over.
        check(&[stored(0), Event::EndHinted], 1, std::slice::from_ref(&closing), &[]);
        let over = Lack::Unplaced { event: Event::Paused, why: Unplaced::Over };
        check(&[stored(0), Event::Paused], 1, std::slice::from_ref(&closing), &[over]);
        let document = |events: &[Event]| DocumentFold::of(&log(events.to_vec())).document();
        let [before, whole] = [document(&whole[..1]), document(&whole)];
        assert_eq!(before.lacks(&whole), [closing, ended(1, Missing::Awaited)]);
        assert_eq!((whole.lacks(&whole), whole.lacks(&before)), (vec![], vec![]));
    }

    #[test]
    fn a_document_that_is_behind_is_told_of() {
        let document = |events: &[Event]| DocumentFold::of(&log(events.to_vec())).document();
        let all =
            [stored(0), Event::Paused, Event::Resumed, Event::Paused, abandoned(1, 2), ended(3, Missing::Abandoned)];
        let [before, whole] = [document(&all[..3]), document(&all)];
        assert_eq!((whole.lacks(&whole), whole.lacks(&before)), (vec![], vec![]));
        assert_eq!(before.lacks(&whole), [Event::Paused, abandoned(1, 3), ended(3, Missing::Awaited)]);
        // A log that was made anew says the same in other words, at other times.
        let anew =
            [Event::Paused, Event::Resumed, Event::Paused, stored(0), abandoned(1, 3), ended(3, Missing::Awaited)];
        assert_eq!(whole.lacks(&document(&anew)), []);
    }
}

//! The document of a broadcast: what its log says and no key of a segment tells. With the keys and what is under them, it
//! is enough to make the log anew.

use serde::{Deserialize, Serialize};

use crate::event::{Event, EventIndex, LogEntry, Opened};
use crate::ids::{RenditionName, Seq};

/// The entries of a log that are neither of a segment nor of a recorder, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// How much of the log it covers: the index of the first entry that it does not know.
    pub covers: EventIndex,
    pub entries: Vec<LogEntry>,
    /// The segment that was stored first: it decides the target duration of a broadcast that declared none.
    pub first_stored: Option<(RenditionName, Seq)>,
}

impl Document {
    /// Whether an event belongs into it.
    pub fn tells(event: &Event) -> bool {
        !matches!(event, Event::Stored(_) | Event::Safe { .. } | Event::RecordedBy { .. })
    }

    /// Takes in the next entry of the log; true if it has more to tell now. An entry that is covered already is passed
    /// over.
    pub fn take(&mut self, entry: &LogEntry) -> bool {
        if entry.index < self.covers {
            return false;
        }
        self.covers = entry.index.next();
        match &entry.event {
            Event::Stored(segment) if self.first_stored.is_none() => {
                self.first_stored = Some((segment.rendition.clone(), segment.seq));
                true
            }
            event if Self::tells(event) => {
                self.entries.push(entry.clone());
                true
            }
            _ => false,
        }
    }

    /// What the broadcast was opened with.
    pub fn opened(&self) -> Option<&Opened> {
        match &self.entries.first()?.event {
            Event::Opened(opened) => Some(opened),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SeqRange;
    use crate::policy::ViewPolicy;
    use crate::tests::segment;
    use crate::time::StoreTime;

    #[test]
    fn it_has_what_no_key_tells() {
        let opened =
            Opened { title: "x".into(), target_duration: None, policy: ViewPolicy::default(), stored_is_safe: false };
        let safe = Event::Safe { rendition: RenditionName::main(), seqs: SeqRange::one(Seq(7)) };
        let events = [
            (Event::Opened(opened.clone()), true),
            (Event::Stored(segment(7)), true),
            (Event::Stored(segment(8)), false),
            (safe, false),
            (Event::Paused, true),
        ];
        let mut document = Document::default();
        for (index, (event, is_news)) in (0..).zip(events) {
            let entry = LogEntry { index: EventIndex(index), at: StoreTime(5), event };
            assert_eq!(document.take(&entry), is_news, "{entry:?}");
            assert!(!document.take(&entry));
        }
        assert_eq!((document.opened(), document.covers), (Some(&opened), EventIndex(5)));
        assert_eq!(document.first_stored, Some((RenditionName::main(), Seq(7))));
        assert_eq!(document.entries.last().expect("two").event, Event::Paused);
        let json = serde_json::to_string(&document).expect("json");
        assert_eq!(serde_json::from_str::<Document>(&json).expect("the same"), document);
    }
}

//! What a store has lost and went on without, until it is told again.

use std::collections::BTreeMap;
use std::sync::Arc;

use broadcast::{Broadcast, Event, LogEntry, RenditionName, Segment, SeqRange, SeqSet};

/// Events that are to be committed as if they were new.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// All but those that say what is safe.
    pub(super) events: Vec<Event>,
    /// Segments that were safe. A number says nothing: by now another copy may be listed, under another key.
    pub(super) safe: Vec<Arc<Segment>>,
}

impl Untold {
    /// Adds what was lost of a log that said `known`.
    pub(super) fn add(&mut self, lost: Vec<LogEntry>, known: &Broadcast) {
        for entry in lost {
            match entry.event {
                Event::Safe { rendition, seqs } => {
                    let segments = known.rendition(&rendition).into_iter().flat_map(|rendition| rendition.segments());
                    let within = |segment: &&Arc<Segment>| (seqs.first..=seqs.last).contains(&segment.seq);
                    self.safe.extend(segments.filter(within).cloned());
                }
                Event::Opened(_) | Event::RecordedBy { .. } | Event::Restarted => {}
                event => self.events.push(event),
            }
        }
    }

    /// What is to be said to be safe, of what the log lists now.
    pub(super) fn safe_in(&self, now: &Broadcast) -> Vec<Event> {
        let mut safe: BTreeMap<&RenditionName, SeqSet> = BTreeMap::new();
        for segment in &self.safe {
            let listed = now.rendition(&segment.rendition).and_then(|rendition| rendition.segment(segment.seq));
            if listed == Some(segment) {
                safe.entry(&segment.rendition).or_default().insert(SeqRange::one(segment.seq));
            }
        }
        let event = |rendition: &RenditionName, seqs| Event::Safe { rendition: rendition.clone(), seqs };
        safe.iter().flat_map(|(rendition, set)| set.ranges().map(|seqs| event(rendition, seqs))).collect()
    }
}

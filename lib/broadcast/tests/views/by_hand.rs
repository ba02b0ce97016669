//! A broadcast that is told event by event what happens, where no script of a publisher would do.

use broadcast::{Broadcast, Event, LastSeq, LogEntry, Millis, Missing, RenditionName, Segment, Seq};

use crate::reader::replay;
use crate::script::Script;
use crate::simulation::Recording;

/// One rendition, `main`, of which segment 0 is stored.
pub(crate) struct ByHand {
    pub(crate) broadcast: Broadcast,
    first: Segment,
}

impl ByHand {
    /// The settings, and the length of a segment, are the script's.
    pub(crate) fn new(mut script: Script) -> Self {
        script.slots.truncate(1);
        let recording = Recording::new(&script);
        let first = recording.truth[&(RenditionName::main(), Seq(0))].segment.clone();
        Self { broadcast: replay(&recording, recording.log.len()), first }
    }

    /// At the same time as what was before.
    pub(crate) fn apply(&mut self, event: Event) {
        self.apply_after(0, event);
    }

    pub(crate) fn apply_after(&mut self, ms: i64, event: Event) {
        let at = self.broadcast.last_at() + Millis(ms);
        let entry = LogEntry { index: self.broadcast.next_index(), at, event };
        self.broadcast.apply(&entry).expect("the next of its log");
    }

    /// Segment `seq`, captured so long after the first, in the media's timestamps as well.
    pub(crate) fn segment(&self, seq: u64, later: Millis) -> Segment {
        let mut segment = Segment { seq: Seq(seq), ..self.first.clone() };
        segment.captured_at = segment.captured_at + later;
        segment.media_start.0 += later.0 * 90;
        segment
    }

    /// Ends `main` with `seq`.
    pub(crate) fn end(&mut self, seq: u64, missing: Missing) {
        let last = LastSeq { rendition: RenditionName::main(), seq: Some(Seq(seq)), missing };
        self.apply(Event::Ended { last: vec![last] });
    }
}

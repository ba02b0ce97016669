//! A log that exists and has lost a part: what it lacks goes to its end.

use broadcast::{Broadcast, BroadcastId, DocumentFold, Event, Key, Lack, LogEntry, Rendition};
use metadata::{COMMIT_EVENTS_MAX, Expect, Metadata, Outcome};

use super::Report;
use super::making::{Made, is_complete, safe_events};
use crate::finding::{Finding, Kind};
use crate::found::{SyncError, log_of};

pub(super) struct Filling<'a, 'r> {
    pub(super) metadata: &'a dyn Metadata,
    pub(super) id: BroadcastId,
    pub(super) made: &'a Made,
    pub(super) report: &'a mut Report<'r>,
    /// Live is to be started anew with what shapes it.
    pub(super) restarts: bool,
}

impl Filling<'_, '_> {
    pub(super) async fn fill(mut self, there: Vec<LogEntry>) -> Result<(), SyncError> {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for lack in DocumentFold::of(&there).lacks(&self.made.document) {
            match lack {
                Lack::Before(event) => before.push(event),
                Lack::After(event) => after.push(event),
                Lack::Unplaced { event, why } => {
                    self.report.refused(self.id, format!("{}: {why}", shown(&event)));
                }
            }
        }
        let log = self.replay(&there)?;
        self.restarts &= !is_complete(&log);
        self.commit(before).await?;
        self.commit(self.segments_lacking(&log)).await?;
        let log = log_of(self.metadata, self.id).await?;
        self.commit(safe_events(&self.replay(&log)?, self.id, &self.made.hot)).await?;
        // Each by itself: together they would be more than one commit may give up.
        for event in after {
            self.commit(vec![event]).await?;
        }
        Ok(())
    }

    fn replay(&self, log: &[LogEntry]) -> Result<Broadcast, SyncError> {
        let broadcast = Broadcast::replay(log).map_err(|source| SyncError::Log { id: self.id, source })?;
        Ok(broadcast.expect("a log without entries is made anew"))
    }

    /// Segments that the log does not list, with the formats that they need.
    fn segments_lacking(&self, log: &Broadcast) -> Vec<Event> {
        let is_listed = |event: &Event| match event {
            Event::Stored(segment) => {
                let listed = log.rendition(&segment.rendition).and_then(|rendition| rendition.segment(segment.seq));
                listed.is_some_and(|listed| listed.digest == segment.digest)
            }
            _ => true,
        };
        let mut events = Vec::new();
        let mut formats = Vec::new();
        for entry in &self.made.entries {
            match &entry.event {
                Event::Format(format) => formats.push(format),
                Event::Stored(segment) if !is_listed(&entry.event) => {
                    let is_needed = |format: &broadcast::Format| {
                        format.rendition == segment.rendition && format.id == segment.format
                    };
                    let known = log.rendition(&segment.rendition).and_then(|known| known.format(segment.format));
                    if known.is_none()
                        && let Some(at) = formats.iter().position(|format| is_needed(format))
                    {
                        events.push(Event::Format(formats.swap_remove(at).clone()));
                    }
                    events.push(entry.event.clone());
                }
                Event::Captioned { rendition } if !log.rendition(rendition).is_some_and(Rendition::is_captioned) => {
                    events.push(entry.event.clone());
                }
                _ => {}
            }
        }
        events
    }

    async fn commit(&mut self, mut events: Vec<Event>) -> Result<(), SyncError> {
        if self.restarts && events.iter().any(Event::shapes_live) {
            events.insert(0, Event::Restarted);
            self.restarts = false;
        }
        for events in events.chunks(COMMIT_EVENTS_MAX) {
            let outcomes = self.metadata.commit(self.id, events, Expect::Any).await?;
            for (event, outcome) in events.iter().zip(outcomes) {
                let why = match outcome {
                    Outcome::Appended { .. } if *event == Event::Restarted => continue,
                    Outcome::Appended { .. } => {
                        self.report.rebuilt.entries += 1;
                        continue;
                    }
                    Outcome::Duplicate => continue,
                    Outcome::Conflict { existing } => format!("the log lists other bytes, {existing}"),
                    Outcome::Ended => "the log has ended before it".to_owned(),
                    Outcome::Abandoned => "the log has given it up".to_owned(),
                };
                self.refused(event, &why);
            }
        }
        Ok(())
    }

    fn refused(&mut self, event: &Event, why: &str) {
        match event {
            Event::Stored(segment) => {
                let key = Key::of_segment(self.id, segment);
                self.report.say(Finding::new(Kind::Refused, self.id, Some(&key), why));
            }
            event => self.report.refused(self.id, format!("{}: {why}", shown(event))),
        }
    }
}

/// An event, for people.
pub(crate) fn shown(event: &Event) -> String {
    match event {
        Event::Opened(opened) => format!("opened as {:?}", opened.title),
        Event::Format(format) => format!("a format of {}", format.rendition),
        Event::Stored(segment) => format!("segment {} of {}", segment.seq, segment.rendition),
        Event::Safe { rendition, seqs } => format!("{} to {} of {rendition} are safe", seqs.first, seqs.last),
        Event::Paused => "paused".to_owned(),
        Event::Resumed => "resumed".to_owned(),
        Event::Abandoned { rendition, seqs } => format!("{} to {} of {rendition} given up", seqs.first, seqs.last),
        Event::EndHinted => "its pusher closed the playlist".to_owned(),
        Event::Ended { .. } => "ended".to_owned(),
        Event::Closing { .. } => "ended by its owner".to_owned(),
        Event::Mapped { playlist, rendition } => format!("playlist {playlist:?} is of {rendition}"),
        Event::Captioned { rendition } => format!("captions of {rendition}"),
        Event::RecordedBy { node } => format!("recorded by {node}"),
        Event::Restarted => "live was started anew".to_owned(),
    }
}

//! When segments were captured, by the recorders' clock: what is added to the time that the local log has of each. Pure.
//!
//! A segment is always sent with the same capture time, by whichever run and whatever is done to our clock, as viewers may
//! have been shown it. So what is added, an offset, is noted in the spool before a segment goes out with it: from which
//! place of the local log on it counts. Segments that nobody has sent have none yet: it is found once a recorder has
//! answered, for those of this run by how our clock was set since, for those of earlier ones as if it had not been.

use broadcast::{CapturedAt, EventIndex, Millis};

/// Less than this, our clock was not set: it was read a moment late.
const LATE_MAX: Millis = Millis(100);
/// The same where timestamps date a segment, and not our clock: encoders are not that even.
const UNEVEN_MAX: Millis = Millis(2_000);
/// What lies further ahead than this, nobody has sent: recorders refuse it, and do not differ by so much from each other.
const AHEAD_MAX: Millis = Millis(300_000);
/// The most notes. Beyond it the oldest are forgotten, and what they were of goes with the next one.
const NOTES_MAX: usize = 4_096;
/// No clock is wrong by more: a century.
const OFFSET_MAX: Millis = Millis(100 * 366 * 86_400_000);
const HEAD: &str =
    "# from which place of the local log on, and what is added to this machine's time to get the recorders', in ms";

/// Our two clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    /// The one that the local log is dated by, and anybody may set.
    pub(crate) wall: CapturedAt,
    /// The one that nobody sets.
    pub(crate) running: CapturedAt,
}

/// What is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    /// To get the recorders' time.
    Learned(Millis),
    /// To get the running time of this run, which has not learned how far the recorders' is from that.
    Running(Millis),
    /// An earlier run has not learned it.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    from: EventIndex,
    added: Added,
}

/// The notes of one spool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    /// By place. Each counts up to the next one.
    notes: Vec<Note>,
    /// Where the segments of earlier runs are, and when they ended by the local log; until that is of no use any more.
    earlier: Vec<(EventIndex, CapturedAt)>,
    /// What is added to the running time to get the recorders'.
    offset: Option<Millis>,
    changes: u64,
}

impl Times {
    /// What a text says that was kept. An error says what of it cannot be read: then nothing of it is believed.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut notes: Vec<Note> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let note = read_note(line).filter(|note| notes.last().is_none_or(|last| last.from < note.from));
            notes.push(note.ok_or_else(|| format!("{line:?}"))?);
        }
        Ok(Self { notes, ..Self::default() })
    }

    /// What to keep.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for Note { from, added } in &self.notes {
            let added = if let Added::Learned(offset) = added { offset.0.to_string() } else { "?".to_owned() };
            text += &format!("{} {added}\n", from.0);
        }
        text
    }

    /// How often the notes have changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// An earlier run has recorded a segment; when it ended is by the local log.
    pub(crate) fn earlier(&mut self, at: EventIndex, ended: CapturedAt) {
        if self.notes.is_empty() {
            self.notes.push(Note { from: at, added: Added::Unknown });
        }
        self.earlier.push((at, ended));
    }

    /// A segment has just been recorded in this run. If it seems to end ahead, our clock was set back since it was dated.
    pub(crate) fn recorded(&mut self, at: EventIndex, ended: CapturedAt, clocks: Clocks) {
        let lies_ahead = ended > clocks.wall + UNEVEN_MAX;
        let (now, tolerated) = if lies_ahead { (ended, UNEVEN_MAX) } else { (clocks.wall, LATE_MAX) };
        let to_running = clocks.running - now;
        let added = self.offset.map_or(Added::Running(to_running), |offset| Added::Learned(to_running + offset));
        // Only a log that has lost its end comes to a place again.
        let is_again = self.forget_from(at);
        let goes_on = self.notes.last().is_some_and(|last| last.added.is_near(added, tolerated));
        if !goes_on {
            self.notes.push(Note { from: at, added });
        }
        if self.notes.len() > NOTES_MAX {
            self.notes.remove(0);
        }
        self.changes += u64::from(is_again || !goes_on);
    }

    /// Whether there was a note of this place, or of one after it.
    fn forget_from(&mut self, at: EventIndex) -> bool {
        let kept = self.notes.partition_point(|note| note.from < at);
        self.notes.drain(kept..).count() > 0
    }

    /// What is added to the running time to get the recorders', from now on.
    pub(crate) fn learned(&mut self, offset: Millis, clocks: Clocks) {
        if self.offset.replace(offset).is_some() {
            return;
        }
        let (theirs, by_wall) = (clocks.running + offset, clocks.running - clocks.wall + offset);
        for nth in 0..self.notes.len() {
            let added = match self.notes[nth].added {
                Added::Learned(_) => continue,
                Added::Running(to_running) => to_running + offset,
                Added::Unknown => self.last_end_of(nth).map_or(by_wall, |ended| by_wall.min(theirs - ended)),
            };
            self.notes[nth].added = Added::Learned(added);
            self.changes += 1;
        }
        self.bring_back_what_lies_ahead(theirs);
    }

    /// When the last segment of an earlier run ended that goes with this note.
    fn last_end_of(&self, nth: usize) -> Option<CapturedAt> {
        let next = self.notes.get(nth + 1).map(|next| next.from);
        let is_of_it = |at: EventIndex| self.notes[nth].from <= at && next.is_none_or(|next| at < next);
        self.earlier.iter().filter(|(at, _)| is_of_it(*at)).map(|(_, ended)| *ended).max()
    }

    /// Our clock was set, and the run before ended before it could note that: its last segments seem to lie ahead.
    fn bring_back_what_lies_ahead(&mut self, theirs: CapturedAt) {
        let earlier = std::mem::take(&mut self.earlier);
        let lies_ahead = |(at, ended): &&(EventIndex, CapturedAt)| {
            self.get(*at).is_some_and(|offset| *ended + offset > theirs + AHEAD_MAX)
        };
        let ahead = earlier.iter().rev().take_while(lies_ahead).count();
        let ahead = &earlier[earlier.len() - ahead..];
        let (Some((first, _)), Some(ended)) = (ahead.first(), ahead.iter().map(|(_, ended)| *ended).max()) else {
            return;
        };
        // What was recorded since has a note of its own.
        self.notes.retain(|note| note.from < *first || ahead.iter().all(|(at, _)| *at < note.from));
        let nth = self.notes.partition_point(|note| note.from < *first);
        self.notes.insert(nth, Note { from: *first, added: Added::Learned(theirs - ended) });
        self.changes += 1;
    }

    /// What is added to the time that the local log has of the segment at this place; `None` before it is known.
    pub(crate) fn get(&self, at: EventIndex) -> Option<Millis> {
        let nth = self.notes.partition_point(|note| note.from <= at);
        match self.notes.get(nth.saturating_sub(1))?.added {
            Added::Learned(offset) => Some(offset),
            Added::Running(_) | Added::Unknown => None,
        }
    }

    /// The same for the newest segment.
    pub(crate) fn latest(&self) -> Option<Millis> {
        self.get(EventIndex(u64::MAX))
    }
}

impl Added {
    fn is_near(self, other: Self, tolerated: Millis) -> bool {
        match (self, other) {
            (Self::Learned(one), Self::Learned(other)) | (Self::Running(one), Self::Running(other)) => {
                (one - other).abs() <= tolerated
            }
            _ => false,
        }
    }
}

fn read_note(line: &str) -> Option<Note> {
    let (from, added) = line.split_once(' ')?;
    let offset =
        |text: &str| text.parse().ok().map(Millis).filter(|offset| (-OFFSET_MAX.0..=OFFSET_MAX.0).contains(&offset.0));
    let added = if added == "?" { Added::Unknown } else { Added::Learned(offset(added)?) };
    Some(Note { from: EventIndex(from.parse().ok()?), added })
}

#[cfg(test)]
mod tests;

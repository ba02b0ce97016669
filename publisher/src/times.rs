//! When segments were captured, by the recorders' clock: what is added to the time that the local log has of each. Pure.
//!
//! A segment is always sent with the same capture time, by whichever run and whatever is done to our clock, as viewers may
//! have been shown it. So what is added, an offset, is noted in the spool before a segment goes out with it: from which
//! place of the local log on it counts. Segments that nobody has sent have none yet: it is found once a recorder has
//! answered, for those of this run by how our clock was set since, for those of earlier ones as if it had not been.

use broadcast::{CapturedAt, EventIndex, Millis, Segment};

/// Less than this, our clock was not set: it was read a moment late.
const LATE_MAX: Millis = Millis(100);
/// The same where a segment lies ahead of our clock, so that something else dates it: encoders are not that even.
const UNEVEN_MAX: Millis = Millis(2_000);
/// Timestamps are finer than our clock: this is rounding.
const ROUNDED_MAX: Millis = Millis(1);
/// In MPEG-TS, timestamps begin again after so many.
const TICKS: i64 = 1 << 33;
const TICKS_PER_MS: i64 = 90;
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

/// What says when a segment was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatedBy {
    /// It is as much later than one before it as its media is: it does not move when somebody sets our clock.
    Timestamps,
    /// Our clock, or whatever else moves with it.
    Clock,
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
    /// What is added to our clock to get the running time, as it was for the segment before.
    to_running: Option<Millis>,
    /// How much of that comes from settings of our clock that did not move the segments, as timestamps date them.
    not_followed: Millis,
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

    /// A segment has just been recorded in this run.
    pub(crate) fn recorded(&mut self, at: EventIndex, ended: CapturedAt, dated_by: DatedBy, clocks: Clocks) {
        let (not_followed, tolerated) = self.not_followed(ended, dated_by, clocks);
        self.not_followed = not_followed;
        self.to_running = Some(clocks.running - clocks.wall);
        let to_running = clocks.running - clocks.wall - not_followed;
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

    /// By how much our clock was set without moving this segment, and how exactly that is known.
    fn not_followed(&self, ended: CapturedAt, dated_by: DatedBy, clocks: Clocks) -> (Millis, Millis) {
        match (dated_by, self.to_running) {
            (DatedBy::Timestamps, Some(before)) => {
                let set_by = clocks.running - clocks.wall - before;
                let was_set = set_by.abs() > LATE_MAX;
                (if was_set { self.not_followed + set_by } else { self.not_followed }, LATE_MAX)
            }
            // It seems to end ahead: our clock was set back since it was dated.
            _ if ended > clocks.wall + UNEVEN_MAX => (ended - clocks.wall, UNEVEN_MAX),
            _ => (Millis(0), LATE_MAX),
        }
    }

    /// A moment of the newest segment, by the running time. With none of this run, by our clock as it is now.
    pub(crate) fn in_running_time(&self, at: CapturedAt, clocks: Clocks) -> CapturedAt {
        at + (clocks.running - clocks.wall - self.not_followed)
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

impl DatedBy {
    /// `before` are the latest ones of all renditions: they may have one timeline.
    pub(crate) fn of<'a>(segment: &Segment, mut before: impl Iterator<Item = &'a Segment>) -> Self {
        let goes_on = |before: &Segment| {
            let since = segment.media_start.0.wrapping_sub(before.media_start.0);
            let ticks = since.wrapping_add(TICKS / 2).rem_euclid(TICKS) - TICKS / 2;
            let by_timestamps = before.captured_at + Millis(ticks.div_euclid(TICKS_PER_MS));
            (segment.captured_at - by_timestamps).abs() <= ROUNDED_MAX
        };
        if before.any(goes_on) { Self::Timestamps } else { Self::Clock }
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

//! When segments were captured, by the recorders' clock: what is added to the time that the local log has of each. Pure.
//!
//! A segment is always sent with the same capture time, by whichever run and whatever is done to our clock, as viewers may
//! have been shown it. So what is added, an offset, is noted in the spool before a segment goes out with it: from which
//! place of the local log on it counts. Segments that nobody has sent have none yet: it is found once a recorder has
//! answered, for those of this run by how our clock was set since, for those of earlier ones as if it had not been.
//!
//! What timestamps date does not follow our clock, and several encoders may have timelines of their own. So a segment that goes
//! on from another one takes what is added to that one, whatever else was recorded meanwhile, and in whichever run.

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
    /// It is as much later than the one at this place as its media is: it does not move when somebody sets our clock.
    Timestamps(EventIndex),
    /// Our clock, or whatever else moves with it.
    Clock,
}

/// What is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    /// To get the recorders' time, as an earlier run has noted; nothing, if it has not learned that.
    Noted(Option<Millis>),
    /// To get the running time of this run; and from there to the recorders', once that is learned.
    Running { to_running: Millis, offset: Option<Millis> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Note {
    from: EventIndex,
    added: Added,
}

/// A segment of this run.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    at: EventIndex,
    ended: CapturedAt,
    dated_by: DatedBy,
    clocks: Clocks,
}

/// What is known beside the notes of earlier runs while those cannot be read.
#[derive(Clone, Debug, Default)]
struct Unread {
    earlier: Vec<(EventIndex, CapturedAt)>,
    recorded: Vec<Recorded>,
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
    unread: Option<Unread>,
}

impl Times {
    /// What earlier runs have noted cannot be read yet. Until it is, nothing of this is to be told.
    pub(crate) fn unread() -> Self {
        Self { unread: Some(Unread::default()), ..Self::default() }
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.unread.is_some()
    }

    /// What earlier runs have noted is read at last: all comes out as if it had been from the beginning.
    pub(crate) fn found(&mut self, noted: Self, clocks: Clocks) {
        let Some(Unread { earlier, recorded }) = self.unread.take() else { return };
        let before = std::mem::replace(self, noted);
        earlier.into_iter().for_each(|(at, ended)| self.earlier(at, ended));
        recorded
            .into_iter()
            .for_each(|Recorded { at, ended, dated_by, clocks }| self.recorded(at, ended, dated_by, clocks));
        if let Some(offset) = before.offset {
            self.learned(offset, clocks);
        }
    }

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
            let added = added.known().map_or("?".to_owned(), |added| added.0.to_string());
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
            self.notes.push(Note { from: at, added: Added::Noted(None) });
        }
        self.earlier.push((at, ended));
        if let Some(unread) = &mut self.unread {
            unread.earlier.push((at, ended));
        }
    }

    /// A segment has just been recorded in this run.
    pub(crate) fn recorded(&mut self, at: EventIndex, ended: CapturedAt, dated_by: DatedBy, clocks: Clocks) {
        if let Some(unread) = &mut self.unread {
            unread.recorded.push(Recorded { at, ended, dated_by, clocks });
        }
        // Only a log that has lost its end comes to a place again.
        let is_again = self.forget_from(at);
        let (added, tolerated) = match dated_by {
            DatedBy::Timestamps(before) => (self.goes_on_from(before, ended, clocks), Millis(0)),
            // It seems to end ahead: our clock was set back since it was dated.
            DatedBy::Clock if ended > clocks.wall + UNEVEN_MAX => (self.running(clocks.running - ended), UNEVEN_MAX),
            DatedBy::Clock => (self.running(clocks.running - clocks.wall), LATE_MAX),
        };
        let goes_on = self.notes.last().is_some_and(|last| last.added.is_near(added, tolerated));
        if !goes_on {
            self.notes.push(Note { from: at, added });
        }
        if self.notes.len() > NOTES_MAX {
            self.notes.remove(0);
        }
        self.changes += u64::from(is_again || !goes_on);
    }

    fn running(&self, to_running: Millis) -> Added {
        Added::Running { to_running, offset: self.offset }
    }

    /// What is added to a segment that is on the timeline of the one at `before`.
    fn goes_on_from(&mut self, before: EventIndex, ended: CapturedAt, clocks: Clocks) -> Added {
        // No later than now, and by our clock before somebody sets it again.
        let by_clock = self.running((clocks.running - clocks.wall).min(clocks.running - ended));
        let Some(nth) = self.note_of(before) else { return by_clock };
        let note = &mut self.notes[nth];
        if note.added == Added::Noted(None) {
            note.added = by_clock;
        }
        match note.added {
            Added::Running { to_running, .. } => self.running(to_running),
            noted @ Added::Noted(_) => noted,
        }
    }

    /// A moment of the newest segment, by the running time. With none of this run, by our clock as it is now.
    pub(crate) fn in_running_time(&self, at: CapturedAt, clocks: Clocks) -> CapturedAt {
        match self.notes.last() {
            Some(Note { added: Added::Running { to_running, .. }, .. }) => at + *to_running,
            _ => at + (clocks.running - clocks.wall),
        }
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
        for nth in 0..self.notes.len() {
            let in_time = |to_running: Millis, last: Option<CapturedAt>| {
                last.map_or(to_running, |ended| to_running.min(clocks.running - ended))
            };
            let to_running = match self.notes[nth].added {
                Added::Noted(Some(added)) => added - offset,
                Added::Noted(None) => in_time(clocks.running - clocks.wall, self.last_end_of(nth)),
                Added::Running { to_running, .. } => in_time(to_running, self.last_end_of(nth)),
            };
            self.changes += u64::from(self.notes[nth].added.known().is_none());
            self.notes[nth].added = Added::Running { to_running, offset: Some(offset) };
        }
        self.bring_back_what_lies_ahead(clocks.running, offset);
    }

    /// When the last segment of an earlier run ended that goes with this note.
    fn last_end_of(&self, nth: usize) -> Option<CapturedAt> {
        let next = self.notes.get(nth + 1).map(|next| next.from);
        let is_of_it = |at: EventIndex| self.notes[nth].from <= at && next.is_none_or(|next| at < next);
        self.earlier.iter().filter(|(at, _)| is_of_it(*at)).map(|(_, ended)| *ended).max()
    }

    /// Our clock was set, and the run before ended before it could note that: its last segments seem to lie ahead.
    fn bring_back_what_lies_ahead(&mut self, now: CapturedAt, offset: Millis) {
        let earlier = std::mem::take(&mut self.earlier);
        let lies_ahead = |(at, ended): &&(EventIndex, CapturedAt)| {
            self.get(*at).is_some_and(|added| *ended + added > now + offset + AHEAD_MAX)
        };
        let ahead = earlier.iter().rev().take_while(lies_ahead).count();
        let ahead = &earlier[earlier.len() - ahead..];
        let (Some((first, _)), Some(ended)) = (ahead.first(), ahead.iter().map(|(_, ended)| *ended).max()) else {
            return;
        };
        // What was recorded since has a note of its own.
        self.notes.retain(|note| note.from < *first || ahead.iter().all(|(at, _)| *at < note.from));
        let nth = self.notes.partition_point(|note| note.from < *first);
        self.notes.insert(nth, Note { from: *first, added: self.running(now - ended) });
        self.changes += 1;
    }

    /// What is added to the time that the local log has of the segment at this place; `None` before it is known.
    pub(crate) fn get(&self, at: EventIndex) -> Option<Millis> {
        self.notes[self.note_of(at)?].added.known()
    }

    /// Which note counts at a place. What was before the oldest goes with that.
    fn note_of(&self, at: EventIndex) -> Option<usize> {
        let before = self.notes.partition_point(|note| note.from <= at);
        (!self.notes.is_empty()).then(|| before.saturating_sub(1))
    }

    /// The same for the newest segment.
    pub(crate) fn latest(&self) -> Option<Millis> {
        self.get(EventIndex(u64::MAX))
    }
}

impl DatedBy {
    /// `before` are the latest ones of all renditions, and where they are: they may have one timeline.
    pub(crate) fn of<'a>(segment: &Segment, before: impl Iterator<Item = (EventIndex, &'a Segment)>) -> Self {
        let goes_on = |before: &Segment| {
            let since = segment.media_start.0.wrapping_sub(before.media_start.0);
            let ticks = since.wrapping_add(TICKS / 2).rem_euclid(TICKS) - TICKS / 2;
            let by_timestamps = before.captured_at + Millis(ticks.div_euclid(TICKS_PER_MS));
            (segment.captured_at - by_timestamps).abs() <= ROUNDED_MAX
        };
        let of_same = before.filter(|(_, before)| goes_on(before)).map(|(at, _)| at);
        of_same.max().map_or(Self::Clock, Self::Timestamps)
    }
}

impl Added {
    /// To get the recorders' time, if that is known.
    fn known(self) -> Option<Millis> {
        match self {
            Self::Noted(added) => added,
            Self::Running { to_running, offset } => offset.map(|offset| to_running + offset),
        }
    }

    fn is_near(self, other: Self, tolerated: Millis) -> bool {
        let both = match (self, other) {
            (Self::Running { to_running: one, offset: None }, Self::Running { to_running: other, offset: None }) => {
                Some((one, other))
            }
            _ => self.known().zip(other.known()),
        };
        both.is_some_and(|(one, other)| (one - other).abs() <= tolerated)
    }
}

fn read_note(line: &str) -> Option<Note> {
    let (from, added) = line.split_once(' ')?;
    let offset =
        |text: &str| text.parse().ok().map(Millis).filter(|offset| (-OFFSET_MAX.0..=OFFSET_MAX.0).contains(&offset.0));
    let added = if added == "?" { None } else { Some(offset(added)?) };
    Some(Note { from: EventIndex(from.parse().ok()?), added: Added::Noted(added) })
}

#[cfg(test)]
mod tests;

//! What may become of a Media Playlist between two moments (RFC 8216bis, 6.2.1): lines are appended, segments are
//! removed from the front with the tags that apply only to them, date ranges are removed, counters rise. Nothing else.

use super::reader::{DateRange, Kind, Playlist, Segment, read};
use super::well_formed::lost_attribute;
use super::{Rule, Violation};

/// Checks that `later` may follow `earlier` under the same URL.
pub fn transition(earlier: &str, later: &str) -> Result<(), Vec<Violation>> {
    let changed = earlier != later;
    let readable = |text| read(text).map_err(|violation| vec![violation]);
    let (earlier, later) = (readable(earlier)?, readable(later)?);
    let (from, to) = (earlier.media_sequence, later.media_sequence);
    if to < from {
        return Err(vec![Violation::new(Rule::MediaSequenceWentBack, format!("{from} -> {to}"))]);
    }
    let mut check = Check { earlier: &earlier, later: &later, found: Vec::new() };
    if changed && earlier.kind == Some(Kind::Vod) {
        check.fail(Rule::VodChanged, "");
    }
    check.header();
    check.counters();
    check.segments();
    check.date_ranges();
    check.removed_date_ranges();
    check.end();
    if check.found.is_empty() { Ok(()) } else { Err(check.found) }
}

struct Check<'a> {
    earlier: &'a Playlist,
    later: &'a Playlist,
    found: Vec<Violation>,
}

impl Check<'_> {
    fn fail(&mut self, rule: Rule, detail: impl Into<String>) {
        self.found.push(Violation::new(rule, detail));
    }

    fn header(&mut self) {
        let (earlier, later) = (self.earlier, self.later);
        if earlier.target_secs != later.target_secs {
            self.fail(Rule::TargetDurationChanged, format!("{:?} -> {:?}", earlier.target_secs, later.target_secs));
        }
        let same = [
            (earlier.version == later.version, "EXT-X-VERSION"),
            (earlier.kind == later.kind, "EXT-X-PLAYLIST-TYPE"),
            (earlier.server_control == later.server_control, "EXT-X-SERVER-CONTROL"),
            (earlier.independent_segments == later.independent_segments, "EXT-X-INDEPENDENT-SEGMENTS"),
        ];
        for (_, name) in same.iter().filter(|(same, _)| !same) {
            self.fail(Rule::HeaderChanged, *name);
        }
    }

    fn counters(&mut self) {
        let (earlier, later) = (self.earlier, self.later);
        let (from, to) = (earlier.media_sequence, later.media_sequence);
        if later.end() < earlier.end() {
            self.fail(Rule::TailRemoved, format!("to {} -> {}", earlier.end(), later.end()));
        }
        if earlier.kind == Some(Kind::Event) && to > from {
            self.fail(Rule::EventRemoved, format!("{from} -> {to}"));
        }
        let (held, least) = (later.duration_us(), later.target_secs.unwrap_or(0) * 3_000_000);
        if to > from && !later.ended && held < least {
            self.fail(Rule::WindowTooShort, format!("{held} us of at least {least}"));
        }
        let removed = earlier.segments.iter().filter(|segment| segment.msn < to);
        let expected = earlier.discontinuity_sequence + removed.filter(|segment| segment.discontinuity).count() as u64;
        let found = later.discontinuity_sequence;
        // Where more was removed than the earlier one had, at least as much was counted.
        let right = if to > earlier.end() { found >= expected } else { found == expected };
        if !right {
            self.fail(Rule::DiscontinuitySequence, format!("{found}, not {expected}"));
        }
    }

    fn segments(&mut self) {
        let later = self.later;
        for old in &self.earlier.segments {
            if let Some(new) = later.segment(old.msn) {
                self.segment(old, new, old.msn == later.media_sequence);
            }
        }
    }

    fn segment(&mut self, old: &Segment, new: &Segment, first: bool) {
        let before = self.found.len();
        let same = [
            (old.uri == new.uri, Rule::UriChanged),
            (old.bytes == new.bytes, Rule::ByteRangeChanged),
            (old.duration_us == new.duration_us, Rule::DurationChanged),
            (!old.gap || new.gap, Rule::GapBecameMedia),
            (old.gap || !new.gap, Rule::MediaBecameGap),
            (old.discontinuity == new.discontinuity, Rule::DiscontinuityChanged),
            (old.date_time_ms == new.date_time_ms, Rule::DateTimeChanged),
            // A tag that also applies to what stays is kept: it then stands before the first that is left.
            (old.map == new.map && (old.map_here == new.map_here || first), Rule::MapChanged),
        ];
        for (_, rule) in same.iter().filter(|(same, _)| !same) {
            self.fail(*rule, format!("{}: {:?} -> {:?}", old.msn, old.lines, new.lines));
        }
        if self.found.len() == before && old.lines != new.lines {
            self.fail(Rule::LinesChanged, format!("{}: {:?} -> {:?}", old.msn, old.lines, new.lines));
        }
    }

    /// Those of the later playlist are what is left of the earlier ones, in order, and then new ones at the end.
    fn date_ranges(&mut self) {
        let (earlier, later) = (self.earlier, self.later);
        let mut old = earlier.date_ranges.iter();
        let mut appended = false;
        for range in &later.date_ranges {
            let place = |old: &DateRange| old.before.max(later.media_sequence) == range.before;
            if !appended && old.any(|old| old.line == range.line && place(old)) {
                continue;
            }
            appended = true;
            if range.before < earlier.end() {
                self.fail(Rule::DateRangeInserted, &range.line);
            }
            let same = |old: &&DateRange| old.id == range.id;
            let changed = earlier.date_ranges.iter().filter(same).find_map(|old| lost_attribute(old, range));
            if let Some(name) = changed {
                self.fail(Rule::DateRangeChanged, format!("{} of {}", name, range.id));
            }
        }
    }

    /// A date range stays as long as its dates map to a segment that is listed; dates are taken to be right to a
    /// half a target duration. One that began before the first segment may have ended since.
    fn removed_date_ranges(&mut self) {
        let Some(first) = self.later.segments.first().and_then(|segment| segment.date_time_ms) else { return };
        let first = first + self.later.target_secs.unwrap_or(0).cast_signed() * 500;
        for range in &self.earlier.date_ranges {
            let lasts = range.date_ms("START-DATE") >= Some(first) || range.date_ms("END-DATE") > Some(first);
            let listed = self.later.date_ranges.iter().any(|other| other.id == range.id);
            if lasts && !listed {
                self.fail(Rule::DateRangeRemoved, &range.line);
            }
        }
    }

    fn end(&mut self) {
        if !self.earlier.ended {
            return;
        }
        if !self.later.ended {
            self.fail(Rule::EndRemoved, "");
        }
        let known = |range: &DateRange| self.earlier.date_ranges.iter().any(|old| old.line == range.line);
        if self.later.end() > self.earlier.end() || !self.later.date_ranges.iter().all(known) {
            self.fail(Rule::AddedAfterEnd, format!("{} -> {}", self.earlier.end(), self.later.end()));
        }
    }
}

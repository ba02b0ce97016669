//! The text of a Media Playlist (RFC 8216bis, 4).
//!
//! Writing is ours, because nothing at hand writes what we must: m3u8-rs drops EXT-X-GAP, EXT-X-SKIP and date ranges
//! between segments; quick-m3u8 formats each line into memory of its own, while a vod of hours is one answer, and
//! leaves out the comma that EXTINF must have (4.4.4.1). Reading what others push is m3u8-rs's job.

use std::io::Write;

use crate::ids::{Digest, FormatId};
use crate::live::{Content, DateRange, Entry, Item, Part, RangeKind};
use crate::policy::TargetDuration;
use crate::time::{CapturedAt, Millis};

/// EXT-X-VERSION: 9, for EXT-X-SKIP (RFC 8216bis, 8).
const VERSION: u32 = 9;
/// CLASS of our date ranges is this and the kind.
const CLASS: &str = "headwater.";

/// EXT-X-PLAYLIST-TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaylistType {
    /// None: a window that slides.
    Live,
    Event,
    Vod,
}

/// A Media Playlist about to be written.
pub(crate) struct Playlist<'a, I> {
    pub(crate) kind: PlaylistType,
    pub(crate) target: TargetDuration,
    /// In order, from the first that is listed.
    pub(crate) items: I,
    /// The init section of a format, where it needs one.
    pub(crate) init: &'a dyn Fn(FormatId) -> Option<Digest>,
    /// The format of the last media before the first item: its init section is still in force.
    pub(crate) before: Option<FormatId>,
    /// Whether to claim that every segment can be decoded by itself. A claim stays (RFC 8216bis, 6.2.1), so nothing
    /// that is not listed yet may break it.
    pub(crate) independent: bool,
    /// How many entries to leave out of a Playlist Delta Update; 0 for the whole.
    pub(crate) skip: usize,
}

/// How long an entry must have been listed before a delta update may leave it out (RFC 8216bis, 4.4.3.8: at least
/// six target durations).
pub(crate) fn skip_until(target: TargetDuration) -> Millis {
    Millis(target.millis().0 * 6)
}

impl<'a, I: Iterator<Item = &'a Item> + Clone> Playlist<'_, I> {
    pub(crate) fn render(&self) -> String {
        let mut out = Vec::with_capacity(512 + self.items.size_hint().0 * 110);
        self.head(&mut out);
        let mut writer = Writer { out, init: self.init, map: None, inherited: self.before };
        let mut to_skip = self.skip;
        if to_skip > 0 {
            writer.line(format_args!("#EXT-X-SKIP:SKIPPED-SEGMENTS={to_skip}"));
        }
        for item in self.items.clone() {
            match item {
                Item::Entry(entry) if to_skip > 0 => {
                    writer.pass(entry);
                    to_skip -= 1;
                }
                Item::Entry(entry) => writer.entry(entry),
                Item::Range(range) => writer.range(range),
                Item::End => writer.line(format_args!("#EXT-X-ENDLIST")),
            }
        }
        String::from_utf8(writer.out).expect("all that is written is ASCII")
    }

    fn head(&self, out: &mut Vec<u8>) {
        let first = self.items.clone().find_map(|item| match item {
            Item::Entry(entry) => Some(entry),
            Item::Range(_) | Item::End => None,
        });
        let msn = first.map_or(0, |entry| entry.msn);
        let discontinuities = first.map_or(0, |entry| entry.discontinuities - u64::from(entry.discontinuity));
        let target = self.target.secs();
        let kind = match self.kind {
            PlaylistType::Live => "",
            PlaylistType::Event => "#EXT-X-PLAYLIST-TYPE:EVENT\n",
            PlaylistType::Vod => "#EXT-X-PLAYLIST-TYPE:VOD\n",
        };
        let control = match self.kind {
            PlaylistType::Live | PlaylistType::Event => {
                let (skip, hold) = (skip_until(self.target).as_secs_f64(), 3 * target);
                format!("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={skip:.1},HOLD-BACK={hold}.0\n")
            }
            PlaylistType::Vod => String::new(),
        };
        // Writing to memory cannot fail.
        let _ = writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-TARGETDURATION:{target}");
        let _ = writeln!(out, "{kind}{control}#EXT-X-MEDIA-SEQUENCE:{msn}");
        if discontinuities > 0 {
            let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}");
        }
        if self.independent {
            out.extend_from_slice(b"#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
    }
}

struct Writer<'a> {
    out: Vec<u8>,
    init: &'a dyn Fn(FormatId) -> Option<Digest>,
    /// EXT-X-MAP in force.
    map: Option<Digest>,
    /// The format whose EXT-X-MAP would be in force if it were still listed.
    inherited: Option<FormatId>,
}

impl Writer<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.out, "{line}");
    }

    /// Notes what an entry that is left out has put in force.
    fn pass(&mut self, entry: &Entry) {
        let inherited = self.inherited.take();
        let format = entry.part().map(|part| part.segment.format).or(inherited);
        self.map = format.and_then(self.init).or(self.map);
    }

    fn entry(&mut self, entry: &Entry) {
        if entry.discontinuity {
            self.line(format_args!("#EXT-X-DISCONTINUITY"));
        }
        let inherited = self.inherited.take();
        if let Some(format) = entry.part().map(|part| part.segment.format).or(inherited) {
            self.map_of(format);
        }
        self.out.extend_from_slice(b"#EXT-X-PROGRAM-DATE-TIME:");
        push_date_time(&mut self.out, shown_at(entry));
        self.out.extend_from_slice(b"\n#EXTINF:");
        push_secs(&mut self.out, entry.extinf());
        self.out.extend_from_slice(b",\n");
        match &entry.content {
            Content::Media(part) => self.media(part),
            Content::Gap => self.line(format_args!(
                "#EXT-X-GAP\ngap-{}.{}",
                entry.msn,
                if self.map.is_some() { "m4s" } else { "ts" }
            )),
        }
    }

    fn map_of(&mut self, format: FormatId) {
        let init = (self.init)(format);
        if let Some(digest) = init.filter(|_| init != self.map) {
            self.line(format_args!("#EXT-X-MAP:URI=\"init-{digest}.mp4\""));
            self.map = init;
        }
    }

    fn media(&mut self, part: &Part) {
        if let Some(range) = part.bytes {
            self.line(format_args!("#EXT-X-BYTERANGE:{}@{}", range.len, range.offset));
        }
        push_number(&mut self.out, part.segment.seq.0);
        self.out.push(b'.');
        self.out.extend_from_slice(part.segment.container.extension().as_bytes());
        self.out.push(b'\n');
    }

    fn range(&mut self, range: &DateRange) {
        let (word, letter) = match range.kind {
            RangeKind::Interrupted => ("interrupted", 'i'),
            RangeKind::Paused => ("paused", 'p'),
            RangeKind::Recovered { .. } => ("recovered", 'r'),
        };
        let _ =
            write!(self.out, "#EXT-X-DATERANGE:ID=\"{letter}{}\",CLASS=\"{CLASS}{word}\",START-DATE=\"", range.number);
        push_date_time(&mut self.out, range.start);
        self.out.push(b'"');
        if let Some(end) = range.end {
            self.out.extend_from_slice(b",END-DATE=\"");
            push_date_time(&mut self.out, end);
            self.out.extend_from_slice(b"\",DURATION=");
            push_secs(&mut self.out, (end - range.start).as_secs_f64());
        }
        if let RangeKind::Recovered { seqs } = range.kind {
            let _ = write!(self.out, ",X-URI=\"catchup.m3u8?from={0}\",X-FROM={0},X-TO={1}", seqs.first, seqs.last);
        }
        self.out.push(b'\n');
    }
}

/// What PROGRAM-DATE-TIME says: when the media was captured, the same in every view.
fn shown_at(entry: &Entry) -> CapturedAt {
    match &entry.content {
        Content::Media(part) => part.captured_at,
        Content::Gap => entry.from,
    }
}

/// Seconds with up to six decimals, at least one.
fn push_secs(out: &mut Vec<u8>, secs: f64) {
    // No length comes near what this could not hold; none is negative.
    let micros = (secs * 1e6).round() as u64;
    push_number(out, micros / 1_000_000);
    let mut fraction = *b".000000";
    set_digits(&mut fraction[1..], micros % 1_000_000);
    let zeros = fraction[2..].iter().rev().take_while(|digit| **digit == b'0').count();
    out.extend_from_slice(&fraction[..fraction.len() - zeros]);
}

/// ISO 8601 with milliseconds, UTC. By hand, and at once: it is most of what a long playlist consists of.
fn push_date_time(out: &mut Vec<u8>, at: CapturedAt) {
    let (days, ms_of_day) = (at.0.div_euclid(86_400_000), at.0.rem_euclid(86_400_000).cast_unsigned());
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push(b'-');
    }
    if year.unsigned_abs() > 9_999 {
        push_number(out, year.unsigned_abs() / 10_000);
    }
    let mut text = *b"0000-00-00T00:00:00.000Z";
    set_digits(&mut text[..4], year.unsigned_abs());
    set_digits(&mut text[5..7], month.cast_unsigned());
    set_digits(&mut text[8..10], day.cast_unsigned());
    set_digits(&mut text[11..13], ms_of_day / 3_600_000);
    set_digits(&mut text[14..16], ms_of_day / 60_000 % 60);
    set_digits(&mut text[17..19], ms_of_day / 1000 % 60);
    set_digits(&mut text[20..23], ms_of_day % 1000);
    out.extend_from_slice(&text);
}

/// A fraction of the time that the formatting machinery takes.
fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let len = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    set_digits(&mut digits[..len], number);
    out.extend_from_slice(&digits[..len]);
}

/// Fills `place` with the last digits of a number.
fn set_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// The proleptic Gregorian date of a number of days since 1970-01-01, counted in eras of 400 years that begin in
/// March, so that the leap day comes last.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        let check = |ms: i64, expected: &str| {
            let mut out = Vec::new();
            push_date_time(&mut out, CapturedAt(ms));
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_251_199_001, "2024-02-29T23:59:59.001Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(-62_198_755_200_000, "-0001-01-01T00:00:00.000Z");
        check(253_402_300_800_000, "10000-01-01T00:00:00.000Z");
    }

    #[test]
    fn seconds_are_short() {
        let check = |secs: f64, expected: &str| {
            let mut out = Vec::new();
            push_secs(&mut out, secs);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(2.0, "2.0");
        check(2.002, "2.002");
        check(1.0 / 3.0, "0.333333");
        check(10.0, "10.0");
        check(0.0, "0.0");
        check(0.000_001, "0.000001");
        check(3_600.5, "3600.5");
        check(180_180.0 / 90_000.0, "2.002");
        check(1.999_999_9, "2.0");
    }
}

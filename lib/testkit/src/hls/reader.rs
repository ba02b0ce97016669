//! Reads the text of a Media Playlist into what it says of each media sequence number.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{attributes, date_time, integer, micros, unquoted};
use super::{Rule, Violation};

/// EXT-X-PLAYLIST-TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Event,
    Vod,
}

/// A Media Playlist, or a Playlist Delta Update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Playlist {
    pub version: u64,
    pub target_secs: Option<u64>,
    pub kind: Option<Kind>,
    pub server_control: Option<BTreeMap<String, String>>,
    pub independent_segments: bool,
    pub media_sequence: u64,
    pub discontinuity_sequence: u64,
    /// Of EXT-X-SKIP: that many segments are left out at the front.
    pub skipped: u64,
    pub segments: Vec<Segment>,
    pub date_ranges: Vec<DateRange>,
    pub ended: bool,
}

/// One Media Segment and all that applies to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub msn: u64,
    pub uri: String,
    pub bytes: Option<ByteRange>,
    /// Of EXTINF.
    pub duration_us: u64,
    pub gap: bool,
    pub discontinuity: bool,
    /// Its Discontinuity Sequence Number.
    pub discontinuities: u64,
    /// Of PROGRAM-DATE-TIME: milliseconds since 1970.
    pub date_time_ms: Option<i64>,
    /// The EXT-X-MAP in force, as written.
    pub map: Option<String>,
    /// Whether it stands right here.
    pub map_here: bool,
    /// As written, without EXT-X-MAP.
    pub lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    pub len: u64,
    pub offset: u64,
}

/// EXT-X-DATERANGE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateRange {
    pub id: String,
    /// All of them, as written.
    pub attributes: BTreeMap<String, String>,
    /// The media sequence number of the segment that comes next.
    pub before: u64,
    pub line: String,
}

impl Playlist {
    /// The media sequence number after the last.
    pub fn end(&self) -> u64 {
        self.media_sequence + self.skipped + self.segments.len() as u64
    }

    /// Of all that is listed.
    pub fn duration_us(&self) -> u64 {
        self.segments.iter().map(|segment| segment.duration_us).sum()
    }

    pub fn segment(&self, msn: u64) -> Option<&Segment> {
        let place = msn.checked_sub(self.segments.first()?.msn)?;
        self.segments.get(usize::try_from(place).ok()?)
    }
}

impl DateRange {
    /// Of an attribute that is a date.
    pub fn date_ms(&self, name: &str) -> Option<i64> {
        date_time(unquoted(self.attributes.get(name)?)?)
    }
}

/// Reads a playlist; the first thing that is wrong with its form ends it.
pub fn read(text: &str) -> Result<Playlist, Violation> {
    let mut lines = text.lines();
    if lines.next() != Some("#EXTM3U") {
        return Err(Violation::new(Rule::FirstLine, "the first line is not #EXTM3U"));
    }
    let mut reader = Reader { playlist: Playlist { version: 1, ..Playlist::default() }, ..Reader::default() };
    for line in lines {
        reader.line(line).map_err(|detail| Violation::new(reader.blame, format!("{line:?}: {detail}")))?;
    }
    reader.finish(text)
}

struct Reader {
    playlist: Playlist,
    /// What has been said of the segment to come.
    next: Next,
    /// Tags that may stand only once.
    seen: BTreeSet<String>,
    map: Option<String>,
    discontinuities: u64,
    blame: Rule,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            playlist: Playlist::default(),
            next: Next::default(),
            seen: BTreeSet::new(),
            map: None,
            discontinuities: 0,
            blame: Rule::Syntax,
        }
    }
}

#[derive(Default)]
struct Next {
    lines: Vec<String>,
    duration_us: Option<u64>,
    bytes: Option<ByteRange>,
    gap: bool,
    discontinuity: bool,
    date_time_ms: Option<i64>,
    map_here: bool,
}

type Read = Result<(), String>;

impl Reader {
    fn line(&mut self, line: &str) -> Read {
        if self.playlist.ended {
            self.blame = Rule::AfterEnd;
            return Err("follows the end".into());
        }
        match line.strip_prefix('#') {
            None => self.uri(line),
            Some(tag) => {
                let (name, value) = tag.split_once(':').map_or((tag, None), |(name, value)| (name, Some(value)));
                self.tag(name, value, line)
            }
        }
    }

    fn tag(&mut self, name: &str, value: Option<&str>, line: &str) -> Read {
        let of_the_playlist = !matches!(
            name,
            "EXTINF"
                | "EXT-X-DISCONTINUITY"
                | "EXT-X-PROGRAM-DATE-TIME"
                | "EXT-X-MAP"
                | "EXT-X-BYTERANGE"
                | "EXT-X-GAP"
                | "EXT-X-DATERANGE"
        );
        if of_the_playlist && !self.seen.insert(name.into()) {
            return Err("stands twice".into());
        }
        if of_the_playlist && name != "EXT-X-ENDLIST" && !(self.playlist.segments.is_empty() && self.next.is_empty()) {
            return Err("must stand before the first segment".into());
        }
        match (name, value) {
            ("EXT-X-INDEPENDENT-SEGMENTS", None) => self.playlist.independent_segments = true,
            ("EXT-X-ENDLIST", None) => self.playlist.ended = true,
            ("EXT-X-DISCONTINUITY", None) => once(&mut self.next.discontinuity)?,
            ("EXT-X-GAP", None) => once(&mut self.next.gap)?,
            (_, Some(value)) => return self.valued_tag(name, value, line),
            _ => return Err("unknown tag".into()),
        }
        if matches!(name, "EXT-X-DISCONTINUITY" | "EXT-X-GAP") {
            self.next.lines.push(line.into());
        }
        Ok(())
    }

    fn valued_tag(&mut self, name: &str, value: &str, line: &str) -> Read {
        let number = || integer(value).ok_or("not a number".to_owned());
        match name {
            "EXT-X-VERSION" => self.playlist.version = number()?,
            "EXT-X-TARGETDURATION" => self.playlist.target_secs = Some(number()?),
            "EXT-X-MEDIA-SEQUENCE" => self.playlist.media_sequence = number()?,
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.playlist.discontinuity_sequence = number()?;
                self.discontinuities = self.playlist.discontinuity_sequence;
            }
            "EXT-X-PLAYLIST-TYPE" => {
                self.playlist.kind = Some(match value {
                    "EVENT" => Kind::Event,
                    "VOD" => Kind::Vod,
                    _ => return Err("unknown type".into()),
                });
            }
            "EXT-X-SERVER-CONTROL" => self.playlist.server_control = Some(attributes(value)?),
            "EXT-X-SKIP" => {
                let skipped = attributes(value)?.get("SKIPPED-SEGMENTS").and_then(|count| integer(count));
                self.playlist.skipped = skipped.filter(|count| *count > 0).ok_or("nothing is skipped")?;
            }
            "EXT-X-DATERANGE" => return self.date_range(value, line),
            _ => return self.segment_tag(name, value, line),
        }
        Ok(())
    }

    fn segment_tag(&mut self, name: &str, value: &str, line: &str) -> Read {
        let next = &mut self.next;
        match name {
            "EXTINF" => {
                let secs = value.strip_suffix(',').and_then(micros).ok_or("not a duration")?;
                set(&mut next.duration_us, secs)?;
            }
            "EXT-X-PROGRAM-DATE-TIME" => set(&mut next.date_time_ms, date_time(value).ok_or("not a date")?)?,
            "EXT-X-BYTERANGE" => {
                let (len, offset) = value.split_once('@').ok_or("no offset")?;
                let range = integer(len).zip(integer(offset)).filter(|(len, _)| *len > 0);
                let (len, offset) = range.ok_or("not a byte range")?;
                set(&mut next.bytes, ByteRange { len, offset })?;
            }
            "EXT-X-MAP" => {
                if next.map_here || attributes(value)?.get("URI").and_then(|uri| unquoted(uri)).is_none() {
                    return Err("stands twice, or has no URI".into());
                }
                (next.map_here, self.map) = (true, Some(value.to_owned()));
                return Ok(());
            }
            _ => return Err("unknown tag".into()),
        }
        next.lines.push(line.into());
        Ok(())
    }

    fn date_range(&mut self, value: &str, line: &str) -> Read {
        let attributes = attributes(value)?;
        let id = attributes.get("ID").and_then(|id| unquoted(id)).ok_or("no ID")?.to_owned();
        let before = self.playlist.end();
        if !self.next.is_empty() {
            return Err("stands among the lines of a segment".into());
        }
        self.playlist.date_ranges.push(DateRange { id, attributes, before, line: line.into() });
        Ok(())
    }

    fn uri(&mut self, line: &str) -> Read {
        if line.is_empty() || !line.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("not a URI".into());
        }
        let mut next = std::mem::take(&mut self.next);
        next.lines.push(line.into());
        self.discontinuities += u64::from(next.discontinuity);
        let segment = Segment {
            msn: self.playlist.end(),
            uri: line.into(),
            bytes: next.bytes,
            duration_us: next.duration_us.ok_or("no EXTINF")?,
            gap: next.gap,
            discontinuity: next.discontinuity,
            discontinuities: self.discontinuities,
            date_time_ms: next.date_time_ms,
            map: self.map.clone(),
            map_here: next.map_here,
            lines: next.lines,
        };
        self.playlist.segments.push(segment);
        Ok(())
    }

    fn finish(self, text: &str) -> Result<Playlist, Violation> {
        if !self.next.is_empty() || !text.ends_with('\n') {
            return Err(Violation::new(Rule::Syntax, "the last segment is cut short"));
        }
        Ok(self.playlist)
    }
}

impl Next {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.map_here
    }
}

fn once(flag: &mut bool) -> Read {
    if std::mem::replace(flag, true) { Err("stands twice".into()) } else { Ok(()) }
}

fn set<T>(place: &mut Option<T>, value: T) -> Read {
    if place.replace(value).is_some() { Err("stands twice".into()) } else { Ok(()) }
}

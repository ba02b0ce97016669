//! The init section: which tracks a rendition in fragmented MP4 has (RFC 8216bis 3.1.3, ISO/IEC 14496-12 8).

use std::num::NonZeroU32;

use thiserror::Error;

use super::boxes::{BadBox, Boxes, FourCc, Mp4Box, version_and_flags};
use super::pictures::NalUnits;
use super::sample_entry::{self, SampleEntry};
use crate::inspection::{codecs, resolution};
use crate::parameters::Digester;
use crate::reader::Reader;
use crate::{ParametersDigest, Resolution, TRACKS_MAX, Track, TrackKind};

/// Longer init sections are refused: real ones have one or two kilobytes.
pub const INIT_LEN_MAX: usize = 1024 * 1024;

/// The Media Initialization Section of a rendition in fragmented MP4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitSection {
    tracks: Vec<InitTrack>,
    parameters: ParametersDigest,
}

/// One track, and what its fragments leave unsaid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitTrack {
    pub track: Track,
    /// Units per second of the track's times.
    pub timescale: NonZeroU32,
    pub(super) defaults: SampleDefaults,
    /// Presentation time is composition time less this, in units of `timescale`: from the edit list.
    pub(super) edit_offset: i64,
    /// Of video that has such.
    pub(super) nal_units: Option<NalUnits>,
}

/// What `trex` says of samples of which nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SampleDefaults {
    pub(super) duration: u32,
    pub(super) flags: u32,
}

impl InitSection {
    /// Reads a whole init section.
    ///
    /// # Errors
    /// If it is none, is malformed, too long, encrypted, or has no tracks of fragments.
    pub fn parse(bytes: &[u8]) -> Result<Self, InitError> {
        if bytes.len() > INIT_LEN_MAX {
            return Err(InitError::TooLong { len: bytes.len() });
        }
        let mut movie = None;
        for found in Boxes::new(bytes, 0) {
            let found = found?;
            match &found.kind {
                b"moov" if movie.is_none() => movie = Some(parse_movie(&found)?),
                b"moof" | b"mdat" => return Err(InitError::MediaInside { offset: found.offset }),
                _ => {}
            }
        }
        movie.ok_or(InitError::NoMovie)?.finish()
    }

    pub fn tracks(&self) -> &[InitTrack] {
        &self.tracks
    }

    /// Segments of init sections with equal digests can be played with either: tracks, decoder configuration, placement
    /// of the picture, timescales, edit list and defaults are the same.
    pub fn parameters(&self) -> ParametersDigest {
        self.parameters
    }

    /// As [`crate::Inspection::codecs`].
    pub fn codecs(&self) -> String {
        codecs(self.tracks.iter().map(|entry| &entry.track))
    }

    /// As [`crate::Inspection::resolution`].
    pub fn resolution(&self) -> Option<Resolution> {
        resolution(self.tracks.iter().map(|entry| &entry.track))
    }
}

/// Why bytes are not an init section that can be taken. Offsets are in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InitError {
    #[error("init section of {len} bytes, at most {INIT_LEN_MAX} are taken")]
    TooLong { len: usize },
    #[error("malformed box `{kind}` at byte {offset}")]
    BadBox { kind: FourCc, offset: u64 },
    #[error("no `moov` box: not an init section")]
    NoMovie,
    #[error("media at byte {offset}: not an init section alone")]
    MediaInside { offset: u64 },
    #[error("no `mvex` box: not fragmented")]
    NotFragmented,
    #[error("no audio or video track")]
    NoTracks,
    #[error("more than {TRACKS_MAX} tracks, at byte {offset}")]
    TooManyTracks { offset: u64 },
    #[error("two tracks have the id {track}")]
    DuplicateTrack { track: u32 },
    #[error("track at byte {offset} is encrypted")]
    Encrypted { offset: u64 },
}

impl From<BadBox> for InitError {
    fn from(BadBox { kind, offset }: BadBox) -> Self {
        Self::BadBox { kind, offset }
    }
}

/// What `moov` has.
#[derive(Default)]
struct Movie {
    timescale: u32,
    tracks: Vec<MovieTrack>,
    defaults: Option<Vec<(u32, SampleDefaults)>>,
}

struct MovieTrack {
    id: u32,
    placement: Placement,
    timescale: NonZeroU32,
    entry: SampleEntry,
    edits: Edits,
}

/// The end of `tkhd`: the matrix, which says how the picture is turned, and the size to show it in.
type Placement = [u8; 44];

/// The two edits that matter: nothing for a while, then the media from some time on.
#[derive(Clone, Copy, Default)]
struct Edits {
    /// In units of the movie's timescale.
    empty: u64,
    /// In units of the track's timescale.
    media_time: i64,
}

impl Movie {
    fn finish(self) -> Result<InitSection, InitError> {
        let defaults = self.defaults.as_deref().ok_or(InitError::NotFragmented)?;
        let mut digester = Digester::new();
        digester.bytes(b"fmp4");
        let mut tracks: Vec<InitTrack> = Vec::new();
        for track in &self.tracks {
            if tracks.iter().any(|other| other.track.id == track.id) {
                return Err(InitError::DuplicateTrack { track: track.id });
            }
            digester.number(u64::from(track.id)).number(u64::from(track.timescale.get()));
            track.entry.digest(&mut digester);
            let edit_offset = track.edit_offset(self.timescale);
            let own = defaults.iter().find(|(id, _)| *id == track.id);
            let defaults = own.map(|(_, found)| *found).unwrap_or_default();
            digester.bytes(&track.placement).number(edit_offset.cast_unsigned());
            digester.number(u64::from(defaults.duration)).number(u64::from(defaults.flags));
            tracks.push(InitTrack {
                track: Track {
                    id: track.id,
                    kind: track.entry.kind,
                    codec: track.entry.codec.clone(),
                    frame_rate: None,
                },
                timescale: track.timescale,
                defaults,
                edit_offset,
                nal_units: track.entry.nal_units,
            });
        }
        if tracks.iter().all(|entry| entry.track.kind == TrackKind::Other) {
            return Err(InitError::NoTracks);
        }
        Ok(InitSection { tracks, parameters: digester.finish() })
    }
}

impl MovieTrack {
    fn edit_offset(&self, movie_timescale: u32) -> i64 {
        let movie_timescale = u128::from(movie_timescale.max(1));
        let empty = u128::from(self.edits.empty) * u128::from(self.timescale.get());
        let empty = i64::try_from((empty + movie_timescale / 2) / movie_timescale).unwrap_or(i64::MAX);
        self.edits.media_time.saturating_sub(empty)
    }
}

fn parse_movie(moov: &Mp4Box<'_>) -> Result<Movie, InitError> {
    let mut movie = Movie::default();
    for found in moov.children(0) {
        let found = found?;
        match &found.kind {
            b"mvhd" => movie.timescale = found.complete(parse_timescale(found.body))?,
            b"mvex" => movie.defaults = Some(parse_extends(&found)?),
            b"trak" if movie.tracks.len() == TRACKS_MAX => {
                return Err(InitError::TooManyTracks { offset: found.offset });
            }
            b"trak" => movie.tracks.push(parse_track(&found)?),
            _ => {}
        }
    }
    Ok(movie)
}

/// Of `mvhd` and `mdhd`.
fn parse_timescale(body: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(body);
    let (version, _) = version_and_flags(&mut reader)?;
    reader.skip(if version == 1 { 16 } else { 8 })?; // creation and modification time
    reader.u32()
}

fn parse_extends(mvex: &Mp4Box<'_>) -> Result<Vec<(u32, SampleDefaults)>, InitError> {
    let mut extends = Vec::new();
    for found in mvex.children(0) {
        let found = found?;
        if &found.kind == b"trex" {
            if extends.len() == TRACKS_MAX {
                return Err(InitError::TooManyTracks { offset: found.offset });
            }
            extends.push(found.complete(parse_track_extends(found.body))?);
        }
    }
    Ok(extends)
}

fn parse_track_extends(body: &[u8]) -> Option<(u32, SampleDefaults)> {
    let mut reader = Reader::new(body);
    version_and_flags(&mut reader)?;
    let track = reader.u32()?;
    reader.skip(4)?; // sample description index
    let duration = reader.u32()?;
    reader.skip(4)?; // size
    Some((track, SampleDefaults { duration, flags: reader.u32()? }))
}

fn parse_track(trak: &Mp4Box<'_>) -> Result<MovieTrack, InitError> {
    let mut header = None;
    let mut media = None;
    let mut edits = Edits::default();
    for found in trak.children(0) {
        let found = found?;
        match &found.kind {
            b"tkhd" => header = Some(found.complete(parse_track_header(found.body))?),
            b"mdia" => media = Some(parse_media(&found)?),
            b"edts" => edits = parse_edits(&found)?,
            _ => {}
        }
    }
    let (id, placement) = trak.complete(header)?;
    let (timescale, entry) = trak.complete(media)?;
    Ok(MovieTrack { id, placement, timescale, entry, edits })
}

fn parse_track_header(body: &[u8]) -> Option<(u32, Placement)> {
    let mut reader = Reader::new(body);
    let (version, _) = version_and_flags(&mut reader)?;
    reader.skip(if version == 1 { 16 } else { 8 })?; // creation and modification time
    Some((reader.u32()?, *reader.rest().last_chunk()?))
}

fn parse_edits(edts: &Mp4Box<'_>) -> Result<Edits, InitError> {
    for found in edts.children(0) {
        let found = found?;
        if &found.kind == b"elst" {
            return Ok(found.complete(parse_edit_list(found.body))?);
        }
    }
    Ok(Edits::default())
}

fn parse_edit_list(body: &[u8]) -> Option<Edits> {
    let mut reader = Reader::new(body);
    let (version, _) = version_and_flags(&mut reader)?;
    let count = reader.u32()?;
    let mut edits = Edits::default();
    for _ in 0..count {
        let (duration, media_time) = match version {
            1 => (reader.u64()?, reader.u64()?.cast_signed()),
            _ => (u64::from(reader.u32()?), i64::from(reader.u32()?.cast_signed())),
        };
        reader.skip(4)?; // rate
        if media_time >= 0 {
            edits.media_time = media_time;
            break;
        }
        edits.empty = edits.empty.saturating_add(duration);
    }
    Some(edits)
}

fn parse_media(mdia: &Mp4Box<'_>) -> Result<(NonZeroU32, SampleEntry), InitError> {
    let mut timescale = None;
    let mut handler = None;
    let mut description = None;
    for found in mdia.children(0) {
        let found = found?;
        match &found.kind {
            b"mdhd" => timescale = Some(found.complete(parse_timescale(found.body).and_then(NonZeroU32::new))?),
            b"hdlr" => handler = Some(found.complete(parse_handler(found.body))?),
            b"minf" => description = find_description(&found)?,
            _ => {}
        }
    }
    let timescale = mdia.complete(timescale)?;
    let handler = mdia.complete(handler)?;
    let description = mdia.complete(description)?;
    Ok((timescale, sample_entry::parse(&description, handler)?))
}

fn parse_handler(body: &[u8]) -> Option<[u8; 4]> {
    let mut reader = Reader::new(body);
    reader.skip(8)?; // version, flags, predefined
    reader.array()
}

/// `minf` / `stbl` / `stsd`.
fn find_description<'a>(minf: &Mp4Box<'a>) -> Result<Option<Mp4Box<'a>>, BadBox> {
    let Some(table) = find(minf, b"stbl")? else { return Ok(None) };
    find(&table, b"stsd")
}

fn find<'a>(parent: &Mp4Box<'a>, kind: &[u8; 4]) -> Result<Option<Mp4Box<'a>>, BadBox> {
    for found in parent.children(0) {
        let found = found?;
        if &found.kind == kind {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

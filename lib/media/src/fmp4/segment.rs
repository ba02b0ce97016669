//! Walks over the boxes of a segment as they pass: `moof` is read, everything else is skipped.

use super::boxes::{BadBox, BoxSize, Boxes, FourCc, Header, LARGE_HEADER_LEN, Mp4Box, NotHeader};
use super::fragment::{Run, Sample, TrackHeader, parse_decode_time};
use super::init::{InitSection, InitTrack, SampleDefaults};
use super::pictures::Pictures;
use crate::time::to_ticks;
use crate::{
    CUTS_MAX, Container, Cut, FRAMES_MAX, FrameRate, InspectError, Inspection, MediaDuration, MediaTime,
    ParametersDigest, Track,
};

/// The longest `moof` that is taken: with 16 bytes a sample, and audio and video both at [`FRAMES_MAX`].
pub const MOOF_LEN_MAX: u64 = 1024 * 1024 + 64 * 1024;

/// The walk over one segment.
#[derive(Debug)]
pub(crate) struct Fragments {
    state: State,
    /// Of the next byte.
    offset: u64,
    /// Where the boxes start that belong to the next fragment: after the last `mdat`.
    chunk_start: Option<u64>,
    last_fragment: LastFragment,
    tracks: Vec<TrackState>,
    leading: Option<usize>,
    cuts: Vec<(u64, i128)>,
    /// Of the leading track.
    pictures: Pictures,
    /// Fragments can be moved, as cutting does.
    can_cut: bool,
    parameters: ParametersDigest,
}

#[derive(Debug)]
enum State {
    Header { bytes: [u8; LARGE_HEADER_LEN], len: usize },
    Skip { offset: u64, left: u64 },
    SkipToEnd,
    Gather { offset: u64, len: usize, bytes: Vec<u8> },
}

#[derive(Clone, Copy, Debug)]
enum LastFragment {
    None,
    /// The `moof` at `offset` has come, its `mdat` has not.
    AwaitsMedia {
        offset: u64,
    },
    Complete,
}

/// Where a track fragment is, in bytes from the start of the segment.
#[derive(Clone, Copy, Debug)]
struct FragmentPlace {
    /// Of the fragment, what comes before its `moof` included.
    start: u64,
    moof: u64,
    /// The first of its `moof`.
    is_first: bool,
}

const NO_HEADER: State = State::Header { bytes: [0; LARGE_HEADER_LEN], len: 0 };

/// Times are in units of the track's timescale, after the edit list.
#[derive(Debug)]
struct TrackState {
    init: InitTrack,
    frames: usize,
    first: Option<i128>,
    /// The latest end of any sample, and whether the sample has no duration of its own.
    end: i128,
    end_is_open: bool,
    /// Where the next sample is decoded.
    decode_time: Option<u64>,
    last_duration: u32,
    keyframe_start: bool,
}

impl Fragments {
    pub(crate) fn new(init: &InitSection) -> Self {
        let tracks: Vec<TrackState> = init.tracks().iter().map(TrackState::new).collect();
        let find = |wanted: fn(&Track) -> bool| tracks.iter().position(|state| wanted(&state.init.track));
        let leading = find(Track::is_video).or_else(|| find(Track::is_audio));
        Self {
            state: NO_HEADER,
            offset: 0,
            chunk_start: None,
            last_fragment: LastFragment::None,
            leading,
            pictures: Pictures::new(leading.and_then(|leading| tracks[leading].init.nal_units)),
            tracks,
            cuts: Vec::new(),
            can_cut: true,
            parameters: init.parameters(),
        }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), InspectError> {
        while !bytes.is_empty() {
            let taken = match std::mem::replace(&mut self.state, State::SkipToEnd) {
                State::Header { bytes: head, len } => self.header(head, len, bytes)?,
                State::Skip { offset, left } => self.skip(offset, left, bytes),
                State::SkipToEnd => {
                    self.pictures.pass(self.offset, bytes);
                    bytes.len()
                }
                State::Gather { offset, len, bytes: gathered } => self.gather(offset, len, gathered, bytes)?,
            };
            self.offset += taken as u64;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Reads on in a box header; tells how many of `bytes` it took.
    fn header(&mut self, mut head: [u8; LARGE_HEADER_LEN], len: usize, bytes: &[u8]) -> Result<usize, InspectError> {
        let offset = self.offset - len as u64;
        let added = bytes.len().min(LARGE_HEADER_LEN - len);
        head[len..][..added].copy_from_slice(&bytes[..added]);
        match Header::parse(&head[..len + added]) {
            Ok(header) => {
                self.begin(header, offset)?;
                Ok(header.header_len - len)
            }
            Err(NotHeader::Invalid(kind)) => Err(InspectError::BadBox { kind, offset }),
            Err(NotHeader::Short) => {
                self.state = State::Header { bytes: head, len: len + added };
                Ok(added)
            }
        }
    }

    fn begin(&mut self, header: Header, offset: u64) -> Result<(), InspectError> {
        let kind = header.kind;
        self.state = match (&kind.0, header.size) {
            (b"moof", BoxSize::Bytes(len)) if len > MOOF_LEN_MAX => {
                return Err(InspectError::MoofTooLong { len, offset });
            }
            (b"moof", BoxSize::ToEnd) => return Err(InspectError::BadBox { kind, offset }),
            (b"moof", BoxSize::Bytes(len)) => {
                let len = len as usize - header.header_len;
                State::Gather { offset, len, bytes: Vec::new() }
            }
            (b"ftyp" | b"moov", _) => return Err(InspectError::UnexpectedBox { kind, offset }),
            _ if !is_name(kind) => return Err(InspectError::UnexpectedBox { kind, offset }),
            (_, BoxSize::ToEnd) => State::SkipToEnd,
            (_, BoxSize::Bytes(len)) => State::Skip { offset, left: len - header.header_len as u64 },
        };
        match &kind.0 {
            b"mdat" => {
                self.chunk_start = None;
                if let LastFragment::AwaitsMedia { .. } = self.last_fragment {
                    self.last_fragment = LastFragment::Complete;
                }
            }
            _ => _ = self.chunk_start.get_or_insert(offset),
        }
        // Boxes without contents do not wait for more bytes.
        match self.state {
            State::Skip { left: 0, .. } => self.state = NO_HEADER,
            State::Gather { len: 0, .. } => {
                self.state = NO_HEADER;
                self.fragment(&[], offset, header.header_len)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn skip(&mut self, offset: u64, left: u64, bytes: &[u8]) -> usize {
        let taken = left.min(bytes.len() as u64);
        let left = left - taken;
        self.pictures.pass(self.offset, &bytes[..taken as usize]);
        self.state = if left == 0 { NO_HEADER } else { State::Skip { offset, left } };
        taken as usize
    }

    fn gather(&mut self, offset: u64, len: usize, mut gathered: Vec<u8>, bytes: &[u8]) -> Result<usize, InspectError> {
        let taken = bytes.len().min(len - gathered.len());
        let header_len = (self.offset - offset) as usize - gathered.len();
        if taken == len {
            self.state = NO_HEADER;
            self.fragment(&bytes[..taken], offset, header_len)?;
            return Ok(taken);
        }
        gathered.extend_from_slice(&bytes[..taken]);
        if gathered.len() == len {
            self.state = NO_HEADER;
            self.fragment(&gathered, offset, header_len)?;
        } else {
            self.state = State::Gather { offset, len, bytes: gathered };
        }
        Ok(taken)
    }

    /// Reads a whole `moof`.
    fn fragment(&mut self, body: &[u8], offset: u64, header_len: usize) -> Result<(), InspectError> {
        let start = self.chunk_start.unwrap_or(offset);
        self.last_fragment = LastFragment::AwaitsMedia { offset };
        let mut place = FragmentPlace { start, moof: offset, is_first: true };
        for found in Boxes::new(body, offset + header_len as u64) {
            let found = found?;
            if &found.kind == b"traf" {
                self.track_fragment(&found, place)?;
                place.is_first = false;
            }
        }
        Ok(())
    }

    fn track_fragment(&mut self, traf: &Mp4Box<'_>, place: FragmentPlace) -> Result<(), InspectError> {
        let FragmentPlace { start, moof, is_first: is_first_of_moof } = place;
        let mut header = None;
        let mut decode_time = None;
        for found in traf.children(0) {
            let found = found?;
            match &found.kind {
                b"tfhd" => header = Some(TrackHeader::parse(&found)?),
                b"tfdt" => decode_time = Some(parse_decode_time(&found)?),
                _ => {}
            }
        }
        let offset = traf.offset;
        let header = traf.complete(header)?;
        let unknown = InspectError::UnknownTrack { track: header.track, offset };
        let at = self.tracks.iter().position(|state| state.init.track.id == header.track).ok_or(unknown)?;
        self.can_cut &= !header.is_absolute;
        let state = &mut self.tracks[at];
        state.decode_time = decode_time.or(state.decode_time);
        let defaults = header.defaults(state.init.defaults);
        let mut is_first = true;
        for found in traf.children(0) {
            let found = found?;
            if &found.kind != b"trun" {
                continue;
            }
            let run = Run::parse(&found)?;
            if is_first && self.leading == Some(at) && !header.is_absolute && (is_first_of_moof || header.is_of_moof) {
                let begins = run.data_offset.and_then(|offset| moof.checked_add_signed(i64::from(offset)));
                begins.into_iter().for_each(|begins| self.pictures.expect(begins));
            }
            if let Some((time, sample)) = state.run(run, defaults, found.offset)?
                && std::mem::take(&mut is_first)
                && self.leading == Some(at)
                && sample.is_sync
                && start > 0
                && self.cuts.len() < CUTS_MAX
                && state.frames > run.count as usize
                && self.cuts.last().is_none_or(|(last, _)| *last < start)
            {
                self.cuts.push((start, time));
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Inspection, InspectError> {
        self.check_complete()?;
        let find = |wanted: fn(&Track) -> bool| {
            self.tracks.iter().position(|state| wanted(&state.init.track) && state.first.is_some())
        };
        let leading = find(Track::is_video).or_else(|| find(Track::is_audio)).ok_or(InspectError::NoTimestamps)?;
        let state = &self.tracks[leading];
        let (first, duration) = state.presented(self.offset)?;
        let mut tracks: Vec<Track> = self.tracks.iter().map(|state| state.init.track.clone()).collect();
        if tracks[leading].is_video() {
            tracks[leading].frame_rate = FrameRate::average(state.frames, duration);
        }
        let mut cuts = Vec::new();
        if self.can_cut && self.leading == Some(leading) {
            for (offset, time) in &self.cuts {
                let time = state.ticks(*time, *offset)?.saturating_sub(first).max(0).unsigned_abs();
                cuts.push(Cut { offset: *offset, time: MediaDuration::from_ticks(time) });
            }
        }
        Ok(Inspection {
            container: Container::Fmp4,
            first: MediaTime::from_ticks(first),
            duration,
            keyframe_start: state.keyframe_start,
            has_captions: self.pictures.finish(),
            cuts,
            parameters: self.parameters,
            tracks,
        })
    }

    fn check_complete(&self) -> Result<(), InspectError> {
        let truncated = |offset, missing| Err(InspectError::Truncated { offset, missing });
        match &self.state {
            State::Header { len: 0, .. } if self.offset == 0 => Err(InspectError::Empty),
            State::Header { len: 0, .. } | State::SkipToEnd => match self.last_fragment {
                LastFragment::None => Err(InspectError::NoFragment),
                LastFragment::AwaitsMedia { offset } => Err(InspectError::NoMedia { offset }),
                LastFragment::Complete => Ok(()),
            },
            State::Header { len, .. } => {
                truncated(self.offset - *len as u64, super::boxes::HEADER_LEN.saturating_sub(*len).max(1) as u64)
            }
            State::Skip { offset, left } => truncated(*offset, *left),
            State::Gather { offset, len, bytes } => truncated(*offset, (*len - bytes.len()) as u64),
        }
    }
}

/// A box type of printable ASCII: real ones all are. Anything else is not MP4.
fn is_name(kind: FourCc) -> bool {
    kind.0.iter().all(|byte| (0x20..0x7f).contains(byte))
}

impl From<BadBox> for InspectError {
    fn from(BadBox { kind, offset }: BadBox) -> Self {
        Self::BadBox { kind, offset }
    }
}

impl TrackState {
    fn new(init: &InitTrack) -> Self {
        Self {
            init: init.clone(),
            frames: 0,
            first: None,
            end: i128::MIN,
            end_is_open: false,
            decode_time: None,
            last_duration: 0,
            keyframe_start: false,
        }
    }

    /// Takes a run of samples; gives the first of them with its presentation time.
    fn run(
        &mut self,
        run: Run<'_>,
        defaults: SampleDefaults,
        offset: u64,
    ) -> Result<Option<(i128, Sample)>, InspectError> {
        let track = self.init.track.id;
        if run.count as usize > FRAMES_MAX - self.frames {
            return Err(InspectError::TooManyFrames { track, offset });
        }
        let mut decode_time = self.decode_time.ok_or(InspectError::NoDecodeTime { track, offset })?;
        let mut first = None;
        for sample in run.samples(defaults) {
            let time =
                i128::from(decode_time) + i128::from(sample.composition_offset) - i128::from(self.init.edit_offset);
            first.get_or_insert((time, sample));
            self.sample(time, sample);
            decode_time = decode_time
                .checked_add(u64::from(sample.duration))
                .ok_or(InspectError::TimeOutOfRange { track, offset })?;
        }
        self.decode_time = Some(decode_time);
        Ok(first)
    }

    fn sample(&mut self, time: i128, sample: Sample) {
        if self.frames == 0 {
            self.keyframe_start = sample.is_sync;
        }
        self.frames += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        let end = time + i128::from(sample.duration);
        if end >= self.end {
            self.end = end;
            self.end_is_open = sample.duration == 0;
        }
        if sample.duration > 0 {
            self.last_duration = sample.duration;
        }
    }

    /// The earliest presentation time, in ticks, and how long the samples are presented. Some muxers write 0 for the
    /// last sample's duration; it is taken to last as long as the one before.
    fn presented(&self, offset: u64) -> Result<(i64, MediaDuration), InspectError> {
        let first = self.ticks(self.first.ok_or(InspectError::NoTimestamps)?, offset)?;
        let open = if self.end_is_open { i128::from(self.last_duration) } else { 0 };
        let end = self.ticks(self.end + open, offset)?;
        Ok((first, MediaDuration::from_ticks(end.saturating_sub(first).max(0).unsigned_abs())))
    }

    fn ticks(&self, time: i128, offset: u64) -> Result<i64, InspectError> {
        let out_of_range = InspectError::TimeOutOfRange { track: self.init.track.id, offset };
        to_ticks(time, self.init.timescale.get()).ok_or(out_of_range)
    }
}

//! Segments in MPEG-TS (ISO/IEC 13818-1): packets, program tables, elementary streams. Not for streams without end
//! or out of step: a segment starts with a packet and is made of whole packets.

mod audio;
mod packet;
mod pes;
mod stream;
mod tables;
mod video;

use packet::Packet;
pub(crate) use packet::{PACKET_LEN, SYNC};
use stream::{Clock, PacketStart, Stream};
use tables::{Pat, Pmt, Section};

use crate::parameters::Digester;
use crate::time::wrap_ts;
use crate::{
    CUTS_MAX, Container, Cut, FrameRate, InspectError, Inspection, MediaDuration, MediaTime, TRACKS_MAX, Track,
    TrackKind,
};

const PID_COUNT: usize = 1 << 13;
const PAT_PID: u16 = 0;

/// What the packets of a PID are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Ignored,
    Pat,
    Pmt,
    /// An elementary stream, by its place among the streams.
    Stream(u8),
}

/// Tables since the last packet of an elementary stream: what follows directly can be decoded without what was before.
#[derive(Clone, Copy, Debug)]
enum Tables {
    Absent,
    Pat { offset: u64 },
    PatAndPmt { offset: u64 },
}

/// Walks over the packets of one segment.
#[derive(Debug)]
pub(crate) struct Packets {
    /// The start of a packet whose rest is in the next chunk.
    partial: [u8; PACKET_LEN],
    partial_len: usize,
    /// Where the next packet starts.
    offset: u64,
    roles: Box<[Role]>,
    pat: Section<Pat>,
    pmt: Section<Pmt>,
    tables: Tables,
    clock: Clock,
    streams: Vec<Stream>,
    /// The stream at whose keyframes the segment may be cut.
    leading: Option<usize>,
    /// Offset and time on `clock` of keyframes directly after tables.
    cuts: Vec<(u64, i64)>,
}

impl Packets {
    pub(crate) fn new() -> Self {
        let mut roles = vec![Role::Ignored; PID_COUNT].into_boxed_slice();
        roles[usize::from(PAT_PID)] = Role::Pat;
        Self {
            partial: [0; PACKET_LEN],
            partial_len: 0,
            offset: 0,
            roles,
            pat: Section::new(),
            pmt: Section::new(),
            tables: Tables::Absent,
            clock: Clock::default(),
            streams: Vec::new(),
            leading: None,
            cuts: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), InspectError> {
        if self.partial_len > 0 {
            let (taken, rest) = bytes.split_at(bytes.len().min(PACKET_LEN - self.partial_len));
            self.partial[self.partial_len..][..taken.len()].copy_from_slice(taken);
            self.partial_len += taken.len();
            if self.partial_len < PACKET_LEN {
                return Ok(());
            }
            let packet = self.partial;
            self.partial_len = 0;
            self.packet(&packet)?;
            bytes = rest;
        }
        let (packets, rest) = bytes.as_chunks::<PACKET_LEN>();
        for packet in packets {
            self.packet(packet)?;
        }
        self.partial[..rest.len()].copy_from_slice(rest);
        self.partial_len = rest.len();
        // The first packet out of step is told at once, not when the rest of it has come.
        rest.first().map_or(Ok(()), |byte| packet::check_sync(*byte, self.offset))
    }

    #[inline]
    fn packet(&mut self, bytes: &[u8; PACKET_LEN]) -> Result<(), InspectError> {
        packet::check_sync(bytes[0], self.offset)?;
        let packet = Packet::new(bytes);
        match self.roles[usize::from(packet.pid())] {
            Role::Ignored => {}
            Role::Stream(stream) => self.stream_packet(usize::from(stream), &packet)?,
            Role::Pat => self.pat_packet(&packet),
            Role::Pmt => self.pmt_packet(&packet)?,
        }
        self.offset += PACKET_LEN as u64;
        Ok(())
    }

    #[inline]
    fn stream_packet(&mut self, at: usize, packet: &Packet<'_>) -> Result<(), InspectError> {
        let tables = std::mem::replace(&mut self.tables, Tables::Absent);
        let stream = &mut self.streams[at];
        if packet.is_scrambled() {
            return Err(InspectError::Encrypted { track: stream.id(), offset: self.offset });
        }
        if packet.starts_unit() {
            let cut = match tables {
                Tables::PatAndPmt { offset } if self.leading == Some(at) => Some(offset),
                _ => None,
            };
            stream.start(PacketStart { offset: self.offset, cut }, packet.payload(), &mut self.clock)?;
        } else {
            // What came before a cut must not go on after it.
            let started = stream.started_at();
            while self.cuts.last().is_some_and(|(cut, _)| started.is_none_or(|started| started < *cut)) {
                self.cuts.pop();
            }
            if stream.wants_more() {
                stream.proceed(packet.payload(), self.offset, &mut self.clock)?;
            }
        }
        if let Some(cut) = self.streams[at].take_cut()
            && self.cuts.len() < CUTS_MAX
        {
            self.cuts.push(cut);
        }
        Ok(())
    }

    fn pat_packet(&mut self, packet: &Packet<'_>) {
        if packet.starts_unit() {
            self.tables = Tables::Pat { offset: self.offset };
        }
        let Some(pat) = self.pat.push(packet) else { return };
        if let Role::Ignored = self.roles[usize::from(pat.pmt_pid)] {
            self.roles[usize::from(pat.pmt_pid)] = Role::Pmt;
        }
    }

    fn pmt_packet(&mut self, packet: &Packet<'_>) -> Result<(), InspectError> {
        let new = self.pmt.push(packet);
        if let Tables::Pat { offset } = self.tables
            && self.pmt.is_complete()
        {
            self.tables = Tables::PatAndPmt { offset };
        }
        for entry in new.into_iter().flat_map(|pmt| pmt.streams) {
            let role = &mut self.roles[usize::from(entry.pid)];
            if *role != Role::Ignored {
                continue;
            }
            if self.streams.len() == TRACKS_MAX {
                return Err(InspectError::TooManyTracks { offset: self.offset });
            }
            *role = Role::Stream(self.streams.len() as u8);
            let stream = Stream::new(&entry);
            if stream.is_encrypted() {
                return Err(InspectError::Encrypted { track: stream.id(), offset: self.offset });
            }
            self.streams.push(stream);
        }
        let find = |wanted: fn(&Stream) -> bool| self.streams.iter().position(wanted);
        let leading = find(Stream::is_video).or_else(|| find(Stream::is_audio));
        if leading != self.leading {
            self.leading = leading;
            self.cuts.clear();
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Inspection, InspectError> {
        self.check_complete()?;
        for stream in &mut self.streams {
            stream.finish();
        }
        let find = |wanted: fn(&Stream) -> bool| {
            self.streams.iter().position(|stream| wanted(stream) && stream.span().is_some())
        };
        let leading = find(Stream::is_video).or_else(|| find(Stream::is_audio)).ok_or(InspectError::NoTimestamps)?;
        let span = self.streams[leading].span().ok_or(InspectError::NoTimestamps)?;
        let last = self.last_frame(leading);
        let duration = MediaDuration::from_ticks((span.end + last - span.first).max(0).unsigned_abs());
        let mut tracks: Vec<Track> = self.streams.iter().map(Stream::track).collect();
        if tracks[leading].is_video() {
            tracks[leading].frame_rate = FrameRate::average(self.streams[leading].frames(), duration);
        }
        Ok(Inspection {
            container: Container::MpegTs,
            first: MediaTime::from_ticks(wrap_ts(self.clock.origin() + span.first)),
            duration,
            keyframe_start: self.streams[leading].keyframe_start(),
            has_captions: self.streams[leading].has_captions(),
            cuts: self.cuts(leading, span.first),
            parameters: self.digest(),
            tracks,
        })
    }

    fn check_complete(&self) -> Result<(), InspectError> {
        if self.partial_len > 0 {
            let missing = (PACKET_LEN - self.partial_len) as u64;
            return Err(InspectError::Truncated { offset: self.offset, missing });
        }
        if self.offset == 0 {
            return Err(InspectError::Empty);
        }
        if !self.pat.is_complete() {
            return Err(InspectError::NoPat);
        }
        if !self.pmt.is_complete() {
            return Err(InspectError::NoPmt);
        }
        if self.leading.is_none() {
            return Err(InspectError::NoTracks);
        }
        Ok(())
    }

    /// How long the last frame of the leading track lasts. For video with a single frame that does not say it, take
    /// what the audio has beyond that frame's time.
    fn last_frame(&self, leading: usize) -> i64 {
        let leading = &self.streams[leading];
        leading.last_frame_ticks().unwrap_or_else(|| {
            let audio = self.streams.iter().filter(|stream| stream.is_audio()).filter_map(Stream::span);
            audio.map(|span| span.end - span.first).max().unwrap_or(0)
        })
    }

    fn cuts(&self, leading: usize, first: i64) -> Vec<Cut> {
        if self.leading != Some(leading) {
            return Vec::new();
        }
        let cut = |(offset, time): &(u64, i64)| Cut {
            offset: *offset,
            time: MediaDuration::from_ticks((time - first).max(0).unsigned_abs()),
        };
        self.cuts.iter().map(cut).collect()
    }

    fn digest(&self) -> crate::ParametersDigest {
        let mut digester = Digester::new();
        digester.bytes(b"mpeg-ts");
        for stream in &self.streams {
            let track = stream.track();
            digester.number(u64::from(track.id)).number(u64::from(stream.stream_type()));
            digester.bytes(track.codec.unwrap_or_default().as_bytes());
            if let TrackKind::Audio(Some(format)) = track.kind {
                digester.number(u64::from(format.sample_rate)).number(u64::from(format.channels));
            }
            for set in stream.parameter_sets() {
                digester.number(*set);
            }
        }
        digester.finish()
    }
}

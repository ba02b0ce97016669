//! One elementary stream of a segment: follows its PES packets and hands payload to the codec only while it tells more.

use super::audio::{Audio, AudioCodec};
use super::pes;
use super::tables::PmtStream;
use super::video::{Video, VideoCodec};
use crate::time::shortest_ts;
use crate::{InspectError, Track, TrackKind};

/// Timestamps relative to the first one of the segment, so that the 33-bit clock may wrap within it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    origin: Option<i64>,
}

impl Clock {
    pub(super) fn origin(&self) -> i64 {
        self.origin.unwrap_or(0)
    }

    /// `pts` has 33 bits; the result may be below zero.
    fn relative(&mut self, pts: u64) -> i64 {
        let pts = pts.cast_signed();
        shortest_ts(pts - *self.origin.get_or_insert(pts))
    }
}

/// Where a stream is presented on the segment's [`Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    /// For audio the end of the last frame, for video its start.
    pub(super) end: i64,
}

/// The transport packet that a PES packet starts in.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacketStart {
    pub(super) offset: u64,
    /// Where the segment can be cut if this PES packet starts with a keyframe.
    pub(super) cut: Option<u64>,
}

#[derive(Debug)]
enum Elementary {
    Video(Video),
    Audio(Audio),
    Other,
    Encrypted,
}

/// How far the current PES packet is read.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    /// The header, of which this much has come.
    Header(Vec<u8>),
    Payload,
    /// The rest tells nothing.
    Skipped,
}

#[derive(Debug)]
pub(super) struct Stream {
    pid: u16,
    stream_type: u8,
    elementary: Elementary,
    reading: Reading,
    started: Option<PacketStart>,
}

impl Stream {
    pub(super) fn new(entry: &PmtStream) -> Self {
        let elementary = elementary(entry);
        Self { pid: entry.pid, stream_type: entry.stream_type, elementary, reading: Reading::Skipped, started: None }
    }

    pub(super) fn id(&self) -> u32 {
        u32::from(self.pid)
    }

    pub(super) fn stream_type(&self) -> u8 {
        self.stream_type
    }

    pub(super) fn is_video(&self) -> bool {
        matches!(self.elementary, Elementary::Video(_))
    }

    pub(super) fn is_audio(&self) -> bool {
        matches!(self.elementary, Elementary::Audio(_))
    }

    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self.elementary, Elementary::Encrypted)
    }

    /// Where the current PES packet started.
    pub(super) fn started_at(&self) -> Option<u64> {
        self.started.map(|started| started.offset)
    }

    #[inline]
    pub(super) fn wants_more(&self) -> bool {
        self.reading != Reading::Skipped
    }

    /// A PES packet starts.
    pub(super) fn start(&mut self, at: PacketStart, payload: &[u8], clock: &mut Clock) -> Result<(), InspectError> {
        self.started = Some(at);
        self.reading = match self.elementary {
            Elementary::Video(_) | Elementary::Audio(_) => Reading::Header(Vec::new()),
            Elementary::Other | Elementary::Encrypted => Reading::Skipped,
        };
        self.proceed(payload, at.offset, clock)
    }

    /// The current PES packet goes on.
    pub(super) fn proceed(&mut self, payload: &[u8], offset: u64, clock: &mut Clock) -> Result<(), InspectError> {
        match &mut self.reading {
            Reading::Skipped => Ok(()),
            Reading::Payload => {
                self.feed(payload);
                Ok(())
            }
            Reading::Header(gathered) if gathered.is_empty() => match pes::parse(payload) {
                pes::Header::Short => {
                    gathered.extend_from_slice(payload);
                    Ok(())
                }
                header => self.begin(header, payload, offset, clock),
            },
            Reading::Header(gathered) => {
                gathered.extend_from_slice(payload);
                match pes::parse(gathered) {
                    pes::Header::Short if gathered.len() < pes::HEADER_LEN_MAX => Ok(()),
                    header => {
                        let gathered = std::mem::take(gathered);
                        self.begin(header, &gathered, offset, clock)
                    }
                }
            }
        }
    }

    fn begin(&mut self, header: pes::Header, bytes: &[u8], offset: u64, clock: &mut Clock) -> Result<(), InspectError> {
        let pes::Header::Complete { len, pts } = header else {
            self.reading = Reading::Skipped;
            return Ok(());
        };
        self.reading = Reading::Payload;
        let time = pts.map(|pts| clock.relative(pts));
        let accepted = match &mut self.elementary {
            Elementary::Video(video) => video.start(time),
            Elementary::Audio(audio) => audio.start(time),
            Elementary::Other | Elementary::Encrypted => Ok(()),
        };
        accepted.map_err(|_| InspectError::TooManyFrames { track: self.id(), offset })?;
        self.feed(bytes.get(len..).unwrap_or_default());
        Ok(())
    }

    fn feed(&mut self, payload: &[u8]) {
        match &mut self.elementary {
            Elementary::Video(video) => {
                video.feed(payload);
                if video.is_settled() {
                    self.reading = Reading::Skipped;
                }
            }
            Elementary::Audio(audio) => audio.feed(payload),
            Elementary::Other | Elementary::Encrypted => {}
        }
    }

    /// Where the segment can be cut, and when the cut is presented, once it is known that the current PES packet
    /// starts with a keyframe that is not the first.
    #[inline]
    pub(super) fn take_cut(&mut self) -> Option<(u64, i64)> {
        let offset = self.started.as_mut()?.cut?;
        let keyframe = match &self.elementary {
            Elementary::Video(video) => video.clean_keyframe(),
            Elementary::Audio(audio) => audio.frame_after_first(),
            Elementary::Other | Elementary::Encrypted => None,
        };
        let time = keyframe?;
        self.started.as_mut()?.cut = None;
        Some((offset, time))
    }

    /// No more packets come.
    pub(super) fn finish(&mut self) {
        if let Elementary::Video(video) = &mut self.elementary {
            video.finish();
        }
    }

    pub(super) fn span(&self) -> Option<Span> {
        match &self.elementary {
            Elementary::Video(video) => video.span(),
            Elementary::Audio(audio) => audio.span(),
            Elementary::Other | Elementary::Encrypted => None,
        }
    }

    /// How much longer than its [`Span`] the stream lasts, if that can be told.
    pub(super) fn last_frame_ticks(&self) -> Option<i64> {
        match &self.elementary {
            Elementary::Video(video) => video.last_frame_ticks(),
            Elementary::Audio(_) | Elementary::Other | Elementary::Encrypted => Some(0),
        }
    }

    pub(super) fn frames(&self) -> usize {
        match &self.elementary {
            Elementary::Video(video) => video.frames(),
            Elementary::Audio(_) | Elementary::Other | Elementary::Encrypted => 0,
        }
    }

    pub(super) fn keyframe_start(&self) -> bool {
        match &self.elementary {
            Elementary::Video(video) => video.keyframe_start(),
            Elementary::Audio(_) => true,
            Elementary::Other | Elementary::Encrypted => false,
        }
    }

    pub(super) fn has_captions(&self) -> bool {
        match &self.elementary {
            Elementary::Video(video) => video.has_captions(),
            Elementary::Audio(_) | Elementary::Other | Elementary::Encrypted => false,
        }
    }

    pub(super) fn parameter_sets(&self) -> &[u64] {
        match &self.elementary {
            Elementary::Video(video) => video.parameter_sets(),
            Elementary::Audio(_) | Elementary::Other | Elementary::Encrypted => &[],
        }
    }

    pub(super) fn track(&self) -> Track {
        let (kind, codec) = match &self.elementary {
            Elementary::Video(video) => {
                let format = video.format();
                (TrackKind::Video(format.map(|format| format.resolution)), format.map(|format| format.codec.clone()))
            }
            Elementary::Audio(audio) => {
                let frame = audio.format();
                (TrackKind::Audio(frame.map(|frame| frame.format)), frame.map(|frame| frame.codec.to_owned()))
            }
            Elementary::Other | Elementary::Encrypted => (TrackKind::Other, None),
        };
        Track { id: self.id(), kind, codec, frame_rate: None }
    }
}

/// By stream type (ISO/IEC 13818-1 table 2-34, ATSC A/52 and Apple's sample encryption), and for private data by what
/// the descriptors say.
fn elementary(entry: &PmtStream) -> Elementary {
    match entry.stream_type {
        0x1b => Elementary::Video(Video::new(VideoCodec::H264)),
        0x24 => Elementary::Video(Video::new(VideoCodec::Hevc)),
        0x03 | 0x04 => Elementary::Audio(Audio::new(AudioCodec::Mpeg)),
        0x0f => Elementary::Audio(Audio::new(AudioCodec::Adts)),
        0x81 | 0x87 => Elementary::Audio(Audio::new(AudioCodec::Ac3)),
        0x06 => private(entry),
        0xdb | 0xcf | 0xc1 | 0xc2 => Elementary::Encrypted,
        _ => Elementary::Other,
    }
}

fn private(entry: &PmtStream) -> Elementary {
    const REGISTRATION: u8 = 0x05;
    const DVB_AC3: u8 = 0x6a;
    const DVB_EAC3: u8 = 0x7a;
    const DVB_EXTENSION: u8 = 0x7f;
    if entry.descriptor(DVB_AC3).or(entry.descriptor(DVB_EAC3)).is_some() {
        return Elementary::Audio(Audio::new(AudioCodec::Ac3));
    }
    match entry.descriptor(REGISTRATION) {
        Some([b'A', b'C', b'-', b'3', ..] | [b'E', b'A', b'C', b'3', ..]) => {
            Elementary::Audio(Audio::new(AudioCodec::Ac3))
        }
        Some([b'H', b'E', b'V', b'C', ..]) => Elementary::Video(Video::new(VideoCodec::Hevc)),
        Some([b'O', b'p', b'u', b's', ..]) => {
            // The user-defined extension 0x80 holds the channel configuration; 0 is two independent mono channels.
            let channels = match entry.descriptor(DVB_EXTENSION) {
                Some([0x80, 0, ..]) => 2,
                Some([0x80, count @ 1..=8, ..]) => u16::from(*count),
                _ => 0,
            };
            Elementary::Audio(Audio::new(AudioCodec::Opus { channels }))
        }
        _ => Elementary::Other,
    }
}

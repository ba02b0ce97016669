//! A video stream: when its frames are presented, which are keyframes, what its parameter sets say.
//!
//! One frame per PES packet is expected, as every HLS segmenter writes. Of a frame only what is before its first slice
//! is read.

use super::stream::Span;
use crate::FRAMES_MAX;
use crate::codec::nal::{find_start_code, trim, unescape};
use crate::codec::{VideoFormat, h264, hevc, sei};
use crate::parameters::Digester;

/// What is read of a frame in search of its first slice. Parameter sets take some 100 bytes, captions some 1000.
const HEAD_LEN_MAX: usize = 16 * 1024;
/// Different parameter sets in one segment that are told apart; usual are two or three.
const PARAMETER_SETS_MAX: usize = 32;

type SpsParser = fn(&[u8]) -> Option<VideoFormat>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VideoCodec {
    H264,
    Hevc,
}

/// Whether decoding can start at a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// It needs earlier frames.
    None,
    /// It can, but the picture is whole only some frames later (intra refresh).
    Gradual,
    /// It can.
    Clean,
}

/// A PES packet too many.
#[derive(Debug)]
pub(super) struct TooManyFrames;

#[derive(Debug)]
pub(super) struct Video {
    codec: VideoCodec,
    format: Option<VideoFormat>,
    parameter_sets: Vec<u64>,
    /// In the order of decoding.
    times: Vec<i64>,
    /// Frames, those without a timestamp included.
    frames: usize,
    /// Of the first frame, once it is settled.
    first_access: Option<Access>,
    has_captions: bool,
    frame: Frame,
}

/// The frame that is being read.
#[derive(Debug)]
struct Frame {
    time: Option<i64>,
    access: Access,
    /// It comes with a sequence parameter set, without which a decoder cannot start.
    is_described: bool,
    settled: bool,
    head: Vec<u8>,
    /// Where the current NAL unit starts in `head`.
    nal: Option<usize>,
    /// Up to where `head` was searched.
    searched: usize,
}

impl Video {
    pub(super) fn new(codec: VideoCodec) -> Self {
        let frame = Frame {
            time: None,
            access: Access::None,
            is_described: false,
            settled: true,
            head: Vec::new(),
            nal: None,
            searched: 0,
        };
        Self {
            codec,
            format: None,
            parameter_sets: Vec::new(),
            times: Vec::new(),
            frames: 0,
            first_access: None,
            has_captions: false,
            frame,
        }
    }

    /// A frame starts.
    pub(super) fn start(&mut self, time: Option<i64>) -> Result<(), TooManyFrames> {
        self.settle();
        if self.frames == FRAMES_MAX {
            return Err(TooManyFrames);
        }
        self.frames += 1;
        self.times.extend(time);
        self.frame.time = time;
        self.frame.access = Access::None;
        self.frame.is_described = false;
        self.frame.settled = false;
        self.frame.head.clear();
        self.frame.nal = None;
        self.frame.searched = 0;
        Ok(())
    }

    /// The frame is read as far as it matters.
    pub(super) fn is_settled(&self) -> bool {
        self.frame.settled
    }

    pub(super) fn feed(&mut self, payload: &[u8]) {
        if self.frame.settled {
            return;
        }
        let room = HEAD_LEN_MAX - self.frame.head.len();
        self.frame.head.extend_from_slice(&payload[..payload.len().min(room)]);
        while !self.frame.settled && self.next_nal() {}
        if self.frame.head.len() == HEAD_LEN_MAX {
            self.settle();
        }
    }

    /// Looks for the next start code and takes the NAL unit before it. False if more bytes are needed.
    fn next_nal(&mut self) -> bool {
        if let Some(start) = self.frame.nal {
            let Some(&header) = self.frame.head.get(start) else { return false };
            if self.is_slice(header) {
                self.slice(header);
                return true;
            }
        }
        let Some(found) = find_start_code(&self.frame.head[self.frame.searched..]) else {
            // The last two bytes may be the start of a start code.
            self.frame.searched = self.frame.searched.max(self.frame.head.len().saturating_sub(2));
            return false;
        };
        let end = self.frame.searched + found;
        if let Some(start) = self.frame.nal {
            self.parameters(start, end);
        }
        self.frame.searched = end + 3;
        self.frame.nal = Some(end + 3);
        true
    }

    fn is_slice(&self, header: u8) -> bool {
        match self.codec {
            VideoCodec::H264 => h264::is_slice(h264::nal_type(header)),
            VideoCodec::Hevc => hevc::is_slice(hevc::nal_type(header)),
        }
    }

    fn slice(&mut self, header: u8) {
        let random_access = match self.codec {
            VideoCodec::H264 => h264::nal_type(header) == h264::IDR_SLICE,
            VideoCodec::Hevc => hevc::is_random_access(hevc::nal_type(header)),
        };
        if random_access {
            self.frame.access = Access::Clean;
        }
        self.settle();
    }

    /// Takes what a whole NAL unit before the first slice says.
    fn parameters(&mut self, start: usize, end: usize) {
        let nal = trim(&self.frame.head[start..end]);
        let Some(&header) = nal.first() else { return };
        match (self.codec, header) {
            (VideoCodec::H264, _) if h264::nal_type(header) == h264::SEI => {
                let payload = unescape(&nal[1..]);
                if let Some(frames) = h264::recovery_point(&payload) {
                    self.frame.access = if frames == 0 { Access::Clean } else { Access::Gradual };
                }
                self.has_captions |= sei::has_captions(&payload);
            }
            (VideoCodec::Hevc, _) if hevc::nal_type(header) == hevc::PREFIX_SEI && !self.has_captions => {
                self.has_captions = sei::has_captions(&unescape(nal.get(2..).unwrap_or_default()));
            }
            (VideoCodec::H264, _) if matches!(h264::nal_type(header), h264::SPS | h264::PPS) => {
                let is_sps = h264::nal_type(header) == h264::SPS;
                self.parameter_set(start, end, is_sps.then_some(h264::parse_sps as SpsParser));
            }
            (VideoCodec::Hevc, _) if matches!(hevc::nal_type(header), hevc::VPS | hevc::SPS | hevc::PPS) => {
                let is_sps = hevc::nal_type(header) == hevc::SPS;
                self.parameter_set(start, end, is_sps.then_some(hevc::parse_sps as SpsParser));
            }
            _ => {}
        }
    }

    fn parameter_set(&mut self, start: usize, end: usize, parse: Option<SpsParser>) {
        let nal = trim(&self.frame.head[start..end]);
        let digest = Digester::new().bytes(nal).value();
        self.frame.is_described |= parse.is_some();
        if self.parameter_sets.contains(&digest) || self.parameter_sets.len() == PARAMETER_SETS_MAX {
            return;
        }
        self.parameter_sets.push(digest);
        if let Some(parse) = parse
            && self.format.is_none()
        {
            self.format = parse(nal);
        }
    }

    fn settle(&mut self) {
        if !self.frame.settled {
            self.frame.settled = true;
            if !self.frame.is_described {
                self.frame.access = Access::None;
            }
            self.first_access.get_or_insert(self.frame.access);
        }
    }

    /// No more frames come.
    pub(super) fn finish(&mut self) {
        self.settle();
        self.times.sort_unstable();
        self.times.dedup();
    }

    /// The time of the current frame, if it is not the first and decoding can start with it.
    pub(super) fn clean_keyframe(&self) -> Option<i64> {
        let clean = self.frame.settled && self.frame.access == Access::Clean && self.frames > 1;
        self.frame.time.filter(|_| clean)
    }

    pub(super) fn keyframe_start(&self) -> bool {
        self.first_access.is_some_and(|access| access != Access::None)
    }

    pub(super) fn has_captions(&self) -> bool {
        self.has_captions
    }

    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    pub(super) fn format(&self) -> Option<&VideoFormat> {
        self.format.as_ref()
    }

    pub(super) fn parameter_sets(&self) -> &[u64] {
        &self.parameter_sets
    }

    /// From the first frame's time to the last's. Only after [`Video::finish`].
    pub(super) fn span(&self) -> Option<Span> {
        Some(Span { first: *self.times.first()?, end: *self.times.last()? })
    }

    /// The median distance of frames, which is the frame duration at a constant rate and the likeliest guess at a
    /// variable one. Of a single frame, what the stream states. Only after [`Video::finish`].
    pub(super) fn last_frame_ticks(&self) -> Option<i64> {
        let mut distances: Vec<i64> = self.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let middle = distances.len() / 2;
        if distances.is_empty() {
            return self.format.as_ref()?.frame_ticks.map(i64::from);
        }
        Some(*distances.select_nth_unstable(middle).1)
    }
}

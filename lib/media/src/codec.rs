//! The headers of codecs: what they are called, their picture or sound format, the length of their frames.
//! Only headers: nothing is decoded.

pub(crate) mod aac;
pub(crate) mod ac3;
pub(crate) mod h264;
pub(crate) mod hevc;
pub(crate) mod mpeg_audio;
pub(crate) mod nal;
pub(crate) mod opus;
pub(crate) mod sei;

use crate::{AudioFormat, Resolution};

/// What a sequence parameter set tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VideoFormat {
    pub(crate) codec: String,
    pub(crate) resolution: Resolution,
    /// How long a frame lasts in ticks of 90 kHz, if the stream states it.
    pub(crate) frame_ticks: Option<u32>,
}

/// What the header of an audio frame tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AudioFrame {
    pub(crate) codec: &'static str,
    pub(crate) format: AudioFormat,
    /// Header included; never 0.
    pub(crate) len: usize,
    /// Per channel.
    pub(crate) samples: u32,
}

/// What a run of bytes is that should start with an audio frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Frame(AudioFrame),
    /// More bytes are needed to tell.
    Short,
    Invalid,
}

impl Parsed {
    /// A parser's result, given that there were bytes enough.
    fn from_frame(frame: Option<AudioFrame>) -> Self {
        match frame {
            Some(frame) if frame.len > 0 => Self::Frame(frame),
            _ => Self::Invalid,
        }
    }
}

//! The streaming inspector: takes the bytes of one segment as they pass, tells at the end what the segment was.

use thiserror::Error;

use crate::fmp4::{FourCc, Fragments, InitSection};
use crate::ts::Packets;
use crate::{Inspection, MOOF_LEN_MAX};

/// Tracks that a segment or init section may have.
pub const TRACKS_MAX: usize = 8;
/// Frames of one track in one segment: nine minutes of video at 60 frames a second.
pub const FRAMES_MAX: usize = 32_768;
/// Cuts kept of one segment; later ones are not listed.
pub const CUTS_MAX: usize = 4_096;

/// Inspects one segment while its bytes pass, in chunks of any size. The result does not depend on the chunking.
///
/// It holds no payload. In MPEG-TS it grows by 8 bytes per video frame and 16 per cut, and holds the head of a frame
/// up to its first slice (16 KiB at most per track): some 20 KiB for usual segments, 2.5 MiB if every limit is reached.
/// In fragmented MP4 it holds one `moof` that lies across chunks, [`MOOF_LEN_MAX`] at most, and the cuts.
#[derive(Debug)]
pub struct Inspector {
    walk: Walk,
    failed: Option<InspectError>,
}

#[derive(Debug)]
enum Walk {
    MpegTs(Box<Packets>),
    Fmp4(Box<Fragments>),
}

impl Inspector {
    /// For a segment in MPEG-TS.
    pub fn mpeg_ts() -> Self {
        Self::new(Walk::MpegTs(Box::new(Packets::new())))
    }

    /// For a segment in fragmented MP4, of the rendition with this init section.
    pub fn fmp4(init: &InitSection) -> Self {
        Self::new(Walk::Fmp4(Box::new(Fragments::new(init))))
    }

    fn new(walk: Walk) -> Self {
        Self { walk, failed: None }
    }

    /// Takes the next bytes of the segment.
    ///
    /// # Errors
    /// As soon as the bytes show that this is no segment. Further pushes and [`Inspector::finish`] give the same error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), InspectError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let pushed = match &mut self.walk {
            Walk::MpegTs(packets) => packets.push(bytes),
            Walk::Fmp4(fragments) => fragments.push(bytes),
        };
        self.failed = pushed.err();
        pushed
    }

    /// Tells what the segment was, now that all of it has passed.
    ///
    /// # Errors
    /// The first error in the bytes, or what was found to be missing at their end.
    pub fn finish(self) -> Result<Inspection, InspectError> {
        match (self.failed, self.walk) {
            (Some(error), _) => Err(error),
            (None, Walk::MpegTs(packets)) => packets.finish(),
            (None, Walk::Fmp4(fragments)) => fragments.finish(),
        }
    }
}

/// Why bytes are not a segment that can be taken. Offsets are in bytes from the start of the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InspectError {
    #[error("the body is empty")]
    Empty,
    #[error("no MPEG-TS packet at byte {offset}: sync byte 0x47 expected, {found:#04x} found")]
    LostSync { offset: u64, found: u8 },
    #[error("cut off: what starts at byte {offset} lacks {missing} bytes")]
    Truncated { offset: u64, missing: u64 },
    #[error("no program association table (PAT)")]
    NoPat,
    #[error("no program map table (PMT)")]
    NoPmt,
    #[error("no fragment (moof)")]
    NoFragment,
    #[error("fragment at byte {offset} has no media (mdat)")]
    NoMedia { offset: u64 },
    #[error("no audio or video track")]
    NoTracks,
    #[error("no audio or video frame has a timestamp")]
    NoTimestamps,
    #[error("malformed box `{kind}` at byte {offset}")]
    BadBox { kind: FourCc, offset: u64 },
    #[error("unexpected box `{kind}` at byte {offset}: not a media segment")]
    UnexpectedBox { kind: FourCc, offset: u64 },
    #[error("fragment at byte {offset} is of track {track}, which the init section does not have")]
    UnknownTrack { track: u32, offset: u64 },
    #[error("fragment at byte {offset} of track {track} has no decode time")]
    NoDecodeTime { track: u32, offset: u64 },
    #[error("track {track} is encrypted, at byte {offset}")]
    Encrypted { track: u32, offset: u64 },
    #[error("more than {TRACKS_MAX} tracks, at byte {offset}")]
    TooManyTracks { offset: u64 },
    #[error("more than {FRAMES_MAX} frames in track {track}, at byte {offset}")]
    TooManyFrames { track: u32, offset: u64 },
    #[error("moof of {len} bytes at byte {offset}, at most {MOOF_LEN_MAX} are taken")]
    MoofTooLong { len: u64, offset: u64 },
    #[error("time of track {track} is out of range, at byte {offset}")]
    TimeOutOfRange { track: u32, offset: u64 },
}

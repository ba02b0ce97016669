//! What an inspected segment turned out to be. Only data: how it is found out is in `ts` and `fmp4`.

use std::fmt;

use crate::{Container, MediaDuration, MediaTime, ParametersDigest, TICKS_PER_SECOND};

/// What one Media Segment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub container: Container,
    /// In the order in which the program map or the init section lists them. Tracks of no use to a player, such as
    /// timed metadata, are among them as [`TrackKind::Other`].
    pub tracks: Vec<Track>,
    /// The earliest presentation time of the leading track: of video if there is any, else of audio.
    pub first: MediaTime,
    /// How long the leading track is presented, its last frame included: `first + duration` is the `first` of the
    /// next segment of the same rendition. How long a last MPEG-TS video frame is shown is not written anywhere: it
    /// is taken to be the median of the frames before. Zero if there is only one frame and nothing tells its length.
    pub duration: MediaDuration,
    /// The first frame of the leading track can be decoded without what came before: it is a keyframe, and in MPEG-TS
    /// it comes with its parameter sets.
    pub keyframe_start: bool,
    /// The pictures of the leading track carry captions of CEA-608, in the first field (ATSC A/53, ANSI/CTA-708). In
    /// fragmented MP4 only the first picture of a fragment is asked, and of a few fragments.
    pub has_captions: bool,
    /// Where else the bytes can be split so that each part stands alone, in order; at most `CUTS_MAX`.
    pub cuts: Vec<Cut>,
    /// Only comparable if [`Inspection::describes_every_track`].
    pub parameters: ParametersDigest,
}

impl Inspection {
    /// The CODECS attribute (RFC 8216bis 4.4.6.2): what is known of the tracks' codecs, each once, comma-separated.
    pub fn codecs(&self) -> String {
        codecs(&self.tracks)
    }

    /// Every audio and video track's format is known from this segment. If not, as in a last segment whose audio has
    /// ended or in one without parameter sets, codecs and parameters are those of its neighbours in the rendition,
    /// and there is no discontinuity because they are not repeated.
    pub fn describes_every_track(&self) -> bool {
        let unknown = |track: &Track| matches!(track.kind, TrackKind::Video(None) | TrackKind::Audio(None));
        !self.tracks.iter().any(unknown)
    }

    /// The resolution of the first video track.
    pub fn resolution(&self) -> Option<Resolution> {
        resolution(&self.tracks)
    }

    /// The frame rate of the first video track.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        self.tracks.iter().find(|track| track.is_video())?.frame_rate
    }
}

pub(crate) fn codecs<'a>(tracks: impl IntoIterator<Item = &'a Track>) -> String {
    let mut codecs: Vec<&str> = Vec::new();
    for codec in tracks.into_iter().filter_map(|track| track.codec.as_deref()) {
        if !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    codecs.join(",")
}

pub(crate) fn resolution<'a>(tracks: impl IntoIterator<Item = &'a Track>) -> Option<Resolution> {
    tracks.into_iter().find_map(|track| match track.kind {
        TrackKind::Video(resolution) => resolution,
        TrackKind::Audio(_) | TrackKind::Other => None,
    })
}

/// One elementary stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// The PID in MPEG-TS, the track_ID in fragmented MP4.
    pub id: u32,
    pub kind: TrackKind,
    /// As in the CODECS attribute: RFC 6381, with `opus` and `flac` in lower case as browsers want them. `None` if
    /// this segment does not tell, see [`TrackKind`].
    pub codec: Option<String>,
    /// The leading video track's frames in this segment over their duration.
    pub frame_rate: Option<FrameRate>,
}

impl Track {
    pub fn is_video(&self) -> bool {
        matches!(self.kind, TrackKind::Video(_))
    }

    pub fn is_audio(&self) -> bool {
        matches!(self.kind, TrackKind::Audio(_))
    }
}

/// What a track carries.
///
/// An MPEG-TS segment describes its codecs only where they are decoded from: the format is `None` if the segment has no
/// frame of that track, or no keyframe and so no parameter sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackKind {
    Video(Option<Resolution>),
    Audio(Option<AudioFormat>),
    /// Timed metadata, subtitles, or a codec that HLS players do not play.
    Other,
}

/// The size of the picture in pixels, after cropping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolution {
    pub width: u32,
    pub height: u32,
}

impl fmt::Display for Resolution {
    /// As in the RESOLUTION attribute: `1920x1080`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    /// Samples per second.
    pub sample_rate: u32,
    /// A low frequency channel counts as one. 0 if the stream leaves it to its decoder.
    pub channels: u16,
}

/// Frames per 1000 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRate(u32);

impl FrameRate {
    pub const fn from_millihertz(millihertz: u32) -> Self {
        Self(millihertz)
    }

    pub const fn millihertz(self) -> u32 {
        self.0
    }

    pub(crate) fn average(frames: usize, duration: MediaDuration) -> Option<Self> {
        if frames < 2 || duration == MediaDuration::ZERO {
            return None;
        }
        let ticks = u128::from(duration.ticks());
        let scaled = frames as u128 * 1000 * u128::from(TICKS_PER_SECOND);
        u32::try_from((scaled + ticks / 2) / ticks).ok().map(Self)
    }
}

impl fmt::Display for FrameRate {
    /// As in the FRAME-RATE attribute: `29.970`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// A place at which the bytes of a segment can be split so that the part from there stands alone: in MPEG-TS it starts
/// with PAT and PMT, in fragmented MP4 with the first box of a fragment, and in either the first frame of the leading
/// track is a keyframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes from the start of the segment.
    pub offset: u64,
    /// Presentation time of the keyframe from the segment's `first`.
    pub time: MediaDuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(kind: TrackKind, codec: Option<&str>) -> Track {
        Track { id: 1, kind, codec: codec.map(str::to_owned), frame_rate: None }
    }

    #[test]
    fn codecs_are_listed_once_and_only_if_known() {
        let tracks = [
            track(TrackKind::Video(None), Some("avc1.64001f")),
            track(TrackKind::Audio(None), Some("mp4a.40.2")),
            track(TrackKind::Audio(None), Some("mp4a.40.2")),
            track(TrackKind::Other, None),
        ];
        assert_eq!(codecs(&tracks), "avc1.64001f,mp4a.40.2");
        assert_eq!(codecs(&[]), "");
    }

    #[test]
    fn frame_rates_read_as_in_the_attribute() {
        for (frames, ticks, expected) in [
            (60, 60 * 3003, Some("29.970")),
            (50, 90_000, Some("50.000")),
            (48, 180_180, Some("23.976")),
            (1, 3003, None),
            (5, 0, None),
            (usize::MAX, 1, None),
        ] {
            let rate = FrameRate::average(frames, MediaDuration::from_ticks(ticks));
            assert_eq!(rate.map(|rate| rate.to_string()).as_deref(), expected, "{frames}/{ticks}");
        }
    }
}

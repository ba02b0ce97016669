//! What one HLS segment is, from its bytes: container, tracks, codecs, times, keyframes.
//!
//! [`Inspector`] takes a Media Segment in chunks of any size while it streams past and keeps none of it; it runs
//! beside the digest on the way of every ingested byte. [`InitSection`] reads the EXT-X-MAP bytes of a fragmented
//! MP4 rendition. [`Content::sniff`] tells from the first bytes which of the two is coming.
//!
//! The input is foreign and may be hostile: nothing here panics on it, and what it can cost is a named limit.
//! Nothing is decoded in this process ([`still_arguments`] tells ffmpeg how). Payload that tells nothing about the segment is skipped, not read.
//!
//! The boxes of MP4 and the packets of MPEG-TS are read by hand. Of each only a few fields matter, they must be
//! found in a stream and not in a whole file, every length must be checked before it is believed, and most bytes
//! must not be touched at all; general parsers (mp4-atom, mpeg2ts) build whole structures and read from a complete
//! buffer or byte source.
//!
//! ```
//! # fn inspect(chunks: &[&[u8]]) -> Result<(), media::InspectError> {
//! let mut inspector = media::Inspector::mpeg_ts();
//! for chunk in chunks {
//!     inspector.push(chunk)?;
//! }
//! let segment = inspector.finish()?;
//! println!("{} lasts {:?}", segment.codecs(), segment.duration.to_std());
//! # Ok(()) }
//! # assert!(inspect(&[b"not media"]).is_err());
//! # use headwater_media as media;
//! ```

mod bits;
mod codec;
mod container;
mod fmp4;
mod inspection;
mod inspector;
mod parameters;
mod reader;
mod still;
mod time;
mod ts;

pub use container::{Container, Content, SNIFF_LEN};
pub use fmp4::{FourCc, INIT_LEN_MAX, InitError, InitSection, InitTrack, MOOF_LEN_MAX};
pub use inspection::{AudioFormat, Cut, FrameRate, Inspection, Resolution, Track, TrackKind};
pub use inspector::{CUTS_MAX, FRAMES_MAX, InspectError, Inspector, TRACKS_MAX};
pub use parameters::ParametersDigest;
pub use still::still_arguments;
pub use time::{MediaDuration, MediaTime, TICKS_PER_SECOND};

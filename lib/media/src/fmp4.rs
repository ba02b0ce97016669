//! Segments in fragmented MP4 (ISO/IEC 14496-12, CMAF: ISO/IEC 23000-19): the init section and the fragments.

mod boxes;
mod fragment;
mod init;
mod pictures;
mod sample_entry;
mod segment;

pub use boxes::FourCc;
pub use init::{INIT_LEN_MAX, InitError, InitSection, InitTrack};
pub(crate) use segment::Fragments;
pub use segment::MOOF_LEN_MAX;

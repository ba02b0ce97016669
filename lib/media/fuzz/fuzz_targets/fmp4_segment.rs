//! Any bytes as a segment in fragmented MP4, of a rendition with H.264 and AAC.

#![no_main]

use std::sync::LazyLock;

use headwater_media::{InitSection, Inspector};
use headwater_media_fuzz::check_segment;
use libfuzzer_sys::fuzz_target;

static INIT: LazyLock<InitSection> = LazyLock::new(|| {
    InitSection::parse(include_bytes!("../seeds/fmp4_init/h264_aac.mp4")).expect("the seed is an init section")
});

fuzz_target!(|bytes: &[u8]| {
    let chunk_len = 1 + bytes.len() % 499;
    let _ = check_segment(|| Inspector::fmp4(&INIT), bytes, chunk_len);
});

//! Any bytes as a segment in MPEG-TS.

#![no_main]

use headwater_media::Inspector;
use headwater_media_fuzz::check_segment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let chunk_len = 1 + bytes.len() % 499;
    let _ = check_segment(Inspector::mpeg_ts, bytes, chunk_len);
});

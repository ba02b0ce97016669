//! Any bytes as an init section.

#![no_main]

use headwater_media_fuzz::check_init;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check_init(bytes);
});

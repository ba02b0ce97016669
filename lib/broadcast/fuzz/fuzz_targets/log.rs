//! Any events that a store lets through, one after the other.

#![no_main]

use headwater_broadcast_fuzz::check_log;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check_log(bytes);
});

//! Any bytes as the compact form of an event.

#![no_main]

use headwater_broadcast_fuzz::check_event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check_event(bytes);
});

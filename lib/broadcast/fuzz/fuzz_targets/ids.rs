//! Any text as an id of each kind.

#![no_main]

use headwater_broadcast_fuzz::check_ids;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check_ids(bytes);
});

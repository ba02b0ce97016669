//! Any text as a key of the store.

#![no_main]

use headwater_broadcast_fuzz::check_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check_key(bytes);
});

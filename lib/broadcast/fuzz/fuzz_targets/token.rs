//! Any text as a token, and any claims in one that is signed.

#![no_main]

use headwater_broadcast_fuzz::check_token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = check_token(bytes);
});

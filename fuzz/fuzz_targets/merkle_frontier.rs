//! Feeds any bytes to the decoder 'merkle_frontier'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("merkle_frontier", bytes);
});

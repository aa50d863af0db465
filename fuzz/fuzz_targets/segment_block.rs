//! Feeds any bytes to the decoder 'segment_block'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("segment_block", bytes);
});

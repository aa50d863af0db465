//! Feeds any bytes to the decoder 'segment_header'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("segment_header", bytes);
});

//! Feeds any bytes to the decoder 'store_header'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("store_header", bytes);
});

//! Feeds any bytes to the decoder 'cursor'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("cursor", bytes);
});

//! Feeds any bytes to the decoder 'manifest'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("manifest", bytes);
});

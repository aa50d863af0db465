//! Feeds any bytes to the decoder 'converter_answer'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("converter_answer", bytes);
});

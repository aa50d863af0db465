//! Feeds any bytes to the decoder 'verifier_key'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("verifier_key", bytes);
});

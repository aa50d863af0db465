//! Feeds any bytes to the decoder 'entry_proof'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("entry_proof", bytes);
});

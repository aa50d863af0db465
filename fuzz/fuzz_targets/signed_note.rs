//! Feeds any bytes to the decoder 'signed_note'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("signed_note", bytes);
});

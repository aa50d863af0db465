//! Feeds any bytes to the decoder 'restore_certificate'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("restore_certificate", bytes);
});

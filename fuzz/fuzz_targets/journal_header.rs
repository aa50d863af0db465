//! Feeds any bytes to the decoder 'journal_header'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("journal_header", bytes);
});

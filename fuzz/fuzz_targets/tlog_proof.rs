//! Feeds any bytes to the decoder 'tlog_proof'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("tlog_proof", bytes);
});

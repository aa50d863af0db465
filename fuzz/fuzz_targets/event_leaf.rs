//! Feeds any bytes to the decoder 'event_leaf'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("event_leaf", bytes);
});

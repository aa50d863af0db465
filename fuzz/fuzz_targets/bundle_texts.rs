//! Feeds any bytes to the decoder 'bundle_texts'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("bundle_texts", bytes);
});

//! Feeds any bytes to the decoder 'blob_record'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("blob_record", bytes);
});

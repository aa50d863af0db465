//! Feeds any bytes to the decoder 'backup_list'; see `annals::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    annals::fuzz::run("backup_list", bytes);
});

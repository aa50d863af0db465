//! Moves a whole store in any way, with power cuts, and compares it with the model the tests use.
#![no_main]

use annals::disk::sim::SimDisk;
use support::moves::{Look, decode, run};

#[path = "../../tests/support/mod.rs"]
mod support;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let moves = decode(bytes);
    if let Err(wrong) = run(SimDisk::new(), &moves, Look::AtOpens) {
        panic!("{wrong}\nafter {moves:?}");
    }
});

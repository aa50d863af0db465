//! Damages a small store in several places, opens, reads, verifies and repairs it, and judges that as the tests do.
#![no_main]

use std::sync::LazyLock;

use support::damages::{asks_for_worn, decode, judge};
use support::golden::Golden;

#[path = "../../tests/support/mod.rs"]
mod support;

static SOUND: LazyLock<Golden> = LazyLock::new(Golden::new);
static WORN: LazyLock<Golden> = LazyLock::new(Golden::worn);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let golden = if asks_for_worn(bytes) {
        &*WORN
    } else {
        &*SOUND
    };
    let damages = decode(bytes, golden);
    if let Err(wrong) = judge(golden, &damages) {
        panic!("{wrong}\nafter {damages:?}");
    }
});

//! Damages a small store in several places, opens, reads, verifies and repairs it, and judges that
//! as the tests do.
#![no_main]

use std::panic::{set_hook, take_hook};
use std::sync::LazyLock;

use support::damages::{asks_for_worn, decode, judge};
use support::golden::Golden;

#[path = "../../tests/support/mod.rs"]
mod support;

static SOUND: LazyLock<Golden> = LazyLock::new(Golden::new);
static WORN: LazyLock<Golden> = LazyLock::new(Golden::worn);

/// redb panics over some pages that are not its own. The index catches that and is made anew;
/// libFuzzer's hook would end the process first. A panic that nobody catches ends it all the same.
fn let_the_index_catch_what_redb_panics_over() {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        let in_redb = |file: &str| file.contains("redb-");
        if !panic.location().is_some_and(|place| in_redb(place.file())) {
            usual(panic);
        }
    }));
}

libfuzzer_sys::fuzz_target!(
    init: let_the_index_catch_what_redb_panics_over(),
    |bytes: &[u8]| {
        let golden = if asks_for_worn(bytes) {
            &*WORN
        } else {
            &*SOUND
        };
        let damages = decode(bytes, golden);
        if let Err(wrong) = judge(golden, &damages) {
            panic!("{wrong}\nafter {damages:?}");
        }
    }
);

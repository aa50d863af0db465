//! How much memory the C library keeps for the threads of a host.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What the GNU C library reads when a program starts, and never again: two arenas for all threads,
/// where each would get one of its own, up to eight for each processor; and large buffers given
/// back at once, where each one that is freed makes it keep longer ones. What lives long keeps its
/// whole arena: pages of the index, among what came and went with 10,000 files.
const SETTINGS: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Starts this program again as the same process, with an allocator that keeps little memory,
/// unless the environment sets the allocator already.
pub(crate) fn limit_allocator() {
    let mut names = SETTINGS.iter().map(|(name, _)| *name).chain([TUNABLES]);
    if names.any(|name| env::var_os(name).is_some()) {
        return;
    }
    let (Ok(program), mut args) = (env::current_exe(), env::args_os()) else {
        return;
    };
    let mut command = Command::new(program);
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    // Comes back only when that cannot be done: the host does its work with more memory then.
    let _ = command.args(args).envs(SETTINGS).exec();
}

//! Limits the memory that the C library keeps for the threads of a host.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Settings that the GNU C library reads only when a program starts.
///
/// - Two arenas serve all threads. The default is one arena for each thread, up to eight for each
///   processor. One long-lived allocation, such as a page of the index, keeps its whole arena in
///   memory.
/// - Large buffers go back to the system at once. By default, each freed buffer raises the size
///   above which that happens.
const SETTINGS: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Restarts this program in the same process, with an allocator that keeps little memory.
///
/// Does nothing when the environment already configures the allocator.
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
    // `exec` returns only when it fails. The host then works with more memory.
    let _ = command.args(args).envs(SETTINGS).exec();
}

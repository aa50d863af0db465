//! Sets the limits of memory and file sizes.

use std::io;

use crate::convert::converter::Bounds;

/// Holds a process that was just started, and all it starts from now on, to its limits of memory
/// and file size, and keeps it from leaving core dumps. A launcher does this itself, before it
/// becomes the program.
#[cfg(target_os = "linux")]
pub(in crate::convert) fn limit(child: &std::process::Child, bounds: &Bounds) -> io::Result<()> {
    let child = rustix::process::Pid::from_child(child);
    set_limits(Some(child), bounds.memory, bounds.file_size)
}

/// Sets the limits of a process, or of this one.
#[cfg(target_os = "linux")]
pub(super) fn set_limits(
    of: Option<rustix::process::Pid>,
    memory: u64,
    file_size: u64,
) -> io::Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    for (resource, bytes) in [
        // Memory of its own that it may write. Not the whole address space: runtimes reserve far
        // more than they use.
        (Resource::Data, memory),
        (Resource::Fsize, file_size),
        (Resource::Core, 0),
    ] {
        // What this process itself is held to cannot be raised.
        let most = getrlimit(resource)
            .maximum
            .map_or(bytes, |maximum| maximum.min(bytes));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        match prlimit(of, resource, limit) {
            Ok(_) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(in crate::convert) fn limit(_: &std::process::Child, _: &Bounds) -> io::Result<()> {
    Ok(())
}

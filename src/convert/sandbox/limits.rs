//! Sets the limits of memory and file size.

use std::io;

use crate::convert::converter::Bounds;

/// Limits memory and file size of a process that was just started, and of all it starts from now
/// on.
///
/// Also prevents core dumps. A launcher does this itself, before it becomes the program.
#[cfg(target_os = "linux")]
pub(in crate::convert) fn limit(child: &std::process::Child, bounds: &Bounds) -> io::Result<()> {
    let child = rustix::process::Pid::from_child(child);
    set_limits(Some(child), bounds.memory, bounds.file_size)
}

/// Sets the limits of a process; `None` is this process.
#[cfg(target_os = "linux")]
pub(super) fn set_limits(
    of: Option<rustix::process::Pid>,
    memory: u64,
    file_size: u64,
) -> io::Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    for (resource, bytes) in [
        // Private writable memory, not the whole address space: runtimes reserve far more than they
        // use.
        (Resource::Data, memory),
        (Resource::Fsize, file_size),
        (Resource::Core, 0),
    ] {
        // The limits of this process cannot be raised, so the lower value is set.
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

//! Kills processes that a converter started and that outlived it (orphans).
//!
//! A process can leave its process group by starting a new session. When its parent exits, process
//! 1 becomes its parent, and nothing links it to the converter any more. A program can therefore
//! ask to become the parent of such orphans itself ([`adopt_orphans`]). Every child that it has not
//! started itself is then an orphan. An orphan is killed once no started process has the orphan's
//! home folder.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Processes that were started for converters and not waited for yet, each with its home folder.
static STARTED: Mutex<BTreeMap<i32, PathBuf>> = Mutex::new(BTreeMap::new());
/// True once this process adopts orphans.
static ADOPTS: AtomicBool = AtomicBool::new(false);

/// Makes this process the subreaper, so that orphans of converters are killed.
///
/// It works on Linux only. Elsewhere, and without this call, only processes that are still
/// descendants of a converter when it ends are killed.
///
/// From then on, every child of this process that was not started for a converter counts as an
/// orphan and is killed. Only programs that start no other processes should call it.
///
/// # Errors
/// The error of the system.
pub fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        ADOPTS.store(true, Ordering::Relaxed);
    }
    Ok(())
}

fn started() -> MutexGuard<'static, BTreeMap<i32, PathBuf>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a process whose orphans belong to `home`. Call [`forget`] once it has been waited for.
pub(in crate::convert) fn start(command: &mut Command, home: &Path) -> io::Result<Child> {
    // The lock keeps a concurrent search for orphans from finding a child that is not registered
    // yet.
    let mut started = started();
    let child = command.spawn()?;
    if let Ok(pid) = i32::try_from(child.id()) {
        started.insert(pid, home.to_owned());
    }
    Ok(child)
}

/// Removes a process that was waited for from the list, and kills its orphans.
pub(in crate::convert) fn forget(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        started().remove(&pid);
    }
    if ADOPTS.load(Ordering::Relaxed) {
        #[cfg(target_os = "linux")]
        family::end_orphans();
    }
}

#[cfg(target_os = "linux")]
pub(in crate::convert) use family::Family;

#[cfg(target_os = "linux")]
mod family {
    use std::fs;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::time::Duration;

    use rustix::process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, kill_process, pidfd_open,
        pidfd_send_signal, waitid,
    };

    use super::started;

    /// All descendants of one process at one moment.
    pub(in crate::convert) struct Family(Vec<OwnedFd>);

    impl Family {
        /// Returns the processes below `pid`, without `pid` itself.
        pub(in crate::convert) fn below(pid: u32) -> Self {
            let mut handles = Vec::new();
            let first = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let mut parents: Vec<Pid> = first.into_iter().collect();
            while let Some(parent) = parents.pop() {
                for child in children(parent) {
                    let Ok(handle) = pidfd_open(child, PidfdFlags::empty()) else {
                        continue;
                    };
                    // The process id may have been reused before the handle was opened, so it is
                    // checked again.
                    if children(parent).contains(&child) {
                        handles.push(handle);
                        parents.push(child);
                    }
                }
            }
            Self(handles)
        }

        pub(in crate::convert) fn kill(&self) {
            for handle in &self.0 {
                // Fails only for a process that has already ended.
                let _ = pidfd_send_signal(handle, Signal::KILL);
            }
        }
    }

    /// Returns the children of all threads of a process.
    fn children(parent: Pid) -> Vec<Pid> {
        let tasks = fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
        tasks
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|line| {
                line.split_whitespace()
                    .filter_map(|word| Pid::from_raw(word.parse().ok()?))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Kills the orphans of this process, except those whose home belongs to a process that still
    /// runs.
    ///
    /// The orphans' own children then become children of this process.
    pub(in crate::convert) fn end_orphans() {
        const ROUNDS: u32 = 200;
        for _ in 0..ROUNDS {
            let started = started();
            let mut killed = false;
            for child in children(getpid()) {
                if started.contains_key(&child.as_raw_nonzero().get()) {
                    continue;
                }
                let ended = waitid(
                    WaitId::Pid(child),
                    WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
                );
                if matches!(ended, Ok(None)) && !started.values().any(|home| lives_in(child, home))
                {
                    // A child that was not waited for keeps its process id.
                    let _ = kill_process(child, Signal::KILL);
                    killed = true;
                }
            }
            drop(started);
            if !killed {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns true when the environment of the process still names `home` as its home.
    fn lives_in(pid: Pid, home: &Path) -> bool {
        let variables = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
        variables.is_ok_and(|variables| {
            variables.split(|byte| *byte == 0).any(|variable| {
                variable.strip_prefix(b"HOME=") == Some(home.as_os_str().as_bytes())
            })
        })
    }
}

/// Stands in on systems that cannot list the children of a process.
#[cfg(not(target_os = "linux"))]
pub(in crate::convert) struct Family;

#[cfg(not(target_os = "linux"))]
impl Family {
    pub(in crate::convert) fn below(_: u32) -> Self {
        Self
    }

    pub(in crate::convert) fn kill(&self) {}
}

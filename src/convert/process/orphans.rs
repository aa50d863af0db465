//! Ends what a converter started and left behind: processes that went out of its group, and out of
//! its family.
//!
//! A process leaves its group by a session of its own, and its family when its parent ends: then it
//! belongs to process 1, and nobody knows any more whose it was. So the program can ask to be the
//! one that such orphans are given to ([`adopt_orphans`]); what it has not started itself is then
//! somebody's orphan, and ends with the last process that has the same home.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Processes that were started for converters and not waited for yet, each with its home.
static STARTED: Mutex<BTreeMap<i32, PathBuf>> = Mutex::new(BTreeMap::new());
/// True once orphans are given to this process.
static ADOPTS: AtomicBool = AtomicBool::new(false);

/// Makes this process the subreaper, so that processes that converters leave behind are killed.
///
/// On Linux only. Elsewhere, and without this call, only processes that are still below a converter
/// when it ends are killed.
///
/// From then on every child process of this one that is no converter's is taken for an orphan and
/// killed. It is for programs that start nothing else.
///
/// # Errors
/// What the system says.
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

/// Starts a process whose leavings belong to `home`. It is to be waited for with [`forget`].
pub(in crate::convert) fn start(command: &mut Command, home: &Path) -> io::Result<Child> {
    // The lock keeps a search for orphans from meeting a child that nobody has noted yet.
    let mut started = started();
    let child = command.spawn()?;
    if let Ok(pid) = i32::try_from(child.id()) {
        started.insert(pid, home.to_owned());
    }
    Ok(child)
}

/// Forgets a process that was waited for, and ends what it left behind.
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

    /// All processes below one, as they are at one moment.
    pub(in crate::convert) struct Family(Vec<OwnedFd>);

    impl Family {
        /// The processes below `pid`, itself left out.
        pub(in crate::convert) fn below(pid: u32) -> Self {
            let mut handles = Vec::new();
            let first = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let mut parents: Vec<Pid> = first.into_iter().collect();
            while let Some(parent) = parents.pop() {
                for child in children(parent) {
                    let Ok(handle) = pidfd_open(child, PidfdFlags::empty()) else {
                        continue;
                    };
                    // The number may have become another's before there was a handle.
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
                // One that has ended meanwhile is as good.
                let _ = pidfd_send_signal(handle, Signal::KILL);
            }
        }
    }

    /// The children of all threads of a process.
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

    /// Kills the children of this process that it has not started, but for those whose home is that
    /// of a process that still runs. Their own children become children of this process.
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
                    // A child that was not waited for keeps its number.
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

    /// True when the environment of the process still says that `home` is its home.
    fn lives_in(pid: Pid, home: &Path) -> bool {
        let variables = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()));
        variables.is_ok_and(|variables| {
            variables.split(|byte| *byte == 0).any(|variable| {
                variable.strip_prefix(b"HOME=") == Some(home.as_os_str().as_bytes())
            })
        })
    }
}

/// Where a process's children cannot be asked for.
#[cfg(not(target_os = "linux"))]
pub(in crate::convert) struct Family;

#[cfg(not(target_os = "linux"))]
impl Family {
    pub(in crate::convert) fn below(_: u32) -> Self {
        Self
    }

    pub(in crate::convert) fn kill(&self) {}
}

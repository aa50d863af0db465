//! Starts one process of a converter, watches it and kills it.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use super::command::Invocation;
use super::orphans::{self, Family};
use crate::convert::sandbox;

/// How long a killed process may take to exit.
const DEATH: Duration = Duration::from_secs(2);

/// A running process and, on Unix, its process group.
pub(in crate::convert) struct Process {
    child: Child,
    gone: bool,
}

impl Process {
    /// Starts the process that `invocation` describes.
    pub(in crate::convert) fn start(
        invocation: &Invocation<'_>,
        mut command: Command,
    ) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        let process = Self {
            child: orphans::start(&mut command, invocation.home)?,
            gone: false,
        };
        if invocation.confinement.is_none() {
            sandbox::limit(&process.child, invocation.bounds)?;
        }
        Ok(process)
    }

    pub(in crate::convert) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Returns true once the process has exited. It stays a zombie, so that its process id still
    /// names its group.
    #[cfg(unix)]
    pub(in crate::convert) fn has_exited(&mut self) -> bool {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let id = WaitId::Pid(Pid::from_child(&self.child));
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(id, options) {
            Ok(status) => status.is_some(),
            // No such child: another thread has waited for it.
            Err(error) => error == rustix::io::Errno::CHILD,
        }
    }

    #[cfg(not(unix))]
    pub(in crate::convert) fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the rest of the group and returns how the process exited.
    ///
    /// Returns `None` when the process does not exit in time, or its status is lost.
    pub(in crate::convert) fn end(&mut self) -> Option<ExitStatus> {
        let family = Family::below(self.child.id());
        self.kill();
        family.kill();
        let until = Instant::now() + DEATH;
        while !self.has_exited() {
            if Instant::now() >= until {
                return None;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.gone = true;
        let status = self.child.wait().ok();
        orphans::forget(self.child.id());
        status
    }

    #[cfg(unix)]
    fn kill(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // Fails only when the group is empty, or belongs to another user now.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    #[cfg(not(unix))]
    fn kill(&mut self) {
        // Fails only when the process has exited.
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.gone {
            self.end();
        }
    }
}

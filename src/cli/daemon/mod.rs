//! What connects a running host to the operating system: memory limits, signals, reports to the
//! service manager, and the log.

mod console;
mod log;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;
#[cfg(unix)]
mod signals;
mod supervisor;

pub(crate) use console::Console;
pub(crate) use log::{Log, Verbosity};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use memory::limit_allocator;
#[cfg(unix)]
pub(crate) use signals::{Signal, Signals};
pub(crate) use supervisor::Supervisor;

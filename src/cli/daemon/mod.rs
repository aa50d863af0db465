//! What a running host is to the system it runs on: it hears signals, tells the service manager how it is, and writes a log.

mod log;
#[cfg(unix)]
mod signals;
mod supervisor;

pub(crate) use log::{Log, Verbosity};
#[cfg(unix)]
pub(crate) use signals::{Signal, Signals};
pub(crate) use supervisor::Supervisor;

//! Starts the processes of a converter, limits their time, output, memory and files, and ends them.
//!
//! On Unix a converter runs in its own process group. The whole group is killed when the conversion
//! is over, whether the converter timed out or exited. On Linux, processes that left the group are
//! killed too. On Windows only the converter itself is killed, not what it started. A process that
//! keeps the output open is waited for only briefly.

mod cancel;
mod capture;
mod child;
mod command;
mod exit;
mod orphans;
mod run;

pub use cancel::Cancel;
pub(super) use capture::{Capture, capture_stderr};
pub(super) use child::Process;
pub(super) use command::{Invocation, fill_in};
pub(super) use exit::{exit_reason, with_stderr};
pub use orphans::adopt_orphans;
pub(super) use run::{End, STDOUT_BYTES_MAX, run};

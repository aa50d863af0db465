//! Starts the processes of a converter, bounds their time, output, memory and files, and ends them.
//!
//! On Unix a converter runs in its own process group and the whole group is killed when the
//! converter is done for, whether it timed out or exited; on Linux, so is what left the group. On
//! Windows the converter itself is killed; what it started is not. A process that keeps the output
//! open is not waited for longer than a moment.

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

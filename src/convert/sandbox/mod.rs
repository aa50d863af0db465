//! Confines the processes of a converter, and reports how much of that this system enforces.
//!
//! Resource limits bound memory and file sizes, Landlock closes files, seccomp refuses system
//! calls, capabilities are dropped, and the converter may run as a user of its own.

mod access;
#[cfg(target_os = "linux")]
mod account;
#[cfg(not(target_os = "linux"))]
#[path = "account_elsewhere.rs"]
mod account;
mod calls;
mod checks;
mod confinement;
mod enforcement;
#[cfg(target_os = "linux")]
mod files;
mod hand_over;
mod launcher;
mod limits;
#[cfg(target_os = "linux")]
mod privileges;
#[cfg(target_os = "linux")]
mod restrict;
#[cfg(target_os = "linux")]
mod system_calls;
mod this_program;

pub(super) use confinement::Confinement;
pub use enforcement::Enforcement;
pub(super) use hand_over::{hand_over, let_read};
pub use launcher::be_launcher;
pub(super) use launcher::launch_error;
pub(super) use limits::limit;

//! An event-sourced, content-addressed archive for converter hosts.
//!
//! Factories test every unit they make; converter hosts turn the test stations' files into reports. annals keeps
//! every input byte and every fact about it, finds it by serial number years later, runs the same or the corrected
//! converter over any selection again, shows what changed, and proves that nothing was altered.

pub mod archive;
mod blob;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "host")]
pub mod convert;
pub mod disk;
pub mod entry;
mod error;
pub mod event;
pub mod evidence;
mod format;
#[cfg(feature = "host")]
pub mod host;
pub mod id;
mod index;
mod log;
pub mod query;
pub mod retention;
pub mod time;

pub use archive::Archive;
pub use error::{Error, ErrorKind, Result};

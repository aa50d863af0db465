//! The only file operations of a store, each with its durability contract.
//!
//! All other rooms use files through a [`Disk`]. One interface serves the real file system
//! ([`FsDisk`]) and the simulated disk of the tests (`sim`), which loses power, fills up and fails.
//!
//! The implementation retries a call that a signal interrupted. Any other error is final: no caller
//! retries the call.

#[cfg(unix)]
mod beneath;
#[cfg(not(unix))]
mod by_path;
mod contract;
mod fs;
mod publish;
#[cfg(any(test, feature = "testing"))]
pub mod sim;

pub use contract::{DirEntry, Disk, DiskFile, DiskLock, DiskPlace, OpenMode};
pub use fs::FsDisk;
pub(crate) use publish::{PublishError, publish};

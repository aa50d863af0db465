//! The only file operations of a store, each with its durability contract.
//!
//! Everything above asks a [`Disk`] for files, so that one seam serves the real file system ([`FsDisk`]) and
//! the simulated one that tests cut, fill and break (`sim`).
//!
//! A call that a signal interrupted is begun again by the implementation. An error that comes through is final: nobody
//! above tries it again.

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

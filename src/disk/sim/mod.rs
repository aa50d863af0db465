//! A simulated disk in memory that loses power, fails, fills up and decays, always reproducibly.
//!
//! It keeps exactly the contract of [`Disk`]. Every operation is logged with its bytes, and
//! [`SimDisk::crash_images`] makes from the log each state a real disk could be in if the power
//! went after any of them:
//!
//! - what was synced is there: content and length by [`DiskFile::sync`], names by
//!   [`Disk::sync_dir`];
//! - of the rest each operation may have arrived, or not, or in part, in any order. Files do not
//!   wait for each other, nor names for content; a file whose name was never synced may be gone
//!   with all its synced content;
//! - a rename may be undone until both directories are synced. With only the target's synced the
//!   file has its new name and perhaps the old one too;
//! - after a failed sync the unsynced writes are never durable, though they can be read until the
//!   power goes, and the next sync answers `Ok`: so kernels do.
//!
//! Media damage ([`SimDisk::flip_bit`] and its neighbours) goes behind the store's back and is
//! durable at once.
//!
//! [`Disk`]: crate::disk::Disk
//! [`Disk::sync_dir`]: crate::disk::Disk::sync_dir
//! [`DiskFile::sync`]: crate::disk::DiskFile::sync

mod calls;
mod crash;
mod damage;
mod disk;
mod fault;
mod intercepted;
#[cfg(test)]
mod tests;
mod tree;

pub use crash::{CrashImage, CrashImages, Variants};
pub use disk::SimDisk;
pub use fault::{Call, Census, Fault, Repeat};
pub use intercepted::InterceptedDisk;

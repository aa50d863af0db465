//! A simulated disk in memory that loses power, fails, fills up and decays, always reproducibly.
//!
//! It keeps exactly the contract of [`Disk`]. Every operation is logged with its bytes. From the
//! log, [`SimDisk::crash_images`] makes the states that a real disk could be in after a power cut
//! at any operation:
//!
//! - What was synced is there: content and length by [`DiskFile::sync`], names by
//!   [`Disk::sync_dir`].
//! - Every other operation may have arrived completely, partly or not at all, in any order. Files
//!   do not wait for each other, nor names for content. A file whose name was never synced may be
//!   gone with all its synced content.
//! - A rename may be undone until both directories are synced. If only the target directory is
//!   synced, the file has its new name and perhaps the old one too.
//! - After a failed sync the unsynced writes never become durable, and the next sync returns `Ok`.
//!   Until the power cut they can still be read. Real kernels behave like this.
//!
//! Media damage ([`SimDisk::flip_bit`] and the calls beside it) happens without the store's
//! knowledge and is durable at once.
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

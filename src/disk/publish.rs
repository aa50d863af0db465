//! Gives a synced file its final name.

use std::io;
use std::path::Path;

use super::contract::Disk;

/// Gives a synced file its final name. Durable on `Ok`.
///
/// After a failed sync the system still shows the name, and the next sync may succeed without
/// making it durable. So the name is removed again, if the disk allows it, and nothing can rely on
/// it.
pub(crate) fn publish(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), PublishError> {
    disk.rename(from, to).map_err(PublishError::Rename)?;
    let parent = to.parent().unwrap_or(Path::new(""));
    disk.sync_dir(parent).map_err(|error| {
        // The first error is the one to report.
        let _ = disk.rename(to, from);
        PublishError::SyncDir(error)
    })
}

/// The step of publishing that failed.
pub(crate) enum PublishError {
    Rename(io::Error),
    SyncDir(io::Error),
}

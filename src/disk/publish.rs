//! Gives a synced file its final name.

use std::io;
use std::path::Path;

use super::contract::Disk;

/// Publishes a synced file under its final name, durable on `Ok`.
///
/// After a failed sync the system shows the name, and the next sync may succeed without making the
/// name durable. So the name is taken away again, if the disk allows: nothing may rely on it.
pub(crate) fn publish(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), PublishError> {
    disk.rename(from, to).map_err(PublishError::Rename)?;
    let parent = to.parent().unwrap_or(Path::new(""));
    disk.sync_dir(parent).map_err(|error| {
        // The first error is the one to tell.
        let _ = disk.rename(to, from);
        PublishError::SyncDir(error)
    })
}

/// Which step of giving a name failed.
pub(crate) enum PublishError {
    Rename(io::Error),
    SyncDir(io::Error),
}

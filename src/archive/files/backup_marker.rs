//! Tells whether a folder holds a backup.

use std::path::Path;

use crate::disk::{Disk, FsDisk, OpenMode};

/// The list of a backup.
pub(in crate::archive) const CATALOG_FILE: &str = "BACKUP";

/// A second copy of the list, for when the first cannot be read.
pub(in crate::archive) const CATALOG_COPY: &str = "BACKUP-2";

/// Returns true when there is a backup of a store in `dir`.
pub fn is_backup(dir: impl AsRef<Path>) -> bool {
    holds_backup(&FsDisk::new(dir.as_ref()))
}

/// Returns true when there is a backup of a store on a disk.
pub(in crate::archive) fn holds_backup(disk: &dyn Disk) -> bool {
    [CATALOG_FILE, CATALOG_COPY]
        .iter()
        .any(|name| disk.open(Path::new(name), OpenMode::Read).is_ok())
}

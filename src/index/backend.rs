//! redb's storage on a file of the disk room.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;

/// A file of the store as redb wants to see it. Locking is the archive's business, so none is offered here.
pub(super) struct DiskBackend(Arc<dyn DiskFile>);

impl DiskBackend {
    pub(super) fn new(file: Arc<dyn DiskFile>) -> Self {
        Self(file)
    }
}

impl fmt::Debug for DiskBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskBackend")
    }
}

impl redb::StorageBackend for DiskBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

//! The file of the index: opened, made and measured. The index holds nothing that the log does not.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::archive::files::folders::INDEX_FILE;
use crate::disk::{Disk, OpenMode};
use crate::id::StoreId;
use crate::index::{Index, IndexError, View};
use crate::{Error, ErrorKind, Result};

/// The file of the index of one store.
#[derive(Clone)]
pub(in crate::archive) struct IndexFile {
    disk: Arc<dyn Disk>,
    store: StoreId,
    cache_bytes: usize,
}

/// What may be done with the file of the index.
///
/// The index holds nothing that the log does not. So a handle for reading may bring the file up to
/// date as well, if it has the lock and the disk allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum IndexAccess {
    /// It is read and written.
    Write,
    /// It is written if that is possible.
    WriteIfPossible,
    /// It is read. What would be written stays in memory.
    ReadOnly,
}

impl IndexAccess {
    fn mode(self) -> OpenMode {
        match self {
            Self::Write | Self::WriteIfPossible => OpenMode::Write,
            Self::ReadOnly => OpenMode::Read,
        }
    }
}

impl IndexFile {
    /// Names the index of `store` on `disk`. `cache_bytes` is the memory it may take for pages.
    pub(in crate::archive) fn new(disk: Arc<dyn Disk>, store: StoreId, cache_bytes: usize) -> Self {
        Self {
            disk,
            store,
            cache_bytes,
        }
    }

    /// Opens the index as it is. `None` when it is missing or of no use and has to be made again.
    pub(in crate::archive) fn open(&self, access: IndexAccess) -> Result<Option<Index>> {
        let path = Path::new(INDEX_FILE);
        let is_optional = access == IndexAccess::WriteIfPossible;
        let opened = match self.disk.open(path, access.mode()) {
            Ok(file) if access == IndexAccess::ReadOnly => {
                Index::open_scratch(file, self.store, self.cache_bytes)
            }
            Ok(file) => Index::open(file, self.store, self.cache_bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_optional && refuses_writing(&error) => {
                return self.open(IndexAccess::ReadOnly);
            }
            Err(error) => return Err(Error::io("open", path, error)),
        };
        let error = match opened {
            Ok(index) => return Ok(Some(index)),
            Err(error) if error.calls_for_rebuild() => return Ok(None),
            Err(error) => Error::from(error),
        };
        if is_optional && cannot_write(&error) {
            return self.open(IndexAccess::ReadOnly);
        }
        Err(error)
    }

    /// Makes an empty index: in place of the file that is there, or in memory.
    pub(in crate::archive) fn make(&self, access: IndexAccess) -> Result<Index> {
        match access {
            IndexAccess::Write | IndexAccess::WriteIfPossible => self.create(),
            IndexAccess::ReadOnly => Ok(Index::in_memory(self.store)?),
        }
    }

    /// Makes an empty index in place of the file that is there.
    pub(in crate::archive) fn create(&self) -> Result<Index> {
        let path = Path::new(INDEX_FILE);
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path, error));
            }
            _ => {}
        }
        let index = self.create_at(path)?;
        self.disk
            .sync_dir(Path::new(""))
            .map_err(|error| Error::io("sync", "the store's folder", error))?;
        Ok(index)
    }

    /// Makes an empty index in a file of another name, to compare it with this one.
    pub(in crate::archive) fn create_at(&self, path: &Path) -> Result<Index> {
        let file = self
            .disk
            .open(path, OpenMode::CreateNew)
            .map_err(|error| Error::io("create", path, error))?;
        Ok(Index::create(file, self.store, self.cache_bytes)?)
    }

    /// Puts a copy of `index` without free room in place of its file, and returns the copy with
    /// what it holds. `tmp` is the name it has until then.
    ///
    /// A crash leaves the old file or the copy, and either will do: what an index lacks is folded
    /// in at the next opening. After an error the old file is still there.
    pub(in crate::archive) fn replace_by_copy(
        &self,
        index: &Index,
        tmp: &Path,
    ) -> Result<(Index, View)> {
        let room = self.disk.free_bytes();
        let room = room.map_err(|error| Error::io("measure", "the disk", error))?;
        if room / 2 < self.bytes()? {
            let why = "the disk has no room for a copy of the index";
            return Err(Error::new(ErrorKind::Full, why));
        }
        let replaced = self.copy_at(index, tmp).and_then(|copy| {
            let renamed = self.disk.rename(tmp, Path::new(INDEX_FILE));
            renamed.map_err(|error| Error::io("rename", tmp, error))?;
            Ok(copy)
        });
        match &replaced {
            // If the name is not durable, a power cut brings the old file back.
            Ok(_) => drop(self.disk.sync_dir(Path::new(""))),
            Err(_) => drop(self.disk.remove(tmp)),
        }
        replaced
    }

    fn copy_at(&self, index: &Index, path: &Path) -> Result<(Index, View)> {
        let file = self
            .disk
            .open(path, OpenMode::CreateNew)
            .map_err(|error| Error::io("create", path, error))?;
        let copy = index.copy_to(file, self.cache_bytes)?;
        let view = copy.view(Vec::new())?;
        Ok((copy, view))
    }

    /// Returns the bytes of the file; 0 when it is missing.
    pub(in crate::archive) fn bytes(&self) -> Result<u64> {
        let path = Path::new(INDEX_FILE);
        let file = self.disk.open(path, OpenMode::Read);
        match file.and_then(|file| file.size()) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Error::io("measure", path, error)),
        }
    }
}

/// Returns true when the disk refuses to be written, for good or for want of room.
pub(in crate::archive) fn cannot_write(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(refuses_writing)
}

/// Returns true when the index is damaged, and making it again helps.
pub(in crate::archive) fn is_index_damage(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<IndexError>())
        .is_some_and(IndexError::calls_for_rebuild)
}

fn refuses_writing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
            | io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Fault, Repeat, SimDisk, Variants};
    use crate::event::{Actor, Body, ClockReading, Event, Unknown};
    use crate::id::EventSeq;
    use crate::time::Timestamp;

    fn file(disk: &SimDisk) -> IndexFile {
        let store = StoreId::from_bytes([7; 16]);
        IndexFile::new(Arc::new(disk.clone()), store, 1 << 20)
    }

    #[test]
    fn a_missing_index__takes_no_bytes() {
        let disk = SimDisk::new();
        assert_eq!(file(&disk).bytes().expect("none"), 0);
        disk.plant(INDEX_FILE, &[0; 123]).expect("planted");
        assert_eq!(file(&disk).bytes().expect("there"), 123);
        for calls in [0, 1] {
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            let told = file(&disk).bytes().expect_err("unknown");
            assert_eq!(told.kind(), ErrorKind::Io);
            assert!(told.message().contains(INDEX_FILE), "{told}");
        }
    }

    const EVENTS: u64 = 40;

    /// Makes an index that holds [`EVENTS`] events, and a folder for the copy.
    fn planted(disk: &SimDisk) -> Index {
        disk.make_dir("tmp".as_ref()).expect("made");
        let index = file(disk).create().expect("made");
        for seq in (1..=EVENTS).map(EventSeq) {
            let below = index.view(Vec::new()).expect("read");
            let mut top = below.overlay();
            let event = Event {
                seq,
                time: Timestamp::MIN,
                actor: Actor::system(),
                clock: ClockReading::default(),
                body: Body::Unknown(Unknown {
                    kind: "x".into(),
                    data: String::new(),
                }),
                sealed: Vec::new(),
            };
            top.apply(&event, &below).expect("folded");
            index.commit(&top).expect("written");
        }
        disk.settle();
        index
    }

    fn applied(disk: &SimDisk) -> Option<EventSeq> {
        let index = file(disk).open(IndexAccess::Write).expect("opened")?;
        Some(index.applied().expect("read"))
    }

    /// A copy under the name of the index that is not whole would cost a rebuild, and one that is
    /// whole but not durable as well.
    #[test]
    fn a_power_cut_while_the_index_is_copied__leaves_the_old_or_the_copy() {
        let disk = SimDisk::new();
        let index = planted(&disk);
        let before = disk.content(INDEX_FILE).expect("there").len();
        let copied = file(&disk).replace_by_copy(&index, "tmp/index".as_ref());
        let (copy, view) = copied.expect("copied");
        assert_eq!(view.applied(), EventSeq(EVENTS));
        let after = disk.content(INDEX_FILE).expect("there").len();
        assert!(after < before, "{before} to {after}");
        let mut lengths = std::collections::BTreeSet::new();
        for image in disk.crash_images(..=disk.ops(), &Variants::default()) {
            assert_eq!(applied(&image.disk), Some(EventSeq(EVENTS)), "{image}");
            lengths.insert(image.disk.content("tmp/index").is_ok());
        }
        assert_eq!(lengths.len(), 2, "cuts before and after the renaming");
        drop((copy, view));
    }

    /// The twin of the test above: a disk that forgets to flush the copy is caught by it.
    #[test]
    fn a_copy_that_is_not_flushed__is_noticed() {
        let disk = SimDisk::new();
        let index = planted(&disk);
        disk.ignore_syncs(|_, path| path.starts_with("tmp/"));
        let copied = file(&disk).replace_by_copy(&index, "tmp/index".as_ref());
        drop(copied.expect("copied"));
        let images = disk.crash_images(.., &Variants::default());
        let mut lost = images.filter(|image| applied(&image.disk).is_none());
        assert!(lost.next().is_some());
    }

    /// The old file serves on, and nothing is left that takes room.
    #[test]
    fn a_copy_that_fails__leaves_the_old_file() {
        for calls in 0.. {
            let disk = SimDisk::new();
            let index = planted(&disk);
            disk.fail_at(calls, Fault::Os(5), Repeat::Once);
            let copied = file(&disk).replace_by_copy(&index, "tmp/index".as_ref());
            let struck = disk.struck();
            disk.heal();
            let failed = copied.is_err();
            drop((copied, index));
            assert_eq!(applied(&disk), Some(EventSeq(EVENTS)), "call {calls}");
            if failed {
                assert!(disk.content("tmp/index").is_err(), "call {calls}");
            }
            if struck == 0 {
                assert!(calls > 10 && !failed);
                break;
            }
        }
    }

    #[test]
    fn a_disk_without_room_for_a_copy__gets_none() {
        let disk = SimDisk::new();
        let index = planted(&disk);
        let bytes = disk.content(INDEX_FILE).expect("there").len() as u64;
        disk.set_capacity(Some(disk.used_bytes() + bytes));
        let copied = file(&disk).replace_by_copy(&index, "tmp/index".as_ref());
        let refused = copied.map(drop).expect_err("no room");
        assert_eq!(refused.kind(), ErrorKind::Full);
        assert_eq!(index.applied().expect("read"), EventSeq(EVENTS));
    }

    /// The reason is the disk's, and not that the old index is in the way of the new one.
    #[test]
    fn an_index_that_cannot_be_removed__names_the_reason() {
        let disk = SimDisk::new();
        disk.plant(INDEX_FILE, b"of no use").expect("planted");
        disk.fail_at(0, Fault::Os(5), Repeat::Once);
        let told = file(&disk).create().map(drop);
        let told = told.expect_err("not removed");
        assert!(told.message().starts_with("cannot remove"), "{told}");
        assert_eq!(disk.content(INDEX_FILE).expect("there"), b"of no use");
    }
}

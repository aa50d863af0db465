//! Writes packs. Writes are buffered; the first failed write poisons the writer; a pack gets its
//! name only after everything is on disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blob::pack_reader::StoredRecord;
use crate::disk::{Disk, DiskFile, OpenMode, PublishError, publish};
use crate::format::pack::{self, PackClass, PackEntry, PackHeader, PackOffset};
use crate::format::record::{self, DictTag, Record, RecordError};
use crate::id::{BlobId, PackId};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Why a pack could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackWriteError {
    /// The operating system failed. The writer is poisoned; its file is named by nothing.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The record could not be read back. Nothing was written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The record names a dictionary that does not come with it. Nothing was written.
    #[error("BUG: a record names dictionary {0}, which its pack does not hold")]
    NoDictionary(DictTag),
    /// A pack says in 32 bits how long its dictionaries are. Nothing was written.
    #[error("pack {0} cannot say how long its dictionaries are with one more")]
    Dictionaries(PackId),
    /// An earlier write failed.
    #[error("an earlier write to pack {0} failed")]
    Poisoned(PackId),
}

/// A pack that is whole and durable under its own name. Only [`PackWriter::seal_and_publish`] makes
/// one, so that whoever holds it may name its blobs in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedPack {
    /// Its number.
    pub id: PackId,
    /// Where it is.
    pub path: PathBuf,
    /// Which blobs it gathers.
    pub class: PackClass,
    /// Bytes of the file.
    pub bytes: u64,
    /// The blobs it holds, ascending by id.
    pub entries: Vec<PackEntry>,
    /// Bytes of both copies of its dictionaries.
    pub dictionary_bytes: u64,
    _sealed: Sealed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sealed;

/// A pack that is being written, under a name that nothing looks for.
///
/// When it is dropped unsealed, its file stays; opening the store clears such files away.
pub struct PackWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    header: PackHeader,
    entries: BTreeMap<BlobId, PackEntry>,
    /// The dictionaries it holds once so far.
    dictionaries: BTreeMap<DictTag, (PackEntry, StoredRecord)>,
    /// Bytes of one copy of them.
    dictionary_bytes: u32,
    /// Where in the file the buffer belongs.
    written: u64,
    buffer: Vec<u8>,
    poisoned: bool,
}

impl PackWriter {
    /// Starts a pack in the new file `tmp_path`, on the same file system as its later name.
    pub fn create(
        disk: &Arc<dyn Disk>,
        tmp_path: &Path,
        header: PackHeader,
    ) -> Result<Self, PackWriteError> {
        let file = disk
            .open(tmp_path, OpenMode::CreateNew)
            .map_err(io_error("create", tmp_path))?;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        buffer.extend(pack::encode_header(&header));
        Ok(Self {
            disk: Arc::clone(disk),
            file,
            path: tmp_path.to_owned(),
            header,
            entries: BTreeMap::new(),
            dictionaries: BTreeMap::new(),
            dictionary_bytes: 0,
            written: 0,
            buffer,
            poisoned: false,
        })
    }

    /// Takes in a dictionary, for the records behind it. It stands here and once more at the end,
    /// so that no damage to one record costs others.
    pub fn carry(&mut self, dictionary: &StoredRecord) -> Result<(), PackWriteError> {
        let Some(tag) = DictTag::of(&dictionary.header.id) else {
            return Ok(());
        };
        if let Some((held, _)) = self.dictionaries.get(&tag) {
            return if held.id == dictionary.header.id {
                Ok(())
            } else {
                Err(PackWriteError::NoDictionary(tag))
            };
        }
        let dictionary_bytes = self
            .dictionary_bytes
            .checked_add(dictionary.header.packed_len())
            .ok_or(PackWriteError::Dictionaries(self.header.pack))?;
        let entry = self.place(&dictionary.as_record())?;
        self.dictionary_bytes = dictionary_bytes;
        self.dictionaries.insert(tag, (entry, dictionary.clone()));
        Ok(())
    }

    /// Returns true when records may name this dictionary.
    pub fn carries(&self, tag: DictTag) -> bool {
        self.dictionaries.contains_key(&tag)
    }

    /// Adds a record and says where it stands. Of two records with one id only the first is kept.
    /// The dictionary it names was taken in before.
    pub fn append(&mut self, record: &Record<'_>) -> Result<PackOffset, PackWriteError> {
        if self.poisoned {
            return Err(PackWriteError::Poisoned(self.header.pack));
        }
        if let Some(entry) = self.entries.get(&record.id) {
            return Ok(entry.offset);
        }
        if let Some(tag) = record.dictionary
            && !self.carries(tag)
        {
            return Err(PackWriteError::NoDictionary(tag));
        }
        let entry = self.place(record)?;
        self.entries.insert(record.id, entry);
        Ok(entry.offset)
    }

    fn place(&mut self, record: &Record<'_>) -> Result<PackEntry, PackWriteError> {
        if self.poisoned {
            return Err(PackWriteError::Poisoned(self.header.pack));
        }
        let offset = PackOffset(self.bytes());
        if self.buffer.len() + record.packed_len() > BUFFER_BYTES {
            self.flush()?;
        }
        record::encode_packed_into(&mut self.buffer, record)?;
        let len =
            u32::try_from(record.packed_len()).expect("an encoded record is within its limit");
        Ok(PackEntry {
            id: record.id,
            offset,
            len,
            raw_len: record.raw_len,
            kind: record.kind,
        })
    }

    /// Writes every dictionary once more. Returns where both copies are.
    fn repeat_dictionaries(&mut self) -> Result<Vec<PackEntry>, PackWriteError> {
        let mut placed = Vec::new();
        for (first, dictionary) in std::mem::take(&mut self.dictionaries).into_values() {
            placed.extend([first, self.place(&dictionary.as_record())?]);
        }
        Ok(placed)
    }

    /// Returns where the next record will stand: bytes so far, header included, footer not.
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Writes the footer, makes the file durable, then gives it its name and makes that durable.
    ///
    /// On `Ok` the pack survives power loss. On an error it may be there under either name, whole
    /// or not; nothing names it then, and its blobs have to be written again.
    pub fn seal_and_publish(mut self, final_path: &Path) -> Result<SyncedPack, PackWriteError> {
        if self.poisoned {
            return Err(PackWriteError::Poisoned(self.header.pack));
        }
        let dictionaries = self.repeat_dictionaries()?;
        let repeated = self.dictionary_bytes;
        self.flush()?;
        let mut listed: Vec<PackEntry> = self.entries.values().copied().collect();
        listed.extend(dictionaries);
        listed.sort_unstable_by_key(|entry| (entry.id, entry.kind, entry.offset));
        let footer = pack::encode_footer(self.header.pack, self.written, repeated, listed.iter());
        self.write(&footer)?;
        self.file.sync().map_err(io_error("sync", &self.path))?;
        let parent = final_path.parent().unwrap_or(Path::new(""));
        publish(&*self.disk, &self.path, final_path).map_err(|error| match error {
            PublishError::Rename(error) => io_error("rename", &self.path)(error),
            PublishError::SyncDir(error) => io_error("sync directory", parent)(error),
        })?;
        Ok(SyncedPack {
            id: self.header.pack,
            path: final_path.to_owned(),
            class: self.header.class,
            bytes: self.written,
            entries: self.entries.into_values().collect(),
            dictionary_bytes: 2 * u64::from(repeated),
            _sealed: Sealed,
        })
    }

    fn flush(&mut self) -> Result<(), PackWriteError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer)?;
        buffer.clear();
        // One long record must not be what the buffer takes from then on.
        buffer.shrink_to(BUFFER_BYTES);
        self.buffer = buffer;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PackWriteError> {
        match self.file.write_all_at(bytes, self.written) {
            Ok(()) => {
                self.written += bytes.len() as u64;
                Ok(())
            }
            Err(source) => {
                self.poisoned = true;
                Err(io_error("write", &self.path)(source))
            }
        }
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PackWriteError {
    move |source| PackWriteError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Where the next pack goes.
#[derive(Debug, Clone)]
pub struct PackPlace {
    /// What it says of itself.
    pub header: PackHeader,
    /// The new file it is written to.
    pub tmp_path: PathBuf,
    /// The name it gets when it is whole.
    pub final_path: PathBuf,
}

/// A series goes on in another pack after so many blobs, however small: a footer is read whole, and
/// has a limit of
/// [`FOOTER_ENTRIES_MAX`](crate::format::pack::FOOTER_ENTRIES_MAX), which leaves room for what a family brings at once.
const PACK_ENTRIES: usize = 1 << 20;

/// Packs written one after the other, each closed before it would grow past a limit.
///
/// When it is dropped unfinished, as after an error, it removes the packs it wrote: nothing names
/// them yet. A file that cannot be removed is garbage.
pub struct PackSeries<P> {
    disk: Arc<dyn Disk>,
    pack_bytes: u64,
    place: P,
    open: Option<(PackWriter, PathBuf)>,
    synced: Vec<SyncedPack>,
    /// A pack that could not be closed, and with which the whole series fails.
    failed: Option<PackId>,
}

impl<P: FnMut() -> PackPlace> PackSeries<P> {
    /// Packs of at most `pack_bytes` (a longer record gets one of its own), each where `place`
    /// says; its directory exists.
    pub const fn new(disk: Arc<dyn Disk>, pack_bytes: u64, place: P) -> Self {
        Self {
            disk,
            pack_bytes,
            place,
            open: None,
            synced: Vec::new(),
            failed: None,
        }
    }

    /// Adds a record to the pack that has room for it.
    pub fn append(&mut self, record: &Record<'_>) -> Result<(), PackWriteError> {
        self.room_for(record)?.append(record)?;
        Ok(())
    }

    /// Adds a record and the dictionary it names to the pack that is open, whatever its length: a
    /// dictionary is made of content of one pack, and must not be found in another.
    pub fn append_here(
        &mut self,
        record: &Record<'_>,
        dictionary: Option<&StoredRecord>,
    ) -> Result<(), PackWriteError> {
        let writer = self.open_pack()?;
        if let Some(dictionary) = dictionary {
            writer.carry(dictionary)?;
        }
        writer.append(record)?;
        Ok(())
    }

    /// Closes the pack that is open, so that what follows lies in another.
    pub fn cut(&mut self) -> Result<(), PackWriteError> {
        self.check()?;
        self.close()
    }

    /// Returns the pack that has room for a record.
    fn room_for(&mut self, record: &Record<'_>) -> Result<&mut PackWriter, PackWriteError> {
        self.check()?;
        // One is opened only to put a record into it: none is closed empty.
        let full = |writer: &PackWriter| {
            writer.bytes() + record.packed_len() as u64 > self.pack_bytes
                || writer.entries.len() >= PACK_ENTRIES
        };
        if self.open.as_ref().is_some_and(|(writer, _)| full(writer)) {
            self.close()?;
        }
        self.open_pack()
    }

    fn open_pack(&mut self) -> Result<&mut PackWriter, PackWriteError> {
        self.check()?;
        let (writer, _) = match &mut self.open {
            Some(open) => open,
            none => {
                let place = (self.place)();
                let writer = PackWriter::create(&self.disk, &place.tmp_path, place.header)?;
                none.insert((writer, place.final_path))
            }
        };
        Ok(writer)
    }

    /// Closes the last pack. Returns all of them.
    pub fn finish(mut self) -> Result<Vec<SyncedPack>, PackWriteError> {
        self.check()?;
        self.close()?;
        Ok(std::mem::take(&mut self.synced))
    }

    fn check(&self) -> Result<(), PackWriteError> {
        match self.failed {
            Some(pack) => Err(PackWriteError::Poisoned(pack)),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), PackWriteError> {
        if let Some((writer, final_path)) = self.open.take() {
            let pack = writer.header.pack;
            let tmp_path = writer.path.clone();
            match writer.seal_and_publish(&final_path) {
                Ok(synced) => self.synced.push(synced),
                Err(error) => {
                    self.failed = Some(pack);
                    self.take_back([tmp_path, final_path]);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl<P> PackSeries<P> {
    fn take_back(&self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            // A file that stays is removed when the store is opened, or found to be dead and
            // compacted.
            let _ = self.disk.remove(&path);
        }
    }
}

impl<P> Drop for PackSeries<P> {
    fn drop(&mut self) {
        let open = self.open.take().map(|(writer, _)| writer.path);
        let synced: Vec<PathBuf> = self.synced.drain(..).map(|pack| pack.path).collect();
        self.take_back(open.into_iter().chain(synced));
    }
}

#[cfg(test)]
pub(super) mod tests;

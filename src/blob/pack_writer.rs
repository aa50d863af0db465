//! Writes packs. Writes are buffered, and the first failed write poisons the writer. A pack gets
//! its name only after everything is on disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blob::pack_reader::StoredRecord;
use crate::disk::{Disk, DiskFile, OpenMode, PublishError, publish};
use crate::format::pack::{self, PackClass, PackEntry, PackHeader, PackOffset};
use crate::format::record::{self, DictTag, Record, RecordError};
use crate::id::{BlobId, PackId};

/// Number of bytes that are buffered before they are written.
const BUFFER_BYTES: usize = 1 << 20;

/// Why a pack could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PackWriteError {
    /// The operating system reported an error. The writer is poisoned, and nothing refers to its
    /// file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The operation that failed.
        action: &'static str,
        /// The file it failed on.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The record would not be readable. Nothing was written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The record names a dictionary that is not in this pack. Nothing was written.
    #[error("BUG: a record names dictionary {0}, which its pack does not hold")]
    NoDictionary(DictTag),
    /// The length of the dictionaries must fit 32 bits in the trailer. Nothing was written.
    #[error("pack {0} cannot say how long its dictionaries are with one more")]
    Dictionaries(PackId),
    /// An earlier write failed.
    #[error("an earlier write to pack {0} failed")]
    Poisoned(PackId),
}

/// A complete pack that is durable under its final name. Only [`PackWriter::seal_and_publish`]
/// makes one, so its holder may name its blobs in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedPack {
    /// The number of the pack.
    pub id: PackId,
    /// The path of the pack.
    pub path: PathBuf,
    /// The class of blobs that it holds.
    pub class: PackClass,
    /// Bytes of the file.
    pub bytes: u64,
    /// The blobs in it, ascending by id.
    pub entries: Vec<PackEntry>,
    /// Bytes of both copies of its dictionaries.
    pub dictionary_bytes: u64,
    _sealed: Sealed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sealed;

/// A pack that is being written under a temporary name.
///
/// When it is dropped before it is sealed, its file stays. Opening the store removes such files.
pub struct PackWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    header: PackHeader,
    entries: BTreeMap<BlobId, PackEntry>,
    /// The dictionaries written so far, each once.
    dictionaries: BTreeMap<DictTag, (PackEntry, StoredRecord)>,
    /// The bytes of one copy of these dictionaries.
    dictionary_bytes: u32,
    /// The offset in the file at which the buffer belongs.
    written: u64,
    buffer: Vec<u8>,
    poisoned: bool,
}

impl PackWriter {
    /// Starts a pack in the new file `tmp_path`, which must be on the file system of its final
    /// name.
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

    /// Adds a dictionary for the records that follow. It is written here and once more at the end,
    /// so that damage to one record does not make others unreadable.
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

    /// Returns true when the pack has this dictionary, so that records may name it.
    pub fn carries(&self, tag: DictTag) -> bool {
        self.dictionaries.contains_key(&tag)
    }

    /// Adds a record and returns its offset. Of two records with one id only the first is written.
    /// The dictionary that a record names must have been added before.
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

    /// Writes every dictionary a second time. Returns the entries of both copies.
    fn repeat_dictionaries(&mut self) -> Result<Vec<PackEntry>, PackWriteError> {
        let mut placed = Vec::new();
        for (first, dictionary) in std::mem::take(&mut self.dictionaries).into_values() {
            placed.extend([first, self.place(&dictionary.as_record())?]);
        }
        Ok(placed)
    }

    /// Returns the offset of the next record: all bytes so far, including the header but not the
    /// footer.
    pub fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Writes the footer, makes the file durable, gives it its final name, and makes the name
    /// durable.
    ///
    /// On `Ok` the pack survives power loss. After an error it may exist under either name,
    /// complete or not. Nothing refers to it then, and its blobs must be written again.
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
        // One long record must not enlarge the buffer for good.
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

/// The header and the paths of the next pack.
#[derive(Debug, Clone)]
pub struct PackPlace {
    /// The header of the pack.
    pub header: PackHeader,
    /// The new file to write to.
    pub tmp_path: PathBuf,
    /// The name that the complete pack gets.
    pub final_path: PathBuf,
}

/// The most blobs of a pack in a series, however small they are. A footer is read as a whole and
/// limited to [`FOOTER_ENTRIES_MAX`](crate::format::pack::FOOTER_ENTRIES_MAX). The difference
/// leaves room for a family that is added at once.
const PACK_ENTRIES: usize = 1 << 20;

/// Packs written one after the other, each closed before it would exceed a limit.
///
/// When it is dropped unfinished, as after an error, it removes the packs it wrote, because nothing
/// refers to them yet. A file that cannot be removed becomes garbage.
pub struct PackSeries<P> {
    disk: Arc<dyn Disk>,
    pack_bytes: u64,
    place: P,
    open: Option<(PackWriter, PathBuf)>,
    synced: Vec<SyncedPack>,
    /// A pack that could not be closed. The whole series then fails.
    failed: Option<PackId>,
}

impl<P: FnMut() -> PackPlace> PackSeries<P> {
    /// Starts a series of packs of at most `pack_bytes` each; a longer record gets a pack of its
    /// own. `place` returns where each pack goes. Its directory must exist.
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

    /// Adds a record to a pack that has room for it.
    pub fn append(&mut self, record: &Record<'_>) -> Result<(), PackWriteError> {
        self.room_for(record)?.append(record)?;
        Ok(())
    }

    /// Adds a record, and the dictionary it names, to the open pack, whatever its length. The
    /// dictionary is made for the content of one pack, so the record must not go to another.
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

    /// Closes the open pack, so that the next record goes to a new one.
    pub fn cut(&mut self) -> Result<(), PackWriteError> {
        self.check()?;
        self.close()
    }

    /// Returns the writer of a pack with room for a record.
    fn room_for(&mut self, record: &Record<'_>) -> Result<&mut PackWriter, PackWriteError> {
        self.check()?;
        // A pack is opened only when there is a record for it, so no empty pack is closed.
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

    /// Closes the last pack. Returns all packs.
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
            // A file that stays is removed when the store is opened, or its blobs count as dead and
            // it is compacted.
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

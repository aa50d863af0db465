//! The packs of an open store: those kept open, and the places of new ones.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::archive::files::folders::PACKS_DIR;
use crate::archive::files::pack_error::read_error;
use crate::archive::files::pack_files::pack_path;
use crate::archive::files::tmp_names::TmpNames;
use crate::blob::dictionary::DictionaryCache;
use crate::blob::pack_reader::PackReader;
use crate::blob::pack_writer::PackPlace;
use crate::disk::Disk;
use crate::format::pack::{FOOTER_ENTRY_BYTES, PackClass, PackEffort, PackHeader, PackOrigin};
use crate::format::record::RECORD_HEADER_BYTES;
use crate::id::{EventSeq, PackId, StoreId};
use crate::{Error, Result};

/// Packs kept open at once.
const PACKS_OPEN_MAX: usize = 64;

/// How a pack was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) struct PackMake {
    pub(in crate::archive) effort: PackEffort,
    pub(in crate::archive) origin: PackOrigin,
    /// The most bytes that its content takes in another pack.
    pub(in crate::archive) weight: u64,
}

/// Bytes that each content takes in a pack besides what is stored of it.
const AROUND_BYTES: u64 = (FOOTER_ENTRY_BYTES + RECORD_HEADER_BYTES) as u64;

/// An open pack, and the path it was opened at.
pub(in crate::archive) type OpenPack = (Arc<PackReader>, PathBuf);

/// The packs of an open store.
pub(in crate::archive) struct PackStore {
    disk: Arc<dyn Disk>,
    store: StoreId,
    tmp: Arc<TmpNames>,
    open: Mutex<HashMap<PackId, OpenPack>>,
    /// Dictionary cache, shared by all open packs.
    dictionaries: Arc<DictionaryCache>,
    /// How the packs were made whose headers were read.
    made: Mutex<HashMap<PackId, PackMake>>,
    /// Classes whose folders are durable.
    classes: Mutex<BTreeSet<PackClass>>,
    next_pack: AtomicU64,
}

impl PackStore {
    /// Makes the pack store of `store`. `next_pack` is higher than any number in use.
    pub(in crate::archive) fn new(
        disk: Arc<dyn Disk>,
        store: StoreId,
        tmp: Arc<TmpNames>,
        dictionary_cache_bytes: usize,
        next_pack: PackId,
    ) -> Self {
        Self {
            disk,
            store,
            tmp,
            open: Mutex::default(),
            dictionaries: Arc::new(DictionaryCache::new(dictionary_cache_bytes)),
            made: Mutex::default(),
            classes: Mutex::default(),
            next_pack: AtomicU64::new(next_pack.0),
        }
    }

    /// Returns a pack, opened. `class_of` is asked for its class when it is not open yet.
    pub(in crate::archive) fn open(
        &self,
        id: PackId,
        class_of: impl FnOnce() -> Result<String>,
    ) -> Result<OpenPack> {
        let mut packs = self.open.lock().expect("no panic while held");
        if let Some(open) = packs.get(&id) {
            return Ok(open.clone());
        }
        let path = pack_path(&class_of()?, id);
        let pack = PackReader::open_with(&*self.disk, &path, Arc::clone(&self.dictionaries))
            .map_err(|error| read_error(&path, error))?;
        if packs.len() >= PACKS_OPEN_MAX {
            packs.clear();
        }
        let open = (Arc::new(pack), path);
        packs.insert(id, open.clone());
        Ok(open)
    }

    /// Closes a pack that is about to be removed.
    pub(in crate::archive) fn close(&self, id: PackId) {
        self.open.lock().expect("no panic while held").remove(&id);
        self.made.lock().expect("no panic while held").remove(&id);
    }

    /// Returns how a pack was made. Its header and its end are read once.
    pub(in crate::archive) fn made(&self, id: PackId, class: &str) -> Result<PackMake> {
        let known = self.made.lock().expect("no panic while held");
        if let Some(made) = known.get(&id) {
            return Ok(*made);
        }
        drop(known);
        let path = pack_path(class, id);
        let reader = PackReader::open(&*self.disk, &path);
        let made = reader
            .and_then(|reader| {
                let trailer = reader.trailer()?;
                let around = trailer.entry_count.saturating_mul(AROUND_BYTES);
                Ok(PackMake {
                    effort: reader.header().effort,
                    origin: reader.header().origin,
                    weight: trailer.raw_bytes.saturating_add(around),
                })
            })
            .map_err(|error| read_error(&path, error))?;
        let mut known = self.made.lock().expect("no panic while held");
        known.insert(id, made);
        Ok(made)
    }

    /// Notes that a pack cannot be packed again, because it is damaged inside. It is not tried
    /// again before the store is opened again.
    pub(in crate::archive) fn leave_as_it_is(&self, id: PackId) {
        let mut known = self.made.lock().expect("no panic while held");
        if let Some(made) = known.get_mut(&id) {
            made.effort = PackEffort::Small;
            made.weight = u64::MAX;
        }
    }

    /// Returns where the next pack of a class goes. [`PackStore::make_class_dir`] comes first.
    pub(in crate::archive) fn next_place(
        &self,
        class: &PackClass,
        origin: PackOrigin,
        sealed: (EventSeq, EventSeq),
    ) -> PackPlace {
        let pack = PackId(self.next_pack.fetch_add(1, Ordering::Relaxed));
        PackPlace {
            header: PackHeader {
                origin,
                effort: PackEffort::Small,
                store: self.store,
                pack,
                first_seq: sealed.0,
                last_seq: sealed.1,
                class: class.clone(),
            },
            tmp_path: self.tmp.next("pack"),
            final_path: pack_path(class.as_str(), pack),
        }
    }

    /// Makes the folder of a class durable.
    pub(in crate::archive) fn make_class_dir(&self, class: &PackClass) -> Result<()> {
        let mut known = self.classes.lock().expect("no panic while held");
        if known.contains(class) {
            return Ok(());
        }
        let mut path = PathBuf::from(PACKS_DIR);
        for part in class.as_str().split('/') {
            let parent = path.clone();
            path.push(part);
            let is_new = self.disk.list(&path).is_err();
            self.disk
                .make_dir(&path)
                .and_then(|()| self.disk.sync_dir(&parent))
                .map_err(|error| {
                    if is_new {
                        // As in `disk::publish`: a folder that never became durable must not be
                        // built on.
                        let _ = self.disk.rename(&path, &self.tmp.next("folder"));
                    }
                    Error::io("make", &path, error)
                })?;
        }
        known.insert(class.clone());
        Ok(())
    }
}

/// Removes published or temporary files whose work failed. Nothing names them, the next try writes
/// them again, and a full disk has no room for both.
pub(in crate::archive) fn discard_unpublished<'a>(
    disk: &dyn Disk,
    paths: impl Iterator<Item = &'a PathBuf>,
) {
    for path in paths {
        // What cannot be removed now is garbage, which an opening or a compaction removes.
        let _ = disk.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::blob::pack_writer::PackSeries;
    use crate::disk::sim::{Call, Fault, Repeat, SimDisk};
    use crate::format::record::{Codec, Record, RecordKind};
    use crate::id::BlobId;

    fn packs(disk: &SimDisk) -> PackStore {
        PackStore::new(
            Arc::new(disk.clone()),
            StoreId::from_bytes([7; 16]),
            Arc::default(),
            1 << 20,
            PackId(5),
        )
    }

    fn class() -> PackClass {
        PackClass::new("forever/none").expect("a class")
    }

    fn write_pack(packs: &PackStore, content: &[u8]) -> PackId {
        let class = class();
        packs.make_class_dir(&class).expect("made");
        let none = (EventSeq(0), EventSeq(0));
        let place = || packs.next_place(&class, PackOrigin::Streamed, none);
        let mut series = PackSeries::new(Arc::clone(&packs.disk), 1 << 20, place);
        let record = Record {
            kind: RecordKind::Content,
            codec: Codec::Raw,
            dictionary: None,
            raw_len: u32::try_from(content.len()).expect("short"),
            id: BlobId::of(content),
            stored: content,
        };
        series.append(&record).expect("written");
        series.finish().expect("published")[0].id
    }

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        for folder in [PACKS_DIR, "tmp"] {
            disk.make_dir(Path::new(folder)).expect("made");
        }
        disk
    }

    #[test]
    fn a_pack_that_is_open__is_not_opened_again_until_it_is_closed() {
        let disk = disk();
        let packs = packs(&disk);
        let id = write_pack(&packs, b"content");
        assert_eq!(id, PackId(5));
        let class = || Ok("forever/none".to_owned());
        let (_, path) = packs.open(id, class).expect("opened");
        assert_eq!(path, pack_path("forever/none", id));
        let opens = disk.census().of(Call::Open);
        packs.open(id, || panic!("it is open")).expect("open");
        assert_eq!(disk.census().of(Call::Open), opens);
        packs.close(id);
        packs.open(id, class).expect("opened");
        assert_eq!(disk.census().of(Call::Open), opens + 1);
    }

    /// A new folder that is not durable could vanish with the packs in it.
    #[test]
    fn a_class_folder_that_is_not_durable__is_made_again() {
        let disk = disk();
        let packs = packs(&disk);
        disk.fail_at(2, Fault::Os(5), Repeat::Once);
        packs.make_class_dir(&class()).expect_err("not synced");
        assert!(disk.list(Path::new("packs/forever")).is_err());
        packs.make_class_dir(&class()).expect("made");
        assert!(disk.list(Path::new("packs/forever/none")).is_ok());
    }

    #[test]
    fn discarded_files__are_gone_and_missing_ones_do_not_matter() {
        let disk = disk();
        disk.plant("tmp/pack-0", b"half").expect("planted");
        let paths = ["tmp/pack-0", "tmp/pack-1"].map(PathBuf::from);
        discard_unpublished(&disk, paths.iter());
        assert!(disk.content("tmp/pack-0").is_err());
    }
}

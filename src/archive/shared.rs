//! What the threads of an open store share: the log's files, the index with its layers, and where blobs are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock};

use crate::archive::damage::ContentDamage;
use crate::archive::newest::Newest;
use crate::archive::open::IndexFile;
use crate::archive::{Access, CompactOutcome, Options};
use crate::blob::chunker::Cuts;
use crate::blob::compression::{Compressors, Level};
use crate::blob::dictionary::DictionaryCache;
use crate::blob::manifest::ManifestReader;
use crate::blob::pack_reader::{PackReadError, PackReader, Plain, read_record};
use crate::blob::pack_writer::{PackPlace, PackWriteError};
use crate::disk::Disk;
use crate::entry::Retention;
use crate::format::pack::{PackClass, PackEntry, PackHeader, PackOffset, PackOrigin};
use crate::format::record::{self, RecordKind};
use crate::id::{BlobId, EventSeq, PackId, StoreId};
use crate::index::{Index, Overlay, PackRow, Place, Placement, View};
use crate::log::{JournalPlace, LiveFrame, LogFiles, journal_path};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// The folder of packs.
pub(super) const PACKS_DIR: &str = "packs";
/// The folder of files that are not part of the store yet.
pub(super) const TMP_DIR: &str = "tmp";

/// Packs kept open at once.
const PACKS_OPEN_MAX: usize = 64;
/// Content is compressed quickly for the journal; sealing compresses it again at the level asked for.
const JOURNAL_LEVEL: Level = Level::FASTEST;

/// Everything the handle, the writer and the sealer have in common.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) store: StoreId,
    pub(super) options: Options,
    pub(super) files: Arc<LogFiles>,
    /// What was found damaged when the store was opened; then nothing is written.
    pub(super) damage: Vec<String>,
    /// Content that was found damaged when the store was opened.
    pub(super) content_damage: OnceLock<ContentDamage>,
    index: RwLock<Arc<Index>>,
    /// Held by whoever writes the file of the index or opens it again: two handles of redb must not
    /// write it.
    index_writing: Mutex<()>,
    /// The file of the index could not be opened to be written again.
    index_is_stuck: AtomicBool,
    layers: RwLock<Layers>,
    /// Blobs whose bytes are in the journal.
    inline: RwLock<HashMap<BlobId, JournalPlace>>,
    /// Of content that goes into the journal.
    pub(super) for_journal: Compressors,
    packs: Mutex<HashMap<PackId, (Arc<PackReader>, PathBuf)>>,
    /// Of all packs that are open.
    dictionaries: Arc<DictionaryCache>,
    classes: Mutex<BTreeSet<PackClass>>,
    /// Packs of content that no event names yet, by how many wait to name it.
    pinned: Mutex<BTreeMap<PackId, usize>>,
    next_pack: AtomicU64,
    next_tmp: AtomicU64,
    newest: Newest,
    failure: Mutex<Option<String>>,
    stalled: Mutex<Option<String>>,
    /// Set when the store is being closed: what can wait for the next opening is left to it.
    closing: AtomicBool,
    /// When the store was opened, a journal file still held what a purge makes zeros of.
    stale_journal: AtomicBool,
    /// What was freed in the background since the store was opened, and nobody was told of yet.
    freed_untold: Mutex<CompactOutcome>,
}

/// What is newer than the index on disk, newest first.
struct Layers {
    active: Arc<Overlay>,
    /// Being written to the index right now.
    frozen: Option<Arc<Overlay>>,
    /// The tables of the index as of its last commit.
    tables: View,
}

impl Layers {
    fn below(&self) -> View {
        match &self.frozen {
            Some(frozen) => self.tables.under(Arc::clone(frozen)),
            None => self.tables.clone(),
        }
    }
}

impl Shared {
    #[expect(
        clippy::too_many_arguments,
        reason = "opening the store is the one caller and knows all of it"
    )]
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        store: StoreId,
        options: Options,
        files: Arc<LogFiles>,
        damage: Vec<String>,
        index: Index,
        active: Overlay,
        inline: HashMap<BlobId, JournalPlace>,
        next_pack: PackId,
    ) -> Result<Self> {
        let newest = files.last();
        let tables = index.view(Vec::new())?;
        let dictionaries = Arc::new(DictionaryCache::new(options.dictionary_cache_bytes));
        Ok(Self {
            disk,
            dir,
            store,
            options,
            files,
            damage,
            content_damage: OnceLock::new(),
            index: RwLock::new(Arc::new(index)),
            index_writing: Mutex::default(),
            index_is_stuck: AtomicBool::new(false),
            layers: RwLock::new(Layers {
                active: Arc::new(active),
                frozen: None,
                tables,
            }),
            inline: RwLock::new(inline),
            for_journal: Compressors::new(JOURNAL_LEVEL),
            packs: Mutex::default(),
            dictionaries,
            classes: Mutex::default(),
            pinned: Mutex::default(),
            next_pack: AtomicU64::new(next_pack.0),
            next_tmp: AtomicU64::new(0),
            newest: Newest::new(newest),
            failure: Mutex::default(),
            stalled: Mutex::default(),
            closing: AtomicBool::new(false),
            stale_journal: AtomicBool::new(false),
            freed_untold: Mutex::default(),
        })
    }

    /// From which length on content is cut into chunks, and where.
    pub(super) fn cuts(&self) -> Cuts {
        Cuts::from(self.options.stream_bytes)
    }

    /// The index on disk.
    pub(super) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().expect("no panic while held"))
    }

    /// Everything acknowledged so far.
    pub(super) fn view(&self) -> View {
        self.heal_index();
        let layers = self.layers.read().expect("no panic while held");
        layers.below().under(Arc::clone(&layers.active))
    }

    /// What the active layer lies on, and the active layer. For the writer, the only one who changes it.
    pub(super) fn layers(&self) -> (View, Arc<Overlay>) {
        self.heal_index();
        let layers = self.layers.read().expect("no panic while held");
        (layers.below(), Arc::clone(&layers.active))
    }

    /// The newest acknowledged event.
    pub(super) fn newest(&self) -> EventSeq {
        self.newest.reached().newest
    }

    /// The newest acknowledged event, for those who wait for a newer one.
    pub(super) fn newest_event(&self) -> &Newest {
        &self.newest
    }

    /// Lets readers see a group that is durable: bytes first, then the rows that name them. Only the writer does this.
    ///
    /// How far the log has come changes together with the rows: a plan that was made of rows is never told that this
    /// store has not come as far, and whoever was told of an event finds its rows.
    pub(super) fn publish(
        &self,
        active: Arc<Overlay>,
        frames: Vec<LiveFrame>,
        inline: Vec<(BlobId, JournalPlace)>,
    ) {
        if !inline.is_empty() {
            self.inline
                .write()
                .expect("no panic while held")
                .extend(inline);
        }
        let last = frames.last().map(|frame| frame.seq);
        self.files.add_live(frames);
        let mut layers = self.layers.write().expect("no panic while held");
        layers.active = active;
        let woken = last.map(|last| self.newest.set(last));
        drop(layers);
        if let Some(woken) = woken {
            woken.wake();
        }
    }

    /// Puts an empty layer on top, so that the one below can be written to the index. Only the writer does this.
    pub(super) fn freeze(&self) {
        let mut layers = self.layers.write().expect("no panic while held");
        // While an earlier one could not be written it stays, and what is newer goes on gathering above it.
        if layers.frozen.is_none() {
            let above = layers.below().under(Arc::clone(&layers.active)).overlay();
            layers.frozen = Some(std::mem::replace(&mut layers.active, Arc::new(above)));
        }
    }

    /// Writes the frozen layer to the index. Readers see the same before, meanwhile and after.
    pub(super) fn write_frozen(&self) -> Result<()> {
        let frozen = self
            .layers
            .read()
            .expect("no panic while held")
            .frozen
            .clone();
        if let Some(frozen) = frozen {
            let _alone = self.write_index_alone();
            if self.index_is_stuck.load(Ordering::Relaxed) {
                self.reopen_index(IndexFile::Kept)?;
            }
            let index = self.index();
            if let Err(error) = index.commit(&frozen) {
                self.unstick_index();
                return Err(error.into());
            }
            let tables = index.view(Vec::new())?;
            let mut layers = self.layers.write().expect("no panic while held");
            layers.tables = tables;
            layers.frozen = None;
        }
        Ok(())
    }

    /// After a call to the disk that failed, redb answers nothing more, not even a read, before its file is opened again. What
    /// is frozen stays above, so readers see the same. Where even that needs room, the file is only read until there is some.
    fn unstick_index(&self) {
        let readable = self
            .reopen_index(IndexFile::Kept)
            .map(|()| false)
            .or_else(|_| self.reopen_index(IndexFile::Untouched).map(|()| true));
        self.index_is_stuck
            .store(readable.unwrap_or(true), Ordering::Relaxed);
    }

    /// Takes the index into use again after a read of its file failed: that one is told as what it
    /// is, the next one works if the disk does.
    fn heal_index(&self) {
        let has_failed = || self.index.read().expect("no panic while held").has_failed();
        if self.options.access == Access::ReadOnly || !has_failed() {
            return;
        }
        // Whoever is writing it sees to it.
        if let Ok(_alone) = self.index_writing.try_lock()
            && has_failed()
        {
            self.unstick_index();
        }
    }

    /// Keeps everybody else from writing the file of the index, or from opening it again, until it
    /// is dropped.
    pub(super) fn write_index_alone(&self) -> MutexGuard<'_, ()> {
        self.index_writing.lock().expect("no panic while held")
    }

    fn reopen_index(&self, file: IndexFile) -> Result<()> {
        let index = file.open(&self.disk, self.store, &self.options)?;
        let index = index.ok_or_else(|| {
            Error::new(ErrorKind::Damaged, "the index is missing or of no use")
                .hint("close the store and open it again: the index is made anew")
        })?;
        let tables = index.view(Vec::new())?;
        let mut layers = self.layers.write().expect("no panic while held");
        *self.index.write().expect("no panic while held") = Arc::new(index);
        layers.tables = tables;
        self.index_is_stuck
            .store(file == IndexFile::Untouched, Ordering::Relaxed);
        Ok(())
    }

    /// Takes another index into use, with what is newer than it. The writer is paused meanwhile.
    pub(super) fn replace_index(&self, index: Index, active: Overlay) -> Result<()> {
        let tables = index.view(Vec::new())?;
        let mut layers = self.layers.write().expect("no panic while held");
        *self.index.write().expect("no panic while held") = Arc::new(index);
        *layers = Layers {
            active: Arc::new(active),
            frozen: None,
            tables,
        };
        Ok(())
    }

    /// How many entries changed since the index was written.
    pub(super) fn changed_entries(&self) -> usize {
        let layers = self.layers.read().expect("no panic while held");
        layers.active.changed_entries()
    }

    /// True when this blob is needed and can be found: what is needed and lost is welcome to be brought again.
    pub(super) fn is_stored(&self, id: &BlobId) -> Result<bool> {
        let row = self.view().blob(id)?;
        Ok(row
            .is_some_and(|row| row.refs > 0 && (row.place.is_some() || self.inline(id).is_some())))
    }

    /// True when an entry that was not purged names this blob.
    pub(super) fn is_live(&self, id: &BlobId) -> Result<bool> {
        Ok(self.view().blob(id)?.is_some_and(|blob| blob.refs > 0))
    }

    /// Bytes a blob takes where it lies now, without headers; 0 when it is not there.
    pub(super) fn stored_bytes(&self, id: &BlobId) -> Result<u64> {
        let without = |len: u32, header: usize| u64::from(len).saturating_sub(header as u64);
        if let Some(place) = self.inline(id) {
            return Ok(without(place.bytes, record::RECORD_HEADER_BYTES));
        }
        let view = self.view();
        let mut bytes = 0;
        if let Some(row) = view.blob(id)? {
            let children = view.children(id)?;
            let kind = if children.is_empty() {
                RecordKind::Content
            } else {
                RecordKind::Manifest
            };
            let place = row.place;
            bytes += place.map_or(0, |at| without(at.len, record::packed_header_bytes(kind)));
            for child in children.iter() {
                if let Some(place) = view.blob(child)?.and_then(|row| row.place) {
                    bytes += without(place.len, record::packed_header_bytes(RecordKind::Content));
                }
            }
        }
        Ok(bytes)
    }

    /// Where in the journal a blob lies.
    pub(super) fn inline(&self, id: &BlobId) -> Option<JournalPlace> {
        self.inline
            .read()
            .expect("no panic while held")
            .get(id)
            .copied()
    }

    /// The blobs whose bytes are in the journal.
    pub(super) fn inline_blobs(&self) -> Vec<BlobId> {
        let inline = self.inline.read().expect("no panic while held");
        inline.keys().copied().collect()
    }

    /// Bytes of the journal's records that nothing needs any more; 0 when there are none.
    pub(super) fn unneeded_in_journal(&self) -> Result<u64> {
        if !self.was_purged() {
            return Ok(0);
        }
        // Listed before the view is taken: what is listed is in the view.
        let inline = self.inline_blobs();
        let view = self.view();
        let mut bytes = 0;
        for id in inline {
            if view.blob(&id)?.is_none_or(|row| row.refs == 0) {
                bytes += self.inline(&id).map_or(0, |place| u64::from(place.bytes));
            }
        }
        Ok(bytes)
    }

    /// True when anything was ever purged, or a hold came or went.
    pub(super) fn was_purged(&self) -> bool {
        self.view().plans_stale_since() > EventSeq(0)
    }

    /// Bytes of all records in the journal.
    pub(super) fn inline_bytes(&self) -> u64 {
        let inline = self.inline.read().expect("no panic while held");
        inline.values().map(|place| u64::from(place.bytes)).sum()
    }

    /// Forgets the blobs of one generation of a journal file.
    pub(super) fn forget_inline(&self, slot: u32, generation: u64) {
        let mut inline = self.inline.write().expect("no panic while held");
        inline.retain(|_, place| (place.slot, place.generation) != (slot, generation));
    }

    /// Reads one record, wherever it is by now, and checks it against its name. `None` when the blob is not there.
    pub(super) fn plain(&self, id: &BlobId) -> Result<Option<Plain>> {
        // Places are hints, the hash is the truth: a record that moved while we looked is looked up again.
        let mut last = None;
        for _ in 0..4 {
            if let Some(place) = self.inline(id) {
                match self.plain_inline(id, &place) {
                    Ok(plain) => return Ok(Some(plain)),
                    Err(error) => last = Some(error),
                }
                if self.inline(id) == Some(place) {
                    break;
                }
                continue;
            }
            let Some(row) = self.view().blob(id)? else {
                return Ok(None);
            };
            let Some(place) = row.place else {
                if self.inline(id).is_some() {
                    continue;
                }
                // A purged blob whose journal file was sealed without it.
                return Ok(None);
            };
            match self.plain_packed(id, &place) {
                Ok(plain) => return Ok(Some(plain)),
                Err(error) => last = Some(error),
            }
            if self.view().blob(id)?.and_then(|row| row.place) == Some(place) {
                break;
            }
        }
        match last {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    fn plain_inline(&self, id: &BlobId, place: &JournalPlace) -> Result<Plain> {
        let path = journal_path(place.slot);
        let file = self.files.journal(place.slot).ok_or_else(|| {
            Error::new(ErrorKind::Damaged, format!("{} is missing", path.display()))
        })?;
        let at = PackOffset(place.offset);
        let end = place.offset + u64::from(place.bytes);
        let unpacked = read_record(&*file, end, at, place.bytes, id)
            .and_then(|record| record.plain(at, id, None));
        unpacked.map_err(|error| read_error(&path, error))
    }

    fn plain_packed(&self, id: &BlobId, place: &Place) -> Result<Plain> {
        let (pack, path) = self.pack(place.pack)?;
        pack.read_plain(PackOffset(place.offset), place.len, id)
            .map_err(|error| read_error(&path, error))
    }

    /// An open pack, and where it is.
    pub(super) fn pack(&self, id: PackId) -> Result<(Arc<PackReader>, PathBuf)> {
        let mut packs = self.packs.lock().expect("no panic while held");
        if let Some(open) = packs.get(&id) {
            return Ok(open.clone());
        }
        let row = self.view().pack(id)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Damaged,
                format!("the index does not know pack {id}"),
            )
            .hint("make the index anew with 'annals rebuild'")
        })?;
        let path = pack_path(&row.class, id);
        let pack = PackReader::open_with(&*self.disk, &path, Arc::clone(&self.dictionaries))
            .map_err(|error| read_error(&path, error))?;
        if packs.len() >= PACKS_OPEN_MAX {
            packs.clear();
        }
        let open = (Arc::new(pack), path);
        packs.insert(id, open.clone());
        Ok(open)
    }

    /// Closes a pack that is about to go.
    pub(super) fn forget_pack(&self, id: PackId) {
        self.packs.lock().expect("no panic while held").remove(&id);
    }

    /// What a manifest stands for; `root` is its plaintext.
    pub(super) fn manifest(&self, root: &[u8]) -> Result<Manifest> {
        Manifest::read(root, |id| match self.plain(id)? {
            Some(plain) => Ok(plain.bytes),
            None => Err(Error::new(
                ErrorKind::Damaged,
                format!("blob {id} is missing"),
            )),
        })
    }

    /// Keeps compaction away from packs that hold content on its way into an event, until the pin is dropped.
    pub(super) fn pin(self: &Arc<Self>, packs: Vec<PackId>) -> Pin {
        let mut pinned = self.pinned.lock().expect("no panic while held");
        for pack in &packs {
            *pinned.entry(*pack).or_default() += 1;
        }
        drop(pinned);
        Pin {
            shared: Arc::clone(self),
            packs,
        }
    }

    pub(super) fn is_pinned(&self, pack: PackId) -> bool {
        let pinned = self.pinned.lock().expect("no panic while held");
        pinned.contains_key(&pack)
    }

    /// A name below `tmp/` that nobody else uses.
    pub(super) fn tmp_path(&self, what: &str) -> PathBuf {
        let number = self.next_tmp.fetch_add(1, Ordering::Relaxed);
        Path::new(TMP_DIR).join(format!("{what}-{number}"))
    }

    /// Where the next pack of a class goes; [`Shared::make_class_dir`] comes first.
    pub(super) fn next_pack_place(
        &self,
        class: &PackClass,
        origin: PackOrigin,
        sealed: (EventSeq, EventSeq),
    ) -> PackPlace {
        let pack = PackId(self.next_pack.fetch_add(1, Ordering::Relaxed));
        PackPlace {
            header: PackHeader {
                origin,
                store: self.store,
                pack,
                first_seq: sealed.0,
                last_seq: sealed.1,
                class: class.clone(),
            },
            tmp_path: self.tmp_path("pack"),
            final_path: pack_path(class.as_str(), pack),
        }
    }

    /// Makes the folder of a class durable.
    pub(super) fn make_class_dir(&self, class: &PackClass) -> Result<()> {
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
                        // As in `disk::publish`: nobody may build on a folder that never became durable.
                        let _ = self.disk.rename(&path, &self.tmp_path("folder"));
                    }
                    Error::io("make", &path, error)
                })?;
        }
        known.insert(class.clone());
        Ok(())
    }

    /// Why the writer has stopped, if it has.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().expect("no panic while held").clone()
    }

    /// Stops the writer for good.
    pub(super) fn fail(&self, why: String) {
        self.failure
            .lock()
            .expect("no panic while held")
            .get_or_insert(why);
    }

    /// True once the store is being closed.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Adds to what was freed in the background.
    pub(super) fn note_freed(&self, done: CompactOutcome) {
        let mut untold = self.freed_untold.lock().expect("no panic while held");
        *untold = untold.and(done);
    }

    /// Hands over what was freed in the background, to whoever tells of it.
    pub(super) fn take_freed(&self) -> CompactOutcome {
        std::mem::take(&mut *self.freed_untold.lock().expect("no panic while held"))
    }

    /// True when a journal file still held what a purge makes zeros of.
    pub(super) fn has_stale_journal(&self) -> bool {
        self.stale_journal.load(Ordering::Relaxed)
    }

    /// Says that a journal file still holds what a purge makes zeros of.
    pub(super) fn set_stale_journal(&self) {
        self.stale_journal.store(true, Ordering::Relaxed);
    }

    /// Says that the store is being closed.
    pub(super) fn set_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Why sealing does not get on, while it does not.
    pub(super) fn stalled(&self) -> Option<String> {
        self.stalled.lock().expect("no panic while held").clone()
    }

    pub(super) fn set_stalled(&self, why: Option<String>) {
        *self.stalled.lock().expect("no panic while held") = why;
    }
}

/// Stops the writer for good when the thread that has it ends in a panic. Without it callers would
/// go on to hand in work and wait for a thread that is gone.
pub(super) struct FailOnPanic<'a> {
    shared: &'a Shared,
    /// Which thread it is, for people.
    thread: &'static str,
    /// Work that is done while a thread unwinds for another reason says nothing of the writer.
    was_panicking: bool,
}

impl<'a> FailOnPanic<'a> {
    pub(super) fn new(shared: &'a Shared, thread: &'static str) -> Self {
        Self {
            shared,
            thread,
            was_panicking: std::thread::panicking(),
        }
    }

    /// True when the thread began to panic while this was there.
    pub(super) fn panics(&self) -> bool {
        std::thread::panicking() && !self.was_panicking
    }
}

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if self.panics() {
            self.shared.fail(format!(
                "BUG: {} panicked; nothing more is written",
                self.thread
            ));
        }
    }
}

/// Packs that compaction leaves alone as long as this lives.
pub(super) struct Pin {
    shared: Arc<Shared>,
    packs: Vec<PackId>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pinned = self.shared.pinned.lock().expect("no panic while held");
        for pack in &self.packs {
            if let Some(waiting) = pinned.get_mut(pack) {
                *waiting -= 1;
                if *waiting == 0 {
                    pinned.remove(pack);
                }
            }
        }
    }
}

/// Which pack a blob kept like this goes to: those that may go at the same time lie together, so that whole packs go.
pub(super) fn pack_class(retention: Retention, archived_at: Timestamp) -> PackClass {
    let name = match retention.expires_at(archived_at) {
        None => "forever/none".to_owned(),
        Some(expires) => {
            let short = matches!(
                retention,
                Retention::Period {
                    days: ..=31,
                    years: 0
                }
            );
            let bucket = if short { "%Y-%m-%d" } else { "%Y-%m" };
            format!(
                "{retention}/{}",
                expires.to_chrono().to_utc().format(bucket)
            )
        }
    };
    PackClass::new(name).expect("a retention and a date make a short name")
}

/// Where a pack is.
pub(super) fn pack_path(class: &str, pack: PackId) -> PathBuf {
    Path::new(PACKS_DIR)
        .join(class)
        .join(format!("{:016}.pack", pack.0))
}

/// The number a pack's file name stands for.
pub(super) fn pack_of(name: &str) -> Option<PackId> {
    let digits = name.strip_suffix(".pack")?;
    (digits.len() == 16).then(|| digits.parse().ok().map(PackId))?
}

/// What the index says of a pack before anything in it is needed.
pub(super) fn pack_row(
    id: PackId,
    class: &str,
    bytes: u64,
    blobs: usize,
    dictionary_bytes: u64,
) -> PackRow {
    PackRow {
        id,
        class: class.to_owned(),
        bytes,
        blobs: blobs as u64,
        dictionary_bytes,
        live_bytes: 0,
        live_blobs: 0,
    }
}

/// Tells the index where the blobs of a pack lie. `fetch` answers the lists of chunks.
pub(super) fn place_blobs(
    pending: &mut Overlay,
    below: &View,
    pack: PackId,
    entries: &[PackEntry],
    mut fetch: impl FnMut(&PackEntry) -> Result<Manifest>,
) -> Result<()> {
    for entry in entries {
        // Of two copies the one in the newer pack counts, in whatever order they are told of: the older pack is the one
        // that was rewritten, or lost a race.
        let before = pending.place_of(&entry.id, below)?;
        if before.is_some_and(|place| place.pack > pack) {
            continue;
        }
        let manifest = match entry.kind {
            RecordKind::Content => None,
            RecordKind::Manifest => Some(fetch(entry)?),
            // Serves blobs, and is none.
            RecordKind::Dictionary => continue,
        };
        let (size, children) = match manifest {
            None => (u64::from(entry.raw_len), Vec::new()),
            Some(manifest) => (manifest.size, manifest.parts),
        };
        let place = Place {
            pack,
            offset: entry.offset.0,
            len: entry.len,
        };
        let placement = Placement {
            id: entry.id,
            size,
            place,
            children,
        };
        pending.place(&placement, below)?;
    }
    Ok(())
}

/// What a manifest stands for.
pub(super) struct Manifest {
    /// Bytes of the content.
    pub(super) size: u64,
    /// Every blob it is made of: chunks, and the manifest's own inner nodes.
    pub(super) parts: Vec<BlobId>,
}

impl Manifest {
    /// Walks the whole tree below `root`; `fetch` answers the plaintext of an inner node.
    pub(super) fn read(
        root: &[u8],
        mut fetch: impl FnMut(&BlobId) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut parts = Vec::new();
        let mut nodes = Vec::new();
        let reader = ManifestReader::new(root, |id: &BlobId| {
            nodes.push(*id);
            fetch(id)
        })
        .map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
        let size = reader.total_len();
        for chunk in reader {
            let chunk = chunk.map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
            parts.push(chunk.id);
        }
        parts.append(&mut nodes);
        Ok(Self { size, parts })
    }
}

/// Adds the file to what went wrong in it.
pub(super) fn read_error(path: &Path, error: PackReadError) -> Error {
    match error {
        PackReadError::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound
            ) =>
        {
            Error::io("read", path, error)
        }
        other => Error::new(
            ErrorKind::Damaged,
            format!("{} is damaged: {other}", path.display()),
        )
        .hint(
            "run 'annals verify --deep' for the whole picture; the undamaged rest stays readable",
        ),
    }
}

/// Turns a failed pack into an error of the store.
pub(super) fn write_error(error: PackWriteError) -> Error {
    match error {
        PackWriteError::Io {
            action,
            path,
            source,
        } => Error::io(action, path, source),
        other => Error::new(ErrorKind::Io, other.to_string()),
    }
}

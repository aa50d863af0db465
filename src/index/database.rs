//! The index file of one store: opens it, reads views of its tables, and commits overlays to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{Builder, Database, ReadableDatabase};

use super::error::IndexError;
use super::overlay::Overlay;
use super::reader::Reader;
use super::view::View;
use super::{backend, scratch, tables, write};
use crate::disk::DiskFile;
use crate::id::{EventSeq, StoreId};

/// Memory that redb may use to cache pages, unless the caller sets another limit.
pub(crate) const CACHE_BYTES: usize = 32 << 20;

/// A file with less free room than this is not written anew.
const LOOSE_BYTES_MIN: u64 = 1 << 20;

/// The index tables of one store.
pub(crate) struct Index {
    db: Arc<Database>,
    failure: backend::Failure,
    store: StoreId,
    /// `None` for an index in memory.
    file: Option<Arc<dyn DiskFile>>,
    /// How much space the file took when it was last known to have little free room.
    compact_bytes: AtomicU64,
}

impl Index {
    /// Opens the index in `file`, which must belong to `store` and have this version's layout.
    /// Where [`IndexError::calls_for_rebuild`] is true, the caller must build a new index.
    ///
    /// After a crash the index opens at its last commit, without a repair.
    pub(crate) fn open(
        file: Arc<dyn DiskFile>,
        store: StoreId,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        let backend = backend::DiskBackend::new(Arc::clone(&file));
        let failure = backend.failure();
        let db = guarded(|| {
            Ok(Builder::new()
                .set_cache_size(cache_bytes)
                .create_with_backend(backend)?)
        })?;
        let bytes = file.allocated().map_err(redb::Error::Io);
        let bytes = bytes.map_err(IndexError::Redb)?;
        let index = Self {
            db: Arc::new(db),
            failure,
            store,
            file: Some(file),
            compact_bytes: AtomicU64::new(bytes),
        };
        let meta = index.db.begin_read()?.open_table(tables::META)?;
        let value = |name| -> Result<_, IndexError> {
            meta.get(name)?.ok_or(IndexError::Damaged("its header"))
        };
        let schema = value(tables::META_SCHEMA)?;
        let schema = schema.value().try_into().map_or(0, u32::from_le_bytes);
        if schema != tables::SCHEMA {
            return Err(IndexError::OtherSchema(schema));
        }
        let owner = value(tables::META_STORE)?;
        let owner = owner
            .value()
            .try_into()
            .map_or(StoreId::from_bytes([0; 16]), StoreId::from_bytes);
        if owner != store {
            return Err(IndexError::OtherStore(owner));
        }
        // An index that was just made or copied has none, and is compact.
        if let Some(bytes) = meta.get(tables::META_COMPACT_BYTES)? {
            let bytes = bytes.value().try_into().map_or(0, u64::from_le_bytes);
            index.compact_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(index)
    }

    /// Opens the index in a file that must not be written. Whatever redb writes while opening, and
    /// whatever is committed, stays in memory.
    pub(crate) fn open_scratch(
        file: Arc<dyn DiskFile>,
        store: StoreId,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        let scratch = scratch::Scratch::over(file).map_err(redb::Error::Io);
        let scratch = scratch.map_err(IndexError::Redb)?;
        Self::open(Arc::new(scratch), store, cache_bytes)
    }

    /// Returns the store that this index was made for.
    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// Returns the store that the index in `file` was made for, if it can be read.
    pub(crate) fn owner(file: Arc<dyn DiskFile>) -> Option<StoreId> {
        // No store has this id, so the owner is always another store.
        match Self::open_scratch(file, StoreId::from_bytes([0; 16]), CACHE_BYTES) {
            Err(IndexError::OtherStore(owner)) => Some(owner),
            _ => None,
        }
    }

    /// Makes an empty index in `file`, which must be empty. The index is durable once the file's
    /// name is durable.
    pub(crate) fn create(
        file: Arc<dyn DiskFile>,
        store: StoreId,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        let backend = backend::DiskBackend::new(Arc::clone(&file));
        let failure = backend.failure();
        let db = Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(backend)?;
        Self::begin(db, failure, store, Some(file))
    }

    /// Makes a copy of this index in `file`, which must be empty: with the same rows and without
    /// free room. The copy is durable once the file's name is durable.
    pub(crate) fn copy_to(
        &self,
        file: Arc<dyn DiskFile>,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        let copied = guarded(|| {
            let reader = Reader::open(&self.db)?;
            let copy = Self::create(file, self.store, cache_bytes)?;
            write::copy(&reader, &copy.db)?;
            copy.note_compact()?;
            Ok(copy)
        });
        copied.map_err(|error| self.cause(error))
    }

    /// Returns true when a copy would be shorter by a third. Reads all pages, but only after the
    /// file grew by half since it was last compact.
    pub(crate) fn is_loose(&self) -> Result<bool, IndexError> {
        let compact = self.compact_bytes.load(Ordering::Relaxed);
        let bytes = self.file_bytes()?;
        if bytes <= (compact + compact / 2).max(compact + LOOSE_BYTES_MIN) {
            return Ok(false);
        }
        let copy = guarded(|| {
            let reader = Reader::open(&self.db)?;
            write::bytes_of_copy(&reader)
        });
        let copy = copy.map_err(|error| self.cause(error))?;
        if bytes > copy + copy / 2 {
            return Ok(true);
        }
        self.note_compact()?;
        Ok(false)
    }

    /// Returns the newest erasure of personal values that the file holds no bytes from before, not
    /// even in free pages.
    pub(crate) fn scrubbed(&self) -> Result<EventSeq, IndexError> {
        let txn = self.db.begin_read()?;
        let scrubbed = txn.open_table(tables::META)?.get(tables::META_SCRUBBED)?;
        let scrubbed = scrubbed.and_then(|value| value.value().try_into().ok());
        Ok(EventSeq(scrubbed.map_or(0, u64::from_le_bytes)))
    }

    /// Takes the file for compact: it is looked at again after it grew by half.
    pub(crate) fn note_compact(&self) -> Result<(), IndexError> {
        self.compact_bytes
            .store(self.file_bytes()?, Ordering::Relaxed);
        Ok(())
    }

    /// Returns how much space the file takes. redb leaves holes in it, so its length says little.
    fn file_bytes(&self) -> Result<u64, IndexError> {
        let Some(file) = &self.file else {
            return Ok(0);
        };
        let bytes = file.allocated().map_err(redb::Error::Io);
        bytes.map_err(IndexError::Redb)
    }

    /// Makes an empty index in memory.
    pub(crate) fn in_memory(store: StoreId) -> Result<Self, IndexError> {
        let backend = redb::backends::InMemoryBackend::new();
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)?;
        Self::begin(db, backend::Failure::default(), store, None)
    }

    /// Returns true once a call to the index file has failed. redb then refuses every call until
    /// the file is opened again.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    fn begin(
        db: Database,
        failure: backend::Failure,
        store: StoreId,
        file: Option<Arc<dyn DiskFile>>,
    ) -> Result<Self, IndexError> {
        write::begin(&db, store)?;
        let index = Self {
            db: Arc::new(db),
            failure,
            store,
            file,
            compact_bytes: AtomicU64::default(),
        };
        index.note_compact()?;
        Ok(index)
    }

    /// Replaces redb's error "an earlier call failed" with the disk error that caused it.
    fn cause(&self, error: IndexError) -> IndexError {
        match (&error, self.failure.get()) {
            (IndexError::Redb(redb::Error::Io(_)), _) | (_, None) => error,
            (_, Some(kind)) => IndexError::Redb(redb::Error::Io((*kind).into())),
        }
    }

    /// Returns the newest event in the tables.
    pub(crate) fn applied(&self) -> Result<EventSeq, IndexError> {
        Ok(self.view(Vec::new())?.applied())
    }

    /// Returns the state of the tables now, with `layers` on top, newest layer first.
    pub(crate) fn view(&self, layers: Vec<Arc<Overlay>>) -> Result<View, IndexError> {
        let reader = Reader::open(&self.db)?;
        Ok(View::new(layers, Arc::new(reader)))
    }

    /// Moves `overlay` into the tables, in one durable transaction. The overlay must lie on the
    /// state that the tables hold now. An overlay that was committed before changes nothing.
    pub(crate) fn commit(&self, overlay: &Overlay) -> Result<(), IndexError> {
        let committed = guarded(|| {
            let reader = Reader::open(&self.db)?;
            if overlay.applied() < reader.applied {
                return Ok(());
            }
            let compact = self.compact_bytes.load(Ordering::Relaxed);
            write::commit(&self.db, &reader, overlay, write::Extent::Whole, compact)
        });
        committed.map_err(|error| self.cause(error))
    }

    /// Writes a checkpoint of an index that is still being built, and returns the tables after it
    /// and the overlay to continue with.
    ///
    /// Rows whose keys come in no order stay in memory up to about `keep_bytes`. Written in many
    /// small parts, each such row would cost a page every time.
    ///
    /// Until the next [`Index::commit`] the file is no index: opening it fails with an error that
    /// calls for a rebuild.
    pub(crate) fn commit_half_made(
        &self,
        overlay: &mut Overlay,
        keep_bytes: usize,
    ) -> Result<(View, Overlay), IndexError> {
        let reader = Reader::open(&self.db)?;
        let scattered = overlay.scattered_weight() >= keep_bytes;
        let extent = write::Extent::HalfMade { scattered };
        let compact = self.compact_bytes.load(Ordering::Relaxed);
        guarded(|| write::commit(&self.db, &reader, overlay, extent, compact))?;
        let view = self.view(Vec::new())?;
        let mut next = view.overlay();
        if scattered {
            next.go_on_after(overlay);
        } else {
            next.take_scattered(overlay);
        }
        Ok((view, next))
    }
}

/// Turns a panic of redb over damaged pages into an error, because the index can be rebuilt.
fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or(Err(IndexError::Damaged("the pages of its tables")))
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

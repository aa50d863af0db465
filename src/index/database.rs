//! The index file of one store: opens it, reads views of its tables, and commits overlays to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

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

/// The largest index file that is opened. A longer file would hold more entries than there are
/// numbers. The limit matters because redb allocates memory in proportion to the file length.
const INDEX_BYTES_MAX: u64 = 1 << 40;

/// The index tables of one store.
pub(crate) struct Index {
    db: Database,
    failure: backend::Failure,
    store: StoreId,
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
        if file
            .size()
            .map_err(|error| IndexError::Redb(redb::Error::Io(error)))?
            > INDEX_BYTES_MAX
        {
            return Err(IndexError::Damaged("its length"));
        }
        let backend = backend::DiskBackend::new(file);
        let failure = backend.failure();
        let db = guarded(|| {
            Ok(Builder::new()
                .set_cache_size(cache_bytes)
                .create_with_backend(backend)?)
        })?;
        let index = Self { db, failure, store };
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
        let backend = backend::DiskBackend::new(file);
        let failure = backend.failure();
        let db = Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(backend)?;
        Self::begin(db, failure, store)
    }

    /// Makes an empty index in memory.
    pub(crate) fn in_memory(store: StoreId) -> Result<Self, IndexError> {
        let backend = redb::backends::InMemoryBackend::new();
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend)?;
        Self::begin(db, backend::Failure::default(), store)
    }

    /// Returns true once a call to the index file has failed. redb then refuses every call until
    /// the file is opened again.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    fn begin(db: Database, failure: backend::Failure, store: StoreId) -> Result<Self, IndexError> {
        write::begin(&db, store)?;
        Ok(Self { db, failure, store })
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
        let reader = Reader::open(&self.db.begin_read()?)?;
        Ok(View::new(layers, Arc::new(reader)))
    }

    /// Moves `overlay` into the tables, in one durable transaction. The overlay must lie on the
    /// state that the tables hold now. An overlay that was committed before changes nothing.
    pub(crate) fn commit(&self, overlay: &Overlay) -> Result<(), IndexError> {
        let committed = guarded(|| {
            let reader = Reader::open(&self.db.begin_read()?)?;
            if overlay.applied() < reader.applied {
                return Ok(());
            }
            write::commit(&self.db, &reader, overlay, write::Extent::Whole)
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
        let reader = Reader::open(&self.db.begin_read()?)?;
        let scattered = overlay.scattered_weight() >= keep_bytes;
        let extent = write::Extent::HalfMade { scattered };
        guarded(|| write::commit(&self.db, &reader, overlay, extent))?;
        let view = self.view(Vec::new())?;
        let mut next = view.overlay();
        if !scattered {
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

//! The index: what the log says, folded into tables that answer questions quickly. Disposable: index == fold(log).
//!
//! An [`Overlay`] takes the newest events in memory; [`Index::commit`] moves one into the tables in a single
//! transaction, together with the number of its last event; a [`View`] reads overlays and tables as one state. The
//! index may lag behind the log, never lead it, and a damaged one is made anew from the log.
//!
//! A writer keeps one overlay on top of one view: `top = below.overlay()`, then `top.apply(&event, &below)` for each
//! event. Readers get `below.under(top.clone())`. A checkpoint freezes `top` into a layer, goes on with a new one over
//! `below.under(frozen)`, commits the frozen one meanwhile, and then goes on over a view of the tables alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{Builder, Database, ReadableDatabase};

use crate::disk::DiskFile;
use crate::error::{Error, ErrorKind};
use crate::id::{EventSeq, StoreId};

mod backend;
mod find;
mod fold;
mod glob;
mod overlay;
mod postings;
mod query;
mod rows;
mod scratch;
mod sort;
mod stats;
mod tables;
mod terms;
#[cfg(test)]
mod tests;
mod text;
mod view;
mod write;

pub(crate) use fold::{PackRow, Placement};
pub(crate) use overlay::{Overlay, QueuePlace};
pub(crate) use rows::{BlobRow, Place, QueuedRow};
pub(crate) use stats::CounterGroup;
pub(crate) use text::is_same_name;
#[cfg(feature = "host")]
pub(crate) use text::{composed, fold};
pub(crate) use view::View;

/// Memory that redb may take for pages, unless told otherwise.
pub(crate) const CACHE_BYTES: usize = 32 << 20;

/// An index file longer than this is none: it would hold more entries than there are numbers. redb takes memory by the length
/// of its file before it looks into it.
const INDEX_BYTES_MAX: u64 = 1 << 40;

/// A rebuild checkpoints fastest right before the events whose number is a multiple of this: it then only appends.
pub(crate) const CHECKPOINT_EVENTS: u64 = tables::SPAN_IDS as u64;

/// Why the index cannot answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// Made for another store.
    #[error("the index belongs to store {0}")]
    OtherStore(StoreId),
    /// Made by another version.
    #[error("the index has layout {0}, this version knows {known}", known = tables::SCHEMA)]
    OtherSchema(u32),
    /// Bytes that were never written so.
    #[error("the index is damaged in {0}")]
    Damaged(&'static str),
    /// A row that cannot be read.
    #[error("the index is damaged in a row")]
    Row(#[source] bincode::error::DecodeError),
    /// redb failed, or its file did.
    #[error("the index cannot be read or written")]
    Redb(#[source] redb::Error),
    /// A cursor of another listing.
    #[error("the cursor belongs to a listing in another order")]
    OtherOrder,
    /// A number no entry can have.
    #[error("event {0} is beyond what an index can hold")]
    TooManyEvents(EventSeq),
}

impl IndexError {
    /// True when making the index anew from the log is the remedy.
    pub(crate) fn calls_for_rebuild(&self) -> bool {
        match self {
            Self::OtherStore(_) | Self::OtherSchema(_) | Self::Damaged(_) | Self::Row(_) => true,
            Self::OtherOrder | Self::TooManyEvents(_) => false,
            Self::Redb(redb::Error::Io(error)) => matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ),
            Self::Redb(error) => matches!(
                error,
                redb::Error::Corrupted(_)
                    | redb::Error::UpgradeRequired(_)
                    | redb::Error::RepairAborted
                    | redb::Error::TableTypeMismatch { .. }
                    | redb::Error::TypeDefinitionChanged { .. }
                    | redb::Error::TableIsMultimap(_)
                    | redb::Error::TableDoesNotExist(_)
            ),
        }
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        let rebuild = error.calls_for_rebuild();
        let error = match error {
            IndexError::Redb(redb::Error::Io(io)) if !rebuild => {
                return Self::io("read or write", "the index", io);
            }
            other => other,
        };
        let kind = match &error {
            _ if rebuild => ErrorKind::Damaged,
            IndexError::OtherOrder => ErrorKind::Invalid,
            IndexError::TooManyEvents(_) => ErrorKind::Unsupported,
            _ => ErrorKind::Io,
        };
        let built = Self::new(kind, error.to_string());
        let built = match error {
            _ if rebuild => built.hint("make it anew from the log with 'annals rebuild'"),
            IndexError::OtherOrder => {
                built.hint("pass the cursor with the same --sort it was printed for")
            }
            _ => built,
        };
        built.caused_by(error)
    }
}

macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<redb::$error> for IndexError {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}

from_redb!(DatabaseError TransactionError TableError StorageError CommitError CursorError);

/// The tables of one store.
pub(crate) struct Index {
    db: Database,
    failure: backend::Failure,
    store: StoreId,
}

impl Index {
    /// Opens the index in `file`. It must belong to `store` and be of this version's layout; where
    /// [`IndexError::calls_for_rebuild`] is true, make a new one.
    ///
    /// After a crash it opens at once, at its last commit.
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

    /// The same for a file that must not be written: what redb writes while opening, and what is committed, stays in memory.
    pub(crate) fn open_scratch(
        file: Arc<dyn DiskFile>,
        store: StoreId,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        let scratch = scratch::Scratch::over(file).map_err(redb::Error::Io);
        let scratch = scratch.map_err(IndexError::Redb)?;
        Self::open(Arc::new(scratch), store, cache_bytes)
    }

    /// Returns the store it was made for.
    pub(crate) fn store(&self) -> StoreId {
        self.store
    }

    /// Returns the store that the index in `file` was made for, if it can be read.
    pub(crate) fn owner(file: Arc<dyn DiskFile>) -> Option<StoreId> {
        // No store has this id, so whoever owns the index is another.
        match Self::open_scratch(file, StoreId::from_bytes([0; 16]), CACHE_BYTES) {
            Err(IndexError::OtherStore(owner)) => Some(owner),
            _ => None,
        }
    }

    /// Makes an empty index in `file`, which must be empty. It is durable once the file's name is.
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

    /// True once a call to its file failed: redb answers nothing more before the file is opened
    /// again.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    fn begin(db: Database, failure: backend::Failure, store: StoreId) -> Result<Self, IndexError> {
        write::begin(&db, store)?;
        Ok(Self { db, failure, store })
    }

    /// What the disk said, where redb only says that something had failed before.
    fn cause(&self, error: IndexError) -> IndexError {
        match (&error, self.failure.get()) {
            (IndexError::Redb(redb::Error::Io(_)), _) | (_, None) => error,
            (_, Some(kind)) => IndexError::Redb(redb::Error::Io((*kind).into())),
        }
    }

    /// The newest event in the tables.
    pub(crate) fn applied(&self) -> Result<EventSeq, IndexError> {
        Ok(self.view(Vec::new())?.applied())
    }

    /// The tables as they are now, under `layers`, the newest first.
    pub(crate) fn view(&self, layers: Vec<Arc<Overlay>>) -> Result<View, IndexError> {
        let reader = view::Reader::open(&self.db.begin_read()?)?;
        Ok(View::new(layers, Arc::new(reader)))
    }

    /// Moves `overlay` into the tables, in one durable transaction. It must lie on what the tables hold now; one that
    /// was committed already changes nothing.
    pub(crate) fn commit(&self, overlay: &Overlay) -> Result<(), IndexError> {
        let committed = guarded(|| {
            let reader = view::Reader::open(&self.db.begin_read()?)?;
            if overlay.applied() < reader.applied {
                return Ok(());
            }
            write::commit(&self.db, &reader, overlay, write::Extent::Whole)
        });
        committed.map_err(|error| self.cause(error))
    }

    /// A checkpoint on the way to a whole index: rows whose keys come in no order stay in memory while they take less than
    /// `keep_bytes` or so, because written in many small parts they cost a page each, every time. Answers the tables as
    /// they are then, and the overlay to go on with.
    ///
    /// Until the next [`Index::commit`] the file is no index: who opens it is told to make it anew.
    pub(crate) fn commit_half_made(
        &self,
        overlay: &mut Overlay,
        keep_bytes: usize,
    ) -> Result<(View, Overlay), IndexError> {
        let reader = view::Reader::open(&self.db.begin_read()?)?;
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

/// Turns a panic of redb over bytes that are not its own into what it is: a damaged index, which can be made anew.
fn guarded<T>(work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or(Err(IndexError::Damaged("the pages of its tables")))
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").finish_non_exhaustive()
    }
}

/// Whether a file name fits a glob, for the fuzz target.
#[cfg(feature = "testing")]
pub(crate) fn glob_matches(pattern: &str, name: &str) -> bool {
    glob::Glob::new(pattern).matches(name)
}

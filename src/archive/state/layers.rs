//! The index of an open store with the layers of what is newer than its file.
//!
//! Readers see three layers as one: the active layer, which only the writer changes; the frozen
//! layer, which is being written to the file; and the tables in the file.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use crate::archive::files::folders::TMP_DIR;
use crate::archive::state::index_file::{IndexAccess, IndexFile};
use crate::id::EventSeq;
use crate::index::{Index, Overlay, View};
use crate::{Error, ErrorKind, Result};

/// A change of the active layer. It is given the layer and what lies below it.
pub(in crate::archive) type Change = Box<dyn FnOnce(&mut Overlay, &View) -> Result<()> + Send>;

/// The index of an open store, shared by all its threads.
pub(in crate::archive) struct LayeredIndex {
    file: IndexFile,
    /// The handle may write the file of the index.
    is_writable: bool,
    index: RwLock<Arc<Index>>,
    /// Held by whoever writes or reopens the file: two handles of redb must not write it.
    writing: Mutex<()>,
    /// The file could not be reopened for writing after a failure.
    is_stuck: AtomicBool,
    layers: RwLock<Layers>,
}

/// What is newer than the file, newest first.
struct Layers {
    active: Arc<Overlay>,
    /// The layer that is being written to the file.
    frozen: Option<Arc<Overlay>>,
    /// The tables of the file as of its last commit.
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

impl LayeredIndex {
    /// Makes the layered index of an open store. `active` is the layer of what is newer than the
    /// file.
    pub(in crate::archive) fn new(
        file: IndexFile,
        is_writable: bool,
        index: Index,
        active: Overlay,
    ) -> Result<Self> {
        let tables = index.view(Vec::new())?;
        Ok(Self {
            file,
            is_writable,
            index: RwLock::new(Arc::new(index)),
            writing: Mutex::default(),
            is_stuck: AtomicBool::new(false),
            layers: RwLock::new(Layers {
                active: Arc::new(active),
                frozen: None,
                tables,
            }),
        })
    }

    /// Returns the file that the index is kept in.
    pub(in crate::archive) fn file(&self) -> &IndexFile {
        &self.file
    }

    /// Returns a view of everything acknowledged so far.
    pub(in crate::archive) fn view(&self) -> View {
        self.heal();
        let layers = self.layers.read().expect("no panic while held");
        layers.below().under(Arc::clone(&layers.active))
    }

    /// Returns what the active layer lies on, and the active layer. For the writer, which alone
    /// changes it.
    pub(in crate::archive) fn active_layer(&self) -> (View, Arc<Overlay>) {
        self.heal();
        let layers = self.layers.read().expect("no panic while held");
        (layers.below(), Arc::clone(&layers.active))
    }

    /// Replaces the active layer. Only the writer does this.
    ///
    /// `meanwhile` runs before any reader sees the new layer, so its changes appear together with
    /// the rows.
    pub(in crate::archive) fn publish(&self, active: Arc<Overlay>, meanwhile: impl FnOnce()) {
        let mut layers = self.layers.write().expect("no panic while held");
        layers.active = active;
        meanwhile();
    }

    /// Puts an empty layer on top, so that the one below can be written to the file. Only the
    /// writer does this.
    pub(in crate::archive) fn freeze(&self) {
        let mut layers = self.layers.write().expect("no panic while held");
        // A frozen layer that could not be written stays, and newer changes gather above it.
        if layers.frozen.is_none() {
            let above = layers.below().under(Arc::clone(&layers.active)).overlay();
            layers.frozen = Some(std::mem::replace(&mut layers.active, Arc::new(above)));
        }
    }

    /// Writes the frozen layer to the file. Readers see no difference before, meanwhile and after.
    pub(in crate::archive) fn write_frozen(&self) -> Result<()> {
        let layers = self.layers.read().expect("no panic while held");
        let frozen = layers.frozen.clone();
        drop(layers);
        let Some(frozen) = frozen else { return Ok(()) };
        let _alone = self.write_alone();
        if self.is_stuck.load(Ordering::Relaxed) {
            self.reopen(IndexAccess::Write)?;
        }
        let index = Arc::clone(&self.index.read().expect("no panic while held"));
        if let Err(error) = index.commit(&frozen) {
            self.reopen_after_failure();
            return Err(error.into());
        }
        let tables = index.view(Vec::new())?;
        let mut layers = self.layers.write().expect("no panic while held");
        layers.tables = tables;
        layers.frozen = None;
        Ok(())
    }

    /// Puts a copy without free room in place of a file that has much of it. Readers see no
    /// difference.
    ///
    /// A copy has to be read again from its file. So this is done after a purge, after a rebuild,
    /// and when somebody asks for a small store, but not each time the file is written. The caller
    /// writes alone. What fails here fails nobody: the file stays as it is until it has
    /// grown again.
    pub(in crate::archive) fn shrink(&self) {
        let index = Arc::clone(&self.index.read().expect("no panic while held"));
        if !matches!(index.is_loose(), Ok(true)) {
            return;
        }
        if self.replace_by_copy(&index).is_err() {
            let _ = index.note_compact();
        }
    }

    /// Puts a copy in place of a file whose free pages may hold personal values that were erased.
    /// The caller writes alone, and has written to the file what was erased.
    pub(in crate::archive) fn scrub(&self) -> Result<()> {
        if self.is_writable && self.may_hold_erased()? {
            let index = Arc::clone(&self.index.read().expect("no panic while held"));
            self.replace_by_copy(&index)?;
        }
        Ok(())
    }

    /// Returns true when free pages of the file may hold personal values that were erased.
    pub(in crate::archive) fn may_hold_erased(&self) -> Result<bool> {
        let erased = self.view().newest_erased();
        if erased == EventSeq(0) {
            return Ok(false);
        }
        let index = Arc::clone(&self.index.read().expect("no panic while held"));
        Ok(index.scrubbed()? < erased)
    }

    fn replace_by_copy(&self, index: &Index) -> Result<()> {
        let tmp = Path::new(TMP_DIR).join("index");
        let (copy, tables) = self.file.replace_by_copy(index, &tmp)?;
        let mut layers = self.layers.write().expect("no panic while held");
        let mut current = self.index.write().expect("no panic while held");
        // The last owner of the old one writes to it once more, and nobody waits for that: this
        // method still holds it when the locks are gone.
        *current = Arc::new(copy);
        layers.tables = tables;
        Ok(())
    }

    /// Reopens the file after a disk call failed: before that redb refuses every call, even a read.
    ///
    /// The frozen layer stays above, so readers see no difference. When the disk has no room to
    /// reopen the file for writing, it is only read until there is room.
    fn reopen_after_failure(&self) {
        let is_stuck = match self.reopen(IndexAccess::Write) {
            Ok(()) => false,
            Err(_) => {
                // If even this fails, the next write tries again.
                let _ = self.reopen(IndexAccess::ReadOnly);
                true
            }
        };
        self.is_stuck.store(is_stuck, Ordering::Relaxed);
    }

    /// Reopens the file after a read of it failed. That read returned its error; the next one works
    /// if the disk does.
    fn heal(&self) {
        let has_failed = || self.index.read().expect("no panic while held").has_failed();
        if !self.is_writable || !has_failed() {
            return;
        }
        // A thread that is writing the file reopens it itself.
        if let Ok(_alone) = self.writing.try_lock()
            && has_failed()
        {
            self.reopen_after_failure();
        }
    }

    /// Keeps all others from writing or reopening the file until the guard is dropped.
    pub(in crate::archive) fn write_alone(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().expect("no panic while held")
    }

    fn reopen(&self, access: IndexAccess) -> Result<()> {
        let index = self.file.open(access)?;
        let index = index.ok_or_else(|| {
            Error::new(ErrorKind::Damaged, "the index is missing or of no use")
                .hint("close the store and open it again: the index is rebuilt")
        })?;
        let tables = index.view(Vec::new())?;
        let mut layers = self.layers.write().expect("no panic while held");
        *self.index.write().expect("no panic while held") = Arc::new(index);
        layers.tables = tables;
        self.is_stuck
            .store(access == IndexAccess::ReadOnly, Ordering::Relaxed);
        Ok(())
    }

    /// Replaces the index, with the layer of what is newer than its file. The writer is paused
    /// meanwhile.
    pub(in crate::archive) fn replace(&self, index: Index, active: Overlay) -> Result<()> {
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

    /// Returns how many entries changed since the active layer was begun.
    pub(in crate::archive) fn changed_entries(&self) -> usize {
        let layers = self.layers.read().expect("no panic while held");
        layers.active.changed_entries()
    }
}

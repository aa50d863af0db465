//! Makes the index of an open store again from the whole log.

use std::sync::Arc;

use crate::Result;
use crate::archive::files::pack_files::pack_files;
use crate::archive::handle::Archive;
use crate::archive::messages::WriterLink;
use crate::archive::opening::catch_up::{CatchUp, CaughtUp, Whole, catch_up};
use crate::archive::state::store::Store;
use crate::id::EventSeq;
use crate::index::Index;

impl Archive {
    /// Drops the index and folds the whole log into a new one. Callers wait meanwhile. Returns the
    /// newest event in it.
    ///
    /// ```
    /// use annals::archive::Archive;
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let archive = Archive::builder().create(dir.path().join("store"))?;
    /// assert_eq!(archive.rebuild()?, archive.newest());
    /// # archive.close()
    /// # }
    /// ```
    pub fn rebuild(&self) -> Result<EventSeq> {
        let store = Arc::clone(self.store());
        self.run_in_background(move |writer| rebuild_index(&store, writer))
    }
}

/// Makes the index again. Runs on the background thread with the writer paused, so nothing moves
/// meanwhile.
fn rebuild_index(store: &Store, writer: &WriterLink) -> Result<EventSeq> {
    let pause = writer.pause()?;
    let alone = store.index.write_alone();
    let caught_up = fold_whole_log(store, || store.index.file().create());
    let newest = caught_up.and_then(|caught_up| {
        let newest = caught_up.active.applied();
        store.index.replace(caught_up.index, caught_up.active)?;
        store.index.shrink();
        store.index.scrub()?;
        Ok(newest)
    });
    drop(alone);
    drop(pause);
    newest
}

/// Folds the whole log into an index that `make` makes.
pub(in crate::archive) fn fold_whole_log(
    store: &Store,
    make: impl Fn() -> Result<Index>,
) -> Result<CaughtUp> {
    let packs = pack_files(&*store.disk)?;
    let last = store.log.last();
    catch_up(
        &CatchUp {
            disk: &store.disk,
            progress: &store.options.progress,
            log: &store.log,
            packs: &packs,
            journal: &store.journal,
            last,
            whole: Whole::Every,
        },
        None,
        make,
    )
}

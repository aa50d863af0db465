//! Compares the index with the log.

use crate::Result;
use crate::archive::files::pack_files::{PackFiles, pack_files};
use crate::archive::opening::catch_up::{CatchUp, Whole, catch_up};
use crate::archive::options::{Access, Progress};
use crate::archive::state::index_file::IndexAccess;
use crate::archive::state::store::Store;
use crate::index::View;

/// Compares the index of a store with its log. Returns what is wrong with it, if anything.
pub(in crate::archive) fn check_index(store: &Store) -> Result<Option<String>> {
    let view = store.index.view();
    let packs = pack_files(&*store.disk)?;
    Ok(compare_index(store, &view, &packs))
}

/// Folds the log into another index and compares the two. Returns what is wrong, if anything.
pub(super) fn compare_index(store: &Store, view: &View, packs: &PackFiles) -> Option<String> {
    let path = store.tmp.next("verify");
    let from = CatchUp {
        disk: &store.disk,
        progress: &Progress::default(),
        log: &store.log,
        packs,
        journal: &store.journal,
        last: view.applied(),
        whole: Whole::Every,
    };
    let file = store.index.file();
    let made = catch_up(&from, None, || match store.options.access {
        // Nothing on disk is changed, and the disk may be read-only.
        Access::ReadOnly => file.make(IndexAccess::ReadOnly),
        Access::ReadWrite => file.create_at(&path),
    });
    let compared = made.and_then(|made| {
        let fresh = made.index.view(Vec::new())?.under(made.active);
        Ok((dump(&fresh)?, dump(view)?))
    });
    // A leftover is removed by the next opening.
    if store.options.access == Access::ReadWrite {
        let _ = store.disk.remove(&path);
    }
    match compared {
        Ok((fresh, live)) if fresh == live => None,
        Ok((fresh, live)) => Some(format!(
            "it does not say what the log says ({} lines against {}); 'annals rebuild' \
             rebuilds it",
            live.0, fresh.0
        )),
        Err(error) => Some(error.message().to_owned()),
    }
}

/// Returns how many facts a view holds, and a digest of them all.
fn dump(view: &View) -> Result<(u64, blake3::Hash)> {
    let mut lines = 0;
    let mut digest = blake3::Hasher::new();
    view.dump(|line| {
        lines += 1;
        digest.update(line.as_bytes());
        digest.update(b"\n");
    })?;
    Ok((lines, digest.finalize()))
}

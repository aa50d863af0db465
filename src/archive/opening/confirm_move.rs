//! Records that a copy of a store continues, and that the store it was made from does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::Result;
use crate::archive::files::header::read_header;
use crate::archive::files::lock::take_lock;
use crate::archive::files::machine::host_name;
use crate::archive::files::place::{Standing, here, read, record, standing};
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::opening::open::open_locked;
use crate::archive::options::{Access, Options};
use crate::archive::signing::outside::{self, Kept};
use crate::disk::{Disk, FsDisk};
use crate::event::{Body, ContinuedFrom, StoreContinued};
use crate::id::{EventSeq, StoreId};
use crate::log::LogFiles;

/// What [`Archive::confirm_move`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfirmedMove {
    /// The event that records it. `None` when the store was no copy.
    pub recorded: Option<EventSeq>,
    /// Name of the machine that the original is on. `None` when there is no other store.
    pub host: Option<String>,
    /// Folder that the original is in.
    pub folder: Option<PathBuf>,
}

impl Archive {
    /// Records that the copy of a store in `dir` continues, and the store it was made from does
    /// not.
    ///
    /// After that [`Archive::copied_from`] returns `None`. The same goes for a store whose log
    /// contradicts the [copy of its newest checkpoint](Options::checkpoint_copies): the copy is set
    /// aside. For any other store, nothing is recorded.
    pub fn confirm_move(dir: impl AsRef<Path>, options: Options) -> Result<ConfirmedMove> {
        let dir = dir.as_ref();
        let disk: Arc<dyn Disk> = Arc::new(FsDisk::new(dir));
        let store = read_header(&*disk, dir)?;
        let lock = take_lock(&*disk, dir, options.lock_wait)?;
        let last = read(&*disk, &store);
        let standing = standing(&*disk, &store);
        let contradicted = kept_elsewhere(&options, &store, &disk)?;
        let recorded = if standing == Standing::Same && contradicted.is_none() {
            record(&*disk, &store);
            None
        } else {
            let options = Options {
                access: Access::ReadWrite,
                // It is this that is confirmed.
                checkpoint_copies: None,
                ..options
            };
            let opened = open_locked(
                Arc::clone(&disk),
                dir.to_owned(),
                options,
                store,
                Some(lock),
            );
            let archive = opened?;
            let from = last
                .as_ref()
                .map(|place| (place.host.clone(), place.path.display().to_string()));
            let event = archive.newest();
            let (host, folder) = from.unwrap_or_default();
            let recorded = archive.record_continued(ContinuedFrom::Copy, event, None, host, folder);
            let recorded = recorded?;
            record(&*disk, &store);
            archive.close()?;
            if let Some(kept) = contradicted {
                kept.set_aside();
            }
            Some(recorded)
        };
        // A store that was taken back in its place has no other one.
        let original = last.filter(|_| matches!(standing, Standing::Copy(_)));
        Ok(ConfirmedMove {
            recorded,
            host: original.as_ref().map(|place| place.host.clone()),
            folder: original.map(|place| place.path),
        })
    }

    /// Records that this copy of the store continues the log.
    pub(in crate::archive) fn record_continued(
        &self,
        from: ContinuedFrom,
        event: EventSeq,
        root: Option<crate::id::Sha256>,
        host: String,
        folder: String,
    ) -> Result<EventSeq> {
        let at = here(&*self.store().disk);
        self.append_fact(Draft::fact(Body::StoreContinued(StoreContinued {
            from,
            event,
            root,
            host,
            folder,
            at_host: host_name(),
            at_folder: at.map_or_else(String::new, |place| place.path.display().to_string()),
        })))
    }
}

/// Returns the checkpoint that is kept outside of the store, if the log contradicts it.
fn kept_elsewhere(
    options: &Options,
    store: &StoreId,
    disk: &Arc<dyn Disk>,
) -> Result<Option<Kept>> {
    let Some(kept) = options
        .checkpoint_copies
        .as_ref()
        .and_then(|folder| outside::kept(folder, store, &**disk))
    else {
        return Ok(None);
    };
    let reading = Options {
        access: Access::ReadOnly,
        ..options.clone()
    };
    let archive = open_locked(Arc::clone(disk), PathBuf::new(), reading, *store, None)?;
    let log: &Arc<LogFiles> = &archive.store().log;
    let standing = kept.compare(log, archive.newest())?;
    Ok(matches!(standing, outside::Standing::Contradicts(_)).then_some(kept))
}

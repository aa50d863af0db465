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
use crate::disk::{Disk, FsDisk};
use crate::event::{Body, ContinuedFrom, StoreContinued};
use crate::id::EventSeq;

/// What [`Archive::confirm_move`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfirmedMove {
    /// The event that records it. `None` when the store was no copy.
    pub recorded: Option<EventSeq>,
    /// Name of the machine the store was last written on.
    pub host: Option<String>,
    /// Folder the store was last written in.
    pub folder: Option<PathBuf>,
}

impl Archive {
    /// Records that the copy of a store in `dir` continues, and the store it was made from does
    /// not.
    ///
    /// After that [`Archive::copied_from`] returns `None`. For a store that is no copy, nothing is
    /// recorded.
    pub fn confirm_move(dir: impl AsRef<Path>, options: Options) -> Result<ConfirmedMove> {
        let dir = dir.as_ref();
        let disk: Arc<dyn Disk> = Arc::new(FsDisk::new(dir));
        let store = read_header(&*disk, dir)?;
        let lock = take_lock(&*disk, dir, options.lock_wait)?;
        let last = read(&*disk, &store);
        let standing = standing(&*disk, &store);
        let recorded = if standing == Standing::Same {
            record(&*disk, &store);
            None
        } else {
            let options = Options {
                access: Access::ReadWrite,
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
            Some(recorded)
        };
        Ok(ConfirmedMove {
            recorded,
            host: last.as_ref().map(|place| place.host.clone()),
            folder: last.map(|place| place.path),
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

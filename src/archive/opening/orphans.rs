//! Packs of a seal that was cut off, which an opening removes.

use std::collections::BTreeSet;

use crate::archive::files::pack_files::PackFiles;
use crate::blob::pack_reader::PackReader;
use crate::disk::Disk;
use crate::format::pack::PackOrigin;
use crate::id::{EventSeq, PackId};
use crate::index::Index;
use crate::{Error, Result};

/// Removes packs of a seal that was cut off before its segment was published. The journal still
/// holds all their content.
///
/// Packs that the index knows were published by a whole seal, and are not opened.
pub(in crate::archive) fn remove_orphans(
    disk: &dyn Disk,
    files: &mut PackFiles,
    sealed: EventSeq,
    index: Option<&Index>,
) -> Result<()> {
    let known: BTreeSet<PackId> = match index {
        Some(index) => {
            let packs = index.view(Vec::new())?.packs()?;
            packs.into_iter().map(|pack| pack.id).collect()
        }
        None => BTreeSet::new(),
    };
    let mut orphans = Vec::new();
    for (id, file) in &*files {
        if known.contains(id) {
            continue;
        }
        // A damaged pack is left for `verify` to report and for `repair` to set aside.
        if let Ok(pack) = PackReader::open(disk, &file.path)
            && pack.header().origin == PackOrigin::Sealed
            && pack.header().last_seq > sealed
        {
            orphans.push(*id);
        }
    }
    for id in orphans {
        if let Some(file) = files.remove(&id) {
            disk.remove(&file.path)
                .map_err(|error| Error::io("remove", &file.path, error))?;
        }
    }
    Ok(())
}

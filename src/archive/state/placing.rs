//! Tells the index where the blobs of packs lie.

use std::collections::HashMap;

use crate::archive::files::pack_error::read_error;
use crate::archive::state::contents::Contents;
use crate::archive::state::layers::Change;
use crate::archive::state::manifest::Manifest;
use crate::blob::pack_reader::PackReader;
use crate::blob::pack_writer::SyncedPack;
use crate::disk::Disk;
use crate::format::pack::PackEntry;
use crate::format::record::RecordKind;
use crate::id::{BlobId, PackId};
use crate::index::{Overlay, PackRow, Place, Placement, View};
use crate::{Error, ErrorKind, Result};

/// Prepares the change of the index that adds packs which were just published.
///
/// Manifests are read here, before the writer is asked to wait for the change.
pub(in crate::archive) fn placement(
    disk: &dyn Disk,
    contents: &Contents,
    packs: Vec<SyncedPack>,
) -> Result<Change> {
    let mut manifests = HashMap::new();
    for pack in &packs {
        let reader =
            PackReader::open(disk, &pack.path).map_err(|error| read_error(&pack.path, error))?;
        let entries = pack.entries.iter();
        for entry in entries.filter(|entry| entry.kind == RecordKind::Manifest) {
            let root = reader
                .read_plain(entry.offset, entry.len, &entry.id)
                .map_err(|error| read_error(&pack.path, error))?;
            let manifest =
                Manifest::read(&root.bytes, |id| fetch_node(disk, contents, &packs, id))?;
            manifests.insert(entry.id, manifest);
        }
    }
    Ok(Box::new(move |active: &mut Overlay, below: &View| {
        for pack in &packs {
            place_blobs(active, below, pack.id, &pack.entries, |entry| {
                manifests.remove(&entry.id).ok_or_else(|| {
                    Error::new(
                        ErrorKind::Damaged,
                        format!("manifest {} is missing", entry.id),
                    )
                })
            })?;
            let row = pack_row(
                pack.id,
                pack.class.as_str(),
                pack.bytes,
                pack.entries.len(),
                pack.dictionary_bytes,
            );
            active.add_pack(&row, below)?;
        }
        Ok(())
    }))
}

/// Reads an inner node of a manifest, which lies in one of the new packs or in the store.
fn fetch_node(
    disk: &dyn Disk,
    contents: &Contents,
    packs: &[SyncedPack],
    id: &BlobId,
) -> Result<Vec<u8>> {
    for pack in packs {
        if let Ok(at) = pack.entries.binary_search_by_key(id, |entry| entry.id) {
            let entry = &pack.entries[at];
            let plain = PackReader::open(disk, &pack.path)
                .and_then(|reader| reader.read_plain(entry.offset, entry.len, id))
                .map_err(|error| read_error(&pack.path, error))?;
            return Ok(plain.bytes);
        }
    }
    match contents.plain(id)? {
        Some(plain) => Ok(plain.bytes),
        None => Err(Error::new(
            ErrorKind::Damaged,
            format!("blob {id} is missing"),
        )),
    }
}

/// Makes the row of a pack before any of its content is needed.
pub(in crate::archive) fn pack_row(
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

/// Places the blobs of a pack in the index. `fetch` reads the manifests.
pub(in crate::archive) fn place_blobs(
    pending: &mut Overlay,
    below: &View,
    pack: PackId,
    entries: &[PackEntry],
    mut fetch: impl FnMut(&PackEntry) -> Result<Manifest>,
) -> Result<()> {
    for entry in entries {
        // Of two copies the one in the newer pack counts, in any order of placing: the older pack
        // was rewritten, or lost a race.
        let before = pending.place_of(&entry.id, below)?;
        if before.is_some_and(|place| place.pack > pack) {
            continue;
        }
        let manifest = match entry.kind {
            RecordKind::Content => None,
            RecordKind::Manifest => Some(fetch(entry)?),
            // A dictionary serves blobs, and is none.
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

//! Copies what is alive in a pack into new packs, and reads it back from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::background::packing;
use crate::archive::background::packing::{Effort, Families, PackLimits, Piece, Source};
use crate::archive::files::pack_error::{read_error, write_error};
use crate::archive::files::pack_files::pack_path;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::pack_store::{PackStore, discard_unpublished};
use crate::blob::compression::Level;
use crate::blob::pack_reader::{PackReadError, PackReader, Plain, StoredRecord};
use crate::blob::pack_writer::{PackSeries, SyncedPack};
use crate::disk::Disk;
use crate::format::pack::{PackClass, PackEntry, PackOrigin};
use crate::format::record::{DictTag, RecordKind};
use crate::id::{BlobId, EventSeq};
use crate::index::PackRow;
use crate::{Error, ErrorKind, Result};

/// The parts of a store that rewriting a pack works with.
pub(in crate::archive) struct Rewriting<'a> {
    pub(in crate::archive) disk: &'a Arc<dyn Disk>,
    pub(in crate::archive) index: &'a LayeredIndex,
    pub(in crate::archive) packs: &'a PackStore,
    pub(in crate::archive) limits: PackLimits,
}

/// Copies what is alive in `pack` to new packs, and reads it back from there.
pub(in crate::archive) fn rewrite(
    rewriting: &Rewriting<'_>,
    pack: &PackRow,
    reader: &PackReader,
    mut entries: Vec<PackEntry>,
) -> Result<Vec<SyncedPack>> {
    let class = PackClass::new(pack.class.as_str())
        .map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
    rewriting.packs.make_class_dir(&class)?;
    let path = pack_path(&pack.class, pack.id);
    let header = reader.header();
    let sealed: (EventSeq, EventSeq) = (header.first_seq, header.last_seq);
    let place = || {
        rewriting
            .packs
            .next_place(&class, PackOrigin::Compacted, sealed)
    };
    let disk = Arc::clone(rewriting.disk);
    let mut series = PackSeries::new(disk, rewriting.limits.pack_bytes, place);
    entries.sort_by_key(|entry| entry.offset);
    let mut copied: BTreeMap<BlobId, RecordKind> = BTreeMap::new();
    let mut families: Families<Option<DictTag>> = Families::new();
    for entry in entries {
        let row = rewriting.index.view().blob(&entry.id)?;
        let alive = row.is_some_and(|row| {
            row.refs > 0 && row.place.is_some_and(|place| place.pack == pack.id)
        });
        if alive {
            // A damaged record stops the compaction. The old pack stays for `repair`.
            let record = reader
                .read_record(entry.offset, entry.len, &entry.id)
                .map_err(|error| read_error(&path, error))?;
            // Records that shared a dictionary are alike. That dictionary is left out, because it
            // is made of content that may be dead.
            let alike = record.header.dictionary;
            let effort = match alike {
                None => Effort::Copy,
                Some(_) => Effort::Compress(Level::DEFAULT),
            };
            let piece = Piece::new(&record.header, entry.offset, entry.len, effort);
            families.entry(alike).or_default().push(piece);
            copied.insert(entry.id, entry.kind);
        }
    }
    let source = PackPieces { reader, path };
    packing::write(rewriting.limits, &families, &source, &mut series)?;
    let written = series.finish().map_err(write_error)?;
    let read_back = read_back(&**rewriting.disk, &written, copied);
    if read_back.is_err() {
        discard_unpublished(&**rewriting.disk, written.iter().map(|pack| &pack.path));
    }
    read_back.map(|()| written)
}

/// The live records of a pack.
struct PackPieces<'a> {
    reader: &'a PackReader,
    path: PathBuf,
}

impl Source for PackPieces<'_> {
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError> {
        let record = self.reader.read_record(piece.at, piece.len, &piece.id)?;
        let plain = self.reader.unpack(&record, piece.at, &piece.id)?;
        Ok((record, plain))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads every copied record once more. The old pack stays when one of them did not arrive.
pub(in crate::archive) fn read_back(
    disk: &dyn Disk,
    written: &[SyncedPack],
    mut copied: BTreeMap<BlobId, RecordKind>,
) -> Result<()> {
    for new in written {
        let reader =
            PackReader::open(disk, &new.path).map_err(|error| read_error(&new.path, error))?;
        for entry in &new.entries {
            reader
                .read_plain(entry.offset, entry.len, &entry.id)
                .map_err(|error| read_error(&new.path, error))?;
            copied.remove(&entry.id);
        }
    }
    match copied.keys().next() {
        None => Ok(()),
        Some(id) => Err(Error::new(
            ErrorKind::Damaged,
            format!("blob {id} did not arrive in the rewritten pack; the old one stays"),
        )),
    }
}

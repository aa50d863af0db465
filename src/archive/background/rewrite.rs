//! Copies what is alive in a pack into new packs, and reads it back from there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::background::alike::{Origin, join};
use crate::archive::background::packing;
use crate::archive::background::packing::{Effort, Pace, PackLimits, Piece, Source, Written};
use crate::archive::files::pack_error::{read_error, write_error};
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::pack_store::{PackStore, discard_unpublished};
use crate::blob::compression::Level;
use crate::blob::pack_reader::{PackReadError, PackReader, Plain, StoredRecord};
use crate::blob::pack_writer::{PackSeries, SyncedPack};
use crate::disk::Disk;
use crate::format::pack::{PackClass, PackEffort, PackEntry, PackOrigin};
use crate::format::record::RecordKind;
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

/// A pack that is to be written again.
pub(in crate::archive) struct OldPack {
    pub(in crate::archive) row: PackRow,
    pub(in crate::archive) reader: Arc<PackReader>,
    pub(in crate::archive) path: PathBuf,
    pub(in crate::archive) entries: Vec<PackEntry>,
}

/// Copies what is alive in packs of one class to new packs, and reads it back from there. `None`
/// when it was given up.
pub(in crate::archive) fn rewrite(
    rewriting: &Rewriting<'_>,
    packs: &[OldPack],
    pace: &dyn Pace,
) -> Result<Option<Vec<SyncedPack>>> {
    let class = packs.first().map_or("", |pack| pack.row.class.as_str());
    let class =
        PackClass::new(class).map_err(|error| Error::new(ErrorKind::Damaged, error.to_string()))?;
    rewriting.packs.make_class_dir(&class)?;
    let headers = packs.iter().map(|pack| pack.reader.header());
    let sealed = headers.fold((EventSeq::MAX, EventSeq(0)), |(first, last), header| {
        (first.min(header.first_seq), last.max(header.last_seq))
    });
    let place = || {
        rewriting
            .packs
            .next_place(&class, PackOrigin::Compacted, sealed)
    };
    let disk = Arc::clone(rewriting.disk);
    let mut series = PackSeries::new(disk, rewriting.limits.pack_bytes, place);
    let source = OldPacks(packs);
    let (families, copied) = living(rewriting, packs)?;
    let families = if packs.len() == 1 {
        families.into_values().enumerate().collect()
    } else {
        join(families, &source, |(file, tag)| {
            let Some((pack, tag)) = packs.get(file as usize).zip(tag) else {
                return Ok(None);
            };
            let dictionary = pack.reader.dictionary(tag);
            dictionary
                .map(Some)
                .map_err(|error| read_error(&pack.path, error))
        })?
    };
    let written = packing::write(rewriting.limits, &families, &source, &mut series, pace)?;
    if written == Written::GivenUp {
        // What was written so far goes with the series.
        return Ok(None);
    }
    let written = series.finish().map_err(write_error)?;
    let read_back = read_back(&**rewriting.disk, &written, copied);
    if read_back.is_err() {
        discard_unpublished(&**rewriting.disk, written.iter().map(|pack| &pack.path));
    }
    read_back.map(|()| Some(written))
}

/// What is alive in packs, by the dictionary that it shares, and as a list to be compared with what
/// arrives.
type Living = (BTreeMap<Origin, Vec<Piece>>, BTreeMap<BlobId, RecordKind>);

/// Returns what is alive in these packs.
fn living(rewriting: &Rewriting<'_>, packs: &[OldPack]) -> Result<Living> {
    let mut copied: BTreeMap<BlobId, RecordKind> = BTreeMap::new();
    let mut families: BTreeMap<Origin, Vec<Piece>> = BTreeMap::new();
    for (file, pack) in (0_u32..).zip(packs) {
        let mut entries = pack.entries.clone();
        entries.sort_by_key(|entry| entry.offset);
        for entry in entries {
            let row = rewriting.index.view().blob(&entry.id)?;
            let alive = row.is_some_and(|row| {
                row.refs > 0 && row.place.is_some_and(|place| place.pack == pack.row.id)
            });
            if !alive {
                continue;
            }
            // A damaged record stops the compaction. The old pack stays for `repair`.
            let record = pack
                .reader
                .read_record(entry.offset, entry.len, &entry.id)
                .map_err(|error| read_error(&pack.path, error))?;
            // Records that shared a dictionary are alike. That dictionary is left out, because it
            // is made of content that may be dead.
            let alike = record.header.dictionary;
            let effort = match (pack.reader.header().effort, alike) {
                (PackEffort::Quick(level), _) => {
                    Effort::Compress(Level::new(level).unwrap_or(Level::DEFAULT))
                }
                (PackEffort::Small, None) => Effort::Copy,
                (PackEffort::Small, Some(_)) => Effort::Compress(Level::DEFAULT),
            };
            let piece = Piece::new(&record.header, entry.offset, entry.len, effort);
            let piece = piece.in_file(file);
            families.entry((file, alike)).or_default().push(piece);
            copied.insert(entry.id, entry.kind);
        }
    }
    Ok((families, copied))
}

/// The live records of packs.
struct OldPacks<'a>(&'a [OldPack]);

impl OldPacks<'_> {
    fn of(&self, piece: &Piece) -> &OldPack {
        &self.0[piece.file as usize]
    }
}

impl Source for OldPacks<'_> {
    fn read(&self, piece: &Piece) -> Result<(StoredRecord, Plain), PackReadError> {
        let reader = &self.of(piece).reader;
        let record = reader.read_record(piece.at, piece.len, &piece.id)?;
        let plain = reader.unpack(&record, piece.at, &piece.id)?;
        Ok((record, plain))
    }

    fn path(&self, piece: &Piece) -> &Path {
        &self.of(piece).path
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

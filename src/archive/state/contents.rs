//! Reads content wherever it lies by now: in the journal or in a pack.

use std::sync::Arc;

use crate::archive::files::pack_error::read_error;
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::manifest::Manifest;
use crate::archive::state::pack_store::{OpenPack, PackStore};
use crate::blob::pack_reader::{Plain, read_record};
use crate::format::pack::PackOffset;
use crate::format::record::{self, RecordKind};
use crate::id::{BlobId, PackId};
use crate::index::Place;
use crate::log::{JournalPlace, LogFiles, journal_path};
use crate::{Error, ErrorKind, Result};

/// How often a record that moved while it was looked up is looked up again.
const LOOKUPS_MAX: u32 = 4;

/// Reads the content of an open store.
#[derive(Clone)]
pub(in crate::archive) struct Contents {
    log: Arc<LogFiles>,
    index: Arc<LayeredIndex>,
    journal: Arc<JournalBlobs>,
    packs: Arc<PackStore>,
}

impl Contents {
    /// Makes the reader of content over journal and packs.
    pub(in crate::archive) fn new(
        log: Arc<LogFiles>,
        index: Arc<LayeredIndex>,
        journal: Arc<JournalBlobs>,
        packs: Arc<PackStore>,
    ) -> Self {
        Self {
            log,
            index,
            journal,
            packs,
        }
    }

    /// Returns true when a blob is needed and can be found. A blob that is needed and lost may be
    /// archived again.
    pub(in crate::archive) fn is_stored(&self, id: &BlobId) -> Result<bool> {
        let row = self.index.view().blob(id)?;
        Ok(row
            .is_some_and(|row| row.refs > 0 && (row.place.is_some() || self.journal.contains(id))))
    }

    /// Returns true when an entry that was not purged names this blob.
    pub(in crate::archive) fn is_live(&self, id: &BlobId) -> Result<bool> {
        Ok(self.index.view().blob(id)?.is_some_and(|row| row.refs > 0))
    }

    /// Returns the bytes a blob takes where it lies now, without headers; 0 when it is nowhere.
    pub(in crate::archive) fn stored_bytes(&self, id: &BlobId) -> Result<u64> {
        if let Some(place) = self.journal.place(id) {
            return without_header(id, place.bytes, record::RECORD_HEADER_BYTES);
        }
        let view = self.index.view();
        let Some(row) = view.blob(id)? else {
            return Ok(0);
        };
        let children = view.children(id)?;
        let kind = if children.is_empty() {
            RecordKind::Content
        } else {
            RecordKind::Manifest
        };
        let mut bytes = 0;
        if let Some(place) = row.place {
            bytes += without_header(id, place.len, record::packed_header_bytes(kind))?;
        }
        let header_bytes = record::packed_header_bytes(RecordKind::Content);
        for child in children.iter() {
            if let Some(place) = view.blob(child)?.and_then(|row| row.place) {
                bytes += without_header(child, place.len, header_bytes)?;
            }
        }
        Ok(bytes)
    }

    /// Reads one record, wherever it is by now, and checks it against its name. `None` when the
    /// blob is nowhere.
    pub(in crate::archive) fn plain(&self, id: &BlobId) -> Result<Option<Plain>> {
        // Places are hints, the hash is the truth: a record that moved meanwhile is looked up
        // again.
        let mut last = None;
        for _ in 0..LOOKUPS_MAX {
            if let Some(place) = self.journal.place(id) {
                match plain_in_journal(&self.log, id, &place) {
                    Ok(plain) => return Ok(Some(plain)),
                    Err(error) => last = Some(error),
                }
                if self.journal.place(id) == Some(place) {
                    break;
                }
                continue;
            }
            let Some(row) = self.index.view().blob(id)? else {
                return Ok(None);
            };
            let Some(place) = row.place else {
                if self.journal.contains(id) {
                    continue;
                }
                // A purged blob whose journal file was sealed without it.
                return Ok(None);
            };
            match self.plain_in_pack(id, &place) {
                Ok(plain) => return Ok(Some(plain)),
                Err(error) => last = Some(error),
            }
            if self.index.view().blob(id)?.and_then(|row| row.place) == Some(place) {
                break;
            }
        }
        match last {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    fn plain_in_pack(&self, id: &BlobId, place: &Place) -> Result<Plain> {
        let (pack, path) = self.pack(place.pack)?;
        pack.read_plain(PackOffset(place.offset), place.len, id)
            .map_err(|error| read_error(&path, error))
    }

    /// Returns an open pack, and its path.
    pub(in crate::archive) fn pack(&self, id: PackId) -> Result<OpenPack> {
        self.packs.open(id, || {
            let row = self.index.view().pack(id)?.ok_or_else(|| {
                Error::new(
                    ErrorKind::Damaged,
                    format!("the index does not know pack {id}"),
                )
                .hint("rebuild the index with 'annals rebuild'")
            })?;
            Ok(row.class)
        })
    }

    /// Reads what a manifest stands for; `root` is its plaintext.
    pub(in crate::archive) fn manifest(&self, root: &[u8]) -> Result<Manifest> {
        Manifest::read(root, |id| match self.plain(id)? {
            Some(plain) => Ok(plain.bytes),
            None => Err(Error::new(
                ErrorKind::Damaged,
                format!("blob {id} is missing"),
            )),
        })
    }
}

/// Reads one record of the journal, and checks it against its name.
pub(in crate::archive) fn plain_in_journal(
    log: &LogFiles,
    id: &BlobId,
    place: &JournalPlace,
) -> Result<Plain> {
    let path = journal_path(place.slot);
    let file = log
        .journal(place.slot)
        .ok_or_else(|| Error::new(ErrorKind::Damaged, format!("{} is missing", path.display())))?;
    let at = PackOffset(place.offset);
    let end = place.offset + u64::from(place.bytes);
    let unpacked =
        read_record(&*file, end, at, place.bytes, id).and_then(|record| record.plain(at, id, None));
    unpacked.map_err(|error| read_error(&path, error))
}

/// Returns the bytes of a record without its header. A record that is shorter than its header means
/// that the index is damaged.
fn without_header(id: &BlobId, len: u32, header_bytes: usize) -> Result<u64> {
    let stored = u64::from(len).checked_sub(header_bytes as u64);
    stored.ok_or_else(|| {
        Error::new(
            ErrorKind::Damaged,
            format!("the record of blob {id} has {len} bytes, fewer than its header"),
        )
        .hint("rebuild the index with 'annals rebuild'")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_shorter_than_its_header__is_damage() {
        let id = BlobId::of(b"a");
        assert_eq!(without_header(&id, 100, 60).expect("whole"), 40);
        assert_eq!(without_header(&id, 60, 60).expect("empty"), 0);
        let told = without_header(&id, 59, 60).expect_err("too short");
        assert_eq!(told.kind(), ErrorKind::Damaged);
    }
}

//! Looks for contents of purged entries in every place of a store that may have them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use crate::archive::files::folders::{QUARANTINE_DIR, TMP_DIR};
use crate::archive::files::pack_files::pack_files;
use crate::archive::state::store::Store;
use crate::blob::pack_reader::PackReader;
use crate::disk::OpenMode;
use crate::id::BlobId;
use crate::index::View;
use crate::log::JOURNAL_DIR;
use crate::{Error, Result};

/// Bytes of a file that are searched at once.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes of a blob id.
const ID_BYTES: usize = 32;

/// Where contents were looked for, and what was found.
#[derive(Debug, Clone, Default)]
pub(in crate::archive) struct Traces {
    /// How often something that is not purged names each content.
    pub(in crate::archive) needed: BTreeMap<BlobId, u64>,
    /// Of contents that nothing needs: the number of files in which each was found.
    pub(in crate::archive) found: BTreeMap<BlobId, u64>,
    pub(in crate::archive) places: Vec<SearchedPlace>,
}

/// A place that was searched.
#[derive(Debug, Clone)]
pub(in crate::archive) struct SearchedPlace {
    pub(in crate::archive) name: &'static str,
    pub(in crate::archive) files: u64,
    pub(in crate::archive) found: u64,
}

/// Searches for `contents`: in the index, by name in the footers of all packs, and byte by byte in
/// the journal, in temporary files and in what was set aside. A record has its content's id before
/// its bytes, compressed or not.
pub(in crate::archive) fn search(
    store: &Store,
    view: &View,
    contents: &[BlobId],
) -> Result<Traces> {
    let mut traces = Traces::default();
    // The parts of a content in chunks count as the content.
    let mut wanted: BTreeMap<BlobId, BlobId> = BTreeMap::new();
    for content in contents {
        let references = |blob: &BlobId| -> Result<u64> {
            Ok(view.blob(blob)?.map_or(0, |row| u64::from(row.refs)))
        };
        let needed = references(content)?;
        if needed > 0 {
            traces.needed.insert(*content, needed);
            continue;
        }
        wanted.insert(*content, *content);
        for part in view.children(content)?.iter() {
            if references(part)? == 0 {
                wanted.insert(*part, *content);
            }
        }
    }
    traces.index(view, &wanted)?;
    traces.packs(store, &wanted)?;
    for (name, folder) in [
        ("journal files", JOURNAL_DIR),
        ("temporary files", TMP_DIR),
        ("files set aside by recovery and repair", QUARANTINE_DIR),
    ] {
        traces.folder(store, name, Path::new(folder), &wanted)?;
    }
    Ok(traces)
}

impl Traces {
    fn note(&mut self, name: &'static str, files: u64, found: impl IntoIterator<Item = BlobId>) {
        let mut count = 0;
        for content in found {
            count += 1;
            *self.found.entry(content).or_default() += 1;
        }
        self.places.push(SearchedPlace {
            name,
            files,
            found: count,
        });
    }

    /// Asks the index for places of unneeded content.
    fn index(&mut self, view: &View, wanted: &BTreeMap<BlobId, BlobId>) -> Result<()> {
        let mut found = HashSet::new();
        for (blob, content) in wanted {
            if view.blob(blob)?.is_some_and(|row| row.place.is_some()) {
                found.insert(*content);
            }
        }
        self.note("the index", 1, found);
        Ok(())
    }

    fn packs(&mut self, store: &Store, wanted: &BTreeMap<BlobId, BlobId>) -> Result<()> {
        let files = pack_files(&*store.disk)?;
        let mut found = Vec::new();
        for file in files.values() {
            let listed = PackReader::open(&*store.disk, &file.path).and_then(|pack| pack.listed());
            let listed = listed.map_err(|error| {
                let said = format!("{} cannot be searched: {error}", file.path.display());
                Error::new(crate::ErrorKind::Damaged, said)
            })?;
            let here: HashSet<BlobId> = listed
                .iter()
                .filter_map(|entry| wanted.get(&entry.id).copied())
                .collect();
            found.extend(here);
        }
        self.note("packs", files.len() as u64, found);
        Ok(())
    }

    fn folder(
        &mut self,
        store: &Store,
        name: &'static str,
        folder: &Path,
        wanted: &BTreeMap<BlobId, BlobId>,
    ) -> Result<()> {
        let (mut files, mut found) = (0, Vec::new());
        for path in files_in(store, folder)? {
            files += 1;
            found.extend(search_file(store, &path, wanted)?);
        }
        self.note(name, files, found);
        Ok(())
    }
}

fn files_in(store: &Store, folder: &Path) -> Result<Vec<PathBuf>> {
    match store.disk.list(folder) {
        Ok(entries) => Ok(entries
            .into_iter()
            .filter(|entry| !entry.is_dir)
            .map(|entry| folder.join(entry.name))
            .collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::io("list", folder, error)),
    }
}

/// Returns the contents of which a file has an id, in its bytes as they are.
fn search_file(
    store: &Store,
    path: &Path,
    wanted: &BTreeMap<BlobId, BlobId>,
) -> Result<HashSet<BlobId>> {
    let failed = |error| Error::io("search", path, error);
    let mut found = HashSet::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let beginnings: HashSet<[u8; 8]> = wanted.keys().map(beginning).collect();
    let file = match store.disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        // A temporary file may be gone by now.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(failed(error)),
    };
    let bytes = file.size().map_err(failed)?;
    let mut at = 0;
    while at < bytes {
        let take = usize::try_from(bytes - at).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let mut piece = vec![0; take];
        file.read_exact_at(&mut piece, at).map_err(failed)?;
        // Unused parts of journal files are zeros.
        if piece.iter().any(|byte| *byte != 0) {
            for window in piece.windows(ID_BYTES) {
                let (head, _) = window.split_first_chunk::<8>().expect("32 bytes have 8");
                if beginnings.contains(head)
                    && let Ok(id) = <[u8; ID_BYTES]>::try_from(window)
                    && let Some(content) = wanted.get(&BlobId::from_bytes(id))
                {
                    found.insert(*content);
                }
            }
        }
        // An id may lie across two pieces.
        at += take as u64;
        if at < bytes {
            at -= ID_BYTES as u64 - 1;
        }
    }
    Ok(found)
}

fn beginning(id: &BlobId) -> [u8; 8] {
    let (head, _) = id.as_bytes().split_first_chunk().expect("32 bytes have 8");
    *head
}

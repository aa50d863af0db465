//! Finds out which store the files of a folder belong to, by what each of them says.
//!
//! Every file but `LOCK` carries the id of its store. `FORMAT` is only one of them: it is small,
//! and easily copied to the wrong place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::archive::files::folders::{HEADER_FILE, INDEX_FILE};
use crate::archive::files::pack_files::PackFiles;
use crate::archive::state::watermark;
use crate::disk::{Disk, OpenMode};
use crate::format::pack::{self, PACK_HEADER_BYTES};
use crate::format::{frame, segment};
use crate::id::StoreId;
use crate::index::Index;
use crate::log::{EVENTS_DIR, JOURNAL_DIR};

/// So many files must agree on a store that `FORMAT` does not name.
const AGREEING_FILES_MIN: usize = 2;

/// The stores that the files of a folder name.
pub(in crate::archive) struct StoreNames(BTreeMap<StoreId, NamingFiles>);

/// The files that name one store.
#[derive(Default)]
struct NamingFiles {
    /// Journal files, segments and packs: what a store is made of.
    body: usize,
    /// All of them, with `NEWEST` and the index.
    all: usize,
    /// One of the body, as an example in messages.
    example: PathBuf,
}

/// Which store the files belong to.
pub(in crate::archive) enum Verdict {
    /// `FORMAT` is right: it names the store that the others name, or none of them names another.
    AsFormatSays,
    /// `FORMAT` is unreadable, or names a store of which no other file is here. This many files
    /// name another store.
    Other(StoreId, usize),
    /// The files do not agree; how, in words.
    Unclear(String),
}

impl StoreNames {
    /// Reads the store id of every file, and of the pack files in `packs`.
    pub(in crate::archive) fn read(disk: &dyn Disk, packs: &PackFiles) -> Self {
        let mut told = Self(BTreeMap::new());
        for (folder, length) in [
            (JOURNAL_DIR, frame::JOURNAL_HEADER_BYTES),
            (EVENTS_DIR, segment::SEGMENT_HEADER_BYTES),
        ] {
            // A folder that cannot be listed names nobody.
            for entry in disk.list(Path::new(folder)).unwrap_or_default() {
                let path = Path::new(folder).join(entry.name);
                let id = head(disk, &path, length).and_then(|bytes| {
                    let id = StoreId::from_bytes(bytes.get(12..28)?.try_into().ok()?);
                    let holds = match folder {
                        JOURNAL_DIR => frame::JournalHeader::decode(&bytes, &id).is_ok(),
                        _ => segment::decode_header(&bytes, &id).is_ok(),
                    };
                    holds.then_some(id)
                });
                told.body(id, path);
            }
        }
        for file in packs.values() {
            let bytes = head(disk, &file.path, PACK_HEADER_BYTES);
            let id = bytes.and_then(|bytes| Some(pack::decode_header(&bytes).ok()?.store));
            told.body(id, file.path.clone());
        }
        let named: Vec<StoreId> = told.0.keys().copied().collect();
        for id in named {
            if watermark::read(disk, &id).is_some() {
                told.0.entry(id).or_default().all += 1;
            }
        }
        let index = disk.open(Path::new(INDEX_FILE), OpenMode::Read).ok();
        if let Some(id) = index.and_then(Index::owner) {
            told.0.entry(id).or_default().all += 1;
        }
        told
    }

    fn body(&mut self, id: Option<StoreId>, path: PathBuf) {
        if let Some(id) = id {
            let files = self.0.entry(id).or_default();
            files.body += 1;
            files.all += 1;
            files.example = path;
        }
    }

    /// Judges the files against `format`, the store that `FORMAT` names, if it can be read.
    pub(in crate::archive) fn judge(&self, format: Option<StoreId>) -> Verdict {
        let own = format
            .and_then(|id| self.0.get(&id))
            .map_or(0, |own| own.body);
        let others: Vec<(&StoreId, &NamingFiles)> = self
            .0
            .iter()
            .filter(|(id, files)| Some(**id) != format && files.body > 0)
            .collect();
        let foreign: usize = others.iter().map(|(_, files)| files.body).sum();
        match (format, &others[..]) {
            (Some(_), []) => Verdict::AsFormatSays,
            (Some(_), _) if own > foreign => Verdict::AsFormatSays,
            (_, [(id, other)]) if own == 0 && other.all >= AGREEING_FILES_MIN => {
                Verdict::Other(**id, other.all)
            }
            (_, []) => Verdict::Unclear("no other file says which store it is".to_owned()),
            (_, [(id, other)]) if own == 0 => Verdict::Unclear(format!(
                "{} alone names store {id}",
                other.example.display()
            )),
            _ => Verdict::Unclear(self.disagreement(format)),
        }
    }

    fn disagreement(&self, format: Option<StoreId>) -> String {
        let sides: Vec<String> = self
            .0
            .iter()
            .filter(|(_, files)| files.body > 0)
            .map(|(id, NamingFiles { all, example, .. })| {
                let files = if *all == 1 {
                    "file names"
                } else {
                    "files name"
                };
                format!("{all} {files} store {id}, such as {}", example.display())
            })
            .collect();
        let format = format.map_or_else(String::new, |id| format!("FORMAT names store {id}; "));
        format!("{format}{}", sides.join("; "))
    }
}

/// Explains that `FORMAT`, which names `store`, does not fit the other files, if that is so.
pub(in crate::archive) fn foreign_format(disk: &dyn Disk, store: StoreId) -> Option<String> {
    match StoreNames::read(disk, &PackFiles::new()).judge(Some(store)) {
        Verdict::AsFormatSays => None,
        Verdict::Other(id, files) => Some(format!(
            "{HEADER_FILE} names store {store}, and {files} other files name store {id}: bring \
             the right {HEADER_FILE} back, or have 'annals repair' make it"
        )),
        Verdict::Unclear(why) => Some(format!("files of several stores lie here: {why}")),
    }
}

fn head(disk: &dyn Disk, path: &Path, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    let file = disk.open(path, OpenMode::Read).ok()?;
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(told: &[(u8, usize, usize)]) -> StoreNames {
        let files = |(id, body, others): &(u8, usize, usize)| {
            let files = NamingFiles {
                body: *body,
                all: body + others,
                example: PathBuf::from("journal/0000.journal"),
            };
            (StoreId::from_bytes([*id; 16]), files)
        };
        StoreNames(told.iter().map(files).collect())
    }

    fn verdict(format: u8, told: &[(u8, usize, usize)]) -> String {
        let format = (format > 0).then(|| StoreId::from_bytes([format; 16]));
        match names(told).judge(format) {
            Verdict::AsFormatSays => "as FORMAT says".to_owned(),
            Verdict::Other(id, files) => format!("{} by {files}", id.as_bytes()[0]),
            Verdict::Unclear(_) => "unclear".to_owned(),
        }
    }

    /// FORMAT of another store was copied in, and a repair took every other file out: five of six
    /// entries were gone even when the right FORMAT was back.
    #[test]
    fn a_format_that_no_file_agrees_with__is_wrong() {
        for (format, told, expected) in [
            (1, &[(1, 3, 2)][..], "as FORMAT says"),
            (1, &[], "as FORMAT says"),
            // One of the pair NEWEST and index is foreign: neither is part of what is kept.
            (1, &[(1, 3, 1), (2, 0, 1)], "as FORMAT says"),
            (2, &[(1, 1, 2)], "1 by 3"),
            (2, &[(1, 4, 0), (2, 0, 2)], "1 by 4"),
            (0, &[(1, 1, 1)], "1 by 2"),
            // A journal file of another store lies among those of this one.
            (1, &[(1, 3, 2), (2, 1, 0)], "as FORMAT says"),
            (1, &[(1, 1, 2), (2, 1, 0)], "unclear"),
            (2, &[(1, 1, 0)], "unclear"),
            (0, &[(1, 3, 2), (2, 1, 0)], "unclear"),
            (0, &[], "unclear"),
            (3, &[(1, 4, 1), (2, 4, 1)], "unclear"),
        ] {
            assert_eq!(verdict(format, told), expected, "{format} {told:?}");
        }
    }

    #[test]
    fn files_of_two_stores__are_counted_and_shown() {
        let Verdict::Unclear(why) = names(&[(1, 1, 2), (2, 1, 0)]).judge(None) else {
            panic!("one of them was taken");
        };
        assert!(why.contains("3 files name store 01"), "{why}");
        assert!(why.contains("1 file names store 02"), "{why}");
        assert!(why.contains("journal/0000.journal"), "{why}");
    }
}

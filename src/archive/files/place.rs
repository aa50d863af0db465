//! Notices that a store is a copy of another one, so that the two do not both give out the same
//! numbers.
//!
//! The file `PLACE` says where the store was last written. An opening for writing compares it with
//! where the store is now. A store that was moved is accepted. A copy is reported until a person
//! confirms that it continues; until then `PLACE` is not touched.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::archive::files::header::read_header;
use crate::archive::files::machine::host_name;
use crate::disk::{Disk, FsDisk, OpenMode};
use crate::format::place::{PLACE_BYTES_MAX, Place, decode, encode};
use crate::id::StoreId;

/// The file that says where the store was last written.
pub(in crate::archive) const PLACE_FILE: &str = "PLACE";

/// The id of no machine: what a restored store says of its past when its log could not.
const NO_MACHINE: [u8; 16] = [0; 16];

/// Whether a store is a copy, by where it was last written and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::archive) enum Standing {
    /// The store is where it was, or its folder was moved as a whole.
    Same,
    /// The store is a copy.
    Copy(Original),
}

/// What is known of the store that a copy was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::archive) enum Original {
    /// The original is still in its place.
    IsThere,
    /// The original was on another machine, where it may be in use.
    IsElsewhere,
}

/// The store that this one is a copy of; see [`Archive::copied_from`](crate::Archive::copied_from).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopiedFrom {
    /// Name of the machine.
    pub host: String,
    /// The folder.
    pub folder: PathBuf,
    original: Original,
}

impl CopiedFrom {
    /// What a person does about it.
    pub const HINT: &str = "go on with the original; or, if only this copy is written from now \
                            on, say so once with 'annals confirm-move'";
}

impl fmt::Display for CopiedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        match self.original {
            Original::IsThere => write!(
                f,
                "this store is a copy of the one in {folder}, which is still there"
            )?,
            Original::IsElsewhere => write!(
                f,
                "this store was last written on another machine, in {folder} on '{}', and may be \
                 in use there",
                self.host
            )?,
        }
        f.write_str(": if both are written, they give the same numbers to different things")
    }
}

/// Returns where the store was if it is a copy that nobody has confirmed. Otherwise notes where it
/// is.
pub(in crate::archive) fn notice(disk: &dyn Disk, store: &StoreId) -> Option<CopiedFrom> {
    let last = read(disk, store);
    match (standing(disk, store), last) {
        (Standing::Copy(original), Some(last)) => Some(CopiedFrom {
            host: last.host,
            folder: last.path,
            original,
        }),
        _ => {
            record(disk, store);
            None
        }
    }
}

/// Notes that the store is written where it is now. Like `NEWEST` the file is not synced, and a
/// disk that refuses it keeps the older one.
pub(in crate::archive) fn record(disk: &dyn Disk, store: &StoreId) {
    if let Some(place) = here(disk)
        && read(disk, store).as_ref() != Some(&place)
    {
        write(disk, store, &place);
    }
}

/// Notes that the store came from elsewhere and that its log does not say so yet. The next process
/// that writes it has to confirm that first.
pub(in crate::archive) fn record_unconfirmed(
    disk: &dyn Disk,
    store: &StoreId,
    host: &str,
    folder: &str,
) {
    let place = Place {
        machine: Some(NO_MACHINE),
        folder: None,
        host: host.to_owned(),
        path: PathBuf::from(folder),
    };
    write(disk, store, &place);
}

fn write(disk: &dyn Disk, store: &StoreId, place: &Place) {
    let path = Path::new(PLACE_FILE);
    let Some(text) = encode(store, place) else {
        return;
    };
    let file = disk
        .open(path, OpenMode::Write)
        .or_else(|_| disk.open(path, OpenMode::CreateNew));
    if let Ok(file) = file {
        // A torn file counts as a missing one.
        let _ = file
            .write_all_at(text.as_bytes(), 0)
            .and_then(|()| file.set_len(text.len() as u64));
    }
}

/// Returns where the store was last written, as far as is known.
pub(in crate::archive) fn read(disk: &dyn Disk, store: &StoreId) -> Option<Place> {
    let file = disk.open(Path::new(PLACE_FILE), OpenMode::Read).ok()?;
    let bytes = file.size().ok().filter(|size| *size <= PLACE_BYTES_MAX)?;
    let mut text = vec![0; usize::try_from(bytes).ok()?];
    file.read_exact_at(&mut text, 0).ok()?;
    decode(&text, store)
}

/// Returns where the store is now.
pub(in crate::archive) fn here(disk: &dyn Disk) -> Option<Place> {
    let place = disk.place()?;
    Some(Place {
        machine: place.machine,
        folder: place.folder,
        host: host_name(),
        path: place.path,
    })
}

pub(in crate::archive) fn standing(disk: &dyn Disk, store: &StoreId) -> Standing {
    match (here(disk), read(disk, store)) {
        (Some(here), Some(last)) => judge(&here, &last, |path| {
            let there = FsDisk::new(path);
            let is_it = read_header(&there, path).is_ok_and(|found| found == *store);
            is_it.then(|| there.place().and_then(|place| place.folder))
        }),
        _ => Standing::Same,
    }
}

/// Compares where a store is with where it was last written.
///
/// `find` returns whether the store is in a folder of this machine, and which folder that is.
fn judge(
    here: &Place,
    last: &Place,
    find: impl Fn(&Path) -> Option<Option<(u64, u64)>>,
) -> Standing {
    let same_folder = here.folder.is_some() && here.folder == last.folder;
    // A machine without an id counts as the one before: containers get a new one at each start.
    let other_machine = last.machine == Some(NO_MACHINE)
        || matches!((here.machine, last.machine), (Some(a), Some(b)) if a != b);
    if other_machine {
        // A disk that was plugged into another machine keeps its folder; a copy makes a new one.
        return if same_folder {
            Standing::Same
        } else {
            Standing::Copy(Original::IsElsewhere)
        };
    }
    if here.path == last.path {
        return Standing::Same;
    }
    match find(&last.path) {
        // One folder under two names is one store.
        Some(found) if found.is_some() && found == here.folder => Standing::Same,
        Some(_) => Standing::Copy(Original::IsThere),
        None => Standing::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Archive, NewEntry, Options};
    use crate::id::EventSeq;

    fn place(machine: u8, folder: u64, path: &str) -> Place {
        Place {
            machine: (machine > 0).then_some([machine; 16]),
            folder: (folder > 0).then_some((1, folder)),
            host: "line3".to_owned(),
            path: PathBuf::from(path),
        }
    }

    /// A move must not nag and a copy must not pass: each row is a thing that people do with
    /// folders.
    #[test]
    fn moves_pass__and_copies_do_not() {
        let (same, there, elsewhere) = (
            Standing::Same,
            Standing::Copy(Original::IsThere),
            Standing::Copy(Original::IsElsewhere),
        );
        let last = place(7, 10, "/a");
        let gone = None;
        let found = Some(Some((1, 10)));
        for (what, here, other, judged) in [
            ("nothing happened", place(7, 10, "/a"), gone, &same),
            ("renamed", place(7, 10, "/b"), gone, &same),
            ("moved to another disk", place(7, 20, "/b"), gone, &same),
            ("put back from a tar file", place(7, 20, "/a"), gone, &same),
            ("copied beside", place(7, 20, "/b"), found, &there),
            ("seen by another name", place(7, 10, "/b"), found, &same),
            (
                "renamed, and a copy put in its place",
                place(7, 10, "/b"),
                Some(Some((1, 20))),
                &there,
            ),
            (
                "copied where folders have no number",
                place(7, 0, "/b"),
                Some(None),
                &there,
            ),
            (
                "disk taken to another machine",
                place(8, 10, "/mnt"),
                gone,
                &same,
            ),
            (
                "copied to another machine",
                place(8, 20, "/a"),
                gone,
                &elsewhere,
            ),
            ("in a new container", place(0, 20, "/a"), gone, &same),
        ] {
            assert_eq!(&judge(&here, &last, |_| other), judged, "{what}");
        }
    }

    fn put(archive: &Archive, content: &str) {
        let new = NewEntry {
            converter: "ICT".to_owned(),
            ..NewEntry::default()
        };
        archive.put(new, content.as_bytes()).expect("archived");
    }

    fn copy_folder(from: &Path, to: &Path) {
        std::fs::create_dir(to).expect("made");
        for entry in std::fs::read_dir(from).expect("listed") {
            let entry = entry.expect("listed");
            let (path, to) = (entry.path(), to.join(entry.file_name()));
            if path.is_dir() {
                copy_folder(&path, &to);
            } else {
                std::fs::copy(&path, &to).expect("copied");
            }
        }
    }

    /// Somebody copies the store's folder "for safety", and later a host is pointed at the copy
    /// while the original goes on: two stores give out the same numbers, and nobody knows before
    /// years have gone by.
    #[test]
    fn a_copied_store__says_so_until_confirmed() {
        let dir = tempfile::tempdir().expect("a folder");
        let (original, copy) = (dir.path().join("store"), dir.path().join("copy"));
        let archive = Archive::create(&original, Options::default()).expect("made");
        put(&archive, "one");
        archive.close().expect("closed");
        copy_folder(&original, &copy);

        for _ in 0..2 {
            let archive = Archive::open(&copy, Options::default()).expect("opened");
            let said = archive.copied_from().expect("a copy").to_string();
            assert!(said.contains("is still there"), "{said}");
            // Writing does not make it an original.
            put(&archive, "one more");
            archive.close().expect("closed");
        }
        let archive = Archive::open(&original, Options::default()).expect("opened");
        assert_eq!(archive.copied_from(), None);
        archive.close().expect("closed");

        let confirmed = Archive::confirm_move(&copy, Options::default()).expect("confirmed");
        assert!(confirmed.recorded.is_some());
        let again = Archive::confirm_move(&copy, Options::default()).expect("nothing to do");
        assert_eq!(again.recorded, None);
        let archive = Archive::open(&copy, Options::default()).expect("confirmed");
        assert_eq!(archive.copied_from(), None);
        put(&archive, "two");
        let leaves = archive.events(EventSeq(1), None).expect("readable");
        let continued = leaves
            .map(|leaf| leaf.expect("whole").line)
            .find(|line| line.contains("annals.store.continued.v1"));
        let continued = continued.expect("recorded");
        let named = original.canonicalize().expect("there");
        assert!(
            continued.contains(&named.display().to_string()),
            "{continued}"
        );
        archive.close().expect("closed");

        let moved = dir.path().join("moved");
        std::fs::rename(&copy, &moved).expect("renamed");
        let archive = Archive::open(&moved, Options::default()).expect("opened");
        assert_eq!(archive.copied_from(), None);
    }

    #[test]
    fn a_copy_from_another_machine__names_that_machine() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = dir.path().join("store");
        let archive = Archive::create(&store, Options::default()).expect("made");
        let id = archive.store_id();
        archive.close().expect("closed");
        let disk = FsDisk::new(&store);
        record_unconfirmed(&disk, &id, "line7", "/var/lib/annals");
        let archive = Archive::open(&store, Options::default()).expect("opened");
        let told = archive.copied_from().expect("a copy").to_string();
        assert!(
            told.contains("'line7'") && told.contains("/var/lib/annals"),
            "{told}"
        );
    }
}

//! Notices that a store is a copy of another one, so that not both go on under the same numbers.
//!
//! The file `PLACE` says where the store was last written. Whoever opens the store for writing
//! compares it with where the store is now. A store that was moved is taken as it is. One that is a
//! copy says so, as long as nobody has confirmed that this copy goes on: then `PLACE` is not
//! touched.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::Result;
use crate::archive::open::{host_name, open_locked, read_header, take_lock};
use crate::archive::writer::Draft;
use crate::archive::{Access, Archive, Options};
use crate::disk::{Disk, FsDisk, OpenMode};
use crate::event::{Body, ContinuedFrom, StoreContinued};
use crate::format::place::{PLACE_BYTES_MAX, Place, decode, encode};
use crate::id::{EventSeq, StoreId};

/// The file that says where the store was last written.
pub(super) const PLACE_FILE: &str = "PLACE";

/// A machine that no machine is: what a restored store says of its past when the log could not.
const NO_MACHINE: [u8; 16] = [0; 16];

/// What is known of a store from where it was last written and where it is.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// It is where it was, or the folder was moved as a whole.
    Same,
    /// It is a copy.
    Copy(Original),
}

/// What is known of the store that a copy was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Original {
    /// It is still in its place.
    IsThere,
    /// It was on another machine, where it may be in use.
    IsElsewhere,
}

/// Where the store was that this one is a copy of; see [`Archive::copied_from`].
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
    /// What to do about it.
    pub const HINT: &str = "go on with the original; or, if only this copy is written from now on, say so once with 'annals \
                            confirm-move'";
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
                "this store was last written on another machine, in {folder} on '{}', and may be in use there",
                self.host
            )?,
        }
        f.write_str(": if both are written, they give the same numbers to different things")
    }
}

/// The answer to [`Archive::confirm_move`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfirmedMove {
    /// The event that says so; nothing where the store was no copy.
    pub recorded: Option<EventSeq>,
    /// Name of the machine it was last written on.
    pub host: Option<String>,
    /// Folder it was last written in.
    pub folder: Option<PathBuf>,
}

impl Archive {
    /// Records that the copy of a store in `dir` goes on, and the one it was made from does not.
    ///
    /// [`Archive::copied_from`] says nothing more then. For a store that is no copy, nothing is
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
    pub(super) fn record_continued(
        &self,
        from: ContinuedFrom,
        event: EventSeq,
        root: Option<crate::id::Sha256>,
        host: String,
        folder: String,
    ) -> Result<EventSeq> {
        let at = here(&*self.shared().disk);
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

/// Notes where the store is, or answers where it was, if it is a copy and nobody has confirmed that
/// it goes on.
pub(super) fn notice(disk: &dyn Disk, store: &StoreId) -> Option<CopiedFrom> {
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

/// Notes that the store is written where it is now. Like `NEWEST` it is not synced, and a disk that
/// refuses it keeps what was there.
pub(super) fn record(disk: &dyn Disk, store: &StoreId) {
    if let Some(place) = here(disk)
        && read(disk, store).as_ref() != Some(&place)
    {
        write(disk, store, &place);
    }
}

/// Notes that the store came from elsewhere and that its log does not say so yet: whoever writes it
/// next has to confirm that first.
pub(super) fn record_unconfirmed(disk: &dyn Disk, store: &StoreId, host: &str, folder: &str) {
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
        // What is torn in between says nothing, which is as good as a file that is not there.
        let _ = file
            .write_all_at(text.as_bytes(), 0)
            .and_then(|()| file.set_len(text.len() as u64));
    }
}

/// Where the store was last written, as far as is known.
fn read(disk: &dyn Disk, store: &StoreId) -> Option<Place> {
    let file = disk.open(Path::new(PLACE_FILE), OpenMode::Read).ok()?;
    let bytes = file.size().ok().filter(|size| *size <= PLACE_BYTES_MAX)?;
    let mut text = vec![0; usize::try_from(bytes).ok()?];
    file.read_exact_at(&mut text, 0).ok()?;
    decode(&text, store)
}

/// Where the store is now.
fn here(disk: &dyn Disk) -> Option<Place> {
    let place = disk.place()?;
    Some(Place {
        machine: place.machine,
        folder: place.folder,
        host: host_name(),
        path: place.path,
    })
}

fn standing(disk: &dyn Disk, store: &StoreId) -> Standing {
    match (here(disk), read(disk, store)) {
        (Some(here), Some(last)) => judge(&here, &last, |path| {
            let there = FsDisk::new(path);
            let is_it = read_header(&there, path).is_ok_and(|found| found == *store);
            is_it.then(|| there.place().and_then(|place| place.folder))
        }),
        _ => Standing::Same,
    }
}

/// Compares where a store is with where it was last written. `find` answers whether the same store
/// is in a folder of this machine, and which folder that is.
fn judge(
    here: &Place,
    last: &Place,
    find: impl Fn(&Path) -> Option<Option<(u64, u64)>>,
) -> Standing {
    let same_folder = here.folder.is_some() && here.folder == last.folder;
    // A machine that cannot be told from others is taken for the same one: in containers it is new
    // at each start.
    let other_machine = last.machine == Some(NO_MACHINE)
        || matches!((here.machine, last.machine), (Some(a), Some(b)) if a != b);
    if other_machine {
        // A disk that was plugged into another machine brings its folder along; a copy makes a new
        // one.
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
    use crate::archive::NewEntry;

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
    fn of_what_people_do_with_folders_moves_pass_and_copies_do_not() {
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
    fn a_copy_of_a_store_says_so_until_somebody_confirms_that_it_goes_on() {
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
    fn a_copy_from_another_machine_names_that_machine() {
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

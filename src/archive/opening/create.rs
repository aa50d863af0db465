//! Creates stores. A store whose creation was cut off is created again.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::archive::bounds;
use crate::archive::files::folders::{
    FOLDERS, HEADER_FILE, INDEX_FILE, LOCK_FILE, PACKS_DIR, QUARANTINE_DIR, TMP_DIR, holds_no_event,
};
use crate::archive::files::lock::take_lock;
use crate::archive::files::place;
use crate::archive::handle::Archive;
use crate::archive::messages::Draft;
use crate::archive::opening::start::{created, start};
use crate::archive::options::{Access, Options};
use crate::archive::privacy::declare::declaration;
use crate::archive::state::index_file::IndexFile;
use crate::archive::state::journal_blobs::JournalBlobs;
use crate::archive::state::layers::LayeredIndex;
use crate::archive::state::store::{Opened, Store};
use crate::disk::{DirEntry, Disk, FsDisk, OpenMode, PublishError, publish};
use crate::event::{Actor, Body, PersonalField};
use crate::format::header;
use crate::id::{PackId, StoreId};
use crate::log::{Appender, EVENTS_DIR, JOURNAL_DIR, LogFiles};
use crate::{Error, ErrorKind, Result};

impl Archive {
    /// Creates a store in `dir`, which must be missing or empty, and opens it.
    ///
    /// On `Ok` the store survives a power cut. What an error or a crash leaves is removed by the
    /// next try.
    ///
    /// ```
    /// use annals::archive::{Archive, Options};
    ///
    /// # fn main() -> annals::Result<()> {
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// let archive = Archive::create(dir.path().join("new"), Options::default())?;
    /// assert_eq!(archive.newest().0, 1);
    /// # archive.close()
    /// # }
    /// ```
    pub fn create(dir: impl AsRef<Path>, options: Options) -> Result<Self> {
        let dir = dir.as_ref();
        bounds::check(&options)?;
        let disk = new_dir(dir)?;
        create(Arc::new(disk), dir.to_owned(), options)
    }

    /// Creates a store on a disk of the caller's, whose root is empty.
    pub fn create_on(disk: Arc<dyn Disk>, options: Options) -> Result<Self> {
        create(disk, PathBuf::new(), options)
    }
}

/// Creates a store in `disk`, whose root is empty or holds what a creation that was cut off left.
pub(super) fn create(disk: Arc<dyn Disk>, dir: PathBuf, options: Options) -> Result<Archive> {
    bounds::check(&options)?;
    let at = |path: &Path| dir.join(path);
    let lock = take_lock(&*disk, &dir, Duration::ZERO)?;
    clear_begun(&*disk, &dir)?;
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot draw a store id: {error}")))?;
    let id = StoreId::from_bytes(bytes);
    for folder in FOLDERS {
        disk.make_dir(Path::new(folder))
            .map_err(|error| Error::io("make", at(Path::new(folder)), error))?;
    }
    let index_file = IndexFile::new(Arc::clone(&disk), id, options.index_cache_bytes);
    let index = index_file.create()?;
    let appender = Appender::create(Arc::clone(&disk), id, options.journal_bytes)?;
    // The header comes last: a folder without it is no store.
    let tmp = Path::new(TMP_DIR).join(HEADER_FILE);
    let path = Path::new(HEADER_FILE);
    disk.open(&tmp, OpenMode::CreateNew)
        .and_then(|file| {
            file.write_all_at(header::encode(&id).as_bytes(), 0)?;
            file.sync()
        })
        .and_then(|()| {
            publish(&*disk, &tmp, path).map_err(|error| match error {
                PublishError::Rename(error) | PublishError::SyncDir(error) => error,
            })
        })
        .map_err(|error| Error::io("write", at(path), error))?;
    let mut damage = Vec::new();
    let log = Arc::new(LogFiles::open(&*disk, &id, &mut damage)?);
    let (slot, file) = appender.current_file();
    log.add_journal(slot, file);
    let active = index.view(Vec::new())?.overlay();
    let is_writable = options.access == Access::ReadWrite;
    let store = Arc::new(Store::new(Opened {
        disk,
        dir,
        id,
        options,
        log,
        log_damage: damage,
        index: LayeredIndex::new(index_file, is_writable, index, active)?,
        journal: JournalBlobs::new(HashMap::new()),
        next_pack: PackId(1),
    }));
    let archive = start(store, appender, Vec::new(), Some(lock))?;
    archive.append(first_facts(&archive)?)?;
    place::record(&*archive.store().disk, &id);
    archive.start_signing()?;
    Ok(archive)
}

/// Returns the facts that a log begins with. Where accounts are personal, none of them names one.
fn first_facts(archive: &Archive) -> Result<Vec<Draft>> {
    let store = archive.store();
    let mut facts = vec![created(store.id)];
    let personal = &store.options.personal;
    if !personal.is_empty() {
        if personal.contains(&PersonalField::Actor) {
            // Event 1 comes before any pseudonym.
            facts[0].actor = Some(Arc::new(Actor::system()));
        }
        let names = personal.iter().map(ToString::to_string).collect();
        let declared = declaration(names, None)?;
        facts.push(Draft::fact(Body::PrivacyDeclared(declared)));
    }
    Ok(facts)
}

/// Makes a [`Disk`] over `dir`, which must be missing or hold nothing that [`create`] would not
/// remove.
pub(super) fn new_dir(dir: &Path) -> Result<FsDisk> {
    match std::fs::read_dir(dir) {
        Ok(_) => {
            begun(&FsDisk::new(dir), dir)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = std::fs::DirBuilder::new();
            #[cfg(unix)]
            {
                use std::os::unix::fs::DirBuilderExt;
                builder.mode(0o700);
            }
            builder
                .recursive(true)
                .create(dir)
                .map_err(|error| Error::io("make", dir, error))?;
        }
        Err(error) => return Err(Error::io("read", dir, error)),
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
            .map_err(|error| Error::io("protect", dir, error))?;
    }
    Ok(FsDisk::new(dir))
}

/// Lists the files that a creation left when it was cut off.
///
/// Anything else in the folder is an error: it may be a store that lost its header, and its events
/// can be recovered.
fn begun(disk: &dyn Disk, dir: &Path) -> Result<Vec<PathBuf>> {
    let list = |folder: &Path| -> Result<Vec<DirEntry>> {
        let listed = disk.list(folder);
        listed.map_err(|error| Error::io("read", dir.join(folder), error))
    };
    let refused = || {
        let said = format!("{} is not empty", dir.display());
        Error::new(ErrorKind::Refused, said)
            .hint("a store wants a folder of its own; name a new or empty one")
    };
    let mut files = Vec::new();
    for entry in list(Path::new(""))? {
        let path = PathBuf::from(&entry.name);
        match (entry.name.as_str(), entry.is_dir) {
            (LOCK_FILE, false) => {}
            (INDEX_FILE, false) => files.push(path),
            (EVENTS_DIR | PACKS_DIR | QUARANTINE_DIR, true) if list(&path)?.is_empty() => {}
            (JOURNAL_DIR | TMP_DIR, true) => {
                for file in list(&path)? {
                    let file_path = path.join(&file.name);
                    let is_ours = !file.is_dir
                        && match entry.name.as_str() {
                            TMP_DIR => file.name == HEADER_FILE,
                            _ => holds_no_event(disk, &file_path)
                                .map_err(|error| Error::io("read", dir.join(&file_path), error))?,
                        };
                    if !is_ours {
                        return Err(refused());
                    }
                    files.push(file_path);
                }
            }
            _ => return Err(refused()),
        }
    }
    Ok(files)
}

/// Removes what a creation left. The lock is held, so no other process creates a store here.
fn clear_begun(disk: &dyn Disk, dir: &Path) -> Result<()> {
    for file in begun(disk, dir)? {
        disk.remove(&file)
            .map_err(|error| Error::io("remove", dir.join(&file), error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::{Fault, Repeat, SimDisk};
    use crate::log::JOURNAL_BYTES_MIN;

    fn options() -> Options {
        Options {
            journal_bytes: JOURNAL_BYTES_MIN,
            ..Options::default()
        }
    }

    #[test]
    fn create__wants_a_new_or_empty_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("file");
        std::fs::write(&file, b"x").expect("written");
        let told = new_dir(&file).map(drop).expect_err("no folder");
        assert!(told.message().starts_with("cannot read"), "{told}");
        let told = new_dir(dir.path()).map(drop).expect_err("not empty");
        assert_eq!(told.kind(), ErrorKind::Refused);
        new_dir(&dir.path().join("deep/down")).expect("made");
        new_dir(&dir.path().join("deep/down")).expect("still empty");
    }

    /// A full disk left half a store in a folder that was then "not empty": nothing could be made
    /// of it but a new name.
    #[test]
    fn a_failed_create__succeeds_at_the_next_try() {
        let mut failed = 0;
        loop {
            let disk = SimDisk::new();
            disk.fail_at(failed, Fault::Os(28), Repeat::Once);
            let made = create(Arc::new(disk.clone()), PathBuf::new(), options());
            disk.heal();
            let Err(error) = made else {
                break;
            };
            assert_ne!(error.kind(), ErrorKind::Refused, "call {failed}: {error}");
            failed += 1;
            let again = create(Arc::new(disk.clone()), PathBuf::new(), options());
            if let Err(error) = &again {
                // The header was there already: it is a store, and opens as one.
                assert_eq!(error.kind(), ErrorKind::Refused, "call {failed}: {error}");
                Archive::open_on(Arc::new(disk), options()).expect("a store");
            }
        }
        assert!(failed > 20, "{failed}");
    }

    /// A store that lost its header file is no store, and everything in it can be brought back:
    /// also when it was killed, and nothing but its journal tells of it.
    #[test]
    fn a_store_without_header__is_not_created_over() {
        let disk = SimDisk::new();
        let archive = create(Arc::new(disk.clone()), PathBuf::new(), options()).expect("made");
        let killed = disk.snapshot();
        archive.close().expect("closed");
        for disk in [disk, killed] {
            disk.remove(Path::new(HEADER_FILE)).expect("removed");
            let before = disk.files();
            let refused = create(Arc::new(disk.clone()), PathBuf::new(), options()).map(drop);
            let refused = refused.expect_err("there are events in it");
            assert_eq!(refused.kind(), ErrorKind::Refused);
            assert!(refused.message().contains("is not empty"), "{refused}");
            assert_eq!(disk.files(), before);
        }
    }

    #[test]
    fn a_folder_with_foreign_files__is_left_alone() {
        for name in [
            "notes.txt",
            "journal/x/y",
            "tmp/notes.txt",
            "packs/x",
            "events/x",
            "LOCK/x",
        ] {
            let dir = tempfile::tempdir().expect("a folder");
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, b"x").expect("written");
            let refused = new_dir(dir.path()).map(drop).expect_err(name);
            assert_eq!(refused.kind(), ErrorKind::Refused, "{name}");
            assert_eq!(std::fs::read(&path).expect("there"), b"x");
        }
    }
}

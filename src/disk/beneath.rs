//! Opens, lists and renames files and folders below one directory, without ever following a link.
//!
//! A store may come from an untrusted source. A link in it would redirect reads, writes and
//! removals to files outside the store. A pipe in place of a file would make an open block for
//! ever. So every name is resolved from a handle of the directory, one folder at a time, and the
//! kind of what was opened is checked before use.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::contract::{DirEntry, OpenMode};

/// Directories are private to their owner.
const DIR_MODE: Mode = Mode::RWXU;
/// Files are private to their owner.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The flags for opening each directory on a path.
const DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A directory whose handle is opened on first use, and kept.
///
/// The path of the directory itself may contain links, because the user chose it.
#[derive(Debug, Clone)]
pub(super) struct Beneath {
    root: PathBuf,
    handle: Arc<OnceLock<OwnedFd>>,
}

impl Beneath {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            handle: Arc::default(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn open(&self, path: &Path, mode: OpenMode) -> io::Result<File> {
        self.open_file(
            path,
            match mode {
                OpenMode::Read => OFlags::RDONLY,
                OpenMode::Write => OFlags::RDWR,
                OpenMode::CreateNew => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
            },
        )
    }

    /// Opens a file for reading and writing, and creates it if it is missing.
    pub(super) fn open_or_make(&self, path: &Path) -> io::Result<File> {
        self.open_file(path, OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens a regular file with `flags`. A new file is private to its owner.
    fn open_file(&self, path: &Path, flags: OFlags) -> io::Result<File> {
        let (parent, name) = self.parent_of(path)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = retry(|| rustix::fs::openat(&parent, name, flags, FILE_MODE))
            .map_err(|error| explain(error, parent.as_fd(), name))?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        match kind {
            FileType::RegularFile => Ok(File::from(file)),
            other => Err(not_a_file(other)),
        }
    }

    pub(super) fn make_dir(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        match rustix::fs::mkdirat(&parent, name, DIR_MODE) {
            // The existing name may belong to something else, such as a link.
            Err(Errno::EXIST) => self.dir(path).map(drop),
            made => Ok(made?),
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let dir = self.dir(path)?;
        let mut entries = Vec::new();
        for entry in rustix::fs::Dir::read_from(&dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if matches!(name, "." | "..") {
                continue;
            }
            let stat = match rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                // Removed after it was listed, so it is left out.
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            entries.push(DirEntry {
                name: name.to_owned(),
                is_dir: FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
                len: u64::try_from(stat.st_size).unwrap_or(0),
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (old, old_name) = self.parent_of(from)?;
        let (new, new_name) = self.parent_of(to)?;
        Ok(rustix::fs::renameat(&old, old_name, &new, new_name)?)
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        Ok(rustix::fs::unlinkat(&parent, name, AtFlags::empty())?)
    }

    pub(super) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let dir = self.dir(path)?;
        retry(|| rustix::fs::fsync(&dir))
    }

    /// Returns the handle of the root directory.
    fn handle(&self) -> io::Result<BorrowedFd<'_>> {
        if let Some(handle) = self.handle.get() {
            return Ok(handle.as_fd());
        }
        let flags = DIR.difference(OFlags::NOFOLLOW);
        let opened = retry(|| rustix::fs::openat(CWD, &self.root, flags, Mode::empty()))?;
        Ok(self.handle.get_or_init(|| opened).as_fd())
    }

    /// Opens a directory below the root, one path component at a time.
    fn dir(&self, path: &Path) -> io::Result<OwnedFd> {
        let mut dir = self.handle()?.try_clone_to_owned()?;
        for component in path.components() {
            let Component::Normal(name) = component else {
                return Err(leaves(path));
            };
            dir = retry(|| rustix::fs::openat(&dir, name, DIR, Mode::empty()))
                .map_err(|error| explain(error, dir.as_fd(), Path::new(name)))?;
        }
        Ok(dir)
    }

    /// Returns the directory that contains `path`, and the name of `path` in it.
    fn parent_of<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a Path)> {
        let name = path.file_name().ok_or_else(|| leaves(path))?;
        let parent = path.parent().unwrap_or(Path::new(""));
        Ok((self.dir(parent)?, Path::new(name)))
    }
}

/// Repeats a call while a signal interrupts it.
fn retry<T, E: Into<io::Error>>(mut call: impl FnMut() -> Result<T, E>) -> io::Result<T> {
    loop {
        match call().map_err(Into::into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

fn leaves(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{} is no path inside of a store", path.display()),
    )
}

/// Returns a clearer error for an open that found a link, or found something else than a directory.
fn explain(error: io::Error, parent: BorrowedFd<'_>, name: &Path) -> io::Error {
    let met_other = [Errno::LOOP, Errno::NOTDIR, Errno::NXIO].map(Errno::raw_os_error);
    if !error
        .raw_os_error()
        .is_some_and(|raw| met_other.contains(&raw))
    {
        return error;
    }
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => error,
            other => not_a_file(other),
        },
        Err(_) => error,
    }
}

/// Returns the error for a path of the store that is neither a file nor a folder.
fn not_a_file(kind: FileType) -> io::Error {
    let what = match kind {
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Directory => return io::ErrorKind::IsADirectory.into(),
        _ => "something else",
    };
    io::Error::other(format!(
        "it is {what}, and a store holds only files and folders"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn sandbox() -> (tempfile::TempDir, Beneath) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("store")).expect("made");
        std::fs::create_dir(dir.path().join("elsewhere")).expect("made");
        std::fs::write(dir.path().join("elsewhere/doc"), "precious").expect("written");
        let beneath = Beneath::new(dir.path().join("store"));
        (dir, beneath)
    }

    /// A store from elsewhere had a link in place of its folder `tmp`. The first command that wrote
    /// to the store removed files at the link's target.
    #[test]
    fn a_link_in_the_place_of_a_folder_is_never_followed() {
        let (dir, beneath) = sandbox();
        symlink("../elsewhere", dir.path().join("store/tmp")).expect("linked");
        let doc = Path::new("tmp/doc");
        let said = [
            beneath.list(Path::new("tmp")).map(drop),
            beneath.open(doc, OpenMode::Read).map(drop),
            beneath.make_dir(Path::new("tmp")),
            beneath.remove(doc),
            beneath.rename(doc, Path::new("doc")),
            beneath.sync_dir(Path::new("tmp")),
        ];
        for error in said.map(|tried| tried.expect_err("refused")) {
            assert!(error.to_string().contains("symbolic link"), "{error}");
        }
        assert!(dir.path().join("elsewhere/doc").exists());
    }

    /// With a pipe in place of a journal file, every command waited for ever for a program to write
    /// into it.
    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let (dir, beneath) = sandbox();
        let store = dir.path().join("store");
        symlink("../elsewhere/doc", store.join("link")).expect("linked");
        rustix::fs::mknodat(CWD, store.join("pipe"), FileType::Fifo, FILE_MODE, 0).expect("made");
        let _socket = std::os::unix::net::UnixListener::bind(store.join("socket")).expect("bound");
        std::fs::create_dir(store.join("folder")).expect("made");
        for (name, what) in [
            ("link", "a symbolic link"),
            ("pipe", "a pipe"),
            ("socket", "a socket"),
            ("folder", "directory"),
        ] {
            for mode in [OpenMode::Read, OpenMode::Write] {
                let error = beneath.open(Path::new(name), mode).expect_err("refused");
                assert!(error.to_string().contains(what), "{name}: {error}");
            }
        }
    }

    #[test]
    fn a_path_never_leaves_the_directory() {
        let (dir, beneath) = sandbox();
        for path in [
            "../elsewhere/doc",
            "/etc/passwd",
            "a/../../elsewhere/doc",
            "",
            ".",
        ] {
            let error = beneath.open(Path::new(path), OpenMode::Read);
            assert!(error.is_err(), "{path}");
        }
        assert!(dir.path().join("elsewhere/doc").exists());
    }
}

//! Implements folders by their paths, for systems that cannot look up names in an open folder.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path};

use super::{Access, Dir, Kind, NAME_BYTES_MAX, Seen};
use crate::host::file_id::FileId;

// Paths are used instead of handles on this system. So the promise about folders that are replaced
// does not hold here.
impl Dir {
    pub(in crate::host::sources) fn open(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.is_dir() {
            Ok(Self {
                path: path.to_owned(),
            })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub(in crate::host::sources) fn open_folder(&self, name: &OsStr) -> io::Result<Self> {
        let path = self.at(name);
        if fs::symlink_metadata(&path)?.is_dir() {
            Ok(Self { path })
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    pub(in crate::host::sources) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let path = self.at(name);
        if fs::symlink_metadata(&path)?.is_file() {
            File::open(path)
        } else {
            Err(io::Error::other("it is no regular file"))
        }
    }

    pub(in crate::host::sources) fn create(&self, name: &OsStr) -> io::Result<File> {
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        options.open(self.at(name))
    }

    pub(in crate::host::sources) fn make_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.at(name))
    }

    pub(in crate::host::sources) fn look(&self, name: &OsStr) -> io::Result<Option<Seen>> {
        let metadata = match fs::symlink_metadata(self.at(name)) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = if metadata.is_symlink() {
            Kind::Link
        } else if metadata.is_dir() {
            Kind::Folder
        } else {
            Kind::File
        };
        Ok(Some(Seen {
            id: FileId::of(&metadata),
            kind,
        }))
    }

    pub(in crate::host::sources) fn access(&self) -> io::Result<Access> {
        Ok(Access { owner: 0, mode: 0 })
    }

    pub(in crate::host::sources) fn id(&self) -> io::Result<FileId> {
        Ok(FileId::of(&fs::metadata(&self.path)?))
    }

    pub(in crate::host::sources) fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.path)?
            .map(|item| Ok(item?.file_name()))
            .collect()
    }

    #[expect(clippy::unused_self, reason = "other systems ask the folder")]
    pub(in crate::host::sources) fn name_bytes_max(&self, name: &OsStr) -> usize {
        NAME_BYTES_MAX.max(name.len())
    }

    pub(super) fn rename_at_once(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        if to.has(name)? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.rename_over(from, to, name)
    }

    pub(super) fn rename_over(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        fs::rename(self.at(from), to.at(name))
    }

    pub(in crate::host::sources) fn link(
        &self,
        from: &OsStr,
        to: &Self,
        name: &OsStr,
    ) -> io::Result<()> {
        fs::hard_link(self.at(from), to.at(name))
    }

    pub(in crate::host::sources) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    pub(in crate::host::sources) fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.at(name))
    }

    // Windows offers no handle to flush a folder; NTFS journals names itself.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "others can fail"
    )]
    pub(in crate::host::sources) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(in crate::host::sources) fn lock(&self) -> io::Result<Option<()>> {
        Ok(Some(()))
    }
}

pub(in crate::host::sources) fn is_plain(name: &OsStr) -> bool {
    let mut parts = Path::new(name).components();
    matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
}

//! Implements open folders on systems that can look up names in them.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::{Access, Dir, Kind, NAME_BYTES_MAX, Seen};
use crate::host::file_id::FileId;

impl Dir {
    /// Opens a folder; links in its path are followed.
    pub(in crate::host::sources) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            handle: handle.into(),
            path: path.to_owned(),
        })
    }

    /// Opens a folder inside, but no link to one.
    pub(in crate::host::sources) fn open_folder(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, name, flags, Mode::empty())?;
        Ok(Self {
            handle: handle.into(),
            path: self.at(name),
        })
    }

    /// Opens a regular file inside for reading. Follows no link, and does not block at a pipe.
    pub(in crate::host::sources) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(
            &self.handle,
            name,
            flags,
            Mode::empty(),
        )?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::other("it is no regular file"))
        }
    }

    /// Creates a file that only this account can read, under a name that must be free.
    pub(in crate::host::sources) fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        Ok(rustix::fs::openat(&self.handle, name, flags, mode)?.into())
    }

    /// Creates a folder that only this account can enter, under a name that must be free.
    pub(in crate::host::sources) fn make_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.handle, name, Mode::RWXU)?)
    }

    /// Returns the metadata of a name; `None` when the name is free.
    pub(in crate::host::sources) fn look(&self, name: &OsStr) -> io::Result<Option<Seen>> {
        let stat = match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Seen {
            id: FileId::of_stat(&stat),
            kind: match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            },
        }))
    }

    /// Returns the owner and permissions of the folder itself.
    pub(in crate::host::sources) fn access(&self) -> io::Result<Access> {
        let metadata = self.handle.metadata()?;
        Ok(Access {
            owner: metadata.uid(),
            mode: metadata.mode() & 0o7777,
        })
    }

    /// Returns the identity of the folder.
    pub(in crate::host::sources) fn id(&self) -> io::Result<FileId> {
        Ok(FileId::of(&self.handle.metadata()?))
    }

    /// Returns the names in the folder.
    pub(in crate::host::sources) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for item in rustix::fs::Dir::read_from(&self.handle)? {
            let item = item?;
            let name = item.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(OsString::from_vec(name.to_owned()));
            }
        }
        Ok(names)
    }

    /// Returns the number of bytes that a name like `name` may certainly have here.
    ///
    /// File systems that count characters accept longer names, of which `name` itself may be one.
    pub(in crate::host::sources) fn name_bytes_max(&self, name: &OsStr) -> usize {
        let max = NAME_BYTES_MAX.max(name.len());
        rustix::fs::fstatvfs(&self.handle)
            .ok()
            .and_then(|stat| usize::try_from(stat.f_namemax).ok())
            .filter(|told| *told > 0)
            .map_or(NAME_BYTES_MAX, |told| told.min(max))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn rename_at_once(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        use rustix::fs::{RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(&self.handle, from, &to.handle, name, RenameFlags::NOREPLACE) {
            Err(Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::Unsupported.into()),
            renamed => Ok(renamed?),
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn rename_at_once(
        &self,
        _from: &OsStr,
        _to: &Self,
        _name: &OsStr,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn rename_over(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, from, &to.handle, name)?)
    }

    /// Gives a file a second name, which must be free.
    pub(in crate::host::sources) fn link(
        &self,
        from: &OsStr,
        to: &Self,
        name: &OsStr,
    ) -> io::Result<()> {
        let none = AtFlags::empty();
        Ok(rustix::fs::linkat(
            &self.handle,
            from,
            &to.handle,
            name,
            none,
        )?)
    }

    /// Removes a name that does not stand for a folder.
    pub(in crate::host::sources) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
    }

    /// Removes an empty folder.
    pub(in crate::host::sources) fn remove_folder(&self, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR) {
            Err(rustix::io::Errno::EXIST) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            removed => Ok(removed?),
        }
    }

    /// Flushes the folder, so that names added and removed in it are durable.
    pub(in crate::host::sources) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Locks the folder until the returned file is dropped; `None` when another process has locked
    /// it.
    ///
    /// Where folders cannot be locked, no process ever has one locked.
    pub(in crate::host::sources) fn lock(&self) -> io::Result<Option<File>> {
        let handle = self.handle.try_clone()?;
        match handle.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => Ok(Some(handle)),
        }
    }
}

impl Access {
    /// Returns the owner and permissions of a folder that only this account can enter.
    pub(in crate::host::sources) fn private() -> Self {
        Self {
            owner: rustix::process::geteuid().as_raw(),
            mode: 0o700,
        }
    }
}

/// Returns true for a single name in a folder, without separators and not `.` or `..`.
pub(in crate::host::sources) fn is_plain(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !bytes.is_empty() && !matches!(bytes, b"." | b"..") && !bytes.contains(&b'/')
}

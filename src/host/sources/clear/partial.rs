//! Files and folders that are being written, under a hidden name until they are complete.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::attributes::{Permissions, keep};
use super::dir::Dir;
use super::name::{Purpose, give_free_name, hidden, is_hidden};
use crate::convert::{Kind, Tree};
use crate::host::sources::file_meta::FileMeta;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::parts::Parts;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// A partial file that has not changed for this long is abandoned.
const ABANDONED_AFTER: Duration = Duration::from_hours(24);

/// Removes the partial files and folders that killed hosts left in `folder`.
///
/// Their sources still exist, or were finished later. What cannot be inspected or removed is left:
/// it does no harm.
pub(in crate::host) fn remove_partials(folder: &Path, now: SystemTime) {
    for item in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = item.path();
        // Uses the time of change, because the modification time is that of the source.
        let abandoned = fs::symlink_metadata(&path).ok().filter(|metadata| {
            is_hidden(&item.file_name(), Purpose::Partial)
                && FileMeta::of(metadata).is_ok_and(|meta| meta.age(now) > ABANDONED_AFTER)
        });
        let _ = match abandoned {
            Some(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
            Some(_) => fs::remove_file(path),
            None => Ok(()),
        };
    }
}

/// A file that is being written; removed when dropped unless it is published.
pub(super) struct Partial<'a> {
    folder: &'a Dir,
    name: OsString,
    pub(super) file: File,
}

impl<'a> Partial<'a> {
    pub(super) fn new(folder: &'a Dir) -> Result<Self> {
        let failed = |error| Error::io("create a file in", folder.path(), error);
        let name = hidden(Purpose::Partial).map_err(failed)?;
        let file = folder.create(&name).map_err(failed)?;
        Ok(Self { folder, name, file })
    }

    /// Reads the file back from the beginning and compares it with what was to be written.
    pub(super) fn verify(
        &self,
        hash: impl FnOnce(File) -> io::Result<BlobId>,
        seen: &Fingerprint,
    ) -> Result<()> {
        let path = self.folder.at(&self.name);
        let back = self.folder.open_file(&self.name).and_then(hash);
        let back = back.map_err(|error| Error::io("read back", &path, error))?;
        if back == seen.content {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Changed,
            format!(
                "what was written to {} is not what was read; the source was left",
                path.display()
            ),
        ))
    }

    /// Gives the file `name`, or a distinct one. On `Ok` the name is durable.
    pub(super) fn publish(self, name: &OsStr) -> Result<PathBuf> {
        publish(self.folder, &self.name, name)
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        // Fails for a published file, which has another name. At worst a hidden file is left that
        // nobody takes for a result.
        let _ = self.folder.remove_file(&self.name);
    }
}

/// A copy of a folder that is being written; removed when dropped unless it is published.
pub(super) struct PartialFolder<'a> {
    folder: &'a Dir,
    name: OsString,
    pub(super) path: PathBuf,
}

impl<'a> PartialFolder<'a> {
    pub(super) fn new(folder: &'a Dir) -> Result<Self> {
        let failed = |error| Error::io("create a folder in", folder.path(), error);
        let name = hidden(Purpose::Partial).map_err(failed)?;
        folder.make_folder(&name).map_err(failed)?;
        let path = folder.at(&name);
        Ok(Self { folder, name, path })
    }

    /// Sets the metadata of the folder and its content from the source, and flushes all of it.
    pub(super) fn keep_metadata(&self, tree: &Tree, source: &Path) -> Result<()> {
        // Content is handled before its folder, while the copy is still private and accessible.
        for item in tree.items.iter().rev() {
            keep_metadata_of(
                &self.path.join(&item.path),
                &source.join(&item.path),
                item.kind,
            )?;
        }
        keep_metadata_of(&self.path, source, Kind::Folder)
    }

    /// Gives the folder `name`, or a distinct one. On `Ok` the name is durable.
    pub(super) fn publish(self, name: &OsStr) -> Result<PathBuf> {
        publish(self.folder, &self.name, name)
    }

    /// Moves the folder into another folder, where `name` must be free. That is not durable yet.
    pub(super) fn rename_into(self, folder: &Dir, name: &OsStr) -> Result<()> {
        let renamed = self.folder.rename_free(&self.name, folder, name);
        renamed.map_err(|error| Error::io("create", folder.at(name), error))
    }
}

impl Drop for PartialFolder<'_> {
    fn drop(&mut self) {
        // At worst a hidden folder is left that nobody takes for a result.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn publish(folder: &Dir, hidden: &OsStr, name: &OsStr) -> Result<PathBuf> {
    let given = give_free_name(folder, name, |to| folder.rename_free(hidden, folder, to))?;
    folder.make_durable()?;
    Ok(folder.at(&given))
}

fn keep_metadata_of(copy: &Path, source: &Path, kind: Kind) -> Result<()> {
    let settle = || -> io::Result<()> {
        match kind {
            Kind::File { modified, .. } => {
                let file = File::options().read(true).write(true).open(copy)?;
                keep(&File::open(source)?, &file)?;
                // The content counts, so a time that cannot be set is no failure.
                let _ = file.set_modified(modified);
                file.sync_all()
            }
            #[cfg(unix)]
            Kind::Folder => {
                let folder = File::open(copy)?;
                keep(&File::open(source)?, &folder)?;
                folder.sync_all()
            }
            #[cfg(not(unix))]
            Kind::Folder => Ok(()),
        }
    };
    settle().map_err(|error| Error::io("copy", source, error))
}

/// Returns the permissions of a zip file that holds a whole folder, or a main file and its
/// companions.
pub(super) fn permissions_of_all(parts: &Parts<'_>) -> io::Result<Permissions> {
    let of = |path: &Path| open_any(path).and_then(|file| Permissions::of(&file));
    let mut all = match parts.main {
        Some(main) => of(&parts.root.join(main))?,
        None => of(parts.root)?.of_content(),
    };
    for item in &parts.tree.items {
        let inner = of(&parts.root.join(&item.path))?;
        all = all.narrowed_by(inner, item.kind == Kind::Folder);
    }
    Ok(all)
}

/// Opens a file or folder in order to read its permissions.
pub(super) fn open_any(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

//! Sets a source aside: renames it to a hidden name, where no other program writes to it.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::dir::{Access, Dir, Kind, Seen};
use super::name::{Purpose, give_free_name, hidden, hidden_with};
use crate::convert::{Tree, file_of};
use crate::host::config::settings::Links;
use crate::host::file_id::FileId;
use crate::host::sources::file_meta::{FileMeta, open};
use crate::host::sources::fingerprint::{check_file, hash};
use crate::host::sources::parts::{Parts, companions_of, refused};
use crate::host::sources::shape::Shape;
use crate::host::sources::source::Source;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// The files of a folder that was compared, each with the hash of its content.
pub(super) type Files = Vec<(PathBuf, BlobId)>;

/// A source that was set aside.
pub(super) struct Aside<'a> {
    source: Source<'a>,
    pub(super) watched: Dir,
    /// The private folder that holds a source whose name is too long to be extended.
    holder: Option<PrivateFolder>,
    /// The current name.
    name: OsString,
    /// The file, opened before it was renamed.
    file: Option<File>,
}

/// How a source that was set aside is compared with what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    /// By its content and its metadata.
    Content,
    /// By its metadata only: its content has a second name, and was compared there.
    FileMeta,
}

/// Sets a source aside, compares it with what was read, and calls the action on it.
///
/// When anything fails, the source gets its name back, or a name beside it if that is taken. The
/// error says so.
pub(super) fn with<'a, T>(
    source: Source<'a>,
    compare: Compare,
    act: impl FnOnce(&Aside<'a>, Files) -> Result<T>,
) -> Result<T> {
    Aside::prepare(source)?.take(compare, act)
}

/// Opens the file of a source if it still looks as it did when it was read.
pub(super) fn open_file(source: Source<'_>, watched: &Dir) -> Result<File> {
    let failed = |error| Error::io("read", source.path, error);
    let now = watched.look(source.name()).map_err(failed)?;
    // A new link may have been given the file's id after the file itself was deleted.
    let is_link = |now: &Seen| now.kind == Kind::Link;
    let follows = source.seen.shape == Shape::File(Links::Follow);
    if has_companions(source)? {
        return Err(source.changed());
    }
    let is_it = |now: &Seen| now.id == source.seen.named && (follows || !is_link(now));
    let Some(now) = now.filter(&is_it) else {
        return Err(source.changed());
    };
    let opened = match now.kind {
        Kind::Link => open(source.path),
        _ => watched.open_file(source.name()),
    };
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            // Something else may have taken the name after the look above, such as a link.
            let again = watched.look(source.name()).map_err(failed)?;
            let is_there = again.as_ref().is_some_and(is_it);
            return Err(if is_there {
                failed(error)
            } else {
                source.changed()
            });
        }
    };
    let metadata = file.metadata().map_err(failed)?;
    let is_named = now.kind == Kind::Link || FileId::of(&metadata) == source.seen.named;
    let meta = FileMeta::of(&metadata).map_err(failed)?;
    if is_named && meta.is_unchanged_from(&source.seen.meta) {
        Ok(file)
    } else {
        Err(source.changed())
    }
}

/// Returns true when a file that had no companions has one now.
fn has_companions(source: Source<'_>) -> Result<bool> {
    let found = companions_of(source.path, &source.seen.shape);
    let found = found.map_err(|error| Error::io("read", source.path, error))?;
    Ok(!found.is_empty())
}

/// Opens the folder that a source lies in.
pub(super) fn watched(source: Source<'_>) -> Result<Dir> {
    let parent = source.path.parent().filter(|path| *path != Path::new(""));
    let parent = parent.unwrap_or(Path::new("."));
    let opened = match source.within {
        Some(tree) => Dir::open_below(tree, parent),
        None => Dir::open(parent),
    };
    opened.map_err(|error| Error::io("open", parent, error))
}

impl<'a> Aside<'a> {
    /// Prepares the renaming of a source that still looks as it did when it was read.
    pub(super) fn prepare(source: Source<'a>) -> Result<Self> {
        let watched = watched(source)?;
        let file = if source.seen.shape == Shape::Folder {
            tree(source, source.path)?;
            None
        } else {
            Some(open_file(source, &watched)?)
        };
        let failed = |error| Error::io("set aside", source.path, error);
        let mut name = hidden_with(Purpose::Aside, source.name()).map_err(failed)?;
        let mut holder = None;
        if name.len() > watched.name_bytes_max(source.name()) {
            source.name().clone_into(&mut name);
            holder = Some(PrivateFolder::make(&watched)?);
        }
        Ok(Self {
            source,
            watched,
            holder,
            name,
            file,
        })
    }

    /// Sets the source aside, compares it with what was read, and calls the action on it; see
    /// [`with`].
    pub(super) fn take<T>(
        self,
        compare: Compare,
        act: impl FnOnce(&Self, Files) -> Result<T>,
    ) -> Result<T> {
        if let Err(error) = self.rename() {
            self.remove_holder();
            return Err(error);
        }
        let compared = match has_companions(self.source) {
            Ok(true) => Err(self.source.changed()),
            Ok(false) if compare == Compare::Content => self.compare(),
            Ok(false) => self.compare_look(),
            Err(error) => Err(error),
        };
        match compared.and_then(|files| act(&self, files)) {
            Ok(done) => {
                self.remove_holder();
                Ok(done)
            }
            Err(error) => Err(self.put_back(error)),
        }
    }

    /// Renames the source if its name still belongs to it.
    ///
    /// A file that takes the name between the check and the renaming is moved too, and is put back.
    fn rename(&self) -> Result<()> {
        let name = self.source.name();
        let failed = |error| Error::io("set aside", self.source.path, error);
        let now = self.watched.look(name).map_err(failed)?;
        if now.is_none_or(|now| now.id != self.source.seen.named) {
            return Err(self.source.changed());
        }
        let renamed = self.watched.rename_free(name, self.dir(), &self.name);
        renamed.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.source.changed(),
            _ => failed(error),
        })
    }

    fn remove_holder(&self) {
        if let Some(holder) = &self.holder {
            holder.remove(&self.watched);
        }
    }

    /// Compares the content of the file with what was read, before it is set aside.
    pub(super) fn check_content(&self) -> Result<()> {
        let checked = self
            .file
            .as_ref()
            .map(|file| check_file(file, self.source.seen));
        match checked {
            None | Some(Ok(true)) => Ok(()),
            Some(Ok(false)) => Err(self.source.changed()),
            Some(Err(error)) => Err(Error::io("read", self.source.path, error)),
        }
    }

    /// Returns true when the file has other names.
    pub(super) fn has_other_names(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let metadata = self.file.as_ref().map(File::metadata);
            metadata.is_some_and(|metadata| metadata.is_ok_and(|file| file.nlink() > 1))
        }
        #[cfg(not(unix))]
        false
    }

    /// Returns the folder that the source is in now, and its current name there.
    pub(super) fn place(&self) -> (&Dir, &OsStr) {
        (self.dir(), &self.name)
    }

    fn dir(&self) -> &Dir {
        self.holder
            .as_ref()
            .map_or(&self.watched, |holder| &holder.dir)
    }

    /// Returns the current path.
    fn path(&self) -> PathBuf {
        self.dir().at(&self.name)
    }

    /// Compares the source that was set aside with what was read.
    fn compare(&self) -> Result<Files> {
        if !self.is_what_was_read()? {
            return Err(self.source.changed());
        }
        if self.file.is_none() {
            return self.compare_folder();
        }
        self.check_content().map(|()| Files::new())
    }

    fn compare_look(&self) -> Result<Files> {
        let failed = |error| Error::io("read", self.source.path, error);
        let meta = self
            .file
            .as_ref()
            .map(|file| FileMeta::of(&file.metadata()?));
        let meta = meta.transpose().map_err(failed)?;
        let is_same = meta.is_none_or(|meta| meta.is_unchanged_from(&self.source.seen.meta));
        if is_same && self.is_what_was_read()? {
            Ok(Files::new())
        } else {
            Err(self.source.changed())
        }
    }

    fn compare_folder(&self) -> Result<Files> {
        let path = self.path();
        let tree = tree(self.source, &path)?;
        let parts = Parts {
            root: &path,
            tree,
            main: None,
        };
        let (content, files) =
            hash_files(&parts).map_err(|error| Error::io("read", self.source.path, error))?;
        if content != self.source.seen.content {
            return Err(self.source.changed());
        }
        Ok(files)
    }

    fn is_what_was_read(&self) -> Result<bool> {
        let now = self.dir().look(&self.name);
        let now = now.map_err(|error| Error::io("read", self.path(), error))?;
        Ok(now.is_some_and(|now| now.id == self.source.seen.named))
    }

    /// Removes the file.
    pub(super) fn remove_file(&self) -> Result<()> {
        if !self.is_what_was_read()? {
            return Err(self.source.changed());
        }
        let removed = self.dir().remove_file(&self.name);
        removed.map_err(|error| Error::io("remove", self.source.path, error))?;
        self.sync_watched()
    }

    pub(super) fn sync_watched(&self) -> Result<()> {
        self.watched.make_durable()
    }

    /// Gives the file a second name in another folder before it is set aside. The name must be
    /// free.
    pub(super) fn link_to(&self, folder: &Dir, name: &OsStr) -> io::Result<()> {
        self.watched.link(self.source.name(), folder, name)
    }

    /// Renames the source into another folder, under a name that must be free.
    pub(super) fn rename_to(&self, folder: &Dir, name: &OsStr) -> io::Result<()> {
        self.dir().rename_free(&self.name, folder, name)
    }

    /// Undoes [`Self::rename_to`], because what was renamed is not the source.
    pub(super) fn rename_back(&self, folder: &Dir, name: &OsStr) -> io::Result<()> {
        folder.rename_free(name, self.dir(), &self.name)
    }

    /// Gives the source its name back, or a name beside it. Returns the error, extended by the
    /// result.
    fn put_back(self, error: Error) -> Error {
        let name = self.source.name();
        let is_gone = || matches!(self.dir().look(&self.name), Ok(None));
        let outcome = if is_gone() {
            // The action finished it, or another process has put it back.
            None
        } else {
            Some(give_free_name(&self.watched, name, |to| {
                self.dir().rename_free(&self.name, &self.watched, to)
            }))
        };
        let more = match outcome {
            None => None,
            Some(Ok(to)) if to == name => None,
            Some(Ok(to)) => Some(format!(
                "its name was taken meanwhile, so it is now {}",
                self.watched.at(&to).display()
            )),
            Some(Err(_)) => Some(format!(
                "it is still {}, and is put back by a later look",
                self.path().display()
            )),
        };
        self.remove_holder();
        match more {
            None => error,
            // `Refused` instead of `Changed`, because a changed file is passed over silently, and a
            // person may look for this one.
            Some(more) => {
                let message = format!("{}; {more}", error.message());
                Error::new(ErrorKind::Refused, message).caused_by(error)
            }
        }
    }
}

/// Returns the content of a folder if it looks as it did when it was read.
pub(super) fn tree(source: Source<'_>, path: &Path) -> Result<Tree> {
    let (meta, tree) = FileMeta::inside(path).map_err(|error| refused(source.path, error))?;
    if meta.is_unchanged_from(&source.seen.meta) {
        Ok(tree)
    } else {
        Err(source.changed())
    }
}

/// Hashes the tar file of a source, and each of its files while it is read.
pub(super) fn hash_files(parts: &Parts<'_>) -> io::Result<(BlobId, Files)> {
    let hashes = Rc::new(RefCell::new(Vec::new()));
    let content = hash(parts.tarball_of(|item| {
        Ok(Box::new(Noted {
            content: file_of(parts.root, item)?,
            hasher: blake3::Hasher::new(),
            hashes: Rc::clone(&hashes),
        }))
    })?)?;
    let files = parts.tree.files().map(|item| item.path.clone());
    Ok((content, files.zip(hashes.take()).collect()))
}

/// A folder in a watch folder that only the host's own account can enter.
pub(super) struct PrivateFolder {
    pub(super) dir: Dir,
    pub(super) name: OsString,
    #[cfg(unix)]
    _in_use: Option<File>,
}

impl PrivateFolder {
    pub(super) fn make(watched: &Dir) -> Result<Self> {
        let make = || -> io::Result<Self> {
            let name = hidden(Purpose::Aside)?;
            watched.make_folder(&name)?;
            let dir = watched.open_folder(&name)?;
            Ok(Self {
                #[cfg(unix)]
                _in_use: dir.lock()?,
                dir,
                name,
            })
        };
        make().map_err(|error| Error::io("create a folder in", watched.path(), error))
    }

    /// Removes the folder if it is empty.
    pub(super) fn remove(&self, watched: &Dir) {
        // Whatever is left in it is put back at the next start of the host.
        let _ = watched.remove_folder(&self.name);
    }

    /// Returns true for a folder that this account may have created, by its owner and mode.
    ///
    /// Where the file system keeps no owners and modes, every folder counts.
    pub(super) fn is_ours(watched: &Dir, found: Access) -> Result<bool> {
        #[cfg(unix)]
        if found == Access::private() {
            return Ok(true);
        }
        let probe = Self::make(watched)?;
        let own = probe.dir.access();
        probe.remove(watched);
        let own = own.map_err(|error| Error::io("look at", watched.path(), error))?;
        Ok(own == found)
    }
}

/// A file that is read into a tar file, and hashed at the same time.
struct Noted {
    content: Box<dyn Read>,
    hasher: blake3::Hasher,
    hashes: Rc<RefCell<Vec<BlobId>>>,
}

impl Read for Noted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        if read == 0 {
            let hash = BlobId::from_bytes(*self.hasher.finalize().as_bytes());
            self.hashes.borrow_mut().push(hash);
        }
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

//! The files and folders that a source consists of, and the tar file they are archived as.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::file_meta::FileMeta;
use super::shape::Shape;
use crate::convert::{Item, Listing, Tarball, Tree, TreeError, file_of};
use crate::{Error, ErrorKind};

/// The files and folders that a source consists of.
pub(in crate::host) struct Parts<'a> {
    /// The folder that their paths are relative to.
    pub(in crate::host) root: &'a Path,
    pub(super) tree: Tree,
    /// The main file, if they are a main file with its companions.
    pub(in crate::host) main: Option<&'a OsStr>,
}

impl Parts<'_> {
    /// Returns all parts as one tar file.
    pub(super) fn tarball(&self) -> io::Result<Box<dyn Read + '_>> {
        self.tarball_of(|item| file_of(self.root, item))
    }

    /// Returns the tar file of the parts, with each file opened by `open`.
    pub(super) fn tarball_of<'p>(
        &'p self,
        open: impl FnMut(&Item) -> io::Result<Box<dyn Read>> + 'p,
    ) -> io::Result<Box<dyn Read + 'p>> {
        Ok(match self.main {
            Some(main) => Box::new(Tarball::with_main(&self.tree, main, open)?),
            None => Box::new(Tarball::new(&self.tree, open)),
        })
    }

    /// Returns the names that lie directly in the root, the main file's first.
    pub(in crate::host) fn names(&self) -> Vec<OsString> {
        let tops = self.tree.items.iter().map(|item| item.path.as_os_str());
        let mut names: Vec<OsString> = tops
            .filter(|path| Path::new(path).file_name() == Some(path))
            .map(OsStr::to_owned)
            .collect();
        names.sort_by_key(|name| self.main != Some(name.as_os_str()));
        names
    }
}

/// Returns the parts of a source; `None` for a file without companions.
pub(in crate::host) fn parts<'a>(
    path: &'a Path,
    shape: &Shape,
) -> Result<Option<(FileMeta, Parts<'a>)>, TreeError> {
    match shape {
        Shape::File(_) => return Ok(None),
        Shape::Folder => {
            let (meta, tree) = FileMeta::inside(path)?;
            let parts = Parts {
                root: path,
                tree,
                main: None,
            };
            return Ok(Some((meta, parts)));
        }
        Shape::WithCompanions(_) => {}
    }
    let (Some(root), Some(main)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let mut names = companions_of(path, shape).map_err(|source| TreeError::Unreadable {
        path: PathBuf::from("."),
        source,
    })?;
    if names.is_empty() {
        return Ok(None);
    }
    names.push(main.to_owned());
    let (meta, tree) = FileMeta::among(root, &names)?;
    let parts = Parts {
        root,
        tree,
        main: Some(main),
    };
    Ok(Some((meta, parts)))
}

/// Returns the names of the companions that a source has now.
pub(super) fn companions_of(path: &Path, shape: &Shape) -> io::Result<Vec<OsString>> {
    match (shape, path.parent(), path.file_name()) {
        (Shape::WithCompanions(companions), Some(folder), Some(main)) => {
            Ok(companions.beside(main, &Listing::of(folder)?).names)
        }
        _ => Ok(Vec::new()),
    }
}

/// Returns the error for a folder that cannot be a source as it is.
pub(in crate::host) fn refused(folder: &Path, error: TreeError) -> Error {
    let kind = if error.is_gone() {
        ErrorKind::Changed
    } else {
        ErrorKind::Refused
    };
    Error::new(kind, format!("{} was left: {error}", folder.display())).caused_by(error)
}

//! The fingerprint of a source that was read: its size and times, and the hash of its content.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::file_meta::FileMeta;
use super::file_reading::FileReading;
use super::parts::{Parts, parts, refused};
use super::shape::Shape;
use crate::host::file_id::{FileId, named};
use crate::id::BlobId;
use crate::{Error, Result};

/// A file, a folder, or a file with its companions, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::host) struct Fingerprint {
    pub(in crate::host) meta: FileMeta,
    /// The hash of the file's content, or of the tar file of a folder or of a file and its
    /// companions.
    pub(in crate::host) content: BlobId,
    pub(super) shape: Shape,
    /// The identity of what had the name: the file, the folder, or the link that was followed.
    pub(super) named: FileId,
    /// The names and identities of its companions.
    pub(super) companions: Vec<(OsString, FileId)>,
}

/// What a source turned out to be, which decides how it is cleared away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// One file. Its converter may take companions, but it has none.
    File,
    Folder,
    /// A main file with companions.
    Group,
}

impl Fingerprint {
    /// Reads a file or folder; `None` when it is gone, of another kind, or changed meanwhile.
    pub(in crate::host) fn of(path: &Path, shape: &Shape) -> Result<Option<Self>> {
        let failed = |error| Error::io("read", path, error);
        let Some(mut reading) = FileReading::open(path, shape).map_err(failed)? else {
            return Self::of_parts(path, shape);
        };
        let content = hash(&mut reading);
        let Some(reading) = reading.unless_changed().map_err(failed)? else {
            return Ok(None);
        };
        let content = content.map_err(failed)?;
        Ok(Some(Self::of_read(reading, content)))
    }

    /// Returns the fingerprint of a file that was read to its end. `content` is the hash of what
    /// was read.
    pub(in crate::host) fn of_read(reading: FileReading<'_>, content: BlobId) -> Self {
        assert!(reading.is_whole(), "BUG: the file was not read to its end");
        Self {
            meta: reading.meta(),
            content,
            shape: reading.shape.clone(),
            named: reading.named,
            companions: Vec::new(),
        }
    }

    /// Returns the kind of source that it was read as.
    pub(in crate::host) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the identity of what had the name when it was read.
    pub(in crate::host) fn named(&self) -> &FileId {
        &self.named
    }

    pub(super) fn kind(&self) -> SourceKind {
        match self.shape {
            Shape::Folder => SourceKind::Folder,
            Shape::WithCompanions(_) if !self.companions.is_empty() => SourceKind::Group,
            Shape::File(_) | Shape::WithCompanions(_) => SourceKind::File,
        }
    }

    /// Reads a folder, or a main file with its companions.
    fn of_parts(path: &Path, shape: &Shape) -> Result<Option<Self>> {
        let look = || match parts(path, shape) {
            Ok(seen) => Ok(seen),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(refused(path, error)),
        };
        let failed = |error| Error::io("read", path, error);
        let Some((before, parts)) = look()? else {
            return Ok(None);
        };
        let Some(ids) = ids(path, &parts).map_err(failed)? else {
            return Ok(None);
        };
        let content = parts.tarball().and_then(hash);
        let is_unchanged = look()?.is_some_and(|(after, _)| after == before)
            && self::ids(path, &parts).map_err(failed)?.as_ref() == Some(&ids);
        if !is_unchanged {
            return Ok(None);
        }
        let (named, companions) = ids;
        Ok(Some(Self {
            meta: before,
            content: content.map_err(failed)?,
            shape: shape.clone(),
            named,
            companions,
        }))
    }
}

/// Returns the identities of a source and of its companions; `None` when one is gone, or a link.
#[expect(clippy::type_complexity, reason = "two parts of a fingerprint")]
fn ids(path: &Path, parts: &Parts<'_>) -> io::Result<Option<(FileId, Vec<(OsString, FileId)>)>> {
    let Some((main, false)) = named(path)? else {
        return Ok(None);
    };
    let mut companions = Vec::new();
    // The first name is the main file's. A folder has no parts beside it.
    let beside = match parts.main {
        Some(_) => parts.names(),
        None => Vec::new(),
    };
    for name in beside.iter().skip(1) {
        let Some((id, false)) = named(&parts.root.join(name))? else {
            return Ok(None);
        };
        companions.push((name.clone(), id));
    }
    Ok(Some((main, companions)))
}

pub(super) fn hash(mut content: impl Read) -> io::Result<BlobId> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut content, &mut hasher)?;
    Ok(BlobId::from_bytes(*hasher.finalize().as_bytes()))
}

/// Reads a file from its beginning again, and compares it with what was read.
pub(super) fn check_file(file: &File, seen: &Fingerprint) -> io::Result<bool> {
    use std::io::Seek;
    let is_same = |file: &File| -> io::Result<bool> {
        Ok(FileMeta::of(&file.metadata()?)?.is_unchanged_from(&seen.meta))
    };
    let mut from = file;
    from.rewind()?;
    Ok(is_same(file)? && hash(from)? == seen.content && is_same(file)?)
}

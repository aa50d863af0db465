//! Copies and zips sources that consist of several files. Results are verified before they get
//! their names.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;

use super::attributes::Permissions;
use super::dir::Dir;
use super::name::{distinct, first_free};
use super::partial::{Partial, PartialFolder, open_any, permissions_of_all};
use super::zip_archive;
use crate::convert::{Item, Kind, file_of, unpack};
use crate::host::sources::fingerprint::hash;
use crate::host::sources::parts::Parts;
use crate::host::sources::source::Source;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// Number of recent names that are searched for a result of a killed host.
const LOOKED_THROUGH: usize = 32;

/// Creates a verified copy of the source's parts, which has no final name in the folder yet.
pub(super) fn copy_parts<'t>(
    source: Source<'_>,
    parts: &Parts<'_>,
    target: &'t Dir,
) -> Result<PartialFolder<'t>> {
    let failed = |error| Error::io("copy", source.path, error);
    let copy = PartialFolder::new(target)?;
    let mut content = parts.tarball().map_err(failed)?;
    unpack(&mut content, &copy.path).map_err(|error| {
        let message = format!("cannot copy {}: {error}", source.path.display());
        Error::new(ErrorKind::Io, message).caused_by(error)
    })?;
    copy.keep_metadata(&parts.tree, parts.root)?;
    // Uses the tree of the source, because not every file system keeps times as exactly.
    let back = parts.tarball_of(|item| file_of(&copy.path, item));
    let back = back.and_then(hash);
    let back = back.map_err(|error| Error::io("read back", &copy.path, error))?;
    if back == source.seen.content {
        Ok(copy)
    } else {
        Err(source.changed())
    }
}

/// Creates a zip file of all parts of a source. Returns its path; on `Ok` it is durable.
pub(super) fn zip_parts(
    source: Source<'_>,
    parts: &Parts<'_>,
    target: &Dir,
    name: &OsStr,
) -> Result<PathBuf> {
    let failed = |error| Error::io("zip", source.path, error);
    let partial = Partial::new(target)?;
    let mut numbers = HashMap::new();
    let mut zip = zip_archive::Writer::new(&partial.file);
    for item in &parts.tree.items {
        let name = item.path.to_string_lossy();
        let mut add = || -> io::Result<()> {
            let mode = Permissions::of(&open_any(&parts.root.join(&item.path))?)?.mode();
            let member = |modified| zip_archive::Member {
                name: &name,
                modified,
                mode,
            };
            match item.kind {
                Kind::Folder => zip.add_folder(&member(source.seen.meta.modified)),
                Kind::File { size, modified } => {
                    let content = file_of(parts.root, item)?;
                    let number = zip.add(content, size, &member(modified))?;
                    numbers.insert(item.path.as_path(), number);
                    Ok(())
                }
            }
        };
        add().map_err(failed)?;
    }
    zip.finish().map_err(failed)?;
    permissions_of_all(parts)
        .map_err(failed)?
        .give(&partial.file);
    partial.file.sync_all().map_err(failed)?;
    let read_back = |zip: File| -> io::Result<BlobId> {
        let mut zip = zip_archive::Reader::new(zip)?;
        let member = |item: &Item| -> io::Result<Box<dyn Read>> {
            let number = numbers.get(item.path.as_path());
            let number = number.ok_or(io::ErrorKind::NotFound)?;
            Ok(Box::new(zip.content(*number)?))
        };
        parts.tarball_of(member).and_then(hash)
    };
    partial.verify(read_back, source.seen)?;
    if let Some(there) = made_before(&partial, target, name)? {
        return Ok(there);
    }
    partial.publish(name)
}

/// Finds a file that a host made of the source and did not finish, because it was killed before it
/// removed the source.
///
/// Such a file has the bytes of `partial`, under a name that the host may have chosen. On `Ok` its
/// name is durable.
fn made_before(partial: &Partial<'_>, target: &Dir, name: &OsStr) -> Result<Option<PathBuf>> {
    let bytes = |file: &File| -> io::Result<u64> { Ok(file.metadata()?.len()) };
    let hash_of = |mut file: &File| {
        file.rewind()?;
        hash(file)
    };
    let failed = |error| Error::io("read back", target.path(), error);
    let length = bytes(&partial.file).map_err(failed)?;
    let made = hash_of(&partial.file).map_err(failed)?;
    let is_it = |name: &OsStr| -> io::Result<bool> {
        let file = target.open_file(name)?;
        Ok(bytes(&file)? == length && hash_of(&file)? == made)
    };
    // A file that cannot be read is not the host's.
    let found = find_recent(target, name, |name| Ok(is_it(name).unwrap_or(false)))?;
    let Some(found) = found else { return Ok(None) };
    target.make_durable()?;
    Ok(Some(target.at(&found)))
}

/// Searches the names derived from `name` that were given last.
pub(super) fn find_recent(
    target: &Dir,
    name: &OsStr,
    is_it: impl Fn(&OsStr) -> io::Result<bool>,
) -> Result<Option<std::ffi::OsString>> {
    let find = || -> io::Result<_> {
        let bytes_max = target.name_bytes_max(name);
        let free = first_free(target, name, 1)?;
        for number in (1..free).rev().take(LOOKED_THROUGH) {
            let name = distinct(name, number, bytes_max);
            if is_it(&name)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    };
    find().map_err(|error| Error::io("look into", target.path(), error))
}

//! Puts a source, or a zip file of it, into a folder.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self};
use std::path::PathBuf;

use super::aside::{self, Aside, Compare};
use super::attributes::{Permissions, keep};
use super::copies::{copy_parts, find_recent, zip_parts};
use super::dir::{Dir, Kind as Named};
use super::name::give_free_name;
use super::partial::Partial;
use super::zip_archive;
use crate::host::sources::file_meta::FileMeta;
use crate::host::sources::fingerprint::{SourceKind, hash};
use crate::host::sources::parts::Parts;
use crate::host::sources::shape::Shape;
use crate::host::sources::source::Source;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// Moves a source into a folder.
pub(super) fn move_into(source: Source<'_>, target: &Dir) -> Result<PathBuf> {
    let failed = |error| Error::io("open", target.path(), error);
    let may_rename = source
        .seen
        .named
        .may_share_file_system(target.id().map_err(failed)?);
    // For a link, its target is wanted there, not another name of the link.
    if may_rename && !source.path.is_symlink() {
        if source.seen.kind() == SourceKind::File
            && let Some(there) = link_into(source, target)?
        {
            return Ok(there);
        }
        let mut crosses = false;
        let moved = aside::with(source, Compare::Content, |aside, _| {
            rename_into(source, aside, target, &mut crosses)
        });
        // One file system can be mounted in two places, and renaming between them fails.
        if !crosses {
            return moved;
        }
    }
    copy_to(source, target)
}

pub(super) fn copy_to(source: Source<'_>, target: &Dir) -> Result<PathBuf> {
    match source.seen.shape {
        Shape::Folder => copy_folder(source, target),
        Shape::File(_) | Shape::WithCompanions(_) => copy_file(source, target),
    }
}

/// Gives a file a name in the folder before it loses its own. `None` where it cannot have two
/// names.
///
/// Its own name is removed right afterwards, and comes back if anything fails. So a program that
/// sees the new name may rely on the old one being free.
fn link_into(source: Source<'_>, target: &Dir) -> Result<Option<PathBuf>> {
    let aside = Aside::prepare(source)?;
    aside.check_content()?;
    let is_it = |name: &OsStr| {
        let seen = target.look(name)?;
        Ok(seen.is_some_and(|seen| seen.id == source.seen.named))
    };
    let mut name = None;
    if aside.has_other_names() {
        // A host that was killed before it removed the first name had given the second one already.
        name = find_recent(target, source.name(), is_it)?;
    }
    let name = match name {
        Some(name) => name,
        None => {
            let mut is_taken = true;
            let given = give_free_name(target, source.name(), |name| {
                aside.link_to(target, name).inspect_err(|error| {
                    is_taken = error.kind() == io::ErrorKind::AlreadyExists;
                })
            });
            match given {
                Ok(name) => name,
                Err(error) if is_taken => return Err(error),
                Err(_) => return Ok(None),
            }
        }
    };
    let failed = |error| Error::io("move", source.path, error);
    if !is_it(&name).map_err(failed)? {
        // Another file took the name before it was linked. That file still has its own name.
        target.remove_file(&name).map_err(failed)?;
        return Err(source.changed());
    }
    let cleared = aside.take(Compare::FileMeta, |aside, _| {
        target.make_durable()?;
        aside.remove_file()
    });
    match cleared {
        Ok(()) => {}
        // Another file has the name now, and what was read has only the new one.
        Err(error) if error.kind() == ErrorKind::Changed && !source.has_its_name()? => {
            target.make_durable()?;
        }
        Err(error) => {
            if is_it(&name).unwrap_or(false) && source.has_its_name()? {
                let _ = target.remove_file(&name);
            }
            return Err(error);
        }
    }
    Ok(Some(target.at(&name)))
}

fn rename_into(
    source: Source<'_>,
    aside: &Aside<'_>,
    target: &Dir,
    crosses: &mut bool,
) -> Result<PathBuf> {
    let given = give_free_name(target, source.name(), |name| {
        aside.rename_to(target, name).inspect_err(|error| {
            *crosses = error.kind() == io::ErrorKind::CrossesDevices;
        })
    })?;
    let now = target.look(&given);
    let now = now.map_err(|error| Error::io("read", target.at(&given), error))?;
    if now.is_none_or(|now| now.id != source.seen.named) {
        // The item that was renamed is not the source: another program took the hidden name too.
        let _ = aside.rename_back(target, &given);
        return Err(source.changed());
    }
    target.make_durable()?;
    aside.sync_watched()?;
    Ok(target.at(&given))
}

fn copy_file(source: Source<'_>, target: &Dir) -> Result<PathBuf> {
    let from = source.open()?;
    if let Some(there) = stand_in(source.name(), target, source, hash)? {
        source.give_way()?;
        return Ok(there);
    }
    let failed = |error| Error::io("copy", source.path, error);
    let partial = Partial::new(target)?;
    let mut to = &partial.file;
    io::copy(&mut &from, &mut to).map_err(failed)?;
    keep(&from, to).map_err(failed)?;
    // The content counts, so a time that cannot be set is no failure.
    let _ = to.set_modified(source.seen.meta.modified);
    to.sync_all().map_err(failed)?;
    partial.verify(hash, source.seen)?;
    let there = partial.publish(source.name())?;
    source.give_way()?;
    Ok(there)
}

fn copy_folder(source: Source<'_>, target: &Dir) -> Result<PathBuf> {
    let parts = Parts {
        root: source.path,
        tree: aside::tree(source, source.path)?,
        main: None,
    };
    let there = copy_parts(source, &parts, target)?.publish(source.name())?;
    source.give_way()?;
    Ok(there)
}

/// Replaces a file by a zip file in a folder.
pub(super) fn zip_file(source: Source<'_>, target: &Dir, name: &OsStr) -> Result<PathBuf> {
    let from = source.open()?;
    let name_inside = source.name().to_string_lossy();
    let held = |file| {
        zip_archive::Reader::new(file)?
            .first(&name_inside)
            .and_then(hash)
    };
    if let Some(there) = stand_in(name, target, source, held)? {
        source.give_way()?;
        return Ok(there);
    }
    let failed = |error| Error::io("zip", source.path, error);
    let permissions = Permissions::of(&from).map_err(failed)?;
    let modified = source.seen.meta.modified;
    let partial = Partial::new(target)?;
    let mut zip = zip_archive::Writer::new(&partial.file);
    let member = zip_archive::Member {
        name: &name_inside,
        modified,
        mode: permissions.mode(),
    };
    let number = zip
        .add(&from, source.seen.meta.size, &member)
        .map_err(failed)?;
    zip.finish().map_err(failed)?;
    permissions.give(&partial.file);
    // By this time, the next host recognizes the zip file if this one is killed before it removes
    // the source.
    let _ = partial.file.set_modified(modified);
    partial.file.sync_all().map_err(failed)?;
    partial.verify(
        |file| {
            zip_archive::Reader::new(file)?
                .content(number)
                .and_then(hash)
        },
        source.seen,
    )?;
    let there = partial.publish(name)?;
    source.give_way()?;
    Ok(there)
}

/// Replaces a folder by a zip file in another folder.
pub(super) fn zip_folder(source: Source<'_>, target: &Dir, name: &OsStr) -> Result<PathBuf> {
    let parts = Parts {
        root: source.path,
        tree: aside::tree(source, source.path)?,
        main: None,
    };
    let there = zip_parts(source, &parts, target, name)?;
    source.give_way()?;
    Ok(there)
}

/// Finds the zip file of a host that was killed before it could remove the source.
///
/// It has the content and time of the source, under a name that the host may have chosen. `None`
/// where times cannot be set, or where many names came after it; a second zip file is made then.
fn stand_in(
    name: &OsStr,
    target: &Dir,
    source: Source<'_>,
    content: impl Fn(File) -> io::Result<BlobId>,
) -> Result<Option<PathBuf>> {
    let is_it = |name: &OsStr| -> io::Result<bool> {
        if target
            .look(name)?
            .is_none_or(|seen| seen.kind != Named::File)
        {
            return Ok(false);
        }
        let file = target.open_file(name)?;
        let meta = FileMeta::of(&file.metadata()?)?;
        // Another file with that name may be no zip file.
        Ok(meta.modified == source.seen.meta.modified
            && content(file).is_ok_and(|held| held == source.seen.content))
    };
    let Some(name) = find_recent(target, name, |name| Ok(is_it(name).unwrap_or(false)))? else {
        return Ok(None);
    };
    target.make_durable()?;
    Ok(Some(target.at(&name)))
}

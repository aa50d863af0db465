//! Clears a main file and its companions away together: all of them, or none.
//!
//! They are gathered in a folder that only the host's own account can enter, the main file first,
//! and compared there with what was read. From there they are removed like a folder, by a list of
//! what was compared. Or they are moved in one step into such a private folder beside their
//! destination, and given their names there.
//!
//! A private folder without a list always means that its content gets names in the folder around
//! it. So the next host cannot misinterpret anything that a killed host left.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::aside::{Files, PrivateFolder, hash_files, watched};
use super::copies::{copy_parts, zip_parts};
use super::dir::{Dir, Kind};
use super::group_names::{GROUP, place};
use super::removal;
use crate::host::file_id::FileId;
use crate::host::sources::file_meta::FileMeta;
use crate::host::sources::parts::{Parts, companions_of, parts, refused};
use crate::host::sources::source::Source;
use crate::{Error, ErrorKind, Result};

/// Removes exactly what was read. Removes nothing if any part has changed.
pub(super) fn remove(source: Source<'_>) -> Result<()> {
    with(source, |set| {
        set.remove()?;
        Ok(())
    })
}

/// Moves all parts into a folder under their names or distinct ones. Returns the path of the main
/// file.
pub(super) fn move_into(source: Source<'_>, target: &Dir) -> Result<PathBuf> {
    with(source, |set| set.move_into(target, Way::Rename))
}

/// Copies all parts into a folder and removes them, as a move between file systems does.
#[cfg(test)]
pub(super) fn copy_into(source: Source<'_>, target: &Path) -> Result<PathBuf> {
    let target = Dir::open(target).map_err(|error| Error::io("open", target, error))?;
    with(source, |set| set.move_into(&target, Way::Copy))
}

/// Replaces all parts by one zip file in a folder. Returns its path.
pub(super) fn zip_into(source: Source<'_>, target: &Dir, name: &OsStr) -> Result<PathBuf> {
    with(source, |set| {
        let there = zip_parts(source, &set.parts, target, name)?;
        set.remove()?;
        Ok(there)
    })
}

/// How a group is brought into another folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a rename if possible, and otherwise by a copy.
    Rename,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests have one file system"))]
    Copy,
}

/// Sets all parts of a source aside, compares them with what was read, and calls the action on
/// them.
///
/// When anything fails, the remaining parts get their names back, or names beside them. The error
/// says so.
fn with<T>(source: Source<'_>, act: impl FnOnce(&Set<'_>) -> Result<T>) -> Result<T> {
    let watched = watched(source)?;
    let now = parts(source.path, &source.seen.shape);
    let now = now.map_err(|error| refused(source.path, error))?;
    if now.is_none_or(|(meta, _)| !meta.is_unchanged_from(&source.seen.meta)) {
        return Err(source.changed());
    }
    let holder = PrivateFolder::make(&watched)?;
    let root = holder.dir.at(OsStr::new(GROUP));
    let acted = gather(source, &watched, &holder, &root).and_then(|(parts, files)| {
        act(&Set {
            source,
            watched: &watched,
            holder: &holder,
            parts,
            files,
        })
    });
    let done = acted.map_err(|error| put_back(source, &watched, &holder, error));
    holder.remove(&watched);
    done
}

/// Renames what was read into a folder of the holder, and compares it there.
fn gather<'a>(
    source: Source<'a>,
    watched: &Dir,
    holder: &PrivateFolder,
    root: &'a Path,
) -> Result<(Parts<'a>, Files)> {
    let make = || {
        let name = OsStr::new(GROUP);
        holder.dir.make_folder(name)?;
        holder.dir.open_folder(name)
    };
    let group = make().map_err(|error| Error::io("create", root, error))?;
    let main = (source.name().to_owned(), source.seen.named);
    let mut names = Vec::new();
    for (name, id) in [main].iter().chain(&source.seen.companions) {
        take(source, watched, &group, (name, *id))?;
        names.push(name.clone());
    }
    let failed = |error| Error::io("read", source.path, error);
    // Companions that appeared meanwhile belong to the source too.
    let more = companions_of(source.path, &source.seen.shape).map_err(failed)?;
    if !more.is_empty() {
        return Err(source.changed());
    }
    let (meta, tree) =
        FileMeta::among(root, &names).map_err(|error| refused(source.path, error))?;
    let parts = Parts {
        root,
        tree,
        main: Some(source.name()),
    };
    let (content, files) = hash_files(&parts).map_err(failed)?;
    if content == source.seen.content && meta.is_unchanged_from(&source.seen.meta) {
        Ok((parts, files))
    } else {
        Err(source.changed())
    }
}

/// Renames one name into the group if it still belongs to what was read.
fn take(source: Source<'_>, watched: &Dir, group: &Dir, of: (&OsStr, FileId)) -> Result<()> {
    let (name, id) = of;
    let failed = |error| Error::io("set aside", watched.at(name), error);
    let is_it = |dir: &Dir| -> io::Result<bool> {
        let seen = dir.look(name)?;
        Ok(seen.is_some_and(|seen| seen.id == id && seen.kind != Kind::Link))
    };
    if !is_it(watched).map_err(failed)? {
        return Err(source.changed());
    }
    let renamed = watched.rename_free(name, group, name);
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => source.changed(),
        _ => failed(error),
    })?;
    if is_it(group).map_err(failed)? {
        Ok(())
    } else {
        Err(source.changed())
    }
}

/// A main file with its companions in a private folder, compared with what was read.
struct Set<'a> {
    source: Source<'a>,
    watched: &'a Dir,
    holder: &'a PrivateFolder,
    parts: Parts<'a>,
    files: Files,
}

impl Set<'_> {
    /// Removes what was compared. Anything that has changed is put back with the rest.
    fn remove(&self) -> Result<()> {
        let holder = removal::condemn_group(
            self.source,
            (self.watched, &self.holder.dir),
            self.files.clone(),
        )?;
        let finished = removal::finish(self.watched, &holder.dir);
        holder.remove(self.watched);
        finished?;
        self.watched.make_durable()
    }

    fn move_into(&self, target: &Dir, way: Way) -> Result<PathBuf> {
        let there = PrivateFolder::make(target)?;
        let moved = self.move_to(&there, target, way);
        let placed = moved.and_then(|is_copied| {
            let placed = place(&there.dir, target, Some(self.source.name()));
            placed.map(|placed| (placed.now, is_copied))
        });
        there.remove(target);
        let (now, is_copied) = placed?;
        if is_copied {
            self.remove()?;
        }
        Ok(now)
    }

    /// Moves the set into a holder in another folder, by a rename where that is possible.
    ///
    /// Returns true for a copy.
    fn move_to(&self, there: &PrivateFolder, target: &Dir, way: Way) -> Result<bool> {
        let group = OsStr::new(GROUP);
        let renamed = match way {
            Way::Rename => self.holder.dir.rename_free(group, &there.dir, group),
            Way::Copy => Err(io::ErrorKind::CrossesDevices.into()),
        };
        match renamed {
            Ok(()) => {
                let mut touched = [&there.dir, target, &self.holder.dir, self.watched].into_iter();
                let synced = touched.try_for_each(Dir::make_durable);
                synced.inspect_err(|_| {
                    let _ = there.dir.rename_free(group, &self.holder.dir, group);
                })?;
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                let copy = copy_parts(self.source, &self.parts, target)?;
                copy.rename_into(&there.dir, group)?;
                there.dir.make_durable()?;
                target.make_durable()?;
                Ok(true)
            }
            Err(error) => Err(Error::io("move", self.source.path, error)),
        }
    }
}

/// Gives what was set aside its names back, or names beside them. Returns the error, extended by
/// the result.
fn put_back(source: Source<'_>, watched: &Dir, holder: &PrivateFolder, error: Error) -> Error {
    if matches!(holder.dir.look(OsStr::new(GROUP)), Ok(None)) {
        // The action finished it, or it was put back.
        return error;
    }
    let more = match place(&holder.dir, watched, Some(source.name())) {
        Ok(placed) if placed.is_under_its_names => return error,
        Ok(placed) => format!(
            "its name was taken meanwhile, so it is now {}",
            placed.now.display()
        ),
        Err(back) => format!(
            "what belongs to it is still in {}, and is put back by a later look: {}",
            holder.dir.path().display(),
            back.message()
        ),
    };
    // `Refused` instead of `Changed`, because a changed file is passed over silently, and a person
    // may look for this one.
    let message = format!("{}; {more}", error.message());
    Error::new(ErrorKind::Refused, message).caused_by(error)
}

//! Clearing a main file and its companions away together: all of them, or none.
//!
//! They are gathered in a folder that only the host's own account can enter, the main file first,
//! and compared there with what was read. From there they are removed as a folder is, by a list of
//! what was compared, or they are moved in one step into such a folder beside where they are to be,
//! and given their names there. A folder of that kind without a list always means the same: what is
//! in it gets its names in the folder around it. So a killed host leaves nothing that the next one
//! could take for something else.

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

/// Removes exactly what was read, and nothing if anything of it is not as it was.
pub(super) fn remove(source: Source<'_>) -> Result<()> {
    with(source, |set| {
        set.remove()?;
        Ok(())
    })
}

/// Moves all of it into a folder, under its names or distinct ones. Returns where the main file is.
pub(super) fn move_into(source: Source<'_>, target: &Dir) -> Result<PathBuf> {
    with(source, |set| set.move_into(target, Way::Rename))
}

/// Copies all of it into a folder, as it is done between file systems, and removes it.
#[cfg(test)]
pub(super) fn copy_into(source: Source<'_>, target: &Path) -> Result<PathBuf> {
    let target = Dir::open(target).map_err(|error| Error::io("open", target, error))?;
    with(source, |set| set.move_into(&target, Way::Copy))
}

/// Replaces all of it by one zip file in a folder. Returns where that is.
pub(super) fn zip_into(source: Source<'_>, target: &Dir, name: &OsStr) -> Result<PathBuf> {
    with(source, |set| {
        let there = zip_parts(source, &set.parts, target, name)?;
        set.remove()?;
        Ok(there)
    })
}

/// How a group gets into another folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a rename where that is possible, and by a copy elsewhere.
    Rename,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests have one file system"))]
    Copy,
}

/// Sets all of a source aside, compares it with what was read, and acts on it. When anything fails,
/// what is left of it goes back to its names, or to some beside them; the error says so.
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
    // What came meanwhile belongs to it too.
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

/// Renames one name into the group, if it is still that of what was read.
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

/// A main file with its companions in a folder of their own, compared with what was read.
struct Set<'a> {
    source: Source<'a>,
    watched: &'a Dir,
    holder: &'a PrivateFolder,
    parts: Parts<'a>,
    files: Files,
}

impl Set<'_> {
    /// Removes what was compared. What is not that any more is put back with what is left.
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

    /// Puts it into a holder in another folder, by a rename where that is possible. Returns true
    /// for a copy.
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

/// Gives what was set aside its names back, or some beside them. Returns the error with what became
/// of the source.
fn put_back(source: Source<'_>, watched: &Dir, holder: &PrivateFolder, error: Error) -> Error {
    if matches!(holder.dir.look(OsStr::new(GROUP)), Ok(None)) {
        // It went on its way, or was put back.
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
    // Not of the kind that is passed over: somebody may look for it.
    let message = format!("{}; {more}", error.message());
    Error::new(ErrorKind::Refused, message).caused_by(error)
}

//! Recovers after a host was killed: puts sources back that were set aside, and finishes removals.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::aside::PrivateFolder;
use super::dir::{Dir, Kind};
use super::group_names::{self, GROUP};
use super::name::{Purpose, give_free_name, is_hidden, name_in};
use super::removal::{self, FOLDER, LIST};
use crate::{Error, ErrorKind, Result};

/// How often a lock is asked for that a process may hold that is just being started.
const LOCK_TRIES: u32 = 400;
/// Time between two tries to lock.
const LOCK_EVERY: Duration = Duration::from_millis(5);

/// Puts back the sources that were set aside in a folder, and finishes removals of folders.
///
/// Returns the problems to report.
///
/// # Errors
/// When the folder cannot be listed.
pub(in crate::host) fn recover(watched: &Path) -> io::Result<Vec<Error>> {
    let watched = Dir::open(watched)?;
    let mut troubles = Vec::new();
    for name in watched.names()? {
        if let Some(original) = name_in(&name, Purpose::Aside) {
            troubles.extend(put_back(&watched, &name, &watched, &original).err());
        } else if is_hidden(&name, Purpose::Aside) {
            troubles.extend(empty(&watched, &name).err());
        } else if is_hidden(&name, Purpose::Removing) {
            troubles.push(left_alone(&watched, &name, "an earlier version of annals"));
        }
    }
    Ok(troubles)
}

/// Gives an item its name back, or a name beside it if that is taken, which is an error to report.
fn put_back(from: &Dir, name: &OsStr, watched: &Dir, original: &OsStr) -> Result<()> {
    let to = give_free_name(watched, original, |to| from.rename_free(name, watched, to))?;
    if to == original {
        return Ok(());
    }
    Err(renamed(&watched.at(original), &watched.at(&to)))
}

fn renamed(original: &Path, now: &Path) -> Error {
    Error::new(
        ErrorKind::Changed,
        format!(
            "{} was set aside when a host was killed, and its name is taken; it is now {}",
            original.display(),
            now.display()
        ),
    )
}

/// Gives a main file and its companions their names back, or names beside them, which is an error
/// to report.
fn put_back_group(holder: &Dir, watched: &Dir) -> Result<()> {
    let placed = group_names::place(holder, watched, None)?;
    if placed.is_under_its_names {
        return Ok(());
    }
    Err(renamed(&watched.at(&placed.was), &placed.now))
}

/// Takes everything out of a folder that a killed host had put a source into, and removes the
/// folder.
fn empty(watched: &Dir, name: &OsStr) -> Result<()> {
    let failed = |error| Error::io("read", watched.at(name), error);
    let seen = watched.look(name).map_err(failed)?;
    if seen.is_none_or(|seen| seen.kind != Kind::Folder) {
        return Err(left_alone(watched, name, "somebody else"));
    }
    let holder = watched.open_folder(name).map_err(failed)?;
    if !PrivateFolder::is_ours(watched, holder.access().map_err(failed)?)? {
        return Err(left_alone(watched, name, "somebody else"));
    }
    // Another host is working in it.
    let Some(_in_use) = lock_soon(&holder).map_err(failed)? else {
        return Ok(());
    };
    let (list, folder) = (OsStr::new(LIST), OsStr::new(FOLDER));
    let mut told = Ok(());
    if holder.has(list).map_err(failed)? {
        told = removal::finish(watched, &holder);
    }
    let group = OsStr::new(GROUP);
    if holder.has(group).map_err(failed)? {
        told = told.and(put_back_group(&holder, watched));
    }
    for inner in holder.names().map_err(failed)? {
        if inner != list && inner != folder && inner != group {
            told = told.and(put_back(&holder, &inner, watched, &inner));
        }
    }
    if watched.remove_folder(name).is_err() {
        told = told.and_then(|()| Err(left_alone(watched, name, "a killed host")));
    }
    told
}

/// Takes the lock of a folder, and waits a moment for it: a process that a host was starting when
/// it was killed keeps the host's locks until it has become another program.
pub(super) fn lock_soon(holder: &Dir) -> io::Result<Option<impl Sized + use<>>> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = holder.lock()? {
            return Ok(Some(lock));
        }
        sleep(LOCK_EVERY);
    }
    holder.lock()
}

fn left_alone(watched: &Dir, name: &OsStr, by: &str) -> Error {
    Error::new(
        ErrorKind::Refused,
        format!(
            "{} was left there by {by}; it was left alone",
            watched.at(name).display()
        ),
    )
    .hint("move what is wanted of it elsewhere, and remove it")
}

//! Places a main file and its companions, and passes over those that are there already.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::partial::sync_dir;
use super::target::{Done, Overwrite, Target, exists};
use crate::archive::Archive;
use crate::cli::content::{Replaces, Unpacked};
use crate::cli::run::Context;
use crate::convert::{BEGINNING_BYTES, has_main_file};
use crate::entry::Entry;
use crate::export::certificate::RestoredAs;
use crate::id::EntryId;
use crate::service::content::{content_of, open_source, safe_name};
use crate::{Error, Result};

/// How a main file and its companions are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// As they were, beside one another.
    Original,
    /// As they were, in a folder named by the id of the entry and the main file.
    InFolder,
}

/// Returns true for an entry of a main file with companions.
pub(super) fn is_group(archive: &Archive, entry: &Entry, context: &Context<'_>) -> Result<bool> {
    let mut beginning = Vec::new();
    let mut source = open_source(archive, entry, &context.zone())?.take(BEGINNING_BYTES);
    let read = source.read_to_end(&mut beginning);
    read.map_err(|error| Error::io("read the source of entry", entry.id.to_string(), error))?;
    Ok(has_main_file(&beginning))
}

/// Places the unpacked files of an entry. Those that are there with the same content are passed
/// over, unless `all_new`.
///
/// Returns the path of the main file, or of the folder of all.
pub(super) fn place(
    unpacked: &Unpacked,
    (id, named): (EntryId, Named),
    folder: &Path,
    target: &mut Target,
    all_new: bool,
) -> Result<Done> {
    let failed = |to: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(to, id),
        _ => Error::io("create", to, error),
    };
    let names = unpacked.names()?;
    let (first, places): (PathBuf, Vec<PathBuf>) = match named {
        Named::Original => {
            let names = names.iter();
            let places: Vec<PathBuf> = names
                .map(|name| target.name(folder, name.clone()))
                .collect();
            (places.first().cloned().unwrap_or_default(), places)
        }
        Named::InFolder => {
            let main = safe_name(&unpacked.main.to_string_lossy());
            let main = main.unwrap_or_else(|| "source".to_owned());
            let own = target.name(folder, format!("{id}_{main}").into());
            if own.symlink_metadata().is_err() {
                let placed = unpacked.place_whole(&own);
                placed.map_err(|error| failed(&own, error))?;
                sync(&target.dir.join(folder))?;
                return Ok(Done::Written(own, RestoredAs::Companions));
            }
            if !own.is_dir() {
                return Err(exists(&own, id));
            }
            let places = names.iter().map(|name| own.join(name)).collect();
            (own, places)
        }
    };
    // All is decided before anything is placed.
    let mut missing = Vec::new();
    for (name, to) in names.iter().zip(places) {
        if !target.is_in_the_way(&to) {
            missing.push((name, to));
        } else if all_new || !is_same(&unpacked.path(name), &to)? {
            return Err(exists(&to, id));
        }
    }
    let Some((_, any)) = missing.first() else {
        return Ok(Done::Identical(first));
    };
    let replaces = match target.overwrite {
        Overwrite::Never => Replaces::Nothing,
        Overwrite::Always => Replaces::Files,
    };
    for (name, to) in &missing {
        let placed = unpacked.place(name, to, replaces);
        placed.map_err(|error| failed(to, error))?;
    }
    sync(any.parent().unwrap_or(&target.dir))?;
    Ok(Done::Written(first, RestoredAs::Companions))
}

fn sync(folder: &Path) -> Result<()> {
    sync_dir(folder).map_err(|error| Error::io("sync", folder, error))
}

/// Returns true when two files, or all that is in two folders, are the same.
fn is_same(one: &Path, other: &Path) -> Result<bool> {
    compare(one, other).map_err(|error| Error::io("compare", other, error))
}

fn compare(one: &Path, other: &Path) -> io::Result<bool> {
    let (left, right) = (one.symlink_metadata()?, other.symlink_metadata()?);
    if left.is_dir() && right.is_dir() {
        let names = names_in(one)?;
        if names != names_in(other)? {
            return Ok(false);
        }
        for name in names {
            if !compare(&one.join(&name), &other.join(&name))? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    let are_files = left.is_file() && right.is_file() && left.len() == right.len();
    Ok(are_files && content_of(one)? == content_of(other)?)
}

fn names_in(folder: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let items = fs::read_dir(folder)?.map(|item| Ok(item?.file_name()));
    let mut names = items.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

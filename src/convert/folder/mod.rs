//! A folder as a source, or a main file with its companions: what is in it, as one stream of bytes,
//! and put back from them.
//!
//! The stream is a tar file that any tar reads. Equal trees give equal bytes, whatever the
//! folder is called and wherever it lies.

use std::ffi::{OsStr, OsString};

mod tarball;
mod tree;
mod unpack;

pub(crate) use tarball::{Tarball, file_of};
pub(crate) use tree::{Item, Kind, Tree, TreeError};
pub(crate) use unpack::{BEGINNING_BYTES, UnpackError, has_main_file, unpack};

/// Appended to a folder's name, it is the name of its bytes.
const SUFFIX: &str = ".tar";

/// Begins the comment of a tar file that says which of its files is the main one.
const MAIN_FILE: &str = "main file: ";

/// Files and folders in one source at most.
const ITEMS_MAX: usize = 100_000;
/// Folders inside each other at most, the source itself not counted.
const DEPTH_MAX: usize = 32;

/// What the source of a folder's bytes is called.
pub(crate) fn archived_name(folder: &OsStr) -> OsString {
    let mut name = folder.to_owned();
    name.push(SUFFIX);
    name
}

/// What the folder was called.
pub(crate) fn folder_name(archived: &str) -> &str {
    archived.strip_suffix(SUFFIX).unwrap_or(archived)
}

//! Packs a folder, or a main file with its companions, into one stream of bytes, and unpacks it.
//!
//! The stream is a tar file that any tar program reads. Equal trees give equal bytes, whatever the
//! folder is called and wherever it lies.

use std::ffi::{OsStr, OsString};

mod tarball;
mod tree;
mod unpack;

pub(crate) use tarball::{Tarball, file_of};
pub(crate) use tree::{Item, Kind, Tree, TreeError};
pub(crate) use unpack::{BEGINNING_BYTES, UnpackError, has_main_file, unpack};

/// The suffix that turns a folder's name into the name of its tar file.
const SUFFIX: &str = ".tar";

/// Begins the comment of a tar file that names its main file.
const MAIN_FILE: &str = "main file: ";

/// Maximum number of files and folders in one source.
const ITEMS_MAX: usize = 100_000;
/// Maximum depth of nested folders; the source itself is not counted.
const DEPTH_MAX: usize = 32;

/// Returns the name under which a folder's tar file is archived.
pub(crate) fn archived_name(folder: &OsStr) -> OsString {
    let mut name = folder.to_owned();
    name.push(SUFFIX);
    name
}

/// Returns the name of the folder that was archived under this name.
pub(crate) fn folder_name(archived: &str) -> &str {
    archived.strip_suffix(SUFFIX).unwrap_or(archived)
}

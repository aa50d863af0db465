//! Finds the program that a converter's command names.

use std::env;
use std::path::{Path, PathBuf};

/// Resolves the first word of a converter's command to a program.
///
/// A word that is written as a path, or is listed in `bundle`, is a file of the converter's folder.
/// Any other word is looked up in PATH.
pub(in crate::convert) fn program(word: &str, dir: &Path, bundle: &[String]) -> PathBuf {
    let is_path = word.contains('/') || (cfg!(windows) && word.contains('\\'));
    if is_path || bundle.iter().any(|name| name == word) {
        dir.join(word)
    } else {
        PathBuf::from(word)
    }
}

/// Returns the file of a program, so that the sandbox can allow reading it wherever it is.
pub(in crate::convert) fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return Some(program.to_owned());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

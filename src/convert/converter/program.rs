//! Finds the program that a converter's command means.

use std::env;
use std::path::{Path, PathBuf};

/// The program a command's first word means: a file of the converter's folder where it is written
/// as a path or is one of its `bundle`, else whatever PATH finds.
pub(in crate::convert) fn program(word: &str, dir: &Path, bundle: &[String]) -> PathBuf {
    let is_path = word.contains('/') || (cfg!(windows) && word.contains('\\'));
    if is_path || bundle.iter().any(|name| name == word) {
        dir.join(word)
    } else {
        PathBuf::from(word)
    }
}

/// The file that a program's name means, so that it may be read wherever it is.
pub(in crate::convert) fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return Some(program.to_owned());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

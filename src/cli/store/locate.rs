//! Determines the store that a command line is about.

use std::path::{Path, PathBuf};

use crate::cli::arguments::Globals;
use crate::cli::caller::CallerEnv;
use crate::cli::store::trust::Found;
use crate::host::Config;
use crate::{Error, ErrorKind, Result};

/// A file at the root of every store.
const MARKER: &str = "FORMAT";

/// Returns the named store, or else the nearest parent folder that is a store.
pub(crate) fn locate(globals: &Globals, from: &CallerEnv) -> Result<(PathBuf, Found)> {
    if let Some(named) = named(globals, from)? {
        return Ok((named, Found::Named));
    }
    let here = from.folder.as_deref().ok_or_else(|| {
        Error::new(ErrorKind::Io, "cannot find the current directory")
            .hint("go to a directory that exists, or name the store with --store DIR")
    })?;
    here.ancestors()
        .find(|dir| dir.join(MARKER).is_file() || has_lost_its_marker(dir))
        .map(|dir| (dir.to_owned(), Found::WalkingUp))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::NoStore,
                format!("no store in {} or above it", here.display()),
            )
            .hint("make one with `annals init DIR`, or name one with --store DIR or ANNALS_STORE")
        })
}

/// Returns true for a folder with the log of a store. Without its marker, opening it says that
/// `annals repair` makes the marker again.
fn has_lost_its_marker(dir: &Path) -> bool {
    !dir.join(MARKER).exists() && dir.join("journal").is_dir() && dir.join("index.redb").is_file()
}

/// Returns the store named by flag, environment or configuration, in this order.
pub(crate) fn named(globals: &Globals, from: &CallerEnv) -> Result<Option<PathBuf>> {
    if let Some(store) = &globals.store {
        return Ok(Some(store.clone()));
    }
    if let Some(store) = from.variable("ANNALS_STORE") {
        return Ok(Some(store.into()));
    }
    match config_file(globals, from) {
        Some(file) => store_path_from_config(&file),
        None => Ok(None),
    }
}

/// Sets the store of a service to `--store`, or else to the one its configuration file names.
///
/// The environment counts only when the file names none, because whoever starts the service may
/// have other variables. Returns a remark for the user, if there is one.
pub(crate) fn follow_file(
    globals: &mut Globals,
    from: &CallerEnv,
    config: &Config,
) -> Option<String> {
    if globals.key_file.is_none() {
        globals.key_file.clone_from(&config.evidence.key_file);
    }
    let file = config.path.display();
    let environment = from.variable("ANNALS_STORE").map(PathBuf::from);
    match (&globals.store, &config.store, environment) {
        (Some(flag), Some(told), _) if !is_same(&from.path(flag), told) => Some(format!(
            "the store is {}, as --store says, and not {}, as {file} does",
            flag.display(),
            told.display()
        )),
        (Some(_), ..) => None,
        (None, Some(told), environment) => {
            globals.store = Some(told.clone());
            let ignored = environment.filter(|named| !is_same(&from.path(named), told))?;
            Some(format!(
                "ANNALS_STORE names {}, which is ignored: the store is {}, as {file} says",
                ignored.display(),
                told.display()
            ))
        }
        (None, None, Some(named)) => Some(format!(
            "the store is {}, as ANNALS_STORE says; {file} names none",
            named.display()
        )),
        (None, None, None) => None,
    }
}

/// Returns the file of the key that the configuration names, if there is one.
pub(crate) fn key_file_named(globals: &Globals, from: &CallerEnv) -> Result<Option<PathBuf>> {
    match config_file(globals, from) {
        Some(file) => Ok(load(&file)?.evidence.key_file),
        None => Ok(None),
    }
}

/// Returns a warning when ANNALS_STORE takes precedence over the configuration given with the verb.
pub(crate) fn outranked(globals: &Globals, from: &CallerEnv) -> Option<String> {
    let named = from
        .variable("ANNALS_STORE")
        .filter(|_| globals.store.is_none())?;
    let file = from.path(globals.config.as_deref()?);
    // When the file cannot be read, the verb reports the error.
    let told = load(&file).ok()?.store?;
    let named = from.path(Path::new(named));
    (!is_same(&named, &told)).then(|| {
        format!(
            "the store is {}, as ANNALS_STORE says, and not {}, as {} does",
            named.display(),
            told.display(),
            file.display()
        )
    })
}

/// Returns true when both paths lead to one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => std::path::absolute(one).ok() == std::path::absolute(other).ok(),
    }
}

/// Returns the configuration file named by flag or environment.
pub(crate) fn config_file(globals: &Globals, from: &CallerEnv) -> Option<PathBuf> {
    let named = globals.config.as_deref();
    let named = named.or_else(|| from.variable("ANNALS_CONFIG").map(Path::new));
    named.map(|file| from.path(file))
}

/// Loads the configuration named by flag or environment.
pub(crate) fn configuration(globals: &Globals, from: &CallerEnv) -> Result<Config> {
    let file = config_file(globals, from).ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "no configuration is named")
            .hint("add --config FILE, or set ANNALS_CONFIG")
    })?;
    load(&file)
}

/// Reads and checks a configuration.
///
/// # Errors
/// `Invalid`, both when the file cannot be read and when its content is wrong.
pub(crate) fn load(file: &Path) -> Result<Config> {
    Config::load(file).map_err(|error| match error.kind() {
        ErrorKind::Invalid => error,
        _ => Error::new(ErrorKind::Invalid, error.message().to_owned())
            .hint("check the name of the configuration, --config and ANNALS_CONFIG")
            .caused_by(error),
    })
}

/// Returns `store.path` of a configuration file. A relative path is relative to the file's folder.
fn store_path_from_config(file: &Path) -> Result<Option<PathBuf>> {
    Ok(load(file)?.store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_store_path_is_relative_to_its_configuration() {
        let dir = tempfile::tempdir().expect("temp dir");
        let file = dir.path().join("annals.toml");
        for (text, expected) in [
            ("[store]\npath = \"archive\"\n", Some("archive")),
            ("[host]\nmax_concurrent = 4\n", None),
        ] {
            std::fs::write(&file, text).expect("write");
            let path = store_path_from_config(&file).expect("valid");
            assert_eq!(path, expected.map(|name| dir.path().join(name)));
        }
        for wrong in ["[store", "[store]\npath = 3\n"] {
            std::fs::write(&file, wrong).expect("write");
            let error = store_path_from_config(&file).expect_err(wrong);
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn the_flag_names_the_store_before_everything_else() {
        let globals = Globals {
            store: Some(PathBuf::from("here")),
            config: Some(PathBuf::from("missing.toml")),
            ..Globals::default()
        };
        assert_eq!(
            locate(&globals, &CallerEnv::of_process()).expect("named"),
            (PathBuf::from("here"), Found::Named)
        );
    }
}

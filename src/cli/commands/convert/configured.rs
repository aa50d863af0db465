//! Finds the configured converter that a conversion is for.

use std::path::Path;

use crate::convert::{Converter, Takes};
use crate::host::Config;
use crate::{Error, ErrorKind};

/// Returns the configured converter of a name.
pub(super) fn configured<'a>(config: &'a Config, name: &str) -> Result<&'a Converter, Error> {
    let found = config.converter(name).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!(
                "no converter '{name}' is configured in {}",
                config.path.display()
            ),
        )
        .hint(format!("there are: {}", names(config)))
    })?;
    Ok(&found.converter)
}

/// Returns the one converter that takes files, or folders, of this name.
pub(super) fn taker<'a>(config: &'a Config, path: &Path) -> Result<&'a Converter, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_folder = path.is_dir();
    let what = if is_folder { "folders" } else { "files" };
    let mut takers = config
        .converters
        .iter()
        .filter(|converter| (converter.converter.takes == Takes::Folders) == is_folder)
        .filter(|converter| converter.takes(&name));
    let which = match (takers.next(), takers.next()) {
        (Some(one), None) => return Ok(&one.converter),
        (None, _) => "no converter takes",
        (Some(_), Some(_)) => "several converters take",
    };
    Err(
        Error::new(ErrorKind::Invalid, format!("{which} {what} such as {name}"))
            .hint(format!("name one with -c: {}", names(config))),
    )
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = config
        .converters
        .iter()
        .map(|config| config.converter.name.as_str())
        .collect();
    names.join(", ")
}

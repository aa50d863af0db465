//! Values as the text that programs get: objects on one line of JSON, and paths.

use std::path::Path;

use serde::Serialize;

use super::escape::escape_json;
use crate::{Error, ErrorKind, Result};

/// Returns an object as one line of JSON, without a line end.
pub fn to_json(value: &impl Serialize) -> Result<String> {
    let line = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot write JSON").caused_by(error))?;
    Ok(escape_json(&line).into_owned())
}

/// Returns a path as text for people and programs. Bytes that are not UTF-8 become U+FFFD.
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

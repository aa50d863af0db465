//! What programs read: objects on one line, errors as objects, lines of a log.

use std::path::Path;

use serde::Serialize;

use super::escape::{escape, escape_json};
use crate::{Error, ErrorKind, Result};

/// A line of a log, whole with its end, as it may be shown on a terminal.
pub(crate) fn log_line(line: &str) -> String {
    let text = line.trim_end_matches('\n');
    let text = if text.starts_with('{') {
        escape_json(text)
    } else {
        escape(text)
    };
    format!("{text}\n")
}

/// An object on one line, without its end.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    let line = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot write JSON").caused_by(error))?;
    Ok(escape_json(&line).into_owned())
}

/// An error as `--json` prints it, with its newline.
pub(crate) fn error_json(kind: ErrorKind, message: &str, hint: Option<&str>) -> String {
    let object = serde_json::json!({
        "error": { "kind": kind.name(), "message": message, "hint": hint }
    });
    format!("{}\n", escape_json(&object.to_string()))
}

/// A path as it is told to people and programs: bytes that are not UTF-8 stand as U+FFFD.
pub(crate) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

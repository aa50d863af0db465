//! Output for programs: objects on one line, errors as objects, lines of a log.

use std::path::Path;

use serde::Serialize;

use super::escape::{escape, escape_json};
use crate::{Error, ErrorKind, Result};

/// Returns a line of a log with its line end, made safe for a terminal.
pub(crate) fn log_line(line: &str) -> String {
    let text = line.trim_end_matches('\n');
    let text = if text.starts_with('{') {
        escape_json(text)
    } else {
        escape(text)
    };
    format!("{text}\n")
}

/// Returns an object as one line of JSON, without a line end.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String> {
    let line = serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Io, "cannot write JSON").caused_by(error))?;
    Ok(escape_json(&line).into_owned())
}

/// Returns an error as `--json` prints it, with its line end.
pub(crate) fn error_json(kind: ErrorKind, message: &str, hint: Option<&str>) -> String {
    let object = serde_json::json!({
        "error": { "kind": kind.name(), "message": message, "hint": hint }
    });
    format!("{}\n", escape_json(&object.to_string()))
}

/// Returns a path as text for people and programs. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

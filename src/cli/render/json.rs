//! Output for programs: errors as objects, lines of a log.

use crate::ErrorKind;
use crate::service::objects::ErrorObject;
use crate::service::words::{escape, escape_json};

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

/// Returns an error as `--json` prints it, with its line end.
pub(crate) fn error_json(kind: ErrorKind, message: &str, hint: Option<&str>) -> String {
    let object = ErrorObject {
        kind: kind.name(),
        message,
        hint,
    };
    let line = serde_json::json!({ "error": object }).to_string();
    format!("{}\n", escape_json(&line))
}

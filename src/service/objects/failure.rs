//! What went wrong, by cause.

use serde::Serialize;

use crate::archive::FailureGroup;
use crate::entry::CauseKind;
use crate::id::EntryId;
use crate::service::time::Zone;
use crate::service::words::in_shell;
use crate::time::Timestamp;

/// A cause of trouble, with the entries that met it.
#[derive(Debug, Serialize)]
pub struct FailureObject<'a> {
    /// The id of the cause, for the filter `failure`.
    cause: String,
    /// What kind of trouble it is.
    kind: &'a str,
    /// The error, with `*` for each part that differs from entry to entry.
    text: &'a str,
    /// The converter that met it.
    converter: &'a str,
    /// How many entries.
    entries: u64,
    /// When it was met first.
    first: Timestamp,
    /// When it was met last.
    last: Timestamp,
    /// One of the entries.
    example: EntryId,
    /// The error of that entry.
    example_error: Option<&'a str>,
    /// The command that deals with exactly these entries.
    pub command: String,
}

impl<'a> FailureObject<'a> {
    /// Returns the object of a cause. `config` is the configuration that commands name.
    pub fn new(group: &'a FailureGroup, config: Option<&str>, zone: &Zone) -> Self {
        Self {
            cause: group.cause.id.to_string(),
            kind: group.cause.kind.name(),
            text: &group.cause.text,
            converter: &group.converter,
            entries: group.entries,
            first: zone.exact(group.first),
            last: zone.exact(group.last),
            example: group.example,
            example_error: group.example_error.as_deref(),
            command: command_for(group, config),
        }
    }
}

/// Returns the command that deals with exactly the entries of a cause: it converts them again, or
/// lists them where a server refused their reports.
pub fn command_for(group: &FailureGroup, config: Option<&str>) -> String {
    let id = group.cause.id;
    if group.cause.kind == CauseKind::Refused {
        return format!("annals list --failure {id}");
    }
    let config = config.map_or("FILE".into(), in_shell);
    format!("annals --config {config} reprocess --failure {id}")
}

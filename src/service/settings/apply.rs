//! Applies changes of the configuration: checked, written, recorded with who and why, taken up by
//! the host.

use serde::Serialize;

use crate::event::ConfigChanged;
use crate::host::{Change, ChangedValue, Config, Draft, Edit};
use crate::service::desk::Desk;
use crate::{Error, ErrorKind, Result};

/// What came of changes that were applied.
#[derive(Debug, Clone)]
pub struct Applied {
    /// What changed.
    pub edit: Edit,
    /// What the host made of it.
    pub taken_up: TakenUp,
    /// Why the change is written but not recorded, if it could not be.
    pub unrecorded: Option<String>,
}

/// What a host made of a changed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenUp {
    /// The file is as it was.
    Unchanged,
    /// None runs here; one that runs elsewhere takes it up when it reads the file again.
    NoHost,
    /// It works by it.
    Active,
    /// It works by the configuration before, and why.
    Refused(String),
}

/// What came of changes, as one JSON object.
#[derive(Debug, Serialize)]
pub struct AppliedObject<'a> {
    /// The configuration file.
    path: String,
    /// Whether the file changed.
    changed: bool,
    /// Each value before and after, secrets masked.
    changes: &'a [ChangedValue],
    /// The name of the file's bytes after the changes, for the next `If-Match`.
    etag: String,
    /// `checked`, `unchanged`, `no_host`, `active` or `refused`.
    host: &'static str,
    /// Why the host goes on with the configuration before.
    host_error: Option<&'a str>,
    /// Why the change could not be recorded.
    unrecorded: Option<&'a str>,
    /// What is valid and probably not meant.
    warnings: &'a [String],
}

impl<'a> AppliedObject<'a> {
    /// Returns the object of changes that were only checked.
    pub fn checked(edit: &'a Edit) -> Self {
        Self {
            path: edit.path.display().to_string(),
            changed: edit.changes_file(),
            changes: &edit.changes,
            etag: format!("\"{}\"", edit.revision().as_str()),
            host: "checked",
            host_error: None,
            unrecorded: None,
            warnings: &edit.config.warnings,
        }
    }

    /// Returns the object of changes that were applied.
    pub fn of(applied: &'a Applied) -> Self {
        let (host, host_error) = match &applied.taken_up {
            TakenUp::Unchanged => ("unchanged", None),
            TakenUp::NoHost => ("no_host", None),
            TakenUp::Active => ("active", None),
            TakenUp::Refused(why) => ("refused", Some(why.as_str())),
        };
        Self {
            host,
            host_error,
            unrecorded: applied.unrecorded.as_deref(),
            ..Self::checked(&applied.edit)
        }
    }
}

/// Returns the configuration as it stands in its file.
///
/// # Errors
/// `NotFound` when no file is named; `Invalid` with each problem when it is not valid.
pub fn draft(desk: &Desk) -> Result<Draft> {
    let file = desk.config_file.clone().ok_or_else(|| {
        let told = "no configuration file is named";
        Error::new(ErrorKind::NotFound, told)
            .hint("start with --config FILE; `annals config init` prints one to begin with")
    })?;
    Draft::load(file)
}

/// Checks changes without writing anything.
///
/// # Errors
/// `Invalid` and `Refused` with each problem; see [`Draft::edit`].
pub fn check(desk: &Desk, draft: &Draft, changes: &[Change]) -> Result<Edit> {
    draft.refuse_by_hand(changes)?;
    let edit = draft.edit(changes)?;
    edit.config.check_folders(Some(desk.archive.dir()))?;
    Ok(edit)
}

/// Applies changes to the file whose bytes are those that `seen` names. What changes is recorded
/// with the account of the desk's archive and the reason.
///
/// The same changes again, when they are in force already, are no error.
///
/// # Errors
/// `Changed` when somebody else has changed the file; `Invalid` without a reason; see [`check`].
pub fn apply(desk: &Desk, seen: &str, changes: &[Change], reason: &str) -> Result<Applied> {
    let draft = draft(desk)?;
    let is_seen = draft.revision.as_str() == seen;
    let edit = check(desk, &draft, changes);
    if !is_seen && !edit.as_ref().is_ok_and(|edit| !edit.changes_file()) {
        let told = "the configuration was changed by somebody else meanwhile";
        return Err(Error::new(ErrorKind::Changed, told)
            .hint("look at it and try again; nothing was written"));
    }
    let edit = edit?;
    if !edit.changes_file() {
        return Ok(Applied {
            edit,
            taken_up: TakenUp::Unchanged,
            unrecorded: None,
        });
    }
    if reason.trim().is_empty() {
        let told = "say why: the reason is recorded with the change";
        return Err(Error::new(ErrorKind::Invalid, told));
    }
    edit.write()?;
    let recorded = record(desk, &edit, reason);
    let taken_up = match &desk.host {
        None => TakenUp::NoHost,
        Some(host) => match host.reload(edit.config.clone()) {
            Ok(()) => TakenUp::Active,
            Err(error) => TakenUp::Refused(error.to_string()),
        },
    };
    Ok(Applied {
        edit,
        taken_up,
        unrecorded: recorded.err().map(|error| error.to_string()),
    })
}

/// Records each value that changed. A host records what is in force beside it, when it takes it up.
fn record(desk: &Desk, edit: &Edit, reason: &str) -> Result<()> {
    let changed = edit.changes.iter().filter(|value| value.changed);
    for value in changed {
        let mut fact = ConfigChanged::of(target_of(value, &edit.config)).reason(reason);
        fact.old.clone_from(&value.old);
        fact.new.clone_from(&value.new);
        desk.archive.record_config_change(fact)?;
    }
    Ok(())
}

/// Returns the name of a value as `config set` takes it.
fn target_of(value: &ChangedValue, config: &Config) -> String {
    let names = config.converters.iter().map(|one| &one.converter.name);
    let mut names = names.filter(|name| value.section == format!("converter \"{name}\""));
    let section = names.next().unwrap_or(&value.section);
    format!("{section}.{}", value.key)
}

//! Runs a converter over an archived source and records the result as an attempt.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::request::Request;
use super::runner::Runner;
use super::session::Session;
use crate::archive::{Archive, NewAttempt};
use crate::convert::converter::{Arguments, Companions, Converter, Listing, Takes};
use crate::convert::folder::{Tarball, Tree, TreeError, file_of, folder_name};
use crate::convert::guard::{examine, examine_alone};
use crate::convert::process::Cancel;
use crate::convert::protocol::Conversion;
use crate::entry::{Entry, Outcome};
use crate::id::{AttemptNo, ConverterId, EntryId, JobId, StoreId};
use crate::time::Timestamp;
use crate::{Error, ErrorKind, Result};

/// One recorded attempt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AttemptSummary {
    /// The entry that was converted.
    pub entry: EntryId,
    /// The number of the attempt.
    pub attempt: AttemptNo,
    /// The identity of the converter that ran.
    pub converter_id: ConverterId,
    /// The result of the run.
    pub conversion: Conversion,
}

/// What is recorded with an attempt in addition to the run itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) job: Option<JobId>,
    pub(crate) keep_reports: bool,
    /// A note that is recorded among the warnings.
    pub(crate) note: Option<&'a str>,
}

/// Converts an archived source again and records the attempt with its reports.
///
/// Returns `None` when cancelled; then nothing is recorded. On `Ok` the attempt is durable.
///
/// # Errors
/// `NotFound` for an unknown entry, `Refused` for a purged one, `Converter` when the program cannot
/// be started; and any error of the archive. Nothing is recorded then.
pub fn convert_entry(
    archive: &Archive,
    runner: &Runner,
    id: EntryId,
    job: Option<JobId>,
    cancel: &Cancel,
) -> Result<Option<AttemptSummary>> {
    let entry = archive.snapshot()?.entry(id)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("there is no entry {id}"))
            .hint("`list` shows the entries there are")
    })?;
    let terms = Terms {
        arguments: &runner.converter().arguments,
        job,
        keep_reports: true,
        note: None,
    };
    let session = runner.session()?;
    let Some(mut conversion) = run_over(archive, runner, &session, &entry, terms, cancel)? else {
        return Ok(None);
    };
    let Converter { name, expect, .. } = runner.converter();
    examine(archive, &entry, name, expect, &mut conversion)?;
    record(archive, runner, &session, id, terms, conversion, None).map(Some)
}

/// Converts a file, or a folder if the converter takes folders, without recording anything.
///
/// The result is compared with stated expectations, not with other results.
///
/// Returns `None` when cancelled.
///
/// # Errors
/// `Invalid` when the path is neither, and for a folder with links or devices in it; otherwise as
/// [`Runner::run`].
pub fn convert_path(runner: &Runner, path: &Path, cancel: &Cancel) -> Result<Option<Conversion>> {
    let Some(mut conversion) = run_path(runner, path, cancel)? else {
        return Ok(None);
    };
    examine_alone(&runner.converter().expect, &mut conversion)?;
    Ok(Some(conversion))
}

fn run_path(runner: &Runner, path: &Path, cancel: &Cancel) -> Result<Option<Conversion>> {
    let metadata = path
        .metadata()
        .map_err(|error| Error::io("read", path, error))?;
    let takes = &runner.converter().takes;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let refused = |error: TreeError| {
        let message = format!("{} cannot be converted: {error}", path.display());
        Error::new(ErrorKind::Invalid, message).caused_by(error)
    };
    if metadata.is_dir() && *takes == Takes::Folders {
        let tree = Tree::of(path, |_| {}).map_err(refused)?;
        let request = Request {
            name: &name,
            modified: tree.modified(),
            store: None,
            entry: None,
            arguments: &runner.converter().arguments,
        };
        let mut content = Tarball::new(&tree, |item| file_of(path, item));
        return runner.run(request, &mut content, cancel);
    }
    if !metadata.is_file() {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("{} is not a regular file", path.display()),
        ));
    }
    if let Takes::WithCompanions(companions) = takes
        && let Some((folder, names)) = companions_of(path, companions)?
    {
        let names = names.iter().map(OsString::as_os_str);
        let tree = Tree::among(folder, names, |_| {}).map_err(refused)?;
        let main = path.file_name().unwrap_or_default();
        let request = Request {
            name: &name,
            modified: tree.modified(),
            store: None,
            entry: None,
            arguments: &runner.converter().arguments,
        };
        let mut content = Tarball::with_main(&tree, main, |item| file_of(folder, item))
            .map_err(|error| Error::io("read", path, error))?;
        return runner.run(request, &mut content, cancel);
    }
    let mut file = File::open(path).map_err(|error| Error::io("read", path, error))?;
    let request = Request {
        name: name_for(runner, &name),
        modified: metadata.modified().ok(),
        store: None,
        entry: None,
        arguments: &runner.converter().arguments,
    };
    runner.run(request, &mut file, cancel)
}

/// Finds the companions of a file.
///
/// Returns its folder, and its file name among those of the companions. `None` when it has none.
fn companions_of<'p>(
    path: &'p Path,
    companions: &Companions,
) -> Result<Option<(&'p Path, Vec<OsString>)>> {
    let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
        return Ok(None);
    };
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let listing = Listing::of(folder).map_err(|error| Error::io("list", folder, error))?;
    let mut names = companions.beside(name, &listing).names;
    if names.is_empty() {
        return Ok(None);
    }
    names.push(name.to_owned());
    Ok(Some((folder, names)))
}

/// Records the result of a run, with its reports and where they are to be sent. Durable on `Ok`.
pub(crate) fn record(
    archive: &Archive,
    runner: &Runner,
    session: &Session,
    entry: EntryId,
    terms: Terms<'_>,
    conversion: Conversion,
    submit: Option<String>,
) -> Result<AttemptSummary> {
    let converter = runner.converter();
    let converter_id = session.register(archive, converter)?;
    let attempt = archive.record_attempt(
        entry,
        NewAttempt {
            outcome: conversion.outcome,
            converter: converter.name.clone(),
            converter_version: converter.version.clone(),
            converter_id: Some(converter_id),
            arguments: terms.arguments.recorded(),
            duration_ms: Some(milliseconds(conversion.duration)),
            error: conversion.error.clone(),
            warnings: conversion.warnings.clone(),
            sandbox: runner.enforced(),
            unit: conversion.unit.clone(),
            reports: if terms.keep_reports {
                conversion.reports.clone()
            } else {
                Vec::new()
            },
            submit: submit.filter(|_| conversion.outcome == Outcome::Success),
            job: terms.job,
            extent: conversion.extent.clone(),
            suspicious: conversion.suspicious.clone(),
        },
    )?;
    Ok(AttemptSummary {
        entry,
        attempt,
        converter_id,
        conversion,
    })
}

/// Runs a converter over an entry's bytes and records nothing.
pub(crate) fn run_over(
    archive: &Archive,
    runner: &Runner,
    session: &Arc<Session>,
    entry: &Entry,
    terms: Terms<'_>,
    cancel: &Cancel,
) -> Result<Option<Conversion>> {
    if let Some(reason) = purged(entry) {
        return Err(Error::new(ErrorKind::Refused, reason));
    }
    let mut source = archive.read(&entry.blake3)?;
    let store = archive.store_id();
    run_on(runner, session, store, entry, terms, &mut source, cancel)
}

/// Runs a converter over the content of an entry, wherever it comes from, and records nothing.
pub(crate) fn run_on(
    runner: &Runner,
    session: &Arc<Session>,
    store: StoreId,
    entry: &Entry,
    terms: Terms<'_>,
    source: &mut dyn Read,
    cancel: &Cancel,
) -> Result<Option<Conversion>> {
    let request = Request {
        name: name_for(runner, &entry.source_name),
        modified: entry.source_modified.and_then(system_time),
        store: Some(store),
        entry: Some(entry.id),
        arguments: terms.arguments,
    };
    let conversion = runner.run_in(session, request, source, cancel)?;
    Ok(conversion.map(|mut conversion| {
        conversion.warnings.extend(terms.note.map(str::to_owned));
        conversion
    }))
}

/// Returns the name under which the converter sees a source of this name.
fn name_for<'a>(runner: &Runner, name: &'a str) -> &'a str {
    match runner.converter().takes {
        // For a main file with companions, the tar file itself names the main file.
        Takes::Files | Takes::WithCompanions(_) => name,
        Takes::Folders => folder_name(name),
    }
}

/// Returns why an entry has no source any more; `None` when it has one.
pub(crate) fn purged(entry: &Entry) -> Option<String> {
    if entry.facts_only {
        return Some(format!(
            "entry {} has facts only: its source was not stored",
            entry.id
        ));
    }
    let (at, rule) = match (entry.purged_at, entry.source_purge()) {
        (None, None) => return None,
        (_, Some(gone)) => (gone.at, gone.by.as_str()),
        (Some(at), None) => (at, entry.purged_by.as_deref().unwrap_or("an unknown rule")),
    };
    Some(format!(
        "the source of entry {} was purged at {at} by {rule}",
        entry.id
    ))
}

pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn system_time(time: Timestamp) -> Option<SystemTime> {
    let distance = Duration::from_micros(time.micros().unsigned_abs());
    if time.micros() < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_time_comes_back_as_the_files_time() {
        let time: Timestamp = "1969-12-31T23:59:58+00:00".parse().expect("valid");
        let system = system_time(time).expect("representable");
        let before = UNIX_EPOCH.duration_since(system).expect("earlier");
        assert_eq!(before, Duration::from_secs(2));
        // A log may contain any number, so none may cause a panic.
        let _ = system_time(Timestamp::from_micros(i64::MIN));
    }
}

//! The sources of a selection as one tar file.

use std::fmt::Write as _;
use std::io::{self, Read, Write};

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::archive::HandingOut;
use crate::convert::safe_name;
use crate::entry::Entry;
use crate::event::{Door, Handed};
use crate::id::EntryId;
use crate::service::content::record_access;
use crate::service::desk::Desk;
use crate::web::selections::Selection;
use crate::{Error, ErrorKind, Result};

/// What a download is called in the record of accesses.
const HOW: &str = "download";
/// Where the entries are named whose sources are not in the file.
const LEFT_OUT: &str = "left-out.csv";

/// Writes the sources of a selection as a tar file, in the order of their numbers, and records
/// first that they are handed out. What is purged or was never stored is named in a list at the
/// end.
pub(in crate::web) fn write_sources(
    desk: &Desk,
    selection: &Selection,
    into: impl Write,
) -> Result<()> {
    note_access(desk, &selection.ids)?;
    let snapshot = desk.archive.snapshot()?;
    let mut tar = tar::Builder::new(into);
    let mut left_out = String::new();
    for id in &selection.ids {
        let Some(entry) = snapshot.entry(*id)? else {
            continue;
        };
        match why_gone(&entry) {
            // Writing into a `String` cannot fail.
            Some(why) => drop(write!(left_out, "{id},{why}\r\n")),
            None => append(desk, &entry, &mut tar)?,
        }
    }
    if !left_out.is_empty() {
        let list = format!("id,why\r\n{left_out}");
        let mut head = head(list.len() as u64, 0);
        let appended = tar.append_data(&mut head, LEFT_OUT, list.as_bytes());
        appended.map_err(|error| broken_off(&error))?;
    }
    let mut into = tar.into_inner().map_err(|error| broken_off(&error))?;
    into.flush().map_err(|error| broken_off(&error))
}

/// Records that the sources are handed out, where accesses are recorded. A store that takes no
/// events hands them out all the same.
fn note_access(desk: &Desk, ids: &[EntryId]) -> Result<()> {
    let out = || {
        let out = HandingOut::new(Handed::Source, ids.to_vec(), HOW).door(Door::Web);
        Ok::<_, Error>(out)
    };
    record_access(desk, out).map(drop)
}

fn why_gone(entry: &Entry) -> Option<&'static str> {
    if entry.facts_only {
        Some("facts only")
    } else if entry.purged_at.is_some() || entry.source_purge().is_some() {
        Some("purged")
    } else {
        None
    }
}

fn append(desk: &Desk, entry: &Entry, tar: &mut tar::Builder<impl Write>) -> Result<()> {
    let name = format!("{}_{}", entry.id, safe_name(&entry.source_name));
    let time = entry.source_modified.unwrap_or(entry.archived_at);
    let seconds = u64::try_from(time.micros() / 1_000_000).unwrap_or(0);
    let mut head = head(entry.size, seconds);
    let mut content = Checked {
        content: desk.archive.read(&entry.blake3)?,
        failure: None,
    };
    match tar.append_data(&mut head, &name, &mut content) {
        Ok(()) => Ok(()),
        Err(error) => Err(content.failure.unwrap_or_else(|| broken_off(&error))),
    }
}

fn head(size: u64, modified: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(modified);
    header
}

fn broken_off(error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the download broke off: {error}"))
}

/// Content, and what was wrong with it: damage must not look like a client that went away.
struct Checked<R> {
    content: R,
    failure: Option<Error>,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.content.read(into).inspect_err(|error| {
            self.failure = Some(Error::new(ErrorKind::Damaged, error.to_string()));
        })
    }
}

/// Returns the answer with the sources, which browsers save as a file.
pub(in crate::web) fn sources_answer(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/x-tar"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"sources.tar\"",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, body).into_response()
}

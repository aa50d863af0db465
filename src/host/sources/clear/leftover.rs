//! Removes the report that an older setup left in the done folder for an archived source.

use std::io;
use std::path::Path;

use super::dir::{Dir, Kind};
use crate::host::config::settings::Links;
use crate::host::sources::fingerprint::Fingerprint;
use crate::host::sources::shape::Shape;
use crate::host::sources::source::Source;
use crate::id::BlobId;
use crate::{Error, Result};

/// Removes the report of a source from its done folder.
///
/// The report is `<name without extension>.json`, if it equals one of the reports that the archive
/// holds for this entry. Any other file with that name stays, because it belongs to somebody else.
pub(in crate::host) fn remove_leftover(
    source: &Path,
    done: &Path,
    reports: &[BlobId],
) -> Result<()> {
    let Some(stem) = source.file_stem().filter(|_| !reports.is_empty()) else {
        return Ok(());
    };
    let mut name = stem.to_owned();
    name.push(".json");
    let folder = match Dir::open(done) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(|error| Error::io("open", done, error))?,
    };
    let path = done.join(&name);
    let seen = folder.look(&name);
    let seen = seen.map_err(|error| Error::io("read", &path, error))?;
    if seen.is_none_or(|seen| seen.kind != Kind::File) {
        return Ok(());
    }
    match Fingerprint::of(&path, &Shape::File(Links::Skip))? {
        Some(seen) if reports.contains(&seen.content) => Source {
            path: &path,
            seen: &seen,
            within: None,
            marker: None,
        }
        .remove(),
        _ => Ok(()),
    }
}

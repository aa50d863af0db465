//! Reports damage in a store or a backup, as findings and as an error.

use std::fmt;
use std::path::Path;

use crate::archive::checking::verify::report::Finding;
use crate::{Error, ErrorKind};

/// Makes the finding for a file of a backup or store that could not be used.
pub(super) fn finding(place: &str, detail: impl fmt::Display) -> Finding {
    let kind = if place.starts_with("events") {
        "log"
    } else {
        "pack"
    };
    Finding {
        kind: kind.to_owned(),
        r#where: place.to_owned(),
        detail: detail.to_string(),
    }
}

/// Makes the error that names the first finding.
pub(super) fn damaged(what: &str, dir: &Path, findings: &[Finding]) -> Error {
    let first = findings.first().map_or_else(String::new, |finding| {
        format!(": {}: {}", finding.r#where, finding.detail)
    });
    Error::new(
        ErrorKind::Damaged,
        format!("{what} in {} is damaged{first}", dir.display()),
    )
}

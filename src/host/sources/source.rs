//! A source that was read and is to be cleared away, without losing it or touching anything else.
//!
//! A source is what was read, not what has its name now. Before it is removed or moved, it is
//! renamed to a hidden name beside it, which no other program writes to. There it is compared with
//! what was read: identity, size, time and content. If it is something else, it gets its name back,
//! or a name beside it if that was taken meanwhile. A file that takes the name in between is never
//! touched. A copy of the source elsewhere is complete before its name is removed, so that a
//! program that waits for that finds the copy.
//!
//! A host that is killed leaves the source under its own name or under the hidden one. The next
//! host puts back what it finds set aside, see [`recover`]. Files in a watch folder can never cause
//! a removal: the list of a folder that is being removed lies in a folder that only the host's own
//! account can enter, and it applies only there.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::Path;

use super::fingerprint::{Fingerprint, hash};
use crate::convert::archived_name;
use crate::host::file_id::named;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// A source that was read and is to be cleared away.
///
/// If it has changed since, every action leaves it where it is and fails with `Changed`.
#[derive(Clone, Copy)]
pub(in crate::host) struct Source<'a> {
    pub(in crate::host) path: &'a Path,
    pub(in crate::host) seen: &'a Fingerprint,
    /// The watch folder around it, if that is read with its subfolders.
    pub(in crate::host) within: Option<&'a Path>,
    /// The file of a folder that is removed first; `None` for files.
    ///
    /// If the removal fails halfway, the rest is then no complete folder any more.
    pub(in crate::host) marker: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// Returns the name of the source in the archive.
    pub(in crate::host) fn archived_name(self) -> OsString {
        if self.seen.meta.has_parts() {
            archived_name(self.name())
        } else {
            self.name().to_owned()
        }
    }

    /// Reads the source back from the archive, and compares it.
    pub(in crate::host) fn read_back(
        self,
        stored: impl FnOnce(&BlobId) -> Result<Box<dyn Read>>,
    ) -> Result<()> {
        let path = self.path.display();
        let damaged = |how: &str| {
            Error::new(ErrorKind::Damaged, format!("the archived {path} {how}"))
                .hint("run `verify --deep`; the source was left where it is")
        };
        let back = hash(stored(&self.seen.content)?)
            .map_err(|error| damaged("cannot be read back").caused_by(error))?;
        if back == self.seen.content {
            Ok(())
        } else {
            Err(damaged("reads back differently"))
        }
    }

    pub(super) fn has_its_name(self) -> Result<bool> {
        let now = named(self.path).map_err(|error| Error::io("read", self.path, error))?;
        Ok(now.is_some_and(|(id, _)| id == self.seen.named))
    }

    pub(super) fn name(&self) -> &'a OsStr {
        self.path.file_name().unwrap_or_default()
    }

    pub(super) fn changed(&self) -> Error {
        changed(self.path)
    }
}

pub(super) fn changed(path: &Path) -> Error {
    Error::new(
        ErrorKind::Changed,
        format!(
            "{} changed while it was converted; it was left",
            path.display()
        ),
    )
}

//! A source that was read: it is cleared away without being lost, and nothing else is taken for it.
//!
//! A source is what was read, not what has its name. Before it is removed or moved it is renamed to
//! a hidden name beside it, which nobody else writes to, and compared there with what was read:
//! which file it is, its size, time and content. If it is something else it goes back to its name,
//! and if that name was taken meanwhile, to one beside it. A file that takes the name in between is
//! never touched. Whatever stands for a source elsewhere is there before its name goes, so that a
//! program that waits for the name to go finds it.
//!
//! A host that is killed leaves the source under its own name or under the hidden one. The next
//! host puts back what it finds set aside, see [`recover`]. Nothing that lies in a watch folder
//! says what is to be removed: the list of a folder that was being removed lies in a folder that
//! only the host's own account can enter, and it is followed in there only.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::Path;

use super::fingerprint::{Fingerprint, hash, named};
use crate::convert::archived_name;
use crate::id::BlobId;
use crate::{Error, ErrorKind, Result};

/// A source that was read and is to be cleared away. Every action leaves it where it is when it is
/// not what was read any more: that is an error of kind `Changed`.
#[derive(Clone, Copy)]
pub(in crate::host) struct Source<'a> {
    pub(in crate::host) path: &'a Path,
    pub(in crate::host) seen: &'a Fingerprint,
    /// The file of a folder that is removed first: what is left when something is in the way is no
    /// complete folder any more. Absent for files.
    pub(in crate::host) marker: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// Returns the name that the archive has for it.
    pub(in crate::host) fn archived_name(self) -> OsString {
        if self.seen.meta.has_parts() {
            archived_name(self.name())
        } else {
            self.name().to_owned()
        }
    }

    /// Reads back what the archive holds of it, and compares.
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

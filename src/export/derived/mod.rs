//! Forms of a bundle for other programs, which are no evidence.
//!
//! They lie in the folder `not-evidence` of a bundle, and are made from the same events. Nothing
//! but a manifest protects them, and the report of a verification says so.

mod openlineage;
mod origin;
#[cfg(feature = "parquet")]
mod tables;

use std::io;

use crate::export::output::Output;

pub(super) use origin::Origin;

/// A form of the events for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Derived {
    /// The conversions as run events of [OpenLineage](https://openlineage.io), one a line.
    OpenLineage,
    /// Entries and events as two tables of Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// The folder with all forms that are no evidence.
pub(super) const FOLDER: &str = "not-evidence";
/// Says in the folder what it is.
pub(super) const README: &str = "not-evidence/README.txt";
/// The content of [`README`].
pub(super) const README_TEXT: &str = "\
The files in this folder are not evidence.

They were made from the events in data/events.jsonl, for programs that read other forms. No
signature covers them: whoever has this bundle can change them and write the manifests again.
Compare what matters with data/events.jsonl, which is signed.
";

impl Derived {
    /// Every form that a bundle may have, also those that this build cannot write.
    pub(super) const FILES: [&str; 3] = [
        "not-evidence/openlineage.jsonl",
        "not-evidence/entries.parquet",
        "not-evidence/events.parquet",
    ];
}

/// Returns whether a bundle may have this file in its folder of forms that are no evidence.
pub(super) fn is_derived(path: &str) -> bool {
    path == README || Derived::FILES.contains(&path)
}

impl Derived {
    /// Returns the files of this form, in the order in which they are written.
    pub(super) const fn files(self) -> &'static [&'static str] {
        match self {
            Self::OpenLineage => &["not-evidence/openlineage.jsonl"],
            #[cfg(feature = "parquet")]
            Self::Parquet => &[
                "not-evidence/entries.parquet",
                "not-evidence/events.parquet",
            ],
        }
    }

    /// Writes the files of [`Self::files`].
    pub(super) fn write(self, from: &Origin<'_>, to: &mut [Output]) -> io::Result<()> {
        match (self, to) {
            (Self::OpenLineage, [file]) => openlineage::write(from, file),
            #[cfg(feature = "parquet")]
            (Self::Parquet, [entries, events]) => tables::write(from, entries, events),
            (_, _) => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

//! What a form that is no evidence is made from.

use std::path::Path;

use crate::disk::Disk;
use crate::export::facts::Facts;

/// What a form is made from.
pub(in crate::export) struct Origin<'a> {
    pub(in crate::export) disk: &'a dyn Disk,
    /// The lines of the bundle.
    pub(in crate::export) events: &'a Path,
    /// The name of the log.
    pub(in crate::export) log: &'a str,
    /// What the lines say of the entries.
    #[cfg_attr(
        not(feature = "parquet"),
        expect(dead_code, reason = "only tables need it")
    )]
    pub(in crate::export) facts: &'a Facts,
}

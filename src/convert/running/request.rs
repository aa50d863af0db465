//! One source that is to be converted.

use std::time::SystemTime;

use crate::convert::converter::Arguments;
use crate::id::EntryId;

/// One source to convert.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The name that the file or folder had. The converter sees it under this name, made safe.
    pub name: &'a str,
    /// The modification time it had.
    pub modified: Option<SystemTime>,
    /// The entry it is.
    pub entry: Option<EntryId>,
    /// What the converter is told besides.
    pub arguments: &'a Arguments,
}

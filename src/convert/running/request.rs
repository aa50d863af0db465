//! Describes one source to convert.

use std::time::SystemTime;

use crate::convert::converter::Arguments;
use crate::id::{EntryId, StoreId};

/// One source to convert.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The name of the file or folder. The converter sees it in a form that is safe as a file name.
    pub name: &'a str,
    /// The modification time of the source.
    pub modified: Option<SystemTime>,
    /// The store that has the entry. Together they decide in which folder the converter sees the
    /// source.
    pub store: Option<StoreId>,
    /// The entry of the source.
    pub entry: Option<EntryId>,
    /// What the converter is given besides the source.
    pub arguments: &'a Arguments,
}

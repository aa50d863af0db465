//! A filter as it was stated, which the store completes: some words mean identities of converters
//! that only the store knows.

use super::outdated::current_identities;
use crate::Result;
use crate::convert::IdentityDigits;
use crate::query::Filter;
use crate::service::desk::Desk;

/// A filter that was stated in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// All that the words alone say.
    pub filter: Filter,
    pub(super) made_by: Option<IdentityDigits>,
    pub(super) outdated: bool,
}

impl Stated {
    /// Returns true when it selects every entry that is not purged.
    pub fn is_empty(&self) -> bool {
        self.filter.is_empty() && self.made_by.is_none() && !self.outdated
    }

    /// Returns the filter with the identities that the words mean in the store of `desk`.
    ///
    /// # Errors
    /// When the store or the configured converters cannot be read.
    pub fn in_store(self, desk: &Desk) -> Result<Filter> {
        let mut filter = self.filter;
        if self.outdated {
            let current = current_identities(desk)?;
            filter = desk.archive.only_outdated(filter, &current)?;
        }
        if let Some(digits) = self.made_by {
            let fits = |id: &_| digits.begin(id);
            filter = desk.archive.only_made_by(filter, fits)?;
        }
        Ok(filter)
    }
}

//! Errors for selections without entries and for unknown converter names.
//!
//! A verb that acts on entries fails with exit code 4 when there are none: a typo in a filter must
//! not pass a gate. A listing prints an empty list instead.

use std::collections::BTreeSet;

use super::outdated::in_store;
use crate::archive::{Archive, Snapshot};
use crate::convert::suggest;
use crate::host::Config;
use crate::id::EntryId;
use crate::index::is_same_name;
use crate::query::Filter;
use crate::service::desk::Desk;
use crate::{Error, ErrorKind, Result};

/// Fewest hex digits of an identity that select a converter.
const IDENTITY_DIGITS_MIN: usize = 6;

/// Selected entries: named by id, or described by a filter.
#[derive(Debug)]
pub enum Selected {
    /// Exactly these.
    Ids(Vec<EntryId>),
    /// All that match.
    Filter(Box<Filter>),
}

impl Selected {
    /// Returns the selection. Refuses an empty one, which would mean every entry, and ids mixed
    /// with filters.
    pub fn of(ids: Vec<EntryId>, filter: Filter) -> Result<Self> {
        match (ids.is_empty(), filter.is_empty()) {
            (false, true) => Ok(Self::Ids(ids)),
            (true, false) => Ok(Self::Filter(Box::new(filter))),
            (true, true) => Err(Error::new(ErrorKind::Invalid, "no entries are named")
                .hint("give ids, or a filter such as --serial SN1042")),
            (false, false) => Err(
                Error::new(ErrorKind::Invalid, "ids and filters are both given")
                    .hint("give ids, or filters, not both"),
            ),
        }
    }

    /// Returns the selection with what only the store knows of its filter.
    pub fn in_store(self, desk: &Desk) -> Result<Self> {
        match self {
            Self::Filter(filter) => {
                in_store(*filter, desk).map(|filter| Self::Filter(Box::new(filter)))
            }
            Self::Ids(ids) => Ok(Self::Ids(ids)),
        }
    }
}

/// Returns the error of a verb that found no entry to act on.
pub fn nothing_selected() -> Error {
    Error::new(ErrorKind::NotFound, "no entry matches").hint(
        "`annals list` with the same filters shows what they select; purged entries are left out",
    )
}

/// Returns the error for an entry that does not exist.
pub fn no_entry(id: EntryId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no entry {id}"))
        .hint("`annals find TEXT` looks for one by serial, part, file name, report id or hash")
}

/// Refuses a filter by a converter that no entry was archived for and that is not configured.
///
/// # Errors
/// `NotFound`, with the most similar known name.
pub fn refuse_unknown_converters(
    filter: &Filter,
    snapshot: &Snapshot,
    config: Option<&Config>,
) -> Result<()> {
    if filter.converter.is_empty() {
        return Ok(());
    }
    let mut known = snapshot.converters()?;
    let configured = config.iter().flat_map(|config| &config.converters);
    known.extend(configured.map(|config| config.converter.name.clone()));
    let is_known = |name: &str| known.iter().any(|known| is_same_name(known, name));
    match filter.converter.iter().find(|name| !is_known(name)) {
        Some(name) => Err(unknown_converter(name, &known)),
        None => Ok(()),
    }
}

fn unknown_converter(name: &str, known: &BTreeSet<String>) -> Error {
    let error = Error::new(
        ErrorKind::NotFound,
        format!("no entry was archived for a converter '{name}', and none is configured"),
    );
    match suggest(name, known.iter().map(String::as_str)) {
        Some(meant) => error.hint(format!("did you mean '{meant}'?")),
        None => error.hint("`annals stats --by converter` lists the converters"),
    }
}

/// Refuses a converter to run that is neither configured nor recorded.
///
/// `wanted` may be a name, a version or an identity.
///
/// # Errors
/// `NotFound`, with the most similar known name.
pub fn refuse_unknown_version(
    wanted: &str,
    archive: &Archive,
    config: Option<&Config>,
) -> Result<()> {
    let configured = config.iter().flat_map(|config| &config.converters);
    let mut known: BTreeSet<String> = configured
        .map(|config| config.converter.name.clone())
        .collect();
    for recorded in archive.converters()? {
        if wanted.len() >= IDENTITY_DIGITS_MIN
            && recorded.converter_id.to_string().starts_with(wanted)
        {
            return Ok(());
        }
        known.extend(recorded.version);
    }
    if known.contains(wanted) {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::NotFound,
        format!(
            "no converter '{wanted}' is configured, and no recorded one has this version or \
             identity"
        ),
    );
    let words = known
        .iter()
        .map(String::as_str)
        .chain(["recorded", "current"]);
    Err(match suggest(wanted, words) {
        Some(meant) => error.hint(format!("did you mean '{meant}'?")),
        None => error.hint("give current, recorded, a configured name, or a recorded version"),
    })
}

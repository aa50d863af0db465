//! Selects the entries of a job, and refuses an empty selection.

use crate::archive::Archive;
use crate::convert::{Selection, Which, select};
use crate::host::Config;
use crate::id::EntryId;
use crate::query::Filter;
use crate::service::entries::{
    Selected, no_entry, nothing_selected, refuse_unknown_converters, refuse_unknown_version,
};
use crate::{Error, ErrorKind, Result};

/// Returns the selected entries.
///
/// # Errors
/// `NotFound` when there are none, or when a named entry does not exist: a check that looked at
/// nothing must not pass.
pub fn selection(
    archive: &Archive,
    selected: Selected,
    config: Option<&Config>,
) -> Result<Selection> {
    let mut ids = match selected {
        Selected::Filter(filter) => {
            refuse_unknown_converters(&filter, &archive.snapshot()?, config)?;
            let selection = select(archive, &filter)?;
            return if selection.ids.is_empty() {
                Err(nothing_selected())
            } else {
                Ok(selection)
            };
        }
        Selected::Ids(ids) => ids,
    };
    ids.sort_unstable();
    ids.dedup();
    let snapshot = archive.snapshot()?;
    for &id in &ids {
        if snapshot.entry(id)?.is_none() {
            return Err(no_entry(id));
        }
    }
    named(ids)
}

/// Returns the selection of exactly these entries.
///
/// # Errors
/// When the ids cannot be written down.
pub fn named(ids: Vec<EntryId>) -> Result<Selection> {
    let named = Filter {
        ids: ids.clone(),
        ..Filter::default()
    };
    let description = serde_json::to_string(&named).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the ids cannot be written down").caused_by(error)
    })?;
    Ok(Selection::of(description, ids))
}

/// Refuses a converter that is neither configured nor recorded.
///
/// # Errors
/// `NotFound`, with the most similar known name.
pub fn refuse_unknown(which: &Which, archive: &Archive, config: Option<&Config>) -> Result<()> {
    match which {
        Which::Named(name) => refuse_unknown_version(name, archive, config),
        _ => Ok(()),
    }
}

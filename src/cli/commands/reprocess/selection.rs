//! Selects the entries of a job, and refuses an empty selection.

use crate::archive::Archive;
use crate::convert::{Selection, select};
use crate::host::Config;
use crate::id::EntryId;
use crate::query::Filter;
use crate::service::entries::no_entry;
use crate::service::entries::{Selected, nothing_selected, refuse_unknown_converters};
use crate::{Error, ErrorKind};

/// Returns the selected entries.
///
/// Fails before anything runs when there are none, or when a named entry does not exist. A check
/// that looked at nothing must not pass.
pub(super) fn selection(
    archive: &Archive,
    selected: Selected,
    config: Option<&Config>,
) -> Result<Selection, Error> {
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
pub(super) fn named(ids: Vec<EntryId>) -> Result<Selection, Error> {
    let named = Filter {
        ids: ids.clone(),
        ..Filter::default()
    };
    let description = serde_json::to_string(&named).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the ids cannot be written down").caused_by(error)
    })?;
    Ok(Selection { description, ids })
}

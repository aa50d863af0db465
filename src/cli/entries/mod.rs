//! Selects the entries that a verb works on, and lists them.

mod entry_object;
mod filters;
mod listing;
mod notes;
mod outdated;
mod selection;
mod shown;

#[cfg(test)]
pub(super) use entry_object::tests::sample;
pub(super) use entry_object::{EntryObject, notes_in_zone};
pub(super) use filters::{Criteria, Filters, Period};
pub(super) use listing::{Listing, Output, each_page, selected_ids, status_cell, status_style};
pub(super) use notes::{accessed_words, note_words, notes_table};
pub(super) use outdated::{current_identities, in_store, outdated_words};
pub(super) use selection::{
    Selected, nothing_selected, refuse_unknown_converters, refuse_unknown_version,
};
pub(super) use shown::Shown;

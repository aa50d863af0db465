//! Which entries are meant, and how they are told: filters, selections, objects, CSV.

mod csv;
mod filters;
mod found;
mod known_names;
mod notes;
mod object;
mod outdated;
mod pages;
mod selection;
mod shown;
mod spelling;
mod stated;

pub use csv::{CsvColumns, Formulas, csv_line, csv_title};
pub use filters::{Criteria, Filters, Period};
pub use found::{END_LETTERS_MIN, FoundIn, How, Reason, reason, searched};
pub use notes::{accessed_words, note_words};
#[cfg(test)]
pub(crate) use object::tests::sample;
pub use object::{EntryObject, FoundEntry, notes_in_zone};
pub use outdated::{current_identities, outdated_words};
pub use pages::{each_page, selected_ids};
pub use selection::{
    Selected, no_entry, nothing_selected, refuse_unknown_converters, refuse_unknown_version,
    why_nothing, why_nothing_found,
};
pub use shown::Shown;
pub use spelling::{FilterKey, Takes};
pub use stated::Stated;

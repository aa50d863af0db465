//! Lists the entries that a verb works on.

mod listing;
mod notes;
mod selection;
pub(super) use listing::{Listing, Output, status_cell, status_style};
pub(super) use notes::notes_table;
pub(super) use selection::selection_words;
